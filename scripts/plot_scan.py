"""Plot a scan: the metric of every point against each of its knobs, and the best at each value."""

from pathlib import Path

from torchship.core.step import step

from torchship.pages.plotting import drawing, read_rows
from torchship.scan.picture import draw_knob
from torchship.spec.model import Model, read_model
from torchship.spec.section import Plots

LABELS = {
    "validation_loss": "validation loss",
    "validation_accuracy": "validation accuracy",
    "convergence_rate": "convergence rate",
}
COLUMNS = 3


def plot_scan(table: Path, model: Model, svg: Path, png: Path, *, style: Plots) -> None:
    rows, chosen = read_rows(table), model.selection
    assert chosen is not None  # noqa: S101 -- only the model of a scan is plotted
    metric = chosen["metric"]
    shipped = {member["candidate"] for member in model.members} or {str(model.candidate)}
    knobs = list(rows[0])[1 : list(rows[0]).index("replicas")]
    columns = min(COLUMNS, len(knobs))
    lines = -(-len(knobs) // columns)
    with drawing(svg, png, style, size=(1.2 + 3.8 * columns, 0.8 + 3.4 * lines)) as drawn:
        for number, knob in enumerate(knobs, start=1):
            axes = drawn.add_subplot(lines, columns, number)
            draw_knob(axes, knob, rows, metric, style["colors"], shipped)
            axes.set_xlabel(knob.removeprefix("network/arguments/"))
            if number % columns == 1 % columns:
                axes.set_ylabel(LABELS[metric])
        diverged = f" ({chosen['diverged']} diverged)" if chosen["diverged"] else ""
        name, value = str(model.candidate).replace("+", ", "), f"{LABELS[metric]} {chosen['value']:.4g}"
        place = f"number {chosen['rank']}" if "best" in chosen else "best"
        drawn.suptitle(f"{place} of {chosen['candidates']} points{diverged}: {name}, {value}", fontsize=10)
        drawn.legend(*drawn.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)


if __name__ == "__main__":
    with step() as snakemake:
        plot_scan(
            Path(snakemake.input.table),
            read_model(Path(snakemake.input.shipped)),
            Path(snakemake.output.svg),
            Path(snakemake.output.png),
            style=snakemake.params.style,
        )
