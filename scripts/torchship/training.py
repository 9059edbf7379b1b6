"""Training of many replicas at once, with records, checkpoints and a stop when all of them diverge."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchship.checkpoints import Checkpoint
from torchship.errors import DivergenceError, TrainingError
from torchship.loading import Batches, EventDataset, ReplicaOrder
from torchship.networks import derived_seed
from torchship.processes import Processes
from torchship.replicas import Replicas, accuracy, per_replica

log = logging.getLogger(__name__)

QUANTITIES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")

# Elements of one forward pass in evaluation: bounds its memory.
EVALUATION_ELEMENTS = 2**22


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
    replicas: Replicas,
    sets: Mapping[str, EventDataset],
    knobs: Mapping[str, Any],
    *,
    threshold: float,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint,
    log_every: int,
    processes: Processes,
) -> History:
    """Train all replicas in place for the configured number of epochs, alike in all processes.

    Args:
        sets: `train` and `validation`.
        knobs: the section `train` of the configuration.
        threshold: a single output above it means class 1.
        log_every: epochs between two lines in the log.

    Raises:
        DivergenceError: the losses of all replicas are NaN or infinite, with the epoch.
        TrainingError: a signal ended it, with the epoch.
    """
    order = ReplicaOrder(len(sets["train"]), replicas, knobs["batch_size"], seed, processes, shuffle=knobs["shuffle"])
    resident = {name: dataset.to(device) for name, dataset in sets.items()}
    batches = Batches(sets["train"], order, device, loader=knobs["loader"], num_workers=knobs["num_workers"])
    loss = per_replica(knobs["loss"])
    optimizer = getattr(torch.optim, knobs["optimizer"])(
        replicas.parameters.values(), lr=knobs["learning_rate"], foreach=True
    )
    history = History(
        [], torch.empty(0, len(QUANTITIES), replicas.padded), torch.zeros(replicas.padded, dtype=torch.int64)
    )
    first = restore(checkpoint, replicas, optimizer, history)
    processes.require_same(first, device)
    forward = processes.parallel(replicas)
    watch = Watch(log_every, knobs["epochs"], first)

    for epoch in range(first + 1, knobs["epochs"] + 1):
        # For layers that draw random numbers, such as Dropout: a resumed run draws the same, each process its own.
        torch.manual_seed(derived_seed("epoch", seed, epoch * processes.count + processes.rank))
        mean_loss = train_epoch(forward, batches, epoch, optimizer, loss, processes)
        note_divergence(history, mean_loss, epoch, replicas.count, knobs["learning_rate"])
        if epoch % knobs["record_every"] == 0 or epoch == knobs["epochs"]:
            processes.align(replicas.buffers)
            record = [mean_loss]
            record.append(evaluate(replicas, resident["train"], loss, threshold, processes)[1])
            record.extend(evaluate(replicas, resident["validation"], loss, threshold, processes))
            history.epochs.append(epoch)
            history.values = torch.cat([history.values, torch.stack(record).cpu().unsqueeze(0)])
        watch.look(epoch, mean_loss[: replicas.count], history)
        due, asked = processes.any(checkpoint.due(), checkpoint.asked, device=device)
        if due and epoch < knobs["epochs"]:
            checkpoint.save(epoch, snapshot(replicas, optimizer, history), write=processes.first)
            checkpoint.require_time(epoch, asked=asked)
    return history


def train_epoch(
    forward: Any, batches: Batches, epoch: int, optimizer: torch.optim.Optimizer, loss: Any, processes: Processes
) -> Tensor:
    """Take one pass over the training data; give each replica's mean loss over it, [padded]."""
    total = torch.zeros(batches.order.replicas, device=batches.device)
    for inputs, target, size in batches.epoch(epoch):
        optimizer.zero_grad()
        losses = loss(forwarded(forward, inputs, target.shape[1]), target)
        # Replicas share nothing, so the gradient of the sum holds each replica's own.
        torch.autograd.backward(processes.weigh(losses, size).sum())
        optimizer.step()
        total += losses.detach() * processes.events(size)
    return processes.total(total) / batches.order.events


def forwarded(forward: Any, inputs: Sequence[Tensor], events: int) -> Any:
    """Give the outputs for a batch.

    Raises:
        TrainingError: the network does not take a single event, as BatchNorm does not.
    """
    try:
        return forward(*inputs)
    except ValueError as error:
        # torch's own words, of its norms; all else is an error in the network.
        if events > 1 or "more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            f"the network cannot be trained on a batch of {events} event ({error}): choose train/batch_size so that no "
            "batch, nor the last of an epoch, leaves a single event to one of the processes (train/devices)"
        ) from error


@torch.no_grad()
def evaluate(
    replicas: Replicas, dataset: EventDataset, loss: Any, threshold: float, processes: Processes
) -> tuple[Tensor, Tensor]:
    """Give each replica's mean loss and accuracy over a set, [padded] each, in evaluation mode; each takes a share."""
    # Two, since a process without events has them summed in place.
    loss_sum, right_sum = (torch.zeros(replicas.padded, device=dataset.target.device) for _ in range(2))
    chunk = max(1, EVALUATION_ELEMENTS // replicas.padded)
    events = torch.arange(len(dataset), device=dataset.target.device)[processes.rank :: processes.count]
    for index in torch.split(events, chunk) if len(events) else ():
        inputs, target = dataset[index]
        output = replicas(inputs, training=False, shared=True)
        targets = target.expand(replicas.padded, *target.shape)
        loss_sum = loss_sum + loss(output, targets) * len(index)
        right_sum = right_sum + accuracy(output, targets, threshold) * len(index)
    return processes.total(loss_sum) / len(dataset), processes.total(right_sum) / len(dataset)


def note_divergence(history: History, mean_loss: Tensor, epoch: int, count: int, learning_rate: float) -> None:
    """Note the replicas whose loss has just stopped being finite, and stop when none is left.

    Raises:
        DivergenceError: every replica has diverged.
    """
    finite = mean_loss.isfinite().cpu()
    history.diverged[~finite & (history.diverged == 0)] = epoch
    if not finite[:count].any():
        first = int(history.diverged[:count].min())
        raise DivergenceError(
            f"all {count} replicas have diverged: since epoch {epoch} no loss is finite (the first was lost at epoch "
            f"{first}); lower train/learning_rate, now {learning_rate}, or check the data"
        )


def snapshot(replicas: Replicas, optimizer: torch.optim.Optimizer, history: History) -> dict[str, Any]:
    """Give all that a resumed training needs, in types that torch.load takes with weights_only."""
    return {
        "parameters": {name: tensor.detach() for name, tensor in replicas.parameters.items()},
        "buffers": replicas.buffers,
        "optimizer": optimizer.state_dict(),
        "epochs": history.epochs,
        "values": history.values,
        "diverged": history.diverged,
    }


def restore(checkpoint: Checkpoint, replicas: Replicas, optimizer: torch.optim.Optimizer, history: History) -> int:
    """Take up a checkpoint if there is one that fits; give the number of finished epochs."""
    loaded = checkpoint.load()
    if loaded is None:
        return 0
    epoch, state = loaded
    with torch.no_grad():
        for name, parameter in replicas.parameters.items():
            parameter.copy_(state["parameters"][name])
        for name, tensor in replicas.buffers.items():
            tensor.copy_(state["buffers"][name])
    optimizer.load_state_dict(state["optimizer"])
    history.epochs, history.values = state["epochs"], state["values"]
    history.diverged = state["diverged"]
    log.info("resuming from %s after epoch %d", checkpoint.path, epoch)
    return epoch


class Watch:
    """Log lines that a person can follow: the seed's loss and accuracy, how far it is, how long it takes."""

    def __init__(self, every: int, last: int, first: int) -> None:
        self.every, self.last, self.first = every, last, first
        self.start = self.spoken = time.monotonic()

    def look(self, epoch: int, mean_loss: Tensor, history: History) -> None:
        """Write a line every `log_every` epochs and, in long epochs, at least every 30 seconds."""
        now = time.monotonic()
        # Records are on the CPU, and so must be what picks from them.
        mean_loss = mean_loss.cpu()
        if epoch % self.every and epoch != self.last and now - self.spoken < 30.0:
            return
        self.spoken = now
        left = (now - self.start) / (epoch - self.first) * (self.last - epoch)
        best = mean_loss.nan_to_num(torch.inf).argmin()
        accuracy = ""
        if history.epochs:
            recorded = history.values[-1, QUANTITIES.index("validation_accuracy"), : len(mean_loss)]
            of = "" if history.epochs[-1] == epoch else f" after epoch {history.epochs[-1]}"
            accuracy = f", accuracy {recorded[best]:.3f} best {recorded.nanmedian():.3f} median{of}"
        log.info(
            "epoch %*d/%d  loss %.4g best %.4g median%s  (%.1f s, %.1f s to go)",
            len(str(self.last)), epoch, self.last, mean_loss[best], mean_loss.nanmedian(), accuracy,
            now - self.start, left,
        )  # fmt: skip
