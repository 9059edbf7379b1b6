"""The generated Python as a function on arrays."""

import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchship.core.errors import GenerationError
from torchship.spec.arrays import Array

Evaluate = Callable[[Sequence[float]], list[float]]


def load(path: Path) -> Evaluate:
    """Return the function `evaluate` of a generated module.

    Raises:
        GenerationError: the file has been damaged: it does not run, or defines no `evaluate`.
    """
    try:
        evaluate: Evaluate = runpy.run_path(str(path))["evaluate"]
    except Exception as error:  # a damaged file may raise anything
        raise GenerationError(
            f"{path} does not run: {type(error).__name__}: {error}; run the extraction again"
        ) from error
    return evaluate


def evaluate_all(evaluate: Evaluate, x: Array) -> NDArray[np.float64]:
    """Evaluate events [events, inputs] one after another; return [events, outputs]."""
    return np.array([evaluate(event) for event in x.astype(np.float64).tolist()], dtype=np.float64)
