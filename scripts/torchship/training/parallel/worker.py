"""One process of several that train together: `torchrun … -m torchship.training.parallel.worker FOLDER`."""

import gc
import logging
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

from torchship.core.step import start_logging

from torchship.core.errors import TorchshipError
from torchship.core.files import read_json
from torchship.models.devices import choose_device
from torchship.training.fit import Work, fit
from torchship.training.parallel.group import GRACE, joined, report, report_unexpected

log = logging.getLogger("torchship")


def main(folder: Path) -> int:
    """Train what the folder says; give the exit status."""
    document, rank = read_json(folder / "work.json"), int(os.environ["RANK"])
    parent, logs = document.pop("parent"), document.pop("log")
    # Of axes of one entry, whose strides say nothing.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    threading.Thread(target=follow, args=[parent], daemon=True).start()
    if logs:
        start_logging(logs[0], Path(logs[1]), append=True)
    # All of them do the same: one says it.
    log.setLevel(logging.DEBUG if rank == 0 else logging.ERROR)
    logging.captureWarnings(capture=rank == 0)
    try:
        device = choose_device(document["model"]["device"], rank, int(os.environ["WORLD_SIZE"]))
        with joined(folder, device) as processes:
            fit(Work(**document), device, processes)
    except TorchshipError as error:
        report(folder, rank, error)
        return 1
    except Exception:
        # When one has gone, those that wait for its numbers fail, too: who waits for all of them knows the reason.
        report_unexpected(folder, rank, traceback.format_exc())
        return 1
    return 0


def follow(parent: int) -> None:
    """End as on a signal, with a checkpoint, when the process is gone that waits for this one: nobody else would.

    Meanwhile the standard input holds the lock on the folder that this one writes to (see launch).
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    # All is written. Python's own end races with threads of torch's process groups that still want its lock, and once
    # in a few hundred times it aborts ("terminate called without an active exception"); data loaders end by gc.
    gc.collect()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
