"""The results of a training: which replica ships, how many converged, and the tables of both."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torchship.core.errors import DivergenceError
from torchship.core.files import replacing, write_rows
from torchship.models.module import safetensors_bytes, save_weights
from torchship.spec.report import Convergence, Report
from torchship.spec.section import Train
from torchship.training.engine import Starts, Task, Trainer
from torchship.training.interval import binomial_interval
from torchship.training.loop import History
from torchship.training.shipping import require_same
from torchship.training.tables import HISTORY_COLUMNS, LOSSES, PERCENTILES, QUANTITIES, REPLICA_COLUMNS, write_report

log = logging.getLogger(__name__)


def write_outcome(outputs: Mapping[str, Path], about: Report, trainer: Trainer, task: Task, history: History) -> None:
    """Write the weights of the replica that ships, if the eager module agrees with them, the tables, and the report.

    Raises:
        DivergenceError: no replica has a finite validation loss.
        TrainingError: the eager module does not compute with the weights what was logged.
    """
    count, knobs, starts = task.starts.count, task.knobs, task.starts
    shipped, decides = choose(history, count), task.decides
    final = {quantity: float(last(history, quantity, count)[shipped]) for quantity in QUANTITIES}
    with replacing(outputs["weights"]) as part:
        part.write_bytes(safetensors_bytes(trainer.state(shipped)))
        judged = require_same(task, part, final)
    quantities = QUANTITIES if decides else LOSSES
    write_history(outputs["history"], history, count, shipped, quantities)
    write_replicas(outputs["replicas"], history, starts, knobs["converged_accuracy"], quantities)
    said = {name: value for name, value in final.items() if name in quantities}
    about["shipped"] = {"replica": starts.number(shipped), "seed": starts.seed_of(shipped), **said}
    about |= {"diverged": int((history.diverged[:count] > 0).sum()), "eager": judged.report()}
    if decides:
        about["convergence"] = rate = convergence(history, count, knobs)
        interval = f"{100 * rate['confidence']:g} % interval {rate['interval'][0]:.3f} to {rate['interval'][1]:.3f}"
        log.info("%d of %d replicas converged: %.3f (%s)", rate["converged"], rate["replicas"], rate["rate"], interval)
    else:
        log.info("a regression decides nothing, so there is no accuracy, and no replica is counted as converged")
    write_report(outputs, about)
    losses = f"loss {final['validation_loss']:.4f}, the eager module has {judged.loss:.4f} with its weights"
    log.info("replica %d ships with %s", starts.number(shipped), losses)


def write_divergence(outputs: Mapping[str, Path], about: Report, task: Task) -> None:
    """Write that all replicas of a scan's point have diverged: empty tables and weights, and a report that says so."""
    nothing = History([], torch.empty(0, len(QUANTITIES), 0), torch.empty(0))
    save_weights(outputs["weights"], {})
    write_history(outputs["history"], nothing, 0, 0, ())
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


def write_history(path: Path, history: History, count: int, shipped: int, quantities: Sequence[str]) -> None:
    """Write history.csv: a row for each record and quantity, with the shipped replica's value and the percentiles."""
    rows: list[list[object]] = []
    levels = torch.tensor(list(PERCENTILES.values()))
    for epoch, record in zip(history.epochs, history.values[:, :, :count], strict=True):
        for quantity, values in zip(QUANTITIES, record, strict=True):
            if quantity not in quantities:
                continue
            # A diverged replica has no place in the spread; a loss may be infinite for a while, and that of all.
            finite = values[values.isfinite()]
            spread = finite.quantile(levels) if len(finite) else torch.full_like(levels, torch.nan)
            rows.append([epoch, quantity, *map(spell, [values[shipped], *spread])])
    write_rows(path, HISTORY_COLUMNS, rows)


def write_replicas(path: Path, history: History, starts: Starts, converged: float, quantities: Sequence[str]) -> None:
    """Write replicas.csv: a row for each replica with its seed, last losses and accuracies, and when it diverged.

    Args:
        quantities: those that there are; the cells of others stay empty.
    """
    count = starts.count
    columns = [
        [*map(spell, last(history, quantity, count))] if quantity in quantities else [""] * count
        for quantity in QUANTITIES
    ]
    reached = last(history, "validation_accuracy", count) >= converged
    counted = "validation_accuracy" in quantities
    rows = [
        [
            *[starts.number(place), starts.seed_of(place), *values],
            *[int(reached[place]) if counted else "", int(history.diverged[place])],
        ]
        for place, values in enumerate(zip(*columns, strict=True))
    ]
    write_rows(path, REPLICA_COLUMNS, rows)


def spell(value: Tensor) -> str:
    """Return a float32 in the nine digits that always suffice to tell it from its neighbours."""
    return format(float(value), ".9g")
