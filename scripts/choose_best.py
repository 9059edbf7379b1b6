"""Table the points of a scan, choose the best, and make its training the run's own."""

import shutil
from pathlib import Path

from torchship.step import log, step

from torchship.files import read_json, replacing, write_json, write_rows
from torchship.ranking import METRICS, order, outcome, table


def choose_best(
    trainings: dict[str, dict[str, Path]], networks: list[Path], outputs: dict[str, Path],
    *, metric: str, network: str,
) -> None:  # fmt: skip
    reports = {name: read_json(files["training"]) for name, files in trainings.items()}
    names, points = list(reports), [report["point"] for report in reports.values()]
    outcomes = [outcome(report) for report in reports.values()]
    ranked = order(outcomes, metric)
    name, point, found = names[ranked[0]], points[ranked[0]], outcomes[ranked[0]]
    write_rows(outputs["table"], *table(names, points, outcomes, ranked))
    for kind, path in trainings[name].items():
        copy(path, outputs[kind])
    stem = point.get("network/file", network)
    copy(next(path for path in networks if path.stem == stem), outputs["network"])
    least = "smallest" if METRICS[metric] else "largest"
    document = {
        "name": name, "point": point, "metric": metric, "best_is": least, "value": found[metric],
        "points": len(names), "diverged": len(names) - len(ranked),
    }  # fmt: skip
    write_json(outputs["best"], document)
    log.info("%s has the %s %s of %d points, %.6g; %d of them diverged", name, least, metric, len(names),
             found[metric], document["diverged"])  # fmt: skip


def copy(source: Path, target: Path) -> None:
    with replacing(target) as part:
        shutil.copyfile(source, part)


if __name__ == "__main__":
    with step():
        kinds = ("weights", "history", "replicas", "training")
        files = zip(*(map(Path, snakemake.input[kind]) for kind in kinds), strict=True)
        choose_best(
            {paths[0].parent.parent.name: dict(zip(kinds, paths, strict=True)) for paths in files},
            [Path(path) for path in snakemake.input.networks],
            {name: Path(path) for name, path in snakemake.output.items()},
            metric=snakemake.params.metric,
            network=snakemake.params.network,
        )
