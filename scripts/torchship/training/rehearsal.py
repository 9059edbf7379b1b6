"""What is looked at before the first step: that the eager module takes the data, and that all it has is trained."""

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchship.core.errors import TrainingError
from torchship.models.errors import told_as_theirs
from torchship.spec.tensor import Tensors
from torchship.training.engine import Task, outputs_of

log = logging.getLogger(__name__)

# Batches that are tried until each parameter has had a gradient: which are used may depend on the data.
MOST_BATCHES = 100


def rehearse(task: Task) -> None:
    """Evaluate the first start of a task on training batches as the eager module, with gradients.

    Raises:
        TrainingError: an error in the network's code, with the line; outputs of another shape than declared; nothing
            to train; parameters that get no gradient.
    """
    module = task.starts.module(0).to(task.device).train()
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


def _without_gradient(task: Task, module: nn.Module, learned: Mapping[str, nn.Parameter]) -> list[str]:
    """Return the parameters that have no gradient after some batches."""
    dataset, size = task.sets["train"], task.knobs["batch_size"]
    waiting = dict(learned)
    for place, index in enumerate(torch.split(torch.arange(len(dataset)), size)[:MOST_BATCHES]):
        inputs, targets = (tuple(array.to(task.device) for array in part) for part in dataset[index])
        with told_as_theirs(module, task.starts.file):
            outputs = outputs_of(module(*inputs))
        if place == 0:
            check_outputs(outputs, task.outputs, len(index))
        loss = task.objective.mean(outputs, targets)
        if loss.requires_grad:
            with told_as_theirs(module, task.starts.file):
                loss.backward()  # type: ignore[no-untyped-call]
        waiting = {name: one for name, one in waiting.items() if one.grad is None}
        if not waiting:
            break
    return list(waiting)


def check_outputs(outputs: Sequence[Tensor], declared: Tensors, events: int) -> None:
    """Check what a network returns for so many events against the declared outputs.

    Raises:
        TrainingError: fewer tensors, or one of another shape.
    """
    if len(outputs) < len(declared):
        raise TrainingError(
            f"Network.forward returns {len(outputs)} tensors, and the model declares the outputs {', '.join(declared)}"
        )
    for output, (name, tensor) in zip(outputs, declared.items(), strict=False):
        shape = [events if axis == "batch" else axis for axis in tensor.shape]
        fits = output.dim() == len(shape) and all(
            isinstance(want, str) or want == have for want, have in zip(shape, output.shape, strict=True)
        )
        if not fits:
            raise TrainingError(
                f"output {name} of Network.forward has shape {list(output.shape)} for {events} events, declared "
                f"{tensor.spelled}: change the network, or outputs/{name}/shape"
            )


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names in one line, the first of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
