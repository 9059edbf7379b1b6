"""The files of the candidates that ship: unchanged since they were trained, and written as one model's."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from torchship.core.errors import DataError
from torchship.core.files import replacing, sha256, write_json, write_text
from torchship.models.neighbours import bundle, digest
from torchship.select.members import average, write_tables_together, write_together
from torchship.spec.report import Report


def require_unchanged(
    report: Report, folder: Path, network: Path, datasheet: Path | None, outputs: Mapping[str, Path]
) -> None:
    """Check that what a candidate was trained on, and what it wrote, is what its training.json says.

    Raises:
        DataError: something is another now, or gone.
    """
    require("network", network, report["network_sha256"], digest(network), folder)
    if datasheet is not None and report["datasheet_sha256"] is not None:
        require("datasheet", datasheet, report["datasheet_sha256"], sha256(datasheet), folder)
    for kind, checksum in report["files"].items():
        source = folder / outputs[kind].name
        require(kind, source, checksum, sha256(source) if source.exists() else "none", folder)


def require(kind: str, path: Path, recorded: str, found: str, folder: Path) -> None:
    """Check one file.

    Raises:
        DataError: it is another now, or gone.
    """
    if found != recorded:
        raise DataError(
            f"{path}: the {kind} is {'changed' if path.exists() else 'gone'} since {folder.name} was trained: sha256 "
            f"{found[:12]}…, {folder / 'training.json'} has {recorded[:12]}…; delete that file and run again"
        )


def write_files(
    reports: Mapping[str, Report], folders: Mapping[str, Path], network: Path, outputs: Mapping[str, Path]
) -> None:
    """Write network, weights, tables and report of what ships: those of one candidate, or of all members together.

    Args:
        reports, folders: of each member, by its name, its training.json and where that lies.
    """
    if len(reports) == 1:
        ((name, report),) = reports.items()
        for kind in (*report["files"], "training"):
            with replacing(outputs[kind]) as part:
                source = folders[name] / outputs[kind].name
                shutil.copyfile(source, part)
                # What is recorded of the copy is to be what was trained.
                if kind in report["files"]:
                    require(kind, source, report["files"][kind], sha256(part), folders[name])
        # It stands alone there, without its neighbours in models/.
        write_text(outputs["network"], bundle(network))
        return
    first = next(iter(reports.values()))
    write_together(outputs["weights"], [folder / outputs["weights"].name for folder in folders.values()])
    for kind in ("history", "replicas"):
        write_tables_together(outputs[kind], [folder / outputs[kind].name for folder in folders.values()])
    write_json(outputs["training"], {"members": [{"candidate": name, **report} for name, report in reports.items()]})
    write_text(outputs["network"], average(network, len(first["section"]["inputs"]), len(reports)))
