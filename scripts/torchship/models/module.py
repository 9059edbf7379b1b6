"""Networks: from a file in models/ and weights on disk to a torch module, and back."""

import importlib.util
import logging
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torchship.core.errors import ConfigError, DataError, TrainingError
from torchship.core.files import replacing
from torchship.models.errors import advice, innermost, last_place, one_line
from torchship.models.neighbours import digest, install_neighbours, sources

log = logging.getLogger(__name__)


@cache
def network_class(file: Path) -> type[nn.Module]:
    """Return the class `Network` that a file defines; the files beside it that it imports are run anew.

    Raises:
        ConfigError: the file defines none, or cannot be run, with the line.
    """
    spec = importlib.util.spec_from_file_location(f"torchship_model_{file.stem}_{digest(file)[:8]}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, and torch's own tools, look for a class's module here.
    sys.modules[spec.name] = module
    try:
        install_neighbours(sources(file))
        spec.loader.exec_module(module)
    except Exception as error:
        log.debug("importing %s", file, exc_info=True)
        words = f"{type(error).__name__}: {one_line(error)}{advice(error)}"
        raise ConfigError(f"{last_place(error, file)}: {words}") from error
    network = getattr(module, "Network", None)
    if not (isinstance(network, type) and issubclass(network, nn.Module)):
        raise ConfigError(f"{file} defines no class Network(torch.nn.Module)")
    return network


def build(file: Path, arguments: Mapping[str, object]) -> nn.Module:
    """Build the network that a file defines, on the CPU.

    Raises:
        ConfigError: the file defines no Network, or Network does not take these arguments, or holds no tensors.
    """
    network = network_class(file)
    try:
        module = network(**arguments)
    except Exception as error:
        log.debug("building %s", file, exc_info=True)
        refused = innermost(error, file) is None and isinstance(error, TypeError)
        what = "does not take network/arguments" if refused else "cannot be made with network/arguments"
        raise ConfigError(
            f"{last_place(error, file)}: Network() {what} {dict(arguments)}: {type(error).__name__}: {one_line(error)}"
        ) from error
    require_tensors(module, file)
    return module


def require_tensors(module: nn.Module, file: Path) -> None:
    """Check that a network's state is one of tensors: nothing else goes into a file of weights.

    Raises:
        ConfigError: with the name of what is none, or none yet.
    """
    lazy = [name for name, one in [*module.named_parameters(), *module.named_buffers()] if is_lazy(one)]
    if lazy:
        raise ConfigError(
            f"{file}: {lazy[0]} has no shape before the first call, and so no random start: use the layer that is told "
            "its sizes, such as Linear for LazyLinear"
        )
    other = [
        f"{name}, a {type(one).__name__}" for name, one in module.state_dict().items() if not isinstance(one, Tensor)
    ]
    if other:
        raise ConfigError(
            f"{file}: the network's state_dict holds {other[0]}: a file of weights holds tensors only, so keep it out "
            "of the state_dict"
        )


def load(file: Path, arguments: Mapping[str, object], weights: Path) -> nn.Module:
    """Build a network with trained weights, in evaluation mode, on the CPU.

    Raises:
        DataError: the weights are damaged or are another network's.
    """
    module = build(file, arguments)
    try:
        module.load_state_dict(load_file(weights), strict=True)
    except Exception as error:  # safetensors and torch have no common type for damage
        raise DataError(f"{weights} does not fit {file}: {str(error).splitlines()[-1].strip()}") from error
    return module.eval()


def save_weights(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write parameters and buffers by name as safetensors; of a tensor with two names two copies."""
    with replacing(path) as part:
        part.write_bytes(safetensors_bytes(state))


def safetensors_bytes(state: Mapping[str, Tensor]) -> bytes:
    """Return parameters and buffers as the bytes of a safetensors file."""
    own = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    return save(own)


def unsaved(module: nn.Module) -> dict[str, Tensor]:
    """Return the tensors by name that a network keeps and its state_dict does not: plain ones, unsaved buffers."""
    own = module.state_dict()
    buffers = {name: tensor for name, tensor in module.named_buffers() if name not in own}
    plain = {
        ".".join(filter(None, [place, name])): value
        for place, layer in module.named_modules()
        for name, value in vars(layer).items()
        if isinstance(value, Tensor)
    }
    return {**buffers, **plain}


def outputs_of(result: object) -> tuple[Tensor, ...]:
    """Return what a network's forward has returned as a tuple of tensors.

    Raises:
        TrainingError: it is no tensor, and no tuple or list of tensors.
    """
    if isinstance(result, Tensor):
        return (result,)
    if isinstance(result, tuple | list) and all(isinstance(part, Tensor) for part in result):
        return tuple(result)
    keys = f" with the keys {', '.join(map(str, result))}" if isinstance(result, Mapping) else ""
    raise TrainingError(
        f"Network.forward returns a {type(result).__name__}{keys}: it must return a tensor, or a tuple of tensors in "
        "the order of the model's outputs"
    )
