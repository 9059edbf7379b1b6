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
    """Train what `work.json` in the folder describes; return the exit status."""
    document, rank = read_json(folder / "work.json"), int(os.environ["RANK"])
    work, logs, parent = Work(**document["work"]), document["logs"], document["parent"]
    # torch warns about the strides of axes of length 1, which mean nothing.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    threading.Thread(target=follow, args=[parent], daemon=True).start()
    if logs:
        start_logging(logs[0], Path(logs[1]), append=True)
    # All processes would log the same lines: only the first one does.
    log.setLevel(logging.DEBUG if rank == 0 else logging.ERROR)
    logging.captureWarnings(capture=rank == 0)
    try:
        device = choose_device(work.section["device"], rank, int(os.environ["WORLD_SIZE"]))
        with joined(folder, device) as processes:
            fit(work, device, processes)
    except TorchshipError as error:
        report(folder, rank, error)
        return 1
    except Exception:
        # When one process ends, the others fail as well. The one that started them tells the cause from the followers.
        report_unexpected(folder, rank, traceback.format_exc())
        return 1
    return 0


def follow(parent: int) -> None:
    """Watch the process that started this one: when it is gone, stop with a checkpoint, as on a signal.

    Until then the standard input holds the lock on the folder that this process writes to (see launch).
    """
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    # Everything is written. At a normal exit, threads of torch's process groups may still want Python's lock, and once
    # in a few hundred times the process aborts ("terminate called without an active exception").
    # The collection ends the processes of data loaders.
    gc.collect()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
