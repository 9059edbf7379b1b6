"""The events of a set as tensors: inputs and targets side by side, taken by index."""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchship.data.datasets import read_set
from torchship.data.targets import suited
from torchship.spec.objective import event_shape, terms_of
from torchship.spec.section import Section

# Inputs in the network's order, and targets in the order of the losses' terms.
Batch = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]


class EventDataset(Dataset[Batch]):
    """Events as (inputs in the network's order, targets).

    An index may be an integer, as everywhere, or a tensor of integers of any shape, which then leads the shape of what
    comes back: that is how a batch for many replicas is gathered at once. It is always a copy, which a network may
    write on.
    """

    def __init__(self, inputs: tuple[Tensor, ...], targets: tuple[Tensor, ...]) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.targets[0])

    def __getitem__(self, index: int | Tensor) -> Batch:
        if isinstance(index, Tensor) and index.dim() == 1:
            # The same as below, in a third of the time.
            return (
                tuple([array.index_select(0, index) for array in self.inputs]),
                tuple([array.index_select(0, index) for array in self.targets]),
            )
        return tuple(array[index] for array in self.inputs), tuple(array[index] for array in self.targets)

    def to(self, device: torch.device) -> "EventDataset":
        """Return the same events on a device."""
        return EventDataset(*(tuple(array.to(device) for array in part) for part in (self.inputs, self.targets)))


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on a device; where it is there already, the same tensors."""
    inputs, targets = (tuple(one.to(device, non_blocking=True) for one in part) for part in batch)
    return inputs, targets


def read_events(path: Path, datasheet: Path, model: Section, split: str) -> EventDataset:
    """Read a set, with each target as the loss of the output that it is for takes it.

    Raises:
        DataError: the set is not what its datasheet says, or a target does not suit.
    """
    named, outputs = read_set(path, datasheet), model["outputs"]
    targets = []
    for term in terms_of(model):
        shape = event_shape(outputs[term.output].shape)
        target, _ = suited(named[term.target], term.function, shape, f"the {split} set, {term.target}")
        targets.append(torch.from_numpy(target))
    return EventDataset(tuple(torch.from_numpy(named[name]) for name in model["inputs"]), tuple(targets))
