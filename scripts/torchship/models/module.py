"""Networks: from a file in models/ and weights on disk to a torch module, and back."""

import importlib.util
import logging
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torchship.core.errors import ConfigError, DataError, TrainingError
from torchship.core.files import replacing
from torchship.models.errors import last_place, one_line
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
        raise ConfigError(f"{last_place(error, file)}: {type(error).__name__}: {one_line(error)}") from error
    network = getattr(module, "Network", None)
    if not (isinstance(network, type) and issubclass(network, nn.Module)):
        raise ConfigError(f"{file} defines no class Network(torch.nn.Module)")
    return network


def build(file: Path, arguments: Mapping[str, Any]) -> nn.Module:
    """Build the network that a file defines, on the CPU.

    Raises:
        ConfigError: the file defines no Network, or Network does not take these arguments.
    """
    try:
        return network_class(file)(**arguments)
    except Exception as error:
        log.debug("building %s", file, exc_info=True)
        raise ConfigError(
            f"{last_place(error, file)}: Network() does not take network/arguments {dict(arguments)}: {one_line(error)}"
        ) from error


def load(file: Path, arguments: Mapping[str, Any], weights: Path) -> nn.Module:
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
        part.write_bytes(spelled(state))


def spelled(state: Mapping[str, Tensor]) -> bytes:
    """Return parameters and buffers as the bytes of a safetensors file."""
    own = {name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    return save(own)


def outputs_of(result: Any) -> tuple[Tensor, ...]:
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
