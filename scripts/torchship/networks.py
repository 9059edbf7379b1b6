"""Networks: from a file in models/ and weights on disk to a torch module, and random starts."""

import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torchship.errors import ConfigError, DataError, TrainingError
from torchship.files import replacing

log = logging.getLogger(__name__)


@cache
def network_class(file: Path) -> type[nn.Module]:
    """Give the class `Network` that a file defines.

    Raises:
        ConfigError: the file defines none.
    """
    spec = importlib.util.spec_from_file_location(f"torchship_model_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
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
    except (TypeError, ValueError, RuntimeError) as error:
        log.debug("building %s", file, exc_info=True)
        raise ConfigError(f"{file}: Network() does not take network/arguments {dict(arguments)}: {error}") from error


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
    """Write parameters and buffers by name as safetensors."""
    with replacing(path) as part:
        part.write_bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}))


def derived_seed(purpose: str, seed: int, count: int) -> int:
    """Give a seed of its own to one of many things of a run, such as a replica's random start or an epoch.

    torch keeps 32 bits of a seed, so counting up from a hashed base makes no two of a purpose equal, as 32 hashed bits
    each would.
    """
    base = int.from_bytes(hashlib.blake2b(f"{purpose}/{seed}".encode(), digest_size=4).digest(), "big")
    return (base + count) % 2**32


def random_start(file: Path, arguments: Mapping[str, Any], weights: Mapping[str, Any], seed: int) -> dict[str, Tensor]:
    """Give the state of a freshly built network, which depends on `seed` alone; torch's own generator is left alone.

    Args:
        weights: `distribution` normal draws every parameter with two or more axes from N(mean, std).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build(file, arguments)
        if weights["distribution"] == "normal":
            for parameter in module.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, weights["mean"], weights["std"])
        return {name: tensor.detach() for name, tensor in module.state_dict().items()}


def visible_gpus(wanted: str) -> list[str]:
    """Give the names of the GPUs that torch sees, as CUDA_VISIBLE_DEVICES has them or by number; none for `cpu`."""
    count = 0 if wanted == "cpu" else torch.cuda.device_count()
    names = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return names[:count] if len(names) >= count else [str(place) for place in range(count)]


def gpu_identities(count: int) -> list[str]:
    """Give what each of the GPUs that torch sees is called in every process: its UUID, where its number may not be."""
    return [str(torch.cuda.get_device_properties(place).uuid) for place in range(count)]


def choose_device(wanted: str, place: int = 0, count: int = 1) -> torch.device:
    """Give the device for `auto`, `cpu` or `cuda`.

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
    """Give what identifies a device: its type, and of a GPU its name, driver, memory, and which ones the job sees."""
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
    """Give the version of NVIDIA's driver as its tool says it, None where there is no such tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    lines = done.stdout.split()
    return lines[0] if done.returncode == 0 and lines else None
