"""Check the generated Python and C++ against torch, on the test set and on a grid over the domain."""

from pathlib import Path
from typing import Any

from torchship.step import log, step

import numpy as np
import torch
from torchship import handcoded
from torchship.chosen import with_best
from torchship.crosscheck import check_decisions, crosscheck
from torchship.datasets import read_set
from torchship.domain import grid
from torchship.files import read_json, write_json
from torchship.layers import read_network
from torchship.networks import load

# Enough to show in the report, few enough to read.
SHOWN_EVENTS = 8


def check_code(
    weights: Path, python: Path, header: Path, network: Path, trained: Path, test: Path, datasheet: Path, check: Path,
    *, model: dict[str, Any],
) -> None:  # fmt: skip
    torch.set_num_threads(1)
    described = read_network(read_json(weights))
    module = load(network, model["network"].get("arguments", {}), trained)
    ((name, tensor),) = model["inputs"].items()
    events, knobs = read_set(test, datasheet), model["extract"]
    generator = np.random.default_rng(model["seed"])
    points = {
        "test set": events[name],
        "grid": grid(tensor, knobs["grid_points"], knobs["max_grid"], generator),
    }
    report = crosscheck(described, module, python, header, points)
    outputs = handcoded.evaluate_all(handcoded.load(python), events[name])
    report["shown"] = [{"input": x.tolist(), "output": y.tolist()} for x, y in zip(events[name], outputs, strict=True)][
        :SHOWN_EVENTS
    ]
    if knobs["required_accuracy"] is not None:
        labels = events[model["data"]["target"]]
        threshold, required = model["evaluate"]["threshold"], knobs["required_accuracy"]
        report["decisions"] = check_decisions(outputs, labels, threshold, required, f"{described.name}: hand-coded")
    for entry in report["shown"]:
        log.info("%s -> %s", entry["input"], [round(value, 4) for value in entry["output"]])
    write_json(check, report)


if __name__ == "__main__":
    with step():
        check_code(
            *(Path(snakemake.input[name]) for name in ("weights", "python", "header", "network", "trained", "test")),
            Path(snakemake.input.datasheet),
            Path(snakemake.output.check),
            model=with_best(snakemake.params.model, snakemake.input.get("best")),
        )
