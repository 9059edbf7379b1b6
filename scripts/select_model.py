"""Select the training that ships: table all candidates of a run, and write the best as what later steps read."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from torchship.core.step import log, step

from torchship.core.claims import withdraw
from torchship.core.errors import DataError
from torchship.core.files import read_json, replacing, sha256, write_rows, write_text
from torchship.models.neighbours import bundle, digest
from torchship.select.ranking import METRICS, order, outcome, table
from torchship.select.shipped import selected
from torchship.spec.model import write_model
from torchship.training.objective import spelled


def select_model(
    trainings: dict[str, Path],
    networks: list[Path],
    datasheet: Path | None,
    outputs: dict[str, Path],
    *,
    run: str,
    metric: str,
    claims: Sequence[Path] = (),
) -> None:
    names, reports = list(trainings), [read_json(path) for path in trainings.values()]
    outcomes = [outcome(report) for report in reports]
    ranked = order(outcomes, metric, {spelled(report["section"]["train"]["loss"]) for report in reports})
    report, folder = reports[ranked[0]], trainings[names[ranked[0]]].parent
    network = next(path for path in networks if path.stem == report["section"]["network"]["file"])
    require("network", network, report["network_sha256"], digest(network), folder)
    if datasheet is not None and report["datasheet_sha256"] is not None:
        require("datasheet", datasheet, report["datasheet_sha256"], sha256(datasheet), folder)
    for kind, checksum in report["files"].items():
        source = folder / outputs[kind].name
        require(kind, source, checksum, sha256(source) if source.exists() else "none", folder)
    # From here on what was said of another model would be said of this one.
    withdraw(claims, run)
    for kind in (*report["files"], "training"):
        with replacing(outputs[kind]) as part:
            shutil.copyfile(folder / outputs[kind].name, part)
    write_rows(outputs["table"], *table(names, reports, outcomes, ranked))
    # It stands alone there, without its neighbours in models/.
    write_text(outputs["network"], bundle(network))
    model = selected(run, names, reports, outcomes, ranked, metric, outputs)
    write_model(outputs["shipped"], model)
    if len(names) > 1:
        best = f"{'smallest' if METRICS[metric] else 'largest'} {metric} of {len(names)} candidates"
        value, diverged = outcomes[ranked[0]][metric], len(names) - len(ranked)
        log.info("%s has the %s, %.6g; %d of them diverged", names[ranked[0]], best, value, diverged)
    log.info("%s ships, weights sha256 %s", names[ranked[0]], model.files["weights.safetensors"])
    if outcomes[ranked[0]]["converged"] == 0:
        log.warning("none of its replicas converged (%s)", report["convergence"]["criterion"])


def require(kind: str, path: Path, recorded: str, found: str, folder: Path) -> None:
    if found != recorded:
        raise DataError(
            f"{path}: the {kind} is {'changed' if path.exists() else 'gone'} since {folder.name} was trained: sha256 "
            f"{found[:12]}…, {folder / 'training.json'} has {recorded[:12]}…; delete that file and run again"
        )


if __name__ == "__main__":
    with step() as snakemake:
        sheet = snakemake.input.get("datasheet")
        select_model(
            {Path(path).parts[-2]: Path(path) for path in snakemake.input.trainings},
            [Path(path) for path in snakemake.input.networks],
            Path(sheet) if sheet else None,
            {name: Path(path) for name, path in snakemake.output.items()},
            run=snakemake.wildcards.run,
            metric=snakemake.params.metric,
            claims=[Path(path) for path in snakemake.params.claims],
        )
