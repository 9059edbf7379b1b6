"""GPUs for a process that may not be alone on a machine: each takes one that no other has. Standard library only."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


# What the kernel calls GPUs: NVIDIA's, the same under Windows, AMD's.
DEVICES = ("nvidiactl", "nvidia[0-9]*", "dxg", "kfd")


def any_here(folder: Path = Path("/dev")) -> bool:
    """Tell whether this machine has a GPU, before there is torch to ask."""
    return any(any(folder.glob(name)) for name in DEVICES)


@contextmanager
def claimed(names: Sequence[str], count: int, folder: Path | None = None) -> Iterator[list[int]]:
    """Hold `count` of the GPUs that a process sees, by their places; where too few are free, others beside them.

    Nobody else hands them out where trainings run side by side: Snakemake only counts them, and a batch system gives
    those of a group of jobs to all of them.

    Args:
        names: what each GPU is called by all processes.
        folder: where the locks are.
    """
    if not names:
        yield []
        return
    folder = folder or Path(tempfile.gettempdir()) / f"torchship-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as held:
        # One chooses at a time, or of two that want two GPUs each could take one.
        with locked(folder / "choice.lock", wait=True):
            places: list[int] = []
            for place, name in enumerate(names):
                if len(places) < count and held.enter_context(locked(folder / f"{name.replace('/', '_')}.lock")):
                    places.append(place)
        if len(places) < count <= len(names):
            free = f"of {len(names)} GPUs only {len(places)} are free"
            log.warning("%s, %d are wanted: shared with other trainings", free, count)
            others = [place for place in range(len(names)) if place not in places]
            # Not all that find none free should share the same one.
            start = os.getpid() % len(others)
            places = sorted([*places, *(others[start:] + others[:start])[: count - len(places)]])
        for place in places:
            log.info("takes GPU %d of those that it sees, %s", place, names[place])
        yield places


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Take a lock for as long as the block lasts, if nobody has it, or once nobody has; tell whether it is held."""
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
        else:
            yield True
