"""Evaluate a network of two features over a plane of them."""

from pathlib import Path

from torchship.core.step import step

import numpy as np
import torch
from torchship.data.datasets import write_arrays
from torchship.models.module import load, outputs_of
from torchship.spec.model import read_model
from torchship.spec.section import Section


def evaluate_surface(network: Path, weights: Path, surface: Path, *, model: Section) -> None:
    torch.set_num_threads(1)
    module = load(network, model["network"].get("arguments", {}), weights)
    knobs = model["evaluate"]["surface"]
    axis = np.linspace(knobs["low"], knobs["high"], knobs["points"], dtype=np.float32)
    # Row i, column j holds the output at (axis[j], axis[i]), as images are drawn.
    plane = np.stack(np.meshgrid(axis, axis), axis=-1)
    with torch.no_grad():
        output = outputs_of(module(torch.from_numpy(plane.reshape(-1, 2))))[0][:, 0].numpy()
    write_arrays(surface, {"axis": axis, "output": output.reshape(plane.shape[:2])})


if __name__ == "__main__":
    with step() as snakemake:
        evaluate_surface(
            Path(snakemake.input.network),
            Path(snakemake.input.trained),
            Path(snakemake.output.surface),
            model=read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs),
        )
