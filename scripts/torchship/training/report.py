"""The results of a training: which replica ships, how many converged, and the tables of both."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torchship.core.errors import DivergenceError
from torchship.core.files import replacing, write_rows
from torchship.models.module import save_weights, spelled
from torchship.spec.report import Convergence, Report
from torchship.spec.section import Train
from torchship.training.engine import Starts, Task, Trainer
from torchship.training.interval import binomial_interval
from torchship.training.loop import History
from torchship.training.shipping import require_same
from torchship.training.tables import HISTORY_COLUMNS, PERCENTILES, QUANTITIES, REPLICA_COLUMNS, write_report

log = logging.getLogger(__name__)


def write_outcome(outputs: Mapping[str, Path], about: Report, trainer: Trainer, task: Task, history: History) -> None:
    """Write the weights of the replica that ships, if the eager module agrees with them, the tables, and the report.

    Raises:
        DivergenceError: no replica has a finite validation loss.
        TrainingError: the eager module does not compute with the weights what was logged.
    """
    count, knobs, starts = task.starts.count, task.knobs, task.starts
    shipped, rate = choose(history, count), convergence(history, count, knobs)
    final = {quantity: float(last(history, quantity, count)[shipped]) for quantity in QUANTITIES}
    with replacing(outputs["weights"]) as part:
        part.write_bytes(spelled(trainer.state(shipped)))
        judged = require_same(task, part, final)
    write_history(outputs["history"], history, count, shipped)
    write_replicas(outputs["replicas"], history, starts, knobs["converged_accuracy"])
    about["shipped"] = {"replica": starts.number(shipped), "seed": starts.seed_of(shipped), **final}
    about |= {"convergence": rate, "diverged": int((history.diverged[:count] > 0).sum()), "eager": judged.report()}
    write_report(outputs, about)
    interval = f"{100 * rate['confidence']:g} % interval {rate['interval'][0]:.3f} to {rate['interval'][1]:.3f}"
    log.info("%d of %d replicas converged: %.3f (%s)", rate["converged"], rate["replicas"], rate["rate"], interval)
    losses = f"loss {final['validation_loss']:.4f}, the eager module has {judged.loss:.4f} with its weights"
    log.info("replica %d ships with %s", starts.number(shipped), losses)


def write_divergence(outputs: Mapping[str, Path], about: Report, task: Task) -> None:
    """Write that all replicas of a scan's point have diverged: empty tables and weights, and a report that says so."""
    nothing = History([], torch.empty(0, len(QUANTITIES), 0), torch.empty(0))
    save_weights(outputs["weights"], {})
    write_history(outputs["history"], nothing, 0, 0)
    write_rows(outputs["replicas"], REPLICA_COLUMNS, [])
    rate = rate_of(0, task.starts.count, task.knobs)
    write_report(outputs, {**about, "shipped": None, "convergence": rate, "diverged": task.starts.count})


def last(history: History, quantity: str, count: int) -> Tensor:
    """Return a quantity's last record, [count]."""
    return history.values[-1, QUANTITIES.index(quantity), :count]


def choose(history: History, count: int) -> int:
    """Return the replica with the smallest last validation loss, the first of equals.

    Raises:
        DivergenceError: no replica has a finite validation loss.
    """
    losses = last(history, "validation_loss", count)
    if not losses.isfinite().any():
        raise DivergenceError(
            f"none of {count} replicas has a finite validation loss after epoch {history.epochs[-1]}: "
            "lower train/learning_rate, or check the data"
        )
    return int(torch.where(losses.isfinite(), losses, torch.inf).argmin())


def convergence(history: History, count: int, knobs: Train) -> Convergence:
    """Return how many replicas reached the validation accuracy that counts as converged, and the rate's interval."""
    reached = last(history, "validation_accuracy", count) >= knobs["converged_accuracy"]
    return rate_of(int((reached & last(history, "validation_loss", count).isfinite()).sum()), count, knobs)


def rate_of(converged: int, count: int, knobs: Train) -> Convergence:
    """Return a convergence rate with its interval, as it stands in training.json."""
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
    rows: list[list[object]] = []
    levels = torch.tensor(list(PERCENTILES.values()))
    for epoch, record in zip(history.epochs, history.values[:, :, :count], strict=True):
        for quantity, values in zip(QUANTITIES, record, strict=True):
            # A diverged replica has no place in the spread; the shipped one is always finite.
            spread = values[values.isfinite()].quantile(levels)
            rows.append([epoch, quantity, *map(spell, [values[shipped], *spread])])
    write_rows(path, HISTORY_COLUMNS, rows)


def write_replicas(path: Path, history: History, starts: Starts, converged: float) -> None:
    """Write replicas.csv: a row for each replica with its seed, last losses and accuracies, and when it diverged."""
    count = starts.count
    columns = [[*map(spell, last(history, quantity, count))] for quantity in QUANTITIES]
    reached = last(history, "validation_accuracy", count) >= converged
    rows = [
        [starts.number(place), starts.seed_of(place), *values, int(reached[place]), int(history.diverged[place])]
        for place, values in enumerate(zip(*columns, strict=True))
    ]
    write_rows(path, REPLICA_COLUMNS, rows)


def spell(value: Tensor) -> str:
    """Return a float32 in the nine digits that always suffice to tell it from its neighbours."""
    return format(float(value), ".9g")
