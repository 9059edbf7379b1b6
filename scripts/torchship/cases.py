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
from torchship.reference import UNIT_FLOAT32

# No correct runtime was seen to be further from float64 than torch's own float32 by such a factor; a runtime may order
# its sums differently, and use approximations of its own for activations.
OBSERVED_FACTOR = 32.0
OBSERVED_UNITS = 32.0

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


def limit(bound: NDArray[Any], observed: float, largest: float) -> NDArray[Any]:
    """Give the tighter of the derived bound and a multiple of what torch's float32 was seen to differ.

    The bound is rigorous, and grows with every layer by the worst case of all signs: for deep or wide networks it may
    exceed the outputs themselves, and a gate with it would never fail.

    Args:
        bound: from the running error analysis.
        observed: largest |float32 - float64| of torch over all cases.
        largest: largest |output| over all cases.
    """
    seen = OBSERVED_FACTOR * observed + OBSERVED_UNITS * UNIT_FLOAT32 * largest
    tighter: NDArray[Any] = np.minimum(bound, seen)
    return tighter


def inputs_of(case: int, arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Give a case's inputs by name."""
    return {name: arrays[f"{case}/input/{name}"] for name in names}
