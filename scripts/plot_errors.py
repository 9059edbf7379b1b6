"""Plot the gate's errors against the inputs and the output, and their distribution in each target's runtime."""

import itertools
from pathlib import Path
from typing import Any

from torchship.step import step

import numpy as np
from torchship.datasets import read_arrays
from torchship.description import with_description
from torchship.files import read_json
from torchship.plotting import drawing

MOST_FEATURES = 4
# Runtimes often agree bit by bit: thinner lines on wider ones show all that lie on one another.
WIDTHS = [4.2, 2.6, 1.2]
BINS = np.linspace(-1.0, 1.0, 101)


def plot_errors(
    errors: dict[str, Path], validations: dict[str, Path], svg: Path, png: Path,
    *, model: dict[str, Any], style: dict[str, Any],
) -> None:  # fmt: skip
    found = {target: read_arrays(path) for target, path in errors.items()}
    versions = {target: read_json(path)["runtime"]["onnxruntime"] for target, path in validations.items()}
    name, tensor = shown_tensor(model["inputs"])
    width = min(array["input"].shape[1] if array["input"].ndim == 2 else 0 for array in found.values())
    shown = min(width, MOST_FEATURES)
    features = tensor.get("features") or [f"{name}[{place}]" for place in range(width)]
    # A pair of dollars would be set as a formula.
    features = [feature.replace("$", r"\$") for feature in features]
    outputs = ", ".join(model["outputs"]).replace("$", r"\$")
    columns = max(2, shown)
    with drawing(svg, png, style, size=(3.6 * columns, 6.4)) as drawn:
        grid = drawn.add_gridspec(2, columns)
        panels = [drawn.add_subplot(grid[0, place]) for place in range(shown)]
        beside = drawn.add_subplot(grid[1, : columns // 2])
        spread = drawn.add_subplot(grid[1, columns // 2 :])
        looks = zip(itertools.cycle(style["colors"]), itertools.cycle(WIDTHS))
        for (target, arrays), (color, linewidth) in zip(found.items(), looks, strict=False):
            points = {"s": 3, "color": color, "alpha": 0.5, "linewidths": 0, "rasterized": True}
            for place, axes in enumerate(panels):
                axes.scatter(arrays["input"][:, place], arrays["ratio"], **points)
                axes.set_xlabel(features[place])
            beside.scatter(arrays["output"], arrays["signed"], **points)
            label = f"{target} (ONNX Runtime {versions[target]})"
            spread.hist(np.clip(arrays["signed"], -1, 1), bins=BINS, histtype="step", color=color,
                        linewidth=linewidth, label=label)  # fmt: skip
        beside.set_xlabel(f"{outputs} in float64")
        spread.set(xlabel="error [limit]", ylabel="outputs")
        # Whole numbers, truth values and text are equal or not: they have no errors to count.
        if any(arrays["signed"].size for arrays in found.values()):
            spread.set(yscale="log", ylim=(0.5, None))
        spread.axvline(-1, color="black", linestyle="--", linewidth=0.8)
        spread.axvline(1, color="black", linestyle="--", linewidth=0.8)
        for axes in [*panels, beside]:
            axes.set(ylabel="error [limit]", ylim=(-1.08, 1.08))
            for limit in (-1, 1):
                axes.axhline(limit, color="black", linestyle="--", linewidth=0.8)
        drawn.legend(*spread.get_legend_handles_labels(), loc="outside upper center", ncols=columns, fontsize=8)


def shown_tensor(inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the input whose features are shown, as `evidence.shown_input` chooses it."""
    shown = [(name, tensor) for name, tensor in inputs.items() if tensor["shape"] and tensor.get("dtype") != "string"]
    return shown[0] if shown else ("", {})


if __name__ == "__main__":
    with step():
        targets = snakemake.params.model["export"]["targets"]
        plot_errors(
            dict(zip(targets, map(Path, snakemake.input.errors), strict=True)),
            dict(zip(targets, map(Path, snakemake.input.validations), strict=True)),
            Path(snakemake.output.svg),
            Path(snakemake.output.png),
            model=with_description(snakemake.params.model, snakemake.input.get("description")),
            style=snakemake.params.style,
        )
