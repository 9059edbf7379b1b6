"""Plot loss and accuracy over epochs: the shipped replica, and the spread of all."""

from pathlib import Path

from torchship.core.step import step

from matplotlib.axes import Axes
from torchship.core.files import read_json
from torchship.pages.plotting import figure, read_rows
from torchship.spec.report import Report
from torchship.spec.section import Plots

LABELS = {"loss": "mean loss", "accuracy": "accuracy"}


def title(outcome: Report) -> str:
    if "convergence" not in outcome.get("members", [outcome])[0]:
        return "a regression: nothing is decided, and so no replica is counted as converged"
    if "members" in outcome:
        rates = [member["convergence"] for member in outcome["members"]]
        shares = ", ".join(f"{rate['converged']} of {rate['replicas']}" for rate in rates)
        return f"random starts that converge, by fold: {shares}"
    rate = outcome["convergence"]
    low, high = rate["interval"]
    return (
        f"{rate['converged']} of {rate['replicas']} random starts converge: {100 * rate['rate']:.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f} % at {100 * rate['confidence']:g} % confidence)"
    )


def draw_split(axes: Axes, rows: list[dict[str, str]], split: str, color: str) -> None:
    epochs = [int(row["epoch"]) for row in rows]
    column = {key: [float(row[key]) for row in rows] for key in ("shipped", "p16", "median", "p84")}
    words = (f"{split}, shipped replica", f"{split}, median") if split else (None, None)
    axes.plot(epochs, column["shipped"], color=color, label=words[0])
    axes.plot(epochs, column["median"], color=color, linestyle="--", linewidth=1, label=words[1])
    axes.fill_between(epochs, column["p16"], column["p84"], color=color, alpha=0.15, linewidth=0)


def plot_training(history: Path, training: Path, outputs: dict[str, Path], *, style: Plots) -> None:
    rows, outcome = read_rows(history), read_json(training)
    # Of several folds, each has its lines.
    folds = sorted({row.get("fold", "0") for row in rows}, key=int)
    for quantity, label in LABELS.items():
        with figure(outputs[f"{quantity}_svg"], outputs[f"{quantity}_png"], style) as axes:
            for split, color in zip(("train", "validation"), style["colors"], strict=False):
                for fold in folds:
                    selected = [
                        row for row in rows if row["quantity"] == f"{split}_{quantity}" and row.get("fold", "0") == fold
                    ]
                    # One entry of the legend for all.
                    if selected:
                        draw_split(axes, selected, split if fold == folds[0] else "", color)
            axes.set(xlabel="epoch", ylabel=label)
            axes.set_title(title(outcome), fontsize=9, loc="left")
            if quantity == "loss":
                axes.set_ylim(bottom=0)
            if axes.lines:
                axes.legend(fontsize=8, title="band: 16th to 84th percentile", title_fontsize=8)


if __name__ == "__main__":
    with step() as snakemake:
        plot_training(
            Path(snakemake.input.history),
            Path(snakemake.input.training),
            {name: Path(path) for name, path in snakemake.output.items()},
            style=snakemake.params.style,
        )
