"""Batches for replicas: from a Dataset that stays on the device, or through torch's DataLoader."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchship.replicas import event_order

Batch = tuple[tuple[Tensor, ...], Tensor]


class EventDataset(Dataset[Batch]):
    """Events as (inputs in the network's order, target).

    An index may be an integer, as everywhere, or a tensor of integers of any shape, which then leads the shape of what
    comes back: that is how a batch for many replicas is gathered at once.
    """

    def __init__(self, inputs: tuple[Tensor, ...], target: Tensor) -> None:
        self.inputs, self.target = inputs, target

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], inputs: Sequence[str], target: str) -> "EventDataset":
        """Take the inputs, in the network's order, and the target out of named arrays."""
        return cls(tuple(torch.from_numpy(arrays[name]) for name in inputs), torch.from_numpy(arrays[target]))

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, index: int | Tensor) -> Batch:
        return tuple(array[index] for array in self.inputs), self.target[index]

    def to(self, device: torch.device) -> "EventDataset":
        """Give the same events on a device."""
        return EventDataset(tuple(array.to(device) for array in self.inputs), self.target.to(device))


class ReplicaOrder(Sampler[Tensor]):
    """The batches of one epoch as event numbers [replicas, batch]; `epoch` is set before each pass."""

    def __init__(self, events: int, replicas: int, batch_size: int, seed: int, *, shuffle: bool) -> None:
        self.events, self.replicas, self.batch_size = events, replicas, batch_size
        self.seed, self.shuffle = seed, shuffle
        self.device = torch.device("cpu")
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(self.events / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        if self.shuffle:
            order = event_order(self.seed, self.replicas, self.epoch, self.events, self.device)
        else:
            order = torch.arange(self.events, device=self.device).expand(self.replicas, -1)
        return iter(torch.split(order, self.batch_size, dim=1))


class Batches:
    """The training batches of any epoch, on the device; both loaders give the same numbers in the same order."""

    def __init__(
        self, dataset: EventDataset, order: ReplicaOrder, device: torch.device, *, loader: str, num_workers: int
    ) -> None:
        self.order, self.device = order, device
        self.dataset = dataset.to(device)
        self.loader: Iterable[Batch] | None = None
        if loader == "resident":
            order.device = device
        else:
            # batch_size=None: the sampler makes whole batches. Workers that end with each epoch would take
            # longer to start again than a small set takes to train on.
            self.loader = DataLoader(
                dataset,
                batch_size=None,
                sampler=order,
                num_workers=num_workers,
                pin_memory=device.type == "cuda",
                persistent_workers=num_workers > 0,
            )

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Give the batches of one epoch: inputs and target, each [replicas, batch, ...]."""
        self.order.epoch = epoch
        if self.loader is None:
            yield from (self.dataset[index] for index in self.order)
            return
        for inputs, target in self.loader:
            yield tuple(array.to(self.device, non_blocking=True) for array in inputs), target.to(self.device)
