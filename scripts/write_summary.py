"""Write the page that tells a reviewer what a run found."""

from pathlib import Path

from torchship.core.step import step

from torchship.core.files import read_json, write_text
from torchship.pages import summary
from torchship.spec.model import Model, read_model


def write_summary(
    model: Model,
    documents: dict[str, Path],
    exports: dict[str, Path],
    validations: dict[str, Path],
    source: Path | None,
    output: Path,
) -> None:
    text = summary.write(
        model,
        **{name: read_json(path) for name, path in documents.items()},
        exports={target: read_json(path) for target, path in exports.items()},
        validations={target: read_json(path) for target, path in validations.items()},
        source=source.read_text(encoding="utf-8") if source else "",
    )
    write_text(output, text)


if __name__ == "__main__":
    with step() as snakemake:
        given, targets = snakemake.input, snakemake.params.targets
        documents = ("datasheet", "training", "metrics", "check")
        write_summary(
            read_model(Path(given.shipped)),
            {name: Path(given.get(name)) for name in documents if given.get(name)},
            dict(zip(targets, map(Path, given.exports), strict=True)),
            dict(zip(targets, map(Path, given.validations), strict=True)),
            Path(given.python) if given.get("python") else None,
            Path(snakemake.output.page),
        )
