"""Plot the gate's errors against the inputs and the outputs, and their distribution in each target's runtime."""

import itertools
import textwrap
from pathlib import Path

from torchship.core.step import step

import numpy as np
from torchship.core.files import read_json
from torchship.data.datasets import read_about, read_arrays
from torchship.pages.plotting import drawing, lay_out, rows_and_columns
from torchship.spec.section import Plots

# Runtimes often agree bit by bit: thinner lines on wider ones show all that lie on one another.
WIDTHS = [4.2, 2.6, 1.2]
BINS = 100


def plot_errors(errors: dict[str, Path], validations: dict[str, Path], svg: Path, png: Path, *, style: Plots) -> None:
    found = {target: read_arrays(path) for target, path in errors.items()}
    versions = {target: read_json(path)["runtime"]["onnxruntime"] for target, path in validations.items()}
    # The targets are judged on the same cases.
    about = read_about(next(iter(errors.values())))
    columns, outputs = about["columns"], about["outputs"]
    # A pair of dollars would be set as a formula.
    labels = [name.replace("$", r"\$") for name in [*columns, *(f"{name} in float64" for name in outputs)]]
    signed = {
        target: np.concatenate([arrays[f"signed/{name}"] for name in outputs] or [np.zeros(0)])
        for target, arrays in found.items()
    }
    # A tolerance above 1 lets more than a limit pass.
    reach = max(1.0, *(float(np.abs(values).max(initial=0.0)) for values in signed.values()))
    panels = len(columns) + len(outputs) + 1
    rows, width = rows_and_columns(panels)
    with drawing(svg, png, style, size=(3.6 * width, 3.2 * rows)) as drawn:
        *axes, spread = lay_out(drawn, panels)
        looks = zip(itertools.cycle(style["colors"]), itertools.cycle(WIDTHS))
        for (target, arrays), (color, linewidth) in zip(found.items(), looks, strict=False):
            beside = [(arrays["input"][:, place], arrays["ratio"]) for place in range(len(columns))]
            beside += [(arrays[f"exact/{name}"], arrays[f"signed/{name}"]) for name in outputs]
            for panel, (x, y) in zip(axes, beside, strict=True):
                panel.scatter(x, y, s=3, color=color, alpha=0.5, linewidths=0, rasterized=True)
            counts, edges = np.histogram(signed[target], bins=np.linspace(-reach, reach, BINS + 1))
            spread.stairs(
                counts, edges, color=color, linewidth=linewidth, label=f"{target} (ONNX Runtime {versions[target]})"
            )
        for panel, name in zip(axes, labels, strict=True):
            panel.set(xlabel=name, ylabel="error [limit]", ylim=(-1.08 * reach, 1.08 * reach))
            panel.locator_params(axis="x", nbins=5)
        spread.set(xlabel="error [limit]", ylabel="outputs", xlim=(-1.08 * reach, 1.08 * reach))
        spread.set(**{"yscale": "log", "ylim": (0.5, None)} if outputs else {"ylim": (0.5, 1.5), "yticks": []})
        for limit in (-1, 1):
            spread.axvline(limit, color="black", linestyle="--", linewidth=0.8)
            for panel in axes:
                panel.axhline(limit, color="black", linestyle="--", linewidth=0.8)
        drawn.legend(*spread.get_legend_handles_labels(), loc="outside upper center", ncols=max(2, width), fontsize=8)
        if about["left_out"]:
            text = "Shown: " + "; ".join(about["left_out"]).replace("$", r"\$")
            drawn.supxlabel(textwrap.fill(text, 57 * width), fontsize=8)


if __name__ == "__main__":
    with step() as snakemake:
        targets = snakemake.params.targets
        plot_errors(
            dict(zip(targets, map(Path, snakemake.input.errors), strict=True)),
            dict(zip(targets, map(Path, snakemake.input.validations), strict=True)),
            Path(snakemake.output.svg),
            Path(snakemake.output.png),
            style=snakemake.params.style,
        )
