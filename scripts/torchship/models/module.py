"""Networks: from a file in models/ and weights on disk to a torch module, and random starts."""

import hashlib
import importlib.util
import logging
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torchship.config.naming import suggest
from torchship.core.errors import ConfigError, DataError, TrainingError
from torchship.core.files import replacing
from torchship.models.errors import advice, innermost, last_place, one_line
from torchship.models.neighbours import digest, install_neighbours, sources

log = logging.getLogger(__name__)


@cache
def network_class(file: Path) -> type[nn.Module]:
    """Return the class `Network` that a file defines; what it imports from beside it is made anew.

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


def build(file: Path, arguments: Mapping[str, Any]) -> nn.Module:
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


def derived_seed(purpose: str, seed: int, count: int) -> int:
    """Return a seed of its own to one of many things of a run, such as a replica's random start or an epoch.

    torch keeps 32 bits of a seed, so counting up from a hashed base makes no two of a purpose equal, as 32 hashed bits
    each would.
    """
    base = int.from_bytes(hashlib.blake2b(f"{purpose}/{seed}".encode(), digest_size=4).digest(), "big")
    return (base + count) % 2**32


def seed_draws(seed: int, device: torch.device) -> None:
    """Seed what layers such as Dropout draw from on a device.

    torch.manual_seed seeds all devices there could be, and keeps a traceback for each: as long as some steps take.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def random_network(
    file: Path, arguments: Mapping[str, Any], weights: Mapping[str, Any], seed: int, frozen: Sequence[str] = ()
) -> nn.Module:
    """Build a network with a random start, which depends on `seed` alone; torch's own generator is left alone.

    Args:
        weights: `distribution` normal draws every parameter with two or more axes from N(mean, std), but for those
            that are frozen, by the file or by name.
        frozen: names of parameters or modules, or patterns of such, that are not trained.
    """
    with seeded(seed):
        module = build(file, arguments)
        freeze(module, frozen)
        if weights["distribution"] == "normal":
            for parameter in module.parameters():
                if parameter.dim() > 1 and parameter.requires_grad:
                    nn.init.normal_(parameter, weights["mean"], weights["std"])
        return module


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed for a while all that a network's file may draw its start from: torch, NumPy, and Python itself."""
    numbers, others = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numbers)
            random.setstate(others)


def freeze(module: nn.Module, frozen: Sequence[str]) -> None:
    """Take the parameters that are called so out of the training.

    Raises:
        ConfigError: a name or pattern that fits none.
    """
    # A parameter with two names is frozen by either.
    named = dict(module.named_parameters(remove_duplicate=False))
    for pattern in frozen:
        fitting = [name for name in named if fnmatchcase(name, pattern) or name.startswith(f"{pattern}.")]
        if not fitting:
            raise ConfigError(
                f"train/frozen: no parameter of the network is called {pattern!r}{suggest(pattern, named)}; "
                f"it has {', '.join(sorted(named)) or 'none'}"
            )
        for name in fitting:
            named[name].requires_grad = False


def visible_gpus(wanted: str) -> list[str]:
    """Return the names of the GPUs that torch sees, as CUDA_VISIBLE_DEVICES has them or by number; none for `cpu`."""
    count = 0 if wanted == "cpu" else torch.cuda.device_count()
    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return names[:count] if len(names) >= count else [str(place) for place in range(count)]


def gpu_identities(count: int) -> list[str]:
    """Return what each GPU that torch sees is called in every process: its UUID, where its number may not be."""
    return [str(torch.cuda.get_device_properties(place).uuid) for place in range(count)]


def choose_device(wanted: str, place: int = 0, count: int = 1) -> torch.device:
    """Return the device for `auto`, `cpu` or `cuda`.

    Args:
        place: which of the GPUs that torch sees, if it sees any.
        count: how many processes there are, each of which needs a GPU if there are any.

    Raises:
        TrainingError: `cuda` is asked for and torch sees no GPU, or fewer than there are processes.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingError(
            f"device is cuda, but torch {torch.__version__} sees no GPU (built for CUDA {torch.version.cuda}, "
            f"{torch.cuda.device_count()} devices visible): set device to auto or cpu, or run on a node with a GPU"
        )
    if wanted == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if torch.cuda.device_count() < count:
        raise TrainingError(
            f"train/devices is {count}, but torch sees {torch.cuda.device_count()} GPUs: lower it, set device to cpu, "
            "or run on a node with more"
        )
    return torch.device("cuda", place)


def describe_device(device: torch.device) -> dict[str, Any]:
    """Return what identifies a device: its type, and of a GPU its name, driver, memory, and which ones the job sees."""
    if device.type != "cuda":
        return {"type": device.type}
    properties = torch.cuda.get_device_properties(device)
    return {
        "type": device.type,
        "name": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": properties.total_memory,
        "cuda": torch.version.cuda,
        "driver": driver_version(),
        "visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def driver_version() -> str | None:
    """Return the version of NVIDIA's driver as its tool says it, None where there is no such tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    lines = done.stdout.split()
    return lines[0] if done.returncode == 0 and lines else None
