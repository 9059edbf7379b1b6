"""Find the interpreter that has a target's ONNX Runtime, for the steps that run files in it."""

from pathlib import Path

from torchship.core.step import log, step

from torchship.core.files import write_json
from torchship.runtimes.interpreters import interpreter, recorded


def find_runtime(pins: Path, output: Path) -> None:
    python = interpreter(pins)
    write_json(output, {"pins": pins.name, "python": recorded(python)})
    log.info("%s: %s", pins.stem, python)


if __name__ == "__main__":
    with step() as snakemake:
        find_runtime(Path(snakemake.input.runtime), Path(snakemake.output.found))
