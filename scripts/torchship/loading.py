"""Batches for replicas: from a Dataset that stays on the device, or through torch's DataLoader."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchship.processes import Processes
from torchship.replicas import Replicas, event_order

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
    """This process's share of the batches of one epoch, [replicas, events] each; `epoch` is set before each pass."""

    def __init__(
        self, events: int, replicas: Replicas, batch_size: int, seed: int, processes: Processes, *, shuffle: bool
    ) -> None:
        self.events, self.replicas, self.batch_size = events, replicas.padded, batch_size
        self.first, self.seed, self.shuffle, self.processes = replicas.first, seed, shuffle, processes
        self.device = torch.device("cpu")
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(self.events / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        if self.shuffle:
            order = event_order(self.seed, self.replicas, self.epoch, self.events, self.device, self.first)
        else:
            order = torch.arange(self.events, device=self.device).expand(self.replicas, -1)
        return map(self.processes.share, torch.split(order, self.batch_size, dim=1))

    def sizes(self) -> list[int]:
        """Give how many events each batch has in all processes."""
        return [min(self.batch_size, self.events - start) for start in range(0, self.events, self.batch_size)]


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

    def epoch(self, epoch: int) -> Iterator[tuple[tuple[Tensor, ...], Tensor, int]]:
        """Give the batches of one epoch: inputs and target, [replicas, events, ...] each, and the events in all."""
        self.order.epoch = epoch
        if self.loader is None:
            for index, size in zip(self.order, self.order.sizes(), strict=True):
                yield *self.dataset[index], size
            return
        for (inputs, target), size in zip(self.loader, self.order.sizes(), strict=True):
            yield tuple(array.to(self.device, non_blocking=True) for array in inputs), target.to(self.device), size
