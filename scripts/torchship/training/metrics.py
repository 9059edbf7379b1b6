"""How good a classifier's decisions are."""

import numpy as np
from numpy.typing import NDArray
from torchship.spec.arrays import Array
from torchship.spec.objective import BINARY

Classes = NDArray[np.int64]


def decide(scores: Array, threshold: float) -> Classes:
    """Return the class of each event: of [events, 1] scores 1 above the threshold, of [events, classes] the largest."""
    return (scores[:, 0] > threshold).astype(np.int64) if scores.shape[1] == 1 else scores.argmax(axis=1)


def true_classes(target: Array, function: str) -> Classes:
    """Return the class of each decision, [events × …], from labels [events, …] or [events, …, 1].

    Args:
        function: the loss that the labels are for; a smoothed one of a binary loss counts as what it is nearer to.
    """
    right = target > 0.5 if function in BINARY else target
    return right.reshape(-1).astype(np.int64)


def confusion(decided: Classes, true: Classes, classes: int) -> NDArray[np.int64]:
    """Count events by true class (rows) and decided class (columns)."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (true, decided), 1)
    return counts
