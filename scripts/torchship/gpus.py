"""GPUs for a process that may not be alone on a machine: each takes one that no other has. Standard library only."""

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def claimed(names: Sequence[str], count: int, folder: Path | None = None) -> Iterator[list[int]]:
    """Hold `count` of the GPUs that a process sees, by their places; where too few are free, the first ones, shared.

    Nobody else hands them out where trainings run side by side: Snakemake only counts them, and a batch system gives
    those of a group of jobs to all of them.

    Args:
        names: what each GPU is called by all processes.
        folder: where the locks are.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"torchship-gpus-{os.getuid()}"
    with ExitStack() as held:
        places: list[int] = []
        for place, name in enumerate(names):
            if len(places) < count and held.enter_context(locked(folder / f"{name.replace('/', '_')}.lock")):
                places.append(place)
        if len(places) < count <= len(names):
            log.warning("of %d GPUs only %d are free, %d are wanted: shared with other trainings",
                        len(names), len(places), count)  # fmt: skip
            places = list(range(count))
        yield places


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Take a lock if nobody has it, for as long as the block lasts; tell whether it was to be had."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
