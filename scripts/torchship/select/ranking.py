"""The candidates of a run side by side: their table, and which is the best."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from torchship.core.errors import TrainingError
from torchship.spec.report import Report
from torchship.training.tables import QUANTITIES

# What candidates are compared by, from their training.json, and whether the smallest is the best.
METRICS = {"validation_loss": True, "validation_accuracy": False, "convergence_rate": False}
COUNTS = ("replicas", "converged", "diverged")
# What came of a training, by the columns of the table.
Outcome: TypeAlias = Mapping[str, float | None]
OUTCOME = ("replicas", "converged", "convergence_rate", "rate_low", "rate_high", "diverged")


def outcome(training: Report) -> Outcome:
    """Return what came of a training, by the names of the table's columns.

    A diverged one has no losses, a regression no decisions, and one that was done elsewhere has nothing of all that.
    """
    found: dict[str, float | None] = dict.fromkeys((*OUTCOME, *QUANTITIES))
    if "shipped" not in training:
        return found
    found["diverged"] = training["diverged"]
    if "convergence" in training:
        rate = training["convergence"]
        low, high = rate["interval"]
        found |= {"replicas": rate["replicas"], "converged": rate["converged"], "convergence_rate": rate["rate"]}
        found |= {"rate_low": low, "rate_high": high}
    else:
        found["replicas"] = training["section"]["train"]["replicas"]
    shipped = training["shipped"] or {}
    return {**found, **{name: shipped.get(name) for name in QUANTITIES}}


def folds(points: Mapping[str, str]) -> dict[str, list[int]]:
    """Return the places of the candidates that are the folds of a point, by the point's name; of one, its own place.

    Args:
        points: of each candidate, by its name, the point that it is, or is a fold of.
    """
    places: dict[str, list[int]] = {}
    for place, point in enumerate(points.values()):
        places.setdefault(point, []).append(place)
    return places


def averaged(outcomes: Sequence[Outcome]) -> Outcome:
    """Return what came of a point of several folds: sums of counts, means of the rest, None where one has diverged."""
    if len(outcomes) == 1:
        return outcomes[0]
    found: dict[str, float | None] = {}
    for name in outcomes[0]:
        values = [value for one in outcomes if (value := one[name]) is not None]
        mean = sum(values) if name in COUNTS else math.fsum(values) / len(outcomes)
        found[name] = mean if len(values) == len(outcomes) else None
    return found


def order(outcomes: Sequence[Outcome], metric: str, losses: set[str]) -> list[int]:
    """Return the places of the candidates that did not diverge, the best first; a single one may come trained.

    If two have the same metric, the smaller validation loss is better, then the one that stands first.

    Args:
        losses: the loss functions of the candidates; values of different functions are not compared.

    Raises:
        TrainingError: all have diverged, or one has nothing to be compared by.
    """
    if len(outcomes) == 1 and outcomes[0]["replicas"] is None:
        return [0]

    def badness(place: int) -> tuple[float, float, int]:
        value = outcomes[place][metric]
        if value is None:
            raise TrainingError(
                f"scan/metric is {metric}, and a regression has no decisions to count: set it to validation_loss"
            )
        return value if METRICS[metric] else -value, reached[place] if len(losses) == 1 else 0.0, place

    found = {place: one["validation_loss"] for place, one in enumerate(outcomes)}
    reached = {place: loss for place, loss in found.items() if loss is not None and math.isfinite(loss)}
    if not reached:
        raise TrainingError(
            f"all {len(outcomes)} points of the scan have diverged: lower train/learning_rate, or check the data"
        )
    return sorted(reached, key=badness)


def table(
    names: Sequence[str],
    reports: Sequence[Report],
    outcomes: Sequence[Outcome],
    ranks: Mapping[int, int],
) -> tuple[list[str], list[list[object]]]:
    """Return the table's header and its rows, in the order of the scan: name, knobs, what came of it, rank from 1.

    A column for each knob that some point changes, with the value that each point was trained with.

    Args:
        ranks: by place; folds have that of their point, and who diverged has none.
    """
    knobs = sorted({place for report in reports for place in report["point"]})
    rows = [
        [
            *[name, *(spell(value_of(report["section"], knob)) for knob in knobs)],
            *[*map(spell, found.values()), ranks.get(place, "")],
        ]
        for place, (name, report, found) in enumerate(zip(names, reports, outcomes, strict=True))
    ]
    return ["candidate", *knobs, *OUTCOME, *QUANTITIES, "rank"], rows


def value_of(knobs: object, place: str) -> object:
    """Return the value at a place, None where the network is not called with such an argument."""
    for key in place.split("/"):
        knobs = knobs.get(key) if isinstance(knobs, Mapping) else None
    return knobs


def spell(value: object) -> object:
    """Return a value as a cell: nothing for none, JSON for a mapping."""
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    return "" if value is None else value
