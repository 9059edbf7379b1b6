"""The picture of a scan: one panel for each knob, with the metric of every point."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from torchship.select.ranking import METRICS

# Values this far apart are shown on a logarithmic axis.
WIDE = 20.0
# So many values are named on their axis; no one has 2.5 layers.
FEW = 6


def draw_knob(
    axes: Axes, knob: str, rows: Sequence[dict[str, str]], metric: str, colors: Sequence[str], shipped: Collection[str]
) -> None:
    """Draw a metric against one knob.

    Args:
        rows: those of the scan's table; one without a rank has diverged, and is a cross at the upper edge.
        shipped: the candidates that go on: one, or all folds of a point.
    """
    found: dict[str, list[float]] = defaultdict(list)
    ranked = [row for row in rows if row["rank"]]
    for row in ranked:
        found[row[knob]].append(float(row[metric]))
    lost = sorted({row[knob] for row in rows if not row["rank"]})
    places, look = along(axes, [*found, *lost])
    values, best = sorted(found, key=places.__getitem__), min if METRICS[metric] else max
    metrics = [float(row[metric]) for row in ranked]
    axes.scatter(
        [places[row[knob]] for row in ranked],
        metrics,
        s=14,
        color=colors[0],
        alpha=0.5,
        linewidths=0,
        rasterized=True,
        label="a point",
    )
    axes.plot(
        [places[value] for value in values],
        [best(found[value]) for value in values],
        color=colors[0],
        label="best at each value",
        **look,
    )
    stars = [row for row in ranked if row["candidate"] in shipped]
    axes.plot(
        [places[row[knob]] for row in stars],
        [float(row[metric]) for row in stars],
        "*",
        color=colors[1],
        markersize=13,
        label="goes on",
    )
    if lost:
        edge: dict[str, Any] = {"clip_on": False, "transform": axes.get_xaxis_transform()}
        axes.plot([places[value] for value in lost], [1.0] * len(lost), "x", color=colors[1], label="diverged", **edge)
    if metric == "validation_loss" and is_wide(metrics):
        axes.set_yscale("log")


def along(axes: Axes, values: Sequence[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """Prepare the horizontal axis for the values of a knob; return where each lies, and how a line of them looks."""
    places = numbers(values)
    if not places:
        words = sorted(set(values))
        axes.set_xticks(range(len(words)), [word or "(not given)" for word in words], rotation=20)
        # A line between words would mean nothing.
        nothing = {"marker": "_", "markersize": 14, "linestyle": "none"}
        return {word: float(place) for place, word in enumerate(words)}, nothing
    if is_wide(places.values()):
        axes.set_xscale("log")
    elif len(places) <= FEW:
        axes.set_xticks(list(places.values()), list(places))
    return places, {"linewidth": 1}


def numbers(values: Iterable[str]) -> dict[str, float]:
    """Return the numbers that texts spell; none where one is a word, or empty for an argument that is not given."""
    try:
        found = {value: float(value) for value in values}
    except ValueError:
        return {}
    return found if all(map(math.isfinite, found.values())) else {}


def is_wide(values: Iterable[float]) -> bool:
    """Tell whether positive numbers lie so far apart that a linear axis would hide the small ones."""
    sorted_values = sorted(values)
    return sorted_values[0] > 0.0 and sorted_values[-1] / sorted_values[0] > WIDE
