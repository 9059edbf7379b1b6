"""What came of a training: which replica ships, how many converged, and the tables of both."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchship.errors import TrainingError
from torchship.files import write_rows
from torchship.metrics import binomial_interval
from torchship.training import QUANTITIES, History

# The band between the 16th and the 84th percentile is one standard deviation of a normal distribution.
PERCENTILES = {"minimum": 0.0, "p16": 0.16, "median": 0.5, "p84": 0.84, "maximum": 1.0}


def last(history: History, quantity: str, count: int) -> Tensor:
    """Give a quantity's last record, [count]."""
    return history.values[-1, QUANTITIES.index(quantity), :count]


def choose(history: History, count: int) -> int:
    """Give the replica with the smallest last validation loss, the first of equals.

    Raises:
        TrainingError: no replica has a finite validation loss.
    """
    losses = last(history, "validation_loss", count)
    if not losses.isfinite().any():
        raise TrainingError(
            f"none of {count} replicas has a finite validation loss after epoch {history.epochs[-1]}: "
            "lower train/learning_rate, or check the data"
        )
    return int(torch.where(losses.isfinite(), losses, torch.inf).argmin())


def convergence(history: History, count: int, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Give how many replicas reached the validation accuracy that counts as converged, and the rate's interval."""
    reached = last(history, "validation_accuracy", count) >= knobs["converged_accuracy"]
    converged = int((reached & last(history, "validation_loss", count).isfinite()).sum())
    low, high = binomial_interval(converged, count, knobs["confidence"])
    return {
        "replicas": count,
        "converged": converged,
        "rate": converged / count,
        "interval": [low, high],
        "confidence": knobs["confidence"],
        "method": "Wilson score",
        "criterion": f"validation accuracy >= {knobs['converged_accuracy']:g}",
    }


def write_history(path: Path, history: History, count: int, shipped: int) -> None:
    """Write history.csv: a row for each record and quantity, with the shipped replica's value and the percentiles."""
    rows: list[list[Any]] = []
    for epoch, record in zip(history.epochs, history.values[:, :, :count], strict=True):
        for quantity, values in zip(QUANTITIES, record, strict=True):
            levels = torch.tensor(list(PERCENTILES.values()))
            # A diverged replica has no place in the spread; the shipped one is always finite.
            spread = values[values.isfinite()].quantile(levels)
            rows.append([epoch, quantity, *map(spell, [values[shipped], *spread])])
    write_rows(path, ["epoch", "quantity", "shipped", *PERCENTILES], rows)


def write_replicas(path: Path, history: History, seeds: Sequence[int], count: int, converged: float) -> None:
    """Write replicas.csv: a row for each replica with its seed, last losses and accuracies, and when it diverged."""
    columns = [[*map(spell, last(history, quantity, count))] for quantity in QUANTITIES]
    reached = last(history, "validation_accuracy", count) >= converged
    rows = [
        [replica, seeds[replica], *values, int(reached[replica]), int(history.diverged[replica])]
        for replica, values in enumerate(zip(*columns, strict=True))
    ]
    write_rows(path, ["replica", "seed", *QUANTITIES, "converged", "diverged_at_epoch"], rows)


def spell(value: Tensor) -> str:
    """Give a float32 in the nine digits that always suffice to tell it from its neighbours."""
    return format(float(value), ".9g")
