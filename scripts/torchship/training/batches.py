"""Batches for replicas: from a Dataset that stays on the device, or through torch's DataLoader."""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torchship.training.events import Batch, EventDataset, on_device
from torchship.training.orders import epoch_orders, event_order
from torchship.training.parallel.group import Processes

# The orders of several epochs are drawn together, so many event numbers and epochs at most: for a small set, the calls
# of torch would cost more than the numbers.
AHEAD_NUMBERS, AHEAD_EPOCHS = 2**14, 64


class Order(Sampler[Tensor]):
    """This process's share of the batches of one epoch; `epoch` is set before each pass.

    Attributes:
        replicas: how many are trained side by side; batches are then event numbers [replicas, events].
        alone: the number of a single replica's random start; batches are then [events].
    """

    def __init__(
        self, events: int, batch_size: int, seed: int, processes: Processes, *, shuffle: bool, first: int, replicas: int
    ) -> None:
        self.events, self.batch_size, self.seed, self.shuffle = events, batch_size, seed, shuffle
        self.first, self.replicas, self.processes = first, replicas, processes
        self.device = torch.device("cpu")
        self.epoch = 0
        self.alone: int | None = None
        self.ahead: dict[int, tuple[range, Tensor]] = {}

    def __len__(self) -> int:
        return math.ceil(self.events / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        if self.alone is not None:
            whole = self._order_of(self.alone)
            if self.processes.count == 1:
                return iter(torch.split(whole, self.batch_size))
            parts = torch.split(whole.unsqueeze(0), self.batch_size, dim=1)
            return (self.processes.share(part).squeeze(0) for part in parts)
        if self.shuffle:
            order = event_order(self.seed, self.replicas, self.epoch, self.events, self.device, self.first)
        else:
            order = torch.arange(self.events, device=self.device).expand(self.replicas, -1)
        return map(self.processes.share, torch.split(order, self.batch_size, dim=1))

    def _order_of(self, replica: int) -> Tensor:
        if not self.shuffle:
            return torch.arange(self.events, device=self.device)
        epochs, orders = self.ahead.get(replica, (range(0), torch.empty(0)))
        if self.epoch not in epochs:
            count = max(1, min(AHEAD_EPOCHS, AHEAD_NUMBERS // (self.events * self.replicas)))
            epochs = range(self.epoch, self.epoch + count)
            orders = epoch_orders(self.seed, replica, epochs, self.events, self.device)
            self.ahead[replica] = epochs, orders
        return orders[self.epoch - epochs.start]

    def sizes(self) -> list[int]:
        """Return how many events each batch has in all processes."""
        return [min(self.batch_size, self.events - start) for start in range(0, self.events, self.batch_size)]


class Batches:
    """The training batches of any epoch, on the device; both loaders give the same numbers in the same order.

    Args:
        dataset: on the device where it is resident, else on the CPU.
    """

    def __init__(
        self, dataset: EventDataset, order: Order, device: torch.device, *, loader: str, num_workers: int
    ) -> None:
        self.order, self.device, self.sizes = order, device, order.sizes()
        self.dataset = dataset
        self.loader: Iterable[Batch] | None = None
        if loader == "resident":
            order.device = device
        else:
            # batch_size=None: the sampler makes whole batches. The workers persist: starting new ones in each epoch
            # would take longer than training on a small set.
            self.loader = DataLoader(
                dataset,
                batch_size=None,
                sampler=order,
                num_workers=num_workers,
                pin_memory=device.type == "cuda",
                persistent_workers=num_workers > 0,
                # Without one, the loader draws from the generator of Dropout in each epoch.
                generator=torch.Generator(),
            )

    def epoch(self, epoch: int, replica: int | None = None) -> Iterator[Batch]:
        """Yield the batches of one epoch, [replicas, events, …] each, or [events, …] of one replica."""
        self.order.epoch, self.order.alone = epoch, replica
        if self.loader is None:
            yield from map(self.dataset.__getitem__, self.order)
            return
        for inputs, targets in self.loader:
            yield on_device((inputs, targets), self.device)
