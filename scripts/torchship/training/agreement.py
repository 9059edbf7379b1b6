"""Check before the first step that the batched engine computes what the eager module does: outputs, gradients, buffers.

The comparison is in float64. There, two right evaluations differ by about 1e-16 of their largest numbers, and one with
a missing term, or with another copy's tensor, differs by far more than the bound: no tolerance has to be guessed.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torchship.models.errors import described, innermost
from torchship.models.module import outputs_of
from torchship.models.seeds import in_mode
from torchship.training.batched import Stack
from torchship.training.engine import State, Task
from torchship.training.events import Batch, on_device
from torchship.training.rehearsal import listed

# Starts that are compared, the fewest and the most events that they are compared on.
STARTS, FEWEST_EVENTS, MOST_EVENTS = 3, 16, 256
# The bound, as a share of a tensor's own largest number, and as a share of the largest gradient: the latter for
# gradients that only rounding makes other than zero, such as that of a bias before a BatchNorm.
OWN, LARGEST = 1e-9, 1e-13
# torch's warning where vmap has no rule for an operation and loops over the copies.
ONE_BY_ONE = re.compile(r"performance drop because .* batching rule for ([\w:.]+\w)")
# Requests to torch's developers at the end of torch's errors, which don't concern a user.
REQUEST = re.compile(r"(?<=\.) (We don't support that yet|Please file).*")


@dataclass
class Found:
    """What one evaluation gave, by name, for each start."""

    tensors: State = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


def objection(task: Task) -> tuple[str, bool]:
    """Return why the batched engine should not train a task ('' if it may), and whether its numbers would be wrong."""
    with default_dtype(torch.float64), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        batch, frozen = real_batch(task), task.knobs["frozen"]
        for training in (True, False):
            mode = "training" if training else "evaluation"
            modules = [_double(task, place) for place in range(STARTS)]
            try:
                wanted = [_eager(task, in_mode(module, training=training, frozen=frozen), batch) for module in modules]
            except Exception as error:  # whatever a network raises in float64
                return f"the eager module cannot be evaluated in float64 to compare them: {_told(error, task)}", True
            try:
                stack = Stack([_double(task, place) for place in range(STARTS)], task.device, frozen)
                found = _batched(task, stack, batch, training=training)
            except Exception as error:  # whatever vmap raises
                return f"torch.vmap cannot take the network: {_told(error, task)}", True
            differing: dict[str, str] = {}
            for place in range(STARTS):
                differing = {**differences(found[place], wanted[place]), **differing}
            if differing:
                names = listed([f"{name} ({how})" for name, how in sorted(differing.items())])
                return f"under torch.vmap the network computes something else in {mode} mode: {names}", True
    slow = sorted({rule[1] for warning in caught if (rule := ONE_BY_ONE.search(str(warning.message)))})
    return (f"torch.vmap has no rule for {slow[0]} and takes the replicas one by one", False) if slow else ("", False)


@contextmanager
def default_dtype(kind: torch.dtype) -> Iterator[None]:
    """Make a floating type the default of new tensors inside a `with` block."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def double(module: nn.Module) -> nn.Module:
    """Convert a module to float64 in place, tensors that are plain attributes included, and return it."""
    for layer in module.double().modules():
        for name, value in vars(layer).items():
            if isinstance(value, Tensor) and value.is_floating_point():
                setattr(layer, name, value.double())
    return module


def doubled(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return tensors with floating-point numbers in float64."""
    return tuple(one.double() if one.is_floating_point() else one.clone() for one in tensors)


def real_batch(task: Task) -> Batch:
    """Return the first events of the training data in float64, on the device."""
    dataset = task.sets["train"]
    events = min(len(dataset), MOST_EVENTS, max(task.knobs["batch_size"], FEWEST_EVENTS))
    inputs, targets = on_device(dataset[torch.arange(events)], task.device)
    return doubled(inputs), doubled(targets)


def _double(task: Task, place: int) -> nn.Module:
    # A start is drawn in float32.
    with default_dtype(torch.float32):
        module = task.starts.module(place)
    return double(module).to(task.device)


def _eager(task: Task, module: nn.Module, batch: Batch) -> Found:
    inputs, targets = (tuple(one.clone() for one in part) for part in batch)
    torch.manual_seed(task.starts.seed)
    outputs = outputs_of(module(*inputs))
    learned: State = {name: one for name, one in module.named_parameters() if one.requires_grad}
    gradients = _gradients(task.objective.mean(outputs, targets), learned)
    return _collected(outputs, gradients, dict(module.named_buffers()))


def _batched(task: Task, stack: Stack, batch: Batch, *, training: bool) -> list[Found]:
    inputs, targets = batch
    many = [one.expand(STARTS, *one.shape) for one in targets]
    # In training each copy has events of its own, in evaluation all have the same.
    given = tuple(one.expand(STARTS, *one.shape).clone() if training else one.clone() for one in inputs)
    torch.manual_seed(task.starts.seed)
    outputs = stack.outputs(given, training=training, shared=not training, randomness="same")
    gradients = _gradients(task.objective.per_replica(outputs, many).sum(), stack.learned)
    return [
        _collected(
            [output[place] for output in outputs],
            {name: None if one is None else one[place] for name, one in gradients.items()},
            {name: one[place] for name, one in stack.fixed.items()},
        )
        for place in range(STARTS)
    ]


def _gradients(loss: Tensor, learned: State) -> dict[str, Tensor | None]:
    if not loss.requires_grad:
        return dict.fromkeys(learned)
    found = torch.autograd.grad(loss, [*learned.values()], allow_unused=True)
    return dict(zip(learned, cast("tuple[Tensor | None, ...]", found), strict=True))


def _collected(outputs: Sequence[Tensor], gradients: dict[str, Tensor | None], buffers: State) -> Found:
    found = Found({f"output {place}": output.detach() for place, output in enumerate(outputs)})
    found.tensors |= {f"buffer {name}": one.detach() for name, one in buffers.items()}
    for name, gradient in gradients.items():
        if gradient is None:
            found.missing.add(f"gradient of {name}")
        else:
            found.tensors[f"gradient of {name}"] = gradient.detach()
    return found


def differences(found: Found, wanted: Found) -> dict[str, str]:
    """Return the names of what differs by more than rounding, each with how it differs."""
    gradients = [one for name, one in wanted.tensors.items() if name.startswith("gradient") and one.numel()]
    largest = max((float(one.nan_to_num().abs().max()) for one in gradients), default=0.0)
    words = {}
    for name, one in wanted.tensors.items():
        other = found.tensors.get(name)
        if other is None:
            # A gradient that is all zeros may be missing on the other side.
            if name in found.missing and bool((one != 0).any()):
                words[name] = "none"
        elif not _share(other, one, largest if name.startswith("gradient") else 0.0) <= 1.0:
            words[name] = (
                f"by {_size(_wide(other) - _wide(one)):.2g} of {_size(_wide(one)):.2g}"
                if other.shape == one.shape
                else "its shape"
            )
    for name in wanted.missing & found.tensors.keys():
        if bool((found.tensors[name] != 0).any()):
            words[name] = "none in the eager module"
    return words


def _size(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def _wide(tensor: Tensor) -> Tensor:
    return (torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor).double()


def _share(found: Tensor, wanted: Tensor, largest: float) -> float:
    """Return the largest difference in units of the bound; infinite where shapes or what is not finite differ."""
    if found.shape != wanted.shape or bool((found.isfinite() != wanted.isfinite()).any()):
        return float("inf")
    if not wanted.numel():
        return 0.0
    found, wanted = (_wide(one).nan_to_num(0.0, 0.0, 0.0) for one in (found, wanted))
    difference = float((found - wanted).abs().max())
    bound = OWN * float(wanted.abs().max()) + LARGEST * largest
    return difference / bound if bound else float("inf") if difference else 0.0


def _told(error: Exception, task: Task) -> str:
    return REQUEST.sub("", described(error, None, innermost(error, task.starts.file), task.starts.file))
