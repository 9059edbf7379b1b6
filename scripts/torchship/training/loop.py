"""Training of replicas epoch by epoch, with records, checkpoints and a stop when all of them diverge."""

import logging
import time
from dataclasses import dataclass

import torch
from torch import Tensor
from torchship.core.errors import DivergenceError
from torchship.training.checkpoints import Checkpoint
from torchship.training.engine import Task, Trainer
from torchship.training.tables import QUANTITIES

log = logging.getLogger(__name__)


@dataclass
class History:
    """What was recorded while training.

    Attributes:
        epochs: finished epochs at each record.
        values: [records, quantities, replicas], float32, quantities as in `QUANTITIES`.
        diverged: [replicas], the first epoch whose loss was not finite, 0 for none.
    """

    epochs: list[int]
    values: Tensor
    diverged: Tensor


def train(
    trainer: Trainer,
    task: Task,
    *,
    checkpoint: Checkpoint,
    log_every: int,
) -> History:
    """Train all replicas in place for the configured number of epochs, alike in all processes.

    Args:
        log_every: epochs between two lines in the log.

    Raises:
        DivergenceError: the losses of all replicas are NaN or infinite, with the epoch.
        TrainingError: a signal ended it, with the epoch; or something is wrong in the network's code.
    """
    knobs, processes, count = task.knobs, task.processes, task.starts.count
    history = History([], torch.empty(0, len(QUANTITIES), count), torch.zeros(count, dtype=torch.int64))
    first = restore(checkpoint, trainer, history)
    processes.require_same(first, task.device)
    watch = Watch(log_every, knobs["epochs"], first, accuracy=task.decides)

    for epoch in range(first + 1, knobs["epochs"] + 1):
        mean_loss = trainer.train_epoch(epoch).cpu()
        note_divergence(history, mean_loss, epoch, knobs["learning_rate"])
        if epoch % knobs["record_every"] == 0 or epoch == knobs["epochs"]:
            trainer.align()
            record = [mean_loss, trainer.evaluate("train")[1].cpu(), *map(Tensor.cpu, trainer.evaluate("validation"))]
            history.epochs.append(epoch)
            history.values = torch.cat([history.values, torch.stack(record).unsqueeze(0)])
        watch.look(epoch, mean_loss, history)
        due, asked = processes.any(checkpoint.due(), checkpoint.asked, device=task.device)
        if due and epoch < knobs["epochs"]:
            checkpoint.save(epoch, snapshot(trainer, history), write=processes.first)
            checkpoint.require_time(epoch, asked=asked)
    return history


def note_divergence(history: History, mean_loss: Tensor, epoch: int, learning_rate: float) -> None:
    """Note the replicas whose loss has just stopped being finite, and stop when none is left.

    Raises:
        DivergenceError: every replica has diverged.
    """
    finite = mean_loss.isfinite()
    if finite.all():
        return
    history.diverged[~finite & (history.diverged == 0)] = epoch
    if not finite.any():
        first = int(history.diverged.min())
        raise DivergenceError(
            f"all {len(finite)} replicas have diverged: since epoch {epoch} no loss is finite (the first was lost at "
            f"epoch {first}); lower train/learning_rate, now {learning_rate}, or check the data"
        )


def snapshot(trainer: Trainer, history: History) -> dict[str, object]:
    """Return all that a resumed training needs, in types that torch.load takes with weights_only."""
    return {"trainer": trainer.snapshot(), **vars(history)}


def restore(checkpoint: Checkpoint, trainer: Trainer, history: History) -> int:
    """Take up a checkpoint if there is one that fits; return the number of finished epochs."""
    loaded = checkpoint.load()
    if loaded is None:
        return 0
    epoch, state = loaded
    trainer.restore(state["trainer"])
    history.epochs, history.values, history.diverged = state["epochs"], state["values"], state["diverged"]
    log.info("resuming from %s after epoch %d", checkpoint.path, epoch)
    return epoch


class Watch:
    """Log lines that a person can follow: the seed's loss and accuracy, how far it is, how long it takes."""

    def __init__(self, every: int, last: int, first: int, *, accuracy: bool) -> None:
        self.every, self.last, self.first, self.accuracy = every, last, first, accuracy
        self.start = self.spoken = time.monotonic()

    def look(self, epoch: int, mean_loss: Tensor, history: History) -> None:
        """Write a line every `log_every` epochs and, in long epochs, at least every 30 seconds."""
        now = time.monotonic()
        if epoch % self.every and epoch != self.last and now - self.spoken < 30.0:
            return
        self.spoken = now
        left = (now - self.start) / (epoch - self.first) * (self.last - epoch)
        best = mean_loss.nan_to_num(torch.inf).argmin()
        accuracy = ""
        if history.epochs and self.accuracy:
            recorded = history.values[-1, QUANTITIES.index("validation_accuracy")]
            of = "" if history.epochs[-1] == epoch else f" after epoch {history.epochs[-1]}"
            accuracy = f", accuracy {recorded[best]:.3f} best {recorded.nanmedian():.3f} median{of}"
        loss = f"loss {mean_loss[best]:.4g} best {mean_loss.nanmedian():.4g} median"
        times = f"({now - self.start:.1f} s, {left:.1f} s to go)"
        log.info("epoch %*d/%d  %s%s  %s", len(str(self.last)), epoch, self.last, loss, accuracy, times)
