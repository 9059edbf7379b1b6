"""One forward pass on two events of the declared domain: what is wrong with a network is found before all else."""

import inspect
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor, nn
from torchship.core.errors import TrainingError
from torchship.data.domain import draw, edge_draws
from torchship.models.errors import kind, told_as_theirs
from torchship.models.module import outputs_of
from torchship.models.seeds import random_network
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH, read_axes, usual_sizes
from torchship.spec.objective import terms_of
from torchship.spec.section import Section
from torchship.spec.tensor import Tensors
from torchship.training.loss_matches import mismatches

log = logging.getLogger(__name__)

EVENTS = 2


class Kind(TypedDict):
    """The type and shape of an array."""

    dtype: str
    shape: Sequence[int]


class Pass(TypedDict):
    """What is known of a network after it was evaluated once."""

    file: str
    arguments: Mapping[str, object]
    parameters: int
    inputs: Mapping[str, Kind]
    outputs: Mapping[str, Kind]


def first_pass(file: Path, model: Section) -> Pass:
    """Evaluate a network once, with random weights; return what is known of it then, for a report.

    Args:
        model: with `network`, `inputs`, `outputs`, `axes`, `train/loss`, `data/target` and `seed`.

    Raises:
        ConfigError: the file cannot be run, or Network does not take its arguments.
        TrainingError: forward does not take the inputs, or raises; outputs of another number, shape or type than
            declared; an output that its loss is not meant for, where the network is trained here.
    """
    network, inputs = model["network"], model["inputs"]
    arguments = network.get("arguments", {})
    module = random_network(file, arguments, {"distribution": "default"}, model["seed"]).eval()
    check_call(module, file, list(inputs))
    sizes = usual_sizes(inputs, read_axes(model), EVENTS)
    _, usual = edge_draws(inputs)[0]
    drawn = draw(inputs, usual, sizes, np.random.default_rng(model["seed"]))
    # With gradients, whose graph knows which operation an output is from.
    with told_as_theirs(module, file):
        result = module(*(torch.from_numpy(drawn[name]) for name in inputs))
    outputs = outputs_told(result, module, file)
    check_outputs(outputs, model["outputs"], sizes, place_of(module, file))
    wrong = mismatches(terms_of(model), outputs)
    if wrong and "weights" not in network:
        raise TrainingError(f"{place_of(module, file)}: {wrong[0]}")
    for line in wrong:
        log.warning("%s: %s; only the loss in metrics.json is one of another kind", place_of(module, file), line)
    return {
        "file": network["file"],
        "arguments": arguments,
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
        "inputs": {name: described(drawn[name]) for name in inputs},
        "outputs": {name: described(one.detach().numpy()) for name, one in zip(model["outputs"], outputs, strict=True)},
    }


def described(array: Array) -> Kind:
    """Return the type and shape of an array."""
    return {"dtype": str(array.dtype), "shape": list(array.shape)}


def place_of(module: nn.Module, file: Path) -> str:
    """Return a network's file with the line of its forward, as far as that stands there."""
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    inside = code is not None and Path(code.co_filename).absolute() == file.absolute()
    return f"{file}, line {code.co_firstlineno}" if inside and code is not None else str(file)


def check_call(module: nn.Module, file: Path, inputs: Sequence[str]) -> None:
    """Check that forward takes the declared inputs, which it is handed by position.

    Raises:
        TrainingError: it takes fewer or more, or calls them alike in another order.
    """
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):  # torch's own code in C++ has none
        return
    place, declared = f"{place_of(module, file)}: forward{signature}", ", ".join(inputs) or "none"
    try:
        taken = list(signature.bind(*inputs).arguments)
    except TypeError as error:
        raise TrainingError(
            f"{place} does not take the {len(inputs)} inputs that the model declares ({declared}): {error}; make the "
            "arguments of forward and `inputs` of the configuration the same, in one order"
        ) from error
    if sorted(taken) == sorted(inputs) and taken != list(inputs):
        raise TrainingError(
            f"{place} takes the inputs in another order than the model declares ({declared}), and is handed them by "
            "their places: change the order of one of the two"
        )


def outputs_told(result: object, module: nn.Module, file: Path) -> tuple[Tensor, ...]:
    """Return what forward has returned as a tuple of tensors.

    Raises:
        TrainingError: it is something else; the message has the line of forward.
    """
    try:
        return outputs_of(result)
    except TrainingError as error:
        raise TrainingError(f"{place_of(module, file)}: {error}") from error


def check_outputs(outputs: Sequence[Tensor], declared: Tensors, sizes: Mapping[str, int], place: str) -> None:
    """Check what a network returns against the declared outputs.

    Args:
        sizes: of those dynamic axes that are known, the batch among them.

    Raises:
        TrainingError: fewer or more tensors, or one of another shape or type.
    """
    if len(outputs) != len(declared):
        found = ", ".join(str(list(one.shape)) for one in outputs)
        raise TrainingError(
            f"{place}: Network.forward returns {len(outputs)} tensors ({found}), and the model declares "
            f"{len(declared)} outputs: {', '.join(declared)}; return as many, or change `outputs` of the configuration"
        )
    for output, (name, tensor) in zip(outputs, declared.items(), strict=True):
        shape = [sizes.get(axis, axis) if isinstance(axis, str) else axis for axis in tensor.shape]
        fits = output.dim() == len(shape) and all(
            isinstance(want, str) or want == have for want, have in zip(shape, output.shape, strict=True)
        )
        if not fits:
            others = [f"{axis} {size}" for axis, size in sizes.items() if axis != BATCH and axis in tensor.shape]
            known = f" with {', '.join(others)}" if others else ""
            raise TrainingError(
                f"{place}: output {name} of Network.forward has shape {list(output.shape)} for {sizes[BATCH]} events, "
                f"declared {tensor.spelled}{known}: change the network, or outputs/{name}/shape"
            )
        if kind(output) != tensor.dtype:
            raise TrainingError(
                f"{place}: output {name} of Network.forward is {kind(output)}, declared {tensor.dtype}: return "
                f"{name}.to(torch.{tensor.dtype}), or set outputs/{name}/dtype to {kind(output)}"
            )
