"""Points in the declared domain of a network's inputs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def fixed_axes(tensor: Mapping[str, Any], batch: int) -> list[int]:
    """Give a tensor's shape with this many events."""
    return [batch, *tensor["shape"][1:]]


def uniform(tensor: Mapping[str, Any], batch: int, generator: np.random.Generator) -> Array:
    """Draw events uniformly from a tensor's domain, float32, in the declared shape."""
    return generator.uniform(tensor["low"], tensor["high"], fixed_axes(tensor, batch)).astype(np.float32)


def grid(tensor: Mapping[str, Any], points: int, most: int, generator: np.random.Generator) -> Array:
    """Give a regular grid over the domain of a [batch, width] tensor, its corners included.

    Where the grid would have more than `most` points, that many are drawn at random instead.
    """
    width = tensor["shape"][1]
    if points**width > most:
        return uniform(tensor, most, generator)
    axis = np.linspace(tensor["low"], tensor["high"], points)
    return np.stack(np.meshgrid(*[axis] * width, indexing="ij"), axis=-1).reshape(-1, width).astype(np.float32)
