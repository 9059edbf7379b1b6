"""Write the page that tells a reviewer what a run found."""

from pathlib import Path

from torchship.step import step

from torchship import summary
from torchship.files import read_json, write_text


def write_summary(
    run: str,
    documents: dict[str, Path],
    exports: dict[str, Path],
    validations: dict[str, Path],
    source: Path,
    output: Path,
) -> None:
    text = summary.write(
        run,
        **{name: read_json(path) for name, path in documents.items()},
        exports={target: read_json(path) for target, path in exports.items()},
        validations={target: read_json(path) for target, path in validations.items()},
        source=source.read_text(encoding="utf-8"),
    )
    write_text(output, text)


if __name__ == "__main__":
    with step():
        targets = snakemake.params.targets
        write_summary(
            snakemake.wildcards.run,
            {name: Path(snakemake.input[name]) for name in ("datasheet", "training", "metrics", "check")},
            dict(zip(targets, map(Path, snakemake.input.exports), strict=True)),
            dict(zip(targets, map(Path, snakemake.input.validations), strict=True)),
            Path(snakemake.input.python),
            Path(snakemake.output.page),
        )
