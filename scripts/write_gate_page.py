"""Write the page of the gate."""

from pathlib import Path

from torchship.core.step import step

from torchship.core.files import read_json, write_text
from torchship.pages import gate


def write_gate_page(run: str, validations: dict[str, Path], picture: Path, output: Path) -> None:
    documents = {target: read_json(path) for target, path in validations.items()}
    write_text(output, gate.write(f"The gate: {run}", documents, picture.read_text(encoding="utf-8")))


if __name__ == "__main__":
    with step() as snakemake:
        write_gate_page(
            snakemake.wildcards.run,
            dict(zip(snakemake.params.targets, map(Path, snakemake.input.validations), strict=True)),
            Path(snakemake.input.picture),
            Path(snakemake.output.page),
        )
