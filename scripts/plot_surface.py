"""Plot a network's output over the plane of its two features, with the events of the test set."""

from pathlib import Path

from torchship.core.step import step

from torchship.data.datasets import read_arrays
from torchship.pages.plotting import colormap, figure
from torchship.spec.model import read_model
from torchship.spec.objective import terms_of
from torchship.spec.section import Plots, Section


def plot_surface(surface: Path, test: Path, svg: Path, png: Path, *, model: Section, style: Plots) -> None:
    grid, events = read_arrays(surface), read_arrays(test)
    ((name, tensor),) = model["inputs"].items()
    ((output, described),) = model["outputs"].items()
    features = tensor.features or [f"{name}[0]", f"{name}[1]"]
    (term,) = terms_of(model)
    points, labels = events[name], events[term.target].reshape(-1)
    with figure(svg, png, style, size=(5.6, 4.6)) as axes:
        image = axes.pcolormesh(
            grid["axis"],
            grid["axis"],
            grid["output"],
            cmap=colormap(style["colormap"]),
            vmin=0,
            vmax=1,
            rasterized=True,
        )
        axes.figure.colorbar(image, label=f"{output} [{described.unit or '1'}]")
        if grid["output"].min() < model["evaluate"]["threshold"] < grid["output"].max():
            axes.contour(grid["axis"], grid["axis"], grid["output"], [model["evaluate"]["threshold"]], colors="black")
        for label, marker in zip(sorted(set(labels.tolist())), "osD^v", strict=False):
            chosen = labels == label
            axes.scatter(
                points[chosen, 0],
                points[chosen, 1],
                marker=marker,
                s=70,
                edgecolor="black",
                facecolor="white",
                label=f"label {label:g}",
                zorder=3,
                clip_on=False,
            )
        axes.set(xlabel=features[0], ylabel=features[1], aspect="equal")
        axes.set_title(f"black line: {output} = {model['evaluate']['threshold']:g}", fontsize=9, loc="left")
        axes.grid(visible=False)
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=5)


if __name__ == "__main__":
    with step() as snakemake:
        plot_surface(
            Path(snakemake.input.surface),
            Path(snakemake.input.test),
            Path(snakemake.output.svg),
            Path(snakemake.output.png),
            model=read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs),
            style=snakemake.params.style,
        )
