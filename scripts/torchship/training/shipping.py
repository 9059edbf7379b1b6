"""Check that the eager module with the weights that ship has the loss and accuracy that were logged.

Two right evaluations in float32 differ by rounding. By how much they may is measured: the module is evaluated in
float32 and in float64. An output may be off by `SHIFT` times the largest difference of the two, or times the rounding
of its largest number, if that is more. The bound of the loss is the change of the loss when outputs are off by that
much, and 1e-5 of the loss for sums of float32 over the events. The bound of the accuracy is the share of the events
that would be decided otherwise.
"""

import copy
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchship.core.errors import TrainingError
from torchship.models.errors import told_as_theirs
from torchship.models.module import load, outputs_of
from torchship.training.agreement import double, doubled, numbers
from torchship.training.eager import evaluated, parts
from torchship.training.engine import Task
from torchship.training.losses import FUNCTIONS, Objective

log = logging.getLogger(__name__)

SHIFT = 8.0
UNIT_FLOAT32 = 2.0**-24
SUMS = 1e-5
# An output's error as a share of its size, if the network cannot be evaluated in float64.
UNKNOWN = 1e-5


@dataclass(frozen=True)
class Judged:
    """Loss and accuracy of the eager module on the validation set, and by how much another evaluation may differ."""

    loss: float
    accuracy: float
    loss_bound: float
    accuracy_bound: float

    def report(self) -> dict[str, float]:
        """Return it as it stands in training.json."""
        return {**vars(self)}


def require_same(task: Task, weights: Path, logged: Mapping[str, Any]) -> Judged:
    """Check the weights that were written with the eager module in evaluation mode, on the validation set.

    Args:
        logged: validation_loss and validation_accuracy as the training has recorded them.

    Raises:
        TrainingError: they differ by more than rounding explains, with both numbers.
    """
    module = load(task.starts.file, task.starts.arguments, weights)
    # A copy, not a second build: random numbers that a network keeps would differ, and look like rounding.
    judged = judge(task, module, double(copy.deepcopy(module)))
    loss, accuracy = logged["validation_loss"], logged["validation_accuracy"]
    if not (abs(judged.loss - loss) <= judged.loss_bound and abs(judged.accuracy - accuracy) <= judged.accuracy_bound):
        raise TrainingError(
            f"the weights that would ship do not compute what was trained: the eager module of {task.starts.file} has "
            f"validation loss {judged.loss:.6g} and accuracy {judged.accuracy:.4f}, logged were {loss:.6g} and "
            f"{accuracy:.4f} (they may differ by {judged.loss_bound:.1e} and {judged.accuracy_bound:.1e}); the network "
            f"keeps something that its state_dict does not{kept(task.starts.module(0))}, or its outputs depend on "
            "which events are evaluated together"
        )
    return judged


def kept(module: nn.Module) -> str:
    """Return the names of tensors that a network keeps and its state_dict does not, in brackets; '' for none."""
    own = module.state_dict()
    buffers = [name for name, _ in module.named_buffers() if name not in own]
    plain = [
        ".".join(filter(None, [place, name]))
        for place, layer in module.named_modules()
        for name, value in vars(layer).items()
        if isinstance(value, Tensor)
    ]
    names = sorted([*buffers, *plain])
    return f" (perhaps {', '.join(names)}: make it a persistent buffer)" if names else ""


def judge(task: Task, module: nn.Module, exact: nn.Module) -> Judged:
    """Return loss and accuracy of a module on the validation set, with their bounds.

    Args:
        exact: the same module in float64.
    """
    dataset, objective = task.sets["validation"], task.objective
    with told_as_theirs(module, task.starts.file):
        loss, right = (float(one) / len(dataset) for one in evaluated(module, dataset, objective))
    change, undecided = bounds(task, module, exact)
    bound = change + SUMS * abs(loss)
    return Judged(loss, right, bound if math.isfinite(bound) else SUMS * abs(loss), undecided + SHIFT * UNIT_FLOAT32)


@torch.no_grad()
def bounds(task: Task, module: nn.Module, exact: nn.Module) -> tuple[float, float]:
    """Return by how much rounding may change the loss and the accuracy on the validation set."""
    dataset, objective = task.sets["validation"], task.objective
    narrow = [(doubled(outputs_of(module(*inputs))), doubled(targets)) for inputs, targets in parts(dataset)]
    wide = narrow
    try:
        with numbers(torch.float64):
            wide = [(outputs_of(exact(*doubled(inputs))), doubled(targets)) for inputs, targets in parts(dataset)]
    except Exception as error:  # whatever a network raises that insists on float32
        log.debug("no float64 evaluation of what ships: %s", error)
    smallest = UNIT_FLOAT32 if wide is not narrow else UNKNOWN
    off = [
        SHIFT
        * max(
            _largest([few[place] - many[place] for (few, _), (many, _) in zip(narrow, wide, strict=True)]),
            smallest * _largest([many[place] for many, _ in wide]),
        )
        for place in objective.places
    ]
    changes = [_changed(objective, outputs, targets, off) for outputs, targets in wide]
    return sum(loss for loss, _ in changes) / len(dataset), sum(undecided for _, undecided in changes) / len(dataset)


def _largest(found: list[Tensor]) -> float:
    return max((float(one.abs().max()) for one in found if one.numel()), default=0.0)


def _changed(
    objective: Objective, outputs: tuple[Tensor, ...], targets: tuple[Tensor, ...], off: list[float]
) -> tuple[float, float]:
    """Return the sums over some events of what the loss, and of how many decisions, may change if outputs are off."""
    total = 0.0
    for term, target, shift in zip(objective.terms, targets, off, strict=True):
        output = outputs[term.place]
        if term.function == "cross_entropy":
            # |log sum exp(o + e) - log sum exp(o)| <= max |e|, and the output itself is off by as much.
            total += term.weight * 2.0 * shift * len(output)
            continue
        here = FUNCTIONS[term.function](output, target, reduction="none")
        up, down = (output + sign * shift for sign in (1.0, -1.0))
        if term.function == "binary_cross_entropy":
            up, down = (one.clamp(0.0, 1.0) for one in (up, down))
        moved = [(FUNCTIONS[term.function](one, target, reduction="none") - here).abs() for one in (up, down)]
        total += term.weight * float(torch.maximum(*moved).flatten(1).mean(1).sum())
    return total, _undecided(outputs[objective.terms[objective.decides].place], objective, off[objective.decides])


def _undecided(output: Tensor, objective: Objective, shift: float) -> float:
    """Return how many events lie so near to another decision that a shift of the outputs could make it."""
    if output.shape[-1] == 1 or objective.terms[objective.decides].function != "cross_entropy":
        near = (output - objective.threshold).abs() <= shift
    else:
        best = output.topk(2, dim=-1).values
        near = (best[..., :1] - best[..., 1:]) <= 2.0 * shift
    return float(near.flatten(1).any(dim=1).sum())
