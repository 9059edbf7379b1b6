"""Evaluation in parts that fit into memory, and where the events of a set lie."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torchship.training.engine import Task
from torchship.training.events import EventDataset
from torchship.training.passes import EVALUATION_ELEMENTS, EVALUATION_EVENTS, answers, parts


def images(count, side):
    generator = torch.Generator().manual_seed(0)
    return EventDataset((torch.rand(count, 1, side, side, generator=generator),), (torch.zeros(count, 1),))


def test_large_images_are_evaluated_few_at_a_time():
    """A set of large images in one pass took as much memory as the set times the network's channels."""
    dataset = images(10, 512)
    sizes = [len(inputs[0]) for (inputs, _) in parts(dataset)]
    assert sum(sizes) == 10
    assert max(sizes) * 512 * 512 <= EVALUATION_ELEMENTS
    assert [len(inputs[0]) for (inputs, _) in parts(images(EVALUATION_EVENTS + 1, 2))] == [EVALUATION_EVENTS, 1]
    # One event is evaluated, however large it is.
    assert [len(inputs[0]) for (inputs, _) in parts(dataset, elements=1)] == [1] * 10


def test_parts_give_what_the_whole_gives():
    torch.manual_seed(0)
    module, dataset = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval(), images(50, 8)
    [found] = answers(module, parts(dataset, elements=7 * 64))
    assert torch.allclose(found, module(dataset.inputs[0]), atol=1e-6)
    shares = [torch.cat([inputs[0] for inputs, _ in parts(dataset, rank=rank, count=3)]) for rank in range(3)]
    assert torch.equal(torch.stack(shares[:2], 1).flatten(0, 1)[:6], dataset.inputs[0][[0, 1, 3, 4, 6, 7]])


@pytest.mark.parametrize(("loader", "place"), [("resident", "meta"), ("dataloader", "cpu")])
def test_only_a_resident_set_lies_on_the_device(loader, place):
    """A loader brings batches to the device; the set stays, which may be larger than the device's memory."""
    task = SimpleNamespace(knobs={"loader": loader}, sets={"train": images(4, 2)}, device=torch.device("meta"))
    assert Task.placed(task)["train"].inputs[0].device.type == place
