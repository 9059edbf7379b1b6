"""Table the points of a scan, choose the best, and make its training the run's own."""

import shutil
from pathlib import Path

from torchship.core.step import log, step

from torchship.core.errors import DataError
from torchship.core.files import read_json, replacing, sha256, write_json, write_rows, write_text
from torchship.models.neighbours import bundle
from torchship.select.ranking import METRICS, order, outcome, table
from torchship.training.objective import spelled


def choose_best(trainings: dict[str, Path], networks: list[Path], outputs: dict[str, Path], *, metric: str) -> None:
    names, reports = list(trainings), [read_json(path) for path in trainings.values()]
    outcomes = [outcome(report) for report in reports]
    ranked = order(outcomes, metric, {spelled(report["knobs"]["train"]["loss"]) for report in reports})
    best = ranked[0]
    knobs = reports[best]["knobs"]
    write_rows(outputs["table"], *table(names, reports, outcomes, ranked))
    copy_training(trainings[names[best]], reports[best]["files"], outputs)
    # It stands alone there, without its neighbours in models/.
    write_text(outputs["network"], bundle(next(path for path in networks if path.stem == knobs["network"]["file"])))
    least, value = "smallest" if METRICS[metric] else "largest", outcomes[best][metric]
    diverged = len(names) - len(ranked)
    document = {
        "name": names[best], "point": reports[best]["point"], "knobs": knobs, "points": len(names),
        "diverged": diverged, "metric": metric, "best_is": least, "value": value,
    }  # fmt: skip
    write_json(outputs["best"], document)
    log.info("%s has the %s %s of %d points, %.6g; %d of them diverged", names[best], least, metric, len(names),
             value, diverged)  # fmt: skip
    if not outcomes[best]["converged"]:
        log.warning("none of its replicas converged (%s)", reports[best]["convergence"]["criterion"])


def copy_training(report: Path, checksums: dict[str, str], outputs: dict[str, Path]) -> None:
    for kind, checksum in checksums.items():
        source = report.with_name(outputs[kind].name)
        if not source.exists() or sha256(source) != checksum:
            raise DataError(f"{source} is {'changed' if source.exists() else 'gone'} since it was trained: "
                            f"delete {report} and run again")  # fmt: skip
        copy(source, outputs[kind])
    copy(report, outputs["training"])


def copy(source: Path, target: Path) -> None:
    with replacing(target) as part:
        shutil.copyfile(source, part)


if __name__ == "__main__":
    with step():
        choose_best(
            {Path(path).parts[-3]: Path(path) for path in snakemake.input.trainings},
            [Path(path) for path in snakemake.input.networks],
            {name: Path(path) for name, path in snakemake.output.items()},
            metric=snakemake.params.metric,
        )
