"""The cases that an exported file is run on, with what the witnesses say of each: the input of the gate.

A file of cases holds, for case `k` of the list in its header: `k/input/<name>`, and of the output `k/float64`,
`k/float32`, `k/handcoded` and `k/bound`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torchship.datasets import Arrays
from torchship.domain import uniform

# What stands beside the inputs of each case.
WITNESSES = ("float64", "float32", "handcoded")


def make_inputs(
    inputs: Mapping[str, Any], events: Arrays, batch_sizes: Sequence[int], seed: int
) -> Iterator[tuple[dict[str, Any], Arrays]]:
    """Give for each batch size the first events of a set, repeated where it is shorter, and a random draw.

    Yields:
        a description with `batch` and `origin`, and the inputs by name, each [batch, ...].
    """
    generator = np.random.default_rng(seed)
    for batch in batch_sizes:
        rows = np.arange(batch) % len(next(iter(events.values())))
        yield {"batch": batch, "origin": "test set"}, {name: events[name][rows] for name in inputs}
        drawn = {name: uniform(tensor, batch, generator) for name, tensor in inputs.items()}
        yield {"batch": batch, "origin": "uniform over the domain"}, drawn


def inputs_of(case: int, arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Give a case's inputs by name."""
    return {name: arrays[f"{case}/input/{name}"] for name in names}
