"""Check that the eager module with the weights that ship has the loss and accuracy that were logged.

Two right evaluations in float32 may differ, by what rounding does to the outputs and what that does to the loss. So the
module is evaluated in float32 and in float64: `SHIFT` times the largest difference of an output, or of its rounding,
is what the output may be off, and the bound of the loss is what outputs that are off by so much change in it. The bound
of the accuracy is the share of events that they could decide otherwise. One in a hundred differences may be larger:
where rounding has taken another branch or neighbour, that says nothing of other events. What such an event changes
itself counts `SHIFT` times, since another evaluation may have its own. Beside it all there is 1e-5 of the loss for sums
of float32 over the events.
"""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torchship.core.errors import TrainingError
from torchship.models.errors import told_as_theirs
from torchship.models.module import load, unsaved
from torchship.spec.objective import Term
from torchship.training.agreement import default_dtype, double, doubled
from torchship.training.eager import evaluated
from torchship.training.engine import Task
from torchship.training.events import Batch
from torchship.training.losses import FUNCTIONS, beside, decisions
from torchship.training.passes import answers, parts
from torchship.training.rehearsal import require_steady

log = logging.getLogger(__name__)

SHIFT = 8.0
# The share of events whose largest difference is taken for that of rounding alone.
USUAL = 0.99
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


def require_same(task: Task, weights: Path, logged: Mapping[str, float]) -> Judged:
    """Check the weights that were written with the eager module in evaluation mode, on the validation set.

    Args:
        logged: validation_loss and validation_accuracy as the training has recorded them.

    Raises:
        TrainingError: they differ by more than rounding explains, with both numbers.
    """
    module = load(task.starts.file, task.starts.arguments, weights)
    judged = judge(task, module)
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
    names = ", ".join(sorted(unsaved(module)))
    return f" (perhaps {names}: make it a persistent buffer)" if names else ""


def judge(task: Task, module: nn.Module) -> Judged:
    """Return loss and accuracy of a module on the validation set, with their bounds; it is in float64 afterwards.

    Raises:
        TrainingError: it computes something else each time, so that there is nothing to compare.
    """
    dataset, objective = task.sets["validation"], task.objective
    with told_as_theirs(module, task.starts.file):
        loss, right = (float(one) / len(dataset) for one in evaluated(module, parts(dataset), objective))
    inputs, _ = next(parts(dataset))
    require_steady(task, module, inputs)
    change, undecided = bounds(task, module)
    bound = change + SUMS * abs(loss)
    return Judged(loss, right, bound if math.isfinite(bound) else SUMS * abs(loss), undecided + SHIFT * UNIT_FLOAT32)


@torch.no_grad()
def bounds(task: Task, module: nn.Module) -> tuple[float, float]:
    """Return by how much rounding may change the loss and the accuracy on the validation set.

    The module itself goes to float64: built anew it may keep other random numbers, and seem to round that much, and not
    every module can be copied.
    """
    dataset, objective = task.sets["validation"], task.objective
    narrow = wide = judged_outputs(module, parts(dataset), task)
    try:
        with default_dtype(torch.float64):
            wide = judged_outputs(double(module), map(_doubled, parts(dataset)), task)
    except Exception as error:  # whatever a network raises that insists on float32
        log.debug("no float64 evaluation of what ships: %s", error)
    smallest = UNIT_FLOAT32 if wide is not narrow else UNKNOWN
    change = undecided = 0.0
    for place, (term, target) in enumerate(zip(objective.terms, doubled(dataset.targets), strict=True)):
        few, many = narrow[place], wide[place]
        off = (few - many).abs().flatten(1).amax(1)
        usual = float(off.sort().values[math.ceil(USUAL * (len(off) - 1))])
        shift = SHIFT * max(usual, smallest * float(many.abs().max()))
        rare = SHIFT * (off > usual)
        moved = _moved(term, many, target, shift) + rare * (_loss(term, few, target) - _loss(term, many, target)).abs()
        change += term.weight * float(moved.mean())
        if place == objective.decides:
            one, two = (decisions(outputs, objective.threshold, term.function) for outputs in (few, many))
            other = (one != two).reshape(len(one), -1).any(1)
            near = _undecided(term, many, objective.threshold, shift)
            undecided = float((near + rare * other).mean())
    return change, undecided


def judged_outputs(module: nn.Module, batches: Iterable[Batch], task: Task) -> list[Tensor]:
    """Return the outputs that have a loss, of the whole validation set, in the order of the terms, in float64."""
    outputs, places = answers(module, batches), task.objective.places
    targets = task.sets["validation"].targets
    return [beside(outputs[place], target).double() for place, target in zip(places, targets, strict=True)]


def _doubled(batch: Batch) -> Batch:
    inputs, targets = batch
    return doubled(inputs), doubled(targets)


def _loss(term: Term, output: Tensor, target: Tensor) -> Tensor:
    """Return each event's loss, [events]."""
    losses = FUNCTIONS[term.function](output, target, reduction="none")
    return losses.reshape(len(losses), -1).mean(1)


def _moved(term: Term, output: Tensor, target: Tensor, shift: float) -> Tensor:
    """Return by how much each event's loss may change if outputs are off by a shift, [events]."""
    if term.function == "cross_entropy":
        # |log sum exp(o + e) - log sum exp(o)| <= max |e|, and the output itself is off by as much.
        return torch.full([len(output)], 2.0 * shift)
    up, down = (output + sign * shift for sign in (1.0, -1.0))
    if term.function == "binary_cross_entropy":
        up, down = (one.clamp(0.0, 1.0) for one in (up, down))
    loss = FUNCTIONS[term.function]
    here = loss(output, target, reduction="none")
    moved = [(loss(one, target, reduction="none") - here).abs() for one in (up, down)]
    return torch.maximum(*moved).flatten(1).mean(1)


def _undecided(term: Term, output: Tensor, threshold: float, shift: float) -> Tensor:
    """Tell of each event whether it lies so near to another decision that a shift of the outputs could make it."""
    if output.shape[-1] == 1 or term.function != "cross_entropy":
        near = (output - threshold).abs() <= shift
    else:
        best = output.topk(2, dim=-1).values
        near = (best[..., :1] - best[..., 1:]) <= 2.0 * shift
    return near.flatten(1).any(dim=1)
