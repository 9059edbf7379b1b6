"""Run an exported file on the cases, in the ONNX Runtime that its target ships."""

from pathlib import Path

from torchship.step import log, step

from torchship.errors import TargetError
from torchship.interpreters import interpreter, last_line, run


def run_target(model: Path, cases: Path, pins: Path, outputs: Path) -> None:
    python = interpreter(pins)
    log.info("%s in %s", model, python)
    done = run(python, "-m", "torchship.runtimes", str(model), str(cases), str(outputs))
    if done.returncode:
        log.debug("%s", done.stderr)
        raise TargetError(f"{model} in {pins.stem}: the runtime ended with {done.returncode}: {last_line(done.stderr)}")


if __name__ == "__main__":
    with step():
        run_target(
            Path(snakemake.input.model),
            Path(snakemake.input.cases),
            Path(snakemake.input.runtime),
            Path(snakemake.output.outputs),
        )
