"""Select what ships: table all candidates of a run, and write the best, or all its folds, as what later steps read."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torchship.core.step import log, step

from torchship.core.claims import withdraw
from torchship.core.files import read_json, write_rows
from torchship.select.ranking import METRICS, averaged, folds, order, outcome, table
from torchship.select.shipped import choose, selected
from torchship.select.taking import require_unchanged, write_files
from torchship.spec.model import write_model
from torchship.spec.objective import spelled


def select_model(
    trainings: dict[str, Path],
    networks: list[Path],
    datasheet: Path | None,
    outputs: dict[str, Path],
    *,
    points: Mapping[str, str],
    run: str,
    metric: str,
    ship: str = "best",
    claims: Sequence[Path] = (),
) -> None:
    names, reports = list(trainings), [read_json(path) for path in trainings.values()]
    outcomes = [outcome(report) for report in reports]
    places = folds(points)
    of_points = [averaged([outcomes[place] for place in fold]) for fold in places.values()]
    ranked = order(of_points, metric, {spelled(report["section"]["train"]["loss"]) for report in reports})
    choice = choose(places, of_points, ranked, metric, ship)
    members = {names[place]: reports[place] for place in choice.members}
    first = reports[choice.members[0]]
    network = next(path for path in networks if path.stem == first["section"]["network"]["file"])
    folders = {name: trainings[name].parent for name in members}
    for name, report in members.items():
        require_unchanged(report, folders[name], network, datasheet, outputs)
    # From here on what was said of another model would be said of this one.
    withdraw(claims, run)
    write_files(members, folders, network, outputs)
    write_rows(outputs["table"], *table(names, reports, outcomes, choice.ranks()))
    model = selected(run, choice, names, reports, outputs)
    write_model(outputs["shipped"], model)
    if len(places) > 1:
        best = list(places)[ranked[0]]
        log.info(
            "%s has the %s %s of %d candidates, %.6g; %d of them diverged",
            best,
            "smallest" if METRICS[metric] else "largest",
            metric,
            len(places),
            of_points[ranked[0]][metric],
            len(places) - len(ranked),
        )
        if choice.name != best:
            log.warning("%s ships although %s is better, as scan/ship says", choice.name, best)
    log.info("%s ships, weights sha256 %s", choice.name, model.files["weights.safetensors"])
    for name, report in members.items():
        if report.get("convergence", {}).get("converged") == 0:
            log.warning("%s: none of its replicas converged (%s)", name, report["convergence"]["criterion"])


if __name__ == "__main__":
    with step() as snakemake:
        points, sheet = snakemake.params.points, snakemake.input.get("datasheet")
        select_model(
            dict(zip(points, map(Path, snakemake.input.trainings), strict=True)),
            [Path(path) for path in snakemake.input.networks],
            Path(sheet) if sheet else None,
            {name: Path(path) for name, path in snakemake.output.items()},
            points=points,
            run=snakemake.wildcards.run,
            metric=snakemake.params.metric,
            ship=snakemake.params.ship,
            claims=[Path(path) for path in snakemake.params.claims],
        )
