"""The gate: judge an exported file by what its target's runtime gave, and stop the workflow if it fails."""

from pathlib import Path
from typing import Any

from torchship.step import log, step

from torchship.datasets import read_about, read_arrays
from torchship.errors import ParityError
from torchship.files import read_json, sha256, write_json
from torchship.gate import judge, verdict_line


def validate_target(
    model: Path, exported: Path, cases: Path, outputs: Path, validation: Path, evidence: Path,
    *, what: str, target: dict[str, Any], tolerance: float,
) -> None:  # fmt: skip
    document = judge(
        read_about(cases), read_arrays(cases), read_about(outputs), read_arrays(outputs),
        target=target, exported=read_json(exported), sha256=sha256(model), tolerance=tolerance,
    )  # fmt: skip
    # Snakemake deletes what a failed rule has made: the evidence must survive.
    write_json(evidence, document)
    line = verdict_line(document)
    if document["failures"]:
        raise ParityError(f"{what}: {line}; evidence in {evidence}")
    write_json(validation, document)
    log.info("%s: %s", what, line)


if __name__ == "__main__":
    with step():
        validate_target(
            Path(snakemake.input.model),
            Path(snakemake.input.exported),
            Path(snakemake.input.cases),
            Path(snakemake.input.outputs),
            Path(snakemake.output.validation),
            Path(snakemake.log.evidence),
            what="/".join(snakemake.wildcards),
            target=snakemake.params.target,
            tolerance=snakemake.params.tolerance,
        )
