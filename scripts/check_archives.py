"""Verify the archives of a run and write what was found."""

from pathlib import Path

from torchship.core.step import log, step

from torchship.archive.verify import verify
from torchship.core.files import sha256, write_json


def check_archives(archives: list[Path], report: Path, *, runs: list[str]) -> None:
    found = {
        archive.name: {"files": verify(archive, most_bytes=None), "sha256": sha256(archive)} for archive in archives
    }
    for name, entry in found.items():
        log.info("%s: %d files as packed, sha256 %s", name, entry["files"], entry["sha256"])
    write_json(report, {"archives": found, "runs": runs})


if __name__ == "__main__":
    with step() as snakemake:
        check_archives(
            [Path(path) for path in snakemake.input.archives],
            Path(snakemake.output.report),
            runs=snakemake.params.runs,
        )
