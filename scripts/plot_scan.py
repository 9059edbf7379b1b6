"""Plot a scan: the metric of every point against each of its knobs, and the best at each value."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from torchship.step import step

from matplotlib.axes import Axes
from torchship.files import read_json
from torchship.plotting import drawing, read_rows
from torchship.ranking import METRICS

LABELS = {
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "convergence_rate": "convergence rate",
}
# Values this far apart are shown on a logarithmic axis.
WIDE = 20.0
COLUMNS = 3


def plot_scan(table: Path, best: Path, svg: Path, png: Path, *, style: dict[str, Any]) -> None:
    rows, chosen = read_rows(table), read_json(best)
    metric = chosen["metric"]
    knobs = list(rows[0])[1 : list(rows[0]).index("replicas")]
    shown = [row for row in rows if row["rank"]]
    columns = min(COLUMNS, len(knobs))
    lines = -(-len(knobs) // columns)
    with drawing(svg, png, style, size=(1.2 + 3.8 * columns, 0.8 + 3.4 * lines)) as drawn:
        for number, knob in enumerate(knobs, start=1):
            axes = drawn.add_subplot(lines, columns, number)
            draw_knob(axes, knob, shown, metric, style["colors"])
            axes.set_xlabel(knob.removeprefix("network/arguments/"))
            if number % columns == 1 % columns:
                axes.set_ylabel(LABELS[metric])
        diverged = f" ({chosen['diverged']} diverged)" if chosen["diverged"] else ""
        name, value = chosen["name"].replace("+", ", "), f"{LABELS[metric]} {chosen['value']:.4g}"
        drawn.suptitle(f"best of {chosen['points']} points{diverged}: {name}, {value}", fontsize=10)
        drawn.legend(*drawn.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)


def draw_knob(axes: Axes, knob: str, rows: list[dict[str, str]], metric: str, colors: list[str]) -> None:
    by_value: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        by_value[row[knob]].append(float(row[metric]))
    numbers = [number(value) for value in by_value]
    if None not in numbers:
        places = dict(zip(by_value, numbers, strict=True))
        values = sorted(by_value, key=places.__getitem__)
        low, high = places[values[0]], places[values[-1]]
        if low > 0 and high / low > WIDE:
            axes.set_xscale("log")
    else:
        # Words, or points that leave the knob as it is.
        values = sorted(by_value)
        places = {value: float(place) for place, value in enumerate(values)}
        axes.set_xticks(range(len(values)), [value or "(as the run)" for value in values], rotation=20)
    best = min if METRICS[metric] else max
    xs = [places[row[knob]] for row in rows]
    axes.scatter(xs, [float(row[metric]) for row in rows], s=14, color=colors[0], alpha=0.5, linewidths=0,
                 rasterized=True, label="a point")  # fmt: skip
    # A line between words would mean nothing.
    look = {"linewidth": 1} if None not in numbers else {"marker": "_", "markersize": 14, "linestyle": "none"}
    axes.plot([places[value] for value in values], [best(by_value[value]) for value in values], color=colors[0],
              label="best at each value", **look)  # fmt: skip
    first = next(row for row in rows if row["rank"] == "1")
    axes.plot(places[first[knob]], float(first[metric]), "*", color=colors[1], markersize=13, label="goes on")
    losses = [float(row[metric]) for row in rows]
    if metric == "validation_loss" and min(losses) > 0 and max(losses) / min(losses) > WIDE:
        axes.set_yscale("log")


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


if __name__ == "__main__":
    with step():
        plot_scan(
            Path(snakemake.input.table),
            Path(snakemake.input.best),
            Path(snakemake.output.svg),
            Path(snakemake.output.png),
            style=snakemake.params.style,
        )
