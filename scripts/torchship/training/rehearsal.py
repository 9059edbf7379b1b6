"""What is looked at before the first step: that the eager module takes the data, and that all it has is trained."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import torch
from torch import Tensor, nn
from torchship.core.errors import TrainingError
from torchship.models.errors import innermost, one_line, told_as_theirs
from torchship.models.module import outputs_of
from torchship.models.seeds import in_mode
from torchship.models.user_code import line_in_text
from torchship.spec.axes import BATCH
from torchship.training.engine import Task
from torchship.training.events import Batch
from torchship.training.first_pass import check_call, check_outputs, outputs_told, place_of
from torchship.training.loss_matches import mismatches
from torchship.training.passes import parts

log = logging.getLogger(__name__)

# Of an output's size, two calls may differ: GPUs sum in any order.
STEADY = 1e-4
# Of it, an event may differ where it is alone: other kernels round otherwise. How many are looked at, of how many.
DEPENDS, ALONE, SEVERAL = 1e-3, 8, 32
# Batches that are tried until each parameter has had a gradient: which are used may depend on the data.
MOST_BATCHES = 100


def rehearse(task: Task, names: Sequence[str]) -> None:
    """Evaluate the first start of a task on training batches as the eager module, with gradients.

    Args:
        names: the names of the declared inputs, in order.

    Raises:
        TrainingError: an error in the network's code, with the line; other inputs or outputs than declared; an output
            that its loss is not meant for; nothing to train; parameters that get no gradient, or none that can be
            computed; outputs that change when the network is called again; starts that are all the same.
    """
    module = in_mode(task.starts.module(0).to(task.device), training=True, frozen=task.knobs["frozen"])
    check_call(module, task.starts.file, names)
    learned = {name: one for name, one in module.named_parameters() if one.requires_grad}
    frozen = [name for name, one in module.named_parameters() if not one.requires_grad]
    if frozen:
        log.info("not trained, as the network's file or train/frozen says: %s", listed(frozen))
    if not learned:
        raise TrainingError(f"{task.starts.file}: Network has no parameter to train, all are frozen")
    waiting = _without_gradient(task, module, learned)
    if waiting:
        raise TrainingError(
            f"{task.starts.file}: {len(waiting)} of {len(learned)} parameters get no gradient from train/loss, so they "
            f"would ship as they started: {listed(waiting)}; if that is meant, name them in train/frozen, or give the "
            "outputs that use them a loss, as in train/loss: {y: {function: …}, z: {function: …}}"
        )
    sparse = [name for name, one in learned.items() if one.grad is not None and one.grad.is_sparse]
    if sparse:
        raise TrainingError(
            f"{task.starts.file}: the gradient of {sparse[0]} is sparse, which not every optimizer takes: build its "
            "layer with sparse=False"
        )
    inputs, _ = next(parts(task.sets["train"], task.device))
    require_steady(task, module.eval(), [one[:SEVERAL] for one in inputs])
    require_other_starts(task)


def _batches(task: Task) -> Iterator[Batch]:
    """Yield the first training batches, on the device."""
    dataset = task.sets["train"]
    for index in torch.split(torch.arange(len(dataset)), task.knobs["batch_size"])[:MOST_BATCHES]:
        inputs, targets = (tuple(array.to(task.device) for array in part) for part in dataset[index])
        yield inputs, targets


def _without_gradient(task: Task, module: nn.Module, learned: Mapping[str, nn.Parameter]) -> list[str]:
    """Return the parameters that have no gradient after some batches."""
    waiting = dict(learned)
    for place, (inputs, targets) in enumerate(_batches(task)):
        given = tuple(one.clone() for one in inputs)
        with told_as_theirs(module, task.starts.file):
            result = module(*inputs)
        outputs = outputs_told(result, module, task.starts.file)
        if place == 0:
            check_outputs(outputs, task.outputs, {BATCH: len(targets[0])}, place_of(module, task.starts.file))
        # Before the loss: on a GPU its own assertion would end the process.
        wrong = mismatches(task.objective.terms, outputs)
        if wrong:
            raise TrainingError(f"{place_of(module, task.starts.file)}: {wrong[0]}")
        loss = _loss(task, outputs, targets)
        if loss.requires_grad:
            with told_as_theirs(module, task.starts.file):
                _backward(task, module, loss, (given, targets))
        waiting = {name: one for name, one in waiting.items() if one.grad is None}
        if not waiting:
            break
    return list(waiting)


def _loss(task: Task, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    try:
        return task.objective.mean(outputs, targets)
    except RuntimeError as error:
        kinds = (f"{term.output} is {str(outputs[term.place].dtype)[6:]}" for term in task.objective.terms)
        raise TrainingError(
            f"{task.starts.file}: train/loss cannot be computed from what Network.forward returns "
            f"({', '.join(kinds)}): {one_line(error)}; it takes float32, as of y.float()"
        ) from error


def _backward(task: Task, module: nn.Module, loss: Tensor, batch: Batch) -> None:
    """Compute the gradients of a loss.

    Raises:
        TrainingError: autograd cannot, with the line of the network where what it needs was computed.
    """
    file = task.starts.file
    try:
        loss.backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        if innermost(error, file) is not None:
            raise
        # Once more, for what torch says of the line only if it was asked to before.
        with warnings.catch_warnings(record=True) as caught, suppress(RuntimeError):
            warnings.simplefilter("always")
            with torch.autograd.detect_anomaly(check_nan=False):
                inputs, targets = batch
                task.objective.mean(outputs_of(module(*inputs)), targets).backward()  # type: ignore[no-untyped-call]
        lines = [line for one in caught if (line := line_in_text(str(one.message), file.resolve().parent))]
        words = one_line(error).partition(" Hint:")[0]
        raise TrainingError(
            f"{lines[-1] if lines else file}: the gradient of train/loss cannot be computed: {words}"
        ) from error


def require_steady(task: Task, module: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Check that a network gives the same outputs for the same events when it is called again in evaluation mode.

    Else what its evaluations say holds for none of its outputs to come.

    Raises:
        TrainingError: it does not, with the output and by how much.
    """
    with torch.no_grad(), told_as_theirs(module, task.starts.file):
        first, second = (outputs_of(module(*(one.clone() for one in inputs))) for _ in range(2))
    for place, name in enumerate(task.outputs):
        one, other = (part[place].double().nan_to_num() for part in (first, second))
        size = float(one.abs().max()) if one.numel() else 0.0
        off = float((one - other).abs().max()) if one.numel() and one.shape == other.shape else 0.0
        if one.shape != other.shape or off > STEADY * size:
            raise TrainingError(
                f"{task.starts.file}: called twice with the same events, in evaluation mode, Network gives other "
                f"outputs: {name} differs by {off:.2g} of {size:.2g}; if it draws random numbers or keeps something "
                "from call to call, let it do so in training mode alone (if self.training: …)"
            )

    warn_of_company(task, module, inputs, first)


def warn_of_company(task: Task, module: nn.Module, inputs: Sequence[Tensor], together: Sequence[Tensor]) -> None:
    """Warn if an event has other outputs alone than with others: what is trained on batches may be served one by one.

    A network may branch on its whole batch on purpose; the gate then says what its file does. Where rounding
    decides, as between equal distances, a few events may differ; of such a network, most do.

    Args:
        together: the outputs of all events of the inputs in one call.
    """
    events = min(ALONE, len(inputs[0]))
    if len(inputs[0]) < 2:
        return
    with torch.no_grad(), told_as_theirs(module, task.starts.file):
        alone = [outputs_of(module(*(one[place : place + 1].clone() for one in inputs))) for place in range(events)]
    for place, name in enumerate(task.outputs):
        whole = together[place].double().nan_to_num()
        parts_alone = [outputs[place].double().nan_to_num() for outputs in alone]
        if any(one.shape[1:] != whole.shape[1:] or len(one) != 1 for one in parts_alone):
            continue
        size = float(whole.abs().max()) if whole.numel() else 0.0
        off = (torch.cat(parts_alone) - whole[:events]).abs().reshape(events, -1).amax(1)
        if 2 * int((off > DEPENDS * size).sum()) > events:
            log.warning(
                "%s: in evaluation mode, the outputs of an event depend on the others in its batch: alone, %s of the "
                "first %d events is off by up to %.2g of %.2g; loss and accuracy hold for such batches only, so leave "
                "out what is taken over the batch, such as x.mean(0) or BatchNorm1d(track_running_stats=False)",
                *[task.starts.file, name, events, float(off.max()), size],
            )


def require_other_starts(task: Task) -> None:
    """Check that random starts differ, where there are several.

    Raises:
        TrainingError: the first two are the same.
    """
    if task.starts.count == 1:
        return
    one, other = (dict(task.starts.module(place).named_parameters()) for place in range(2))
    if all(torch.equal(learned, other[name]) for name, learned in one.items() if learned.requires_grad):
        raise TrainingError(
            f"{task.starts.file}: the {task.starts.count} random starts that train/replicas asks for are all the same: "
            "take torch.manual_seed out of the network's file, or set train/replicas to 1 if it draws nothing"
        )


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names in one line, the first of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
