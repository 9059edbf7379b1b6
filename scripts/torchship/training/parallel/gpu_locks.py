"""GPUs of a machine that several trainings may share: each training locks those that it uses. Standard library only."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


# Device files of GPUs: NVIDIA's, NVIDIA's under Windows, AMD's.
DEVICES = ("nvidiactl", "nvidia[0-9]*", "dxg", "kfd")


def any_here(folder: Path = Path("/dev")) -> bool:
    """Tell whether this machine has a GPU, by its device files: the workflow's own environment has no torch to ask."""
    return any(any(folder.glob(name)) for name in DEVICES)


@contextmanager
def claimed(names: Sequence[str], count: int, folder: Path | None = None) -> Iterator[list[int]]:
    """Lock `count` of the GPUs that this process sees and yield their places; if too few are free, share others.

    Nothing else keeps trainings on one machine apart: Snakemake only counts GPUs, and a batch system gives every job of
    a group all GPUs of the group.

    Args:
        names: the name of each GPU, the same in all processes.
        folder: where the lock files are.
    """
    if not names:
        yield []
        return
    folder = folder or Path(tempfile.gettempdir()) / f"torchship-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as held:
        # Only one process chooses at a time: otherwise two that want two GPUs each could both end with one.
        with locked(folder / "choice.lock", wait=True):
            places: list[int] = []
            for place, name in enumerate(names):
                if len(places) < count and held.enter_context(locked(folder / f"{name.replace('/', '_')}.lock")):
                    places.append(place)
        if len(places) < count <= len(names):
            free = f"of {len(names)} GPUs only {len(places)} are free"
            log.warning("%s, %d are wanted: shared with other trainings", free, count)
            others = [place for place in range(len(names)) if place not in places]
            # Processes that find no free GPU should not all share the same one.
            start = os.getpid() % len(others)
            places = sorted([*places, *(others[start:] + others[:start])[: count - len(places)]])
        for place in places:
            log.info("uses GPU %d of those that it sees, %s", place, names[place])
        yield places


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Lock a file inside a `with` block and yield whether that worked; with `wait`, wait until the file is free."""
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            yield False
        else:
            yield True
