"""The interface of the engines, one of which trains all replicas at once, the other one after another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torchship.models.seeds import derived_seed, random_network
from torchship.spec.section import Train
from torchship.spec.tensor import Tensors
from torchship.training.batches import Batches, Order
from torchship.training.events import EventDataset
from torchship.training.losses import Objective
from torchship.training.parallel.group import Processes

State = dict[str, Tensor]


@dataclass(frozen=True)
class Starts:
    """The random starts of one network.

    Attributes:
        knobs: the section `train` of the configuration: how many, which is the first, how they start.
    """

    file: Path
    arguments: Mapping[str, object]
    knobs: Train
    seed: int

    @property
    def count(self) -> int:
        """Return how many are trained."""
        return self.knobs["replicas"]

    def number(self, place: int) -> int:
        """Return a start's number in the series of all starts that a seed has."""
        return self.knobs["first_replica"] + place

    def seed_of(self, place: int) -> int:
        """Return a start's own seed: nothing else decides its numbers."""
        return derived_seed("start", self.seed, self.number(place))

    def module(self, place: int) -> nn.Module:
        """Build a start: the module as its file makes it, with random weights, on the CPU."""
        return random_network(
            self.file, self.arguments, self.knobs["weights"], self.seed_of(place), self.knobs["frozen"]
        )


@dataclass(frozen=True)
class Task:
    """What an engine trains.

    Attributes:
        sets: `train` and `validation`, on the CPU.
        outputs: the declared outputs by name.
    """

    starts: Starts
    sets: Mapping[str, EventDataset]
    objective: Objective
    outputs: Tensors
    device: torch.device
    processes: Processes

    @property
    def knobs(self) -> Train:
        """Return the section `train` of the configuration."""
        return self.starts.knobs

    @property
    def decides(self) -> bool:
        """Say whether there are decisions, which are right or wrong: a regression has none."""
        return self.objective.counts(self.sets["validation"].targets)

    def placed(self) -> dict[str, EventDataset]:
        """Return the sets where a trainer has them: on the device, or on the CPU where a loader brings the batches."""
        resident = self.knobs["loader"] == "resident"
        return {name: dataset.to(self.device) if resident else dataset for name, dataset in self.sets.items()}

    def batches(self, dataset: EventDataset, replicas: int) -> Batches:
        """Return the batches of the training set for so many replicas, side by side or one after another."""
        knobs = self.knobs
        order = Order(
            len(dataset),
            knobs["batch_size"],
            self.starts.seed,
            self.processes,
            shuffle=knobs["shuffle"],
            first=knobs["first_replica"],
            replicas=replicas,
        )
        return Batches(dataset, order, self.device, loader=knobs["loader"], num_workers=knobs["num_workers"])


class Trainer(Protocol):
    """An engine of training: all replicas of a task, with an optimizer for each."""

    def train_epoch(self, epoch: int) -> Tensor:
        """Take one pass over the training data; return each replica's mean loss over it, [replicas]."""
        ...

    def align(self) -> None:
        """Copy the buffers of the first process to all; see `Processes.align`."""
        ...

    def evaluate(self, split: str) -> tuple[Tensor, Tensor]:
        """Return each replica's mean loss and accuracy over a set, [replicas] each, in evaluation mode."""
        ...

    def state(self, place: int) -> State:
        """Return one replica's parameters and buffers as its state_dict names them, copied."""
        ...

    def snapshot(self) -> dict[str, object]:
        """Return all that a resumed training needs, in types that torch.load takes with weights_only."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `snapshot` returned."""
        ...


def make_optimizer(knobs: Train, parameters: Sequence[nn.Parameter], **how: bool) -> torch.optim.Optimizer:
    """Return the optimizer that the knobs name, for some parameters."""
    made: torch.optim.Optimizer = getattr(torch.optim, knobs["optimizer"])(parameters, lr=knobs["learning_rate"], **how)
    return made
