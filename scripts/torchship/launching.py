"""Starting several processes that train one model together, with torchrun, and hearing of their end.

Nothing listens beyond this machine: the processes find one another through files, and talk over the loopback device.
"""

import logging
import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torchship import worker
from torchship.errors import TrainingError
from torchship.files import write_json
from torchship.processes import reported

# Seconds that processes have to write a checkpoint after a signal; profiles/slurm has it sent 120 before the end.
GRACE = 90
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def launch(document: dict[str, Any], count: int, gpus: Sequence[str]) -> None:
    """Run torchship.worker in `count` processes with torchrun, and wait for their end.

    Args:
        document: what each of them is given, in JSON.
        gpus: those that they take, as CUDA_VISIBLE_DEVICES names them, if any.

    Raises:
        TorchshipError: what one of them has raised.
        TrainingError: one of them was killed.
    """
    scripts = Path(__file__).resolve().parents[1]
    with (
        tempfile.TemporaryDirectory(prefix="torchship-") as name,
        surroundings(
            PYTHONPATH=os.pathsep.join(filter(None, [str(scripts), os.environ.get("PYTHONPATH")])),
            # Else torchrun opens a port to the whole network.
            TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",
            GLOO_SOCKET_IFNAME="lo",
            NCCL_SOCKET_IFNAME="lo",
            # torchrun would set it to 1, with a warning; the worker sets its threads itself.
            OMP_NUM_THREADS=str(document["model"]["train"]["threads"]),
            **({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}),
        ),
    ):
        folder = Path(name)
        write_json(folder / "work.json", {**document, "parent": os.getpid()})
        # An error has one line of its own; torchrun's say what it has in a table.
        logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
        options = ["--nproc-per-node", str(count), "--shutdown-timeout", str(GRACE)]
        meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{folder}/meeting", "--rdzv-conf", "store_type=file"]
        handlers = {number: signal.getsignal(number) for number in STOPS}
        command = [*options, *meeting, "-m", worker.__name__, str(folder)]
        try:
            torchrun.run(torchrun.parse_args(command))  # type: ignore[no-untyped-call]
        except (ChildFailedError, SignalException) as error:
            raise reported(folder) or TrainingError(ended(error)) from error
        finally:
            # torchrun has set its own, for good.
            for number, handler in handlers.items():
                signal.signal(number, handler)


def ended(error: ChildFailedError | SignalException) -> str:
    """Say how a process ended that had no time to say it."""
    if isinstance(error, SignalException):
        return f"stopped by {error.sigval.name}; started again it goes on from its last checkpoint, if it had one"
    rank, failure = error.get_first_failure()
    number = -failure.exitcode
    how = f"by signal {signal.Signals(number).name}" if number > 0 else f"with status {failure.exitcode}"
    return f"process {rank} of the training ended {how}; the log above has its words, if it had any"


@contextmanager
def surroundings(**variables: str) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
