"""Devices: which one a training takes, which GPUs there are, and what identifies one in a report."""

import os
import shutil
import subprocess

import torch
from torchship.core.errors import TrainingError
from torchship.spec.model import Device


def all_devices() -> list[torch.device]:
    """Return the devices of this machine: the CPU, and the first GPU if there is one."""
    return [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])


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


def describe_device(device: torch.device) -> Device:
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
