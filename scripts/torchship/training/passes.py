"""A network's outputs for a whole set: one forward pass after another, each of which fits into memory."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torchship.models.module import outputs_of
from torchship.training.events import Batch, EventDataset, on_device

# Elements of the inputs of one forward pass in evaluation, and its most events: bounds its memory.
EVALUATION_ELEMENTS, EVALUATION_EVENTS = 2**20, 2**14
CPU = torch.device("cpu")


@torch.no_grad()
def answers(module: nn.Module, batches: Iterable[Batch]) -> list[Tensor]:
    """Return a network's outputs for all events of some batches, in order, in the mode it is in."""
    several = [outputs_of(module(*inputs)) for inputs, _ in batches]
    # A single one may hold what belongs to no event, as a scalar.
    return [torch.cat(column) if len(column) > 1 else column[0] for column in zip(*several, strict=True)]


def parts(
    dataset: EventDataset,
    device: torch.device = CPU,
    rank: int = 0,
    count: int = 1,
    elements: int = EVALUATION_ELEMENTS,
) -> Iterator[Batch]:
    """Yield a share of a set in the parts that a network is evaluated on, which are copies on the device.

    Args:
        rank, count: take share number `rank` of `count`.
        elements: of the inputs of one part, at most, but for those of a single event.
    """
    width = max(1, sum(array[:1].numel() for array in dataset.inputs))
    chunk = max(1, min(EVALUATION_EVENTS, elements // width))
    events = torch.arange(len(dataset), device=dataset.targets[0].device)[rank::count]
    return (on_device(dataset[index], device) for index in (torch.split(events, chunk) if len(events) else ()))
