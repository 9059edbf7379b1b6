"""Starting several processes that train one model together, with torchrun, and hearing of their end.

Nothing listens beyond this machine: the processes find one another through files, and talk over the loopback device.
"""

import logging
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torchship.core.errors import TrainingError
from torchship.core.files import write_json
from torchship.training.parallel import worker
from torchship.training.parallel.group import GRACE, reported, unexpected

log = logging.getLogger(__name__)

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def launch(document: dict[str, Any], count: int, gpus: Sequence[str], lock: IO[str]) -> None:
    """Run torchship.training.parallel.worker in `count` processes with torchrun, and wait for their end.

    Args:
        document: what each of them is given, in JSON.
        gpus: those that they take, as CUDA_VISIBLE_DEVICES names them, if any.
        lock: a locked file, which they keep locked as long as one of them lives, even if this process is killed.

    Raises:
        TorchshipError: what one of them has raised.
        TrainingError: one of them was killed.
    """
    scripts = Path(__file__).resolve().parents[3]
    with (
        tempfile.TemporaryDirectory(prefix="torchship-") as name,
        surroundings(
            PYTHONPATH=os.pathsep.join(filter(None, [str(scripts), os.environ.get("PYTHONPATH")])),
            # Else torchrun opens a port to the whole network.
            TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",
            GLOO_SOCKET_IFNAME="lo",
            NCCL_SOCKET_IFNAME="lo",
            # Else DistributedDataParallel warns that looking for unused parameters costs time where all are used.
            TORCH_CPP_LOG_LEVEL=os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
            # torchrun would set it to 1, with a warning; the worker sets its threads itself.
            OMP_NUM_THREADS=str(document["section"]["train"]["threads"]),
            **({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}),
        ),
        standard_input(lock),
    ):
        folder = Path(name)
        write_json(folder / "work.json", {**document, "parent": os.getpid()})
        # An error has one line of its own; torchrun's say what it has in a table.
        for logger in [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed")]:
            logging.getLogger(logger).setLevel(logging.CRITICAL)
        options = ["--nproc-per-node", str(count), "--shutdown-timeout", str(GRACE), "--log-dir", name]
        meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{folder}/meeting", "--rdzv-conf", "store_type=file"]
        handlers = {number: signal.getsignal(number) for number in STOPS}
        command = [*options, *meeting, "-m", worker.__name__, str(folder)]
        try:
            torchrun.run(torchrun.parse_args(command))  # type: ignore[no-untyped-call]
        except (ChildFailedError, SignalException) as error:
            raise reported(folder) or TrainingError(ended(error, unexpected(folder))) from error
        finally:
            # torchrun has set its own, for good.
            for number, handler in handlers.items():
                signal.signal(number, handler)


def ended(error: ChildFailedError | SignalException, tracebacks: Mapping[int, str]) -> str:
    """Say how a process ended that had no time to say it; log the traceback of one that had no line for it.

    Args:
        tracebacks: by process, the first one first.
    """
    again = "started again it goes on from its last checkpoint, if it had one"
    if isinstance(error, SignalException):
        return f"stopped by {error.sigval.name}; {again}"
    codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
    # Where one was killed, the others fail for want of it; where one fails, torchrun ends the others by SIGTERM.
    rank, code = min(codes.items(), key=lambda item: (item[1] == -signal.SIGTERM, item[1] > 0, item[0]))
    if code > 0:
        rank = next(iter(tracebacks), rank)
    for other, words in tracebacks.items():
        if code > 0 and other == rank:
            log.error("unexpected error, please report it with this traceback, of process %d: %s", other, words)
        else:
            log.debug("process %d: %s", other, words)
    if code > 0:
        return f"process {rank} of the training ended with an error; the log above has its words"
    return f"process {rank} of the training ended by signal {signal.Signals(-code).name}; {again}"


@contextmanager
def standard_input(stream: IO[str]) -> Iterator[None]:
    """Have processes that are started meanwhile share an open file, and its locks: torchrun hands on no other."""
    before = os.dup(0)
    os.dup2(stream.fileno(), 0)
    # Where this process was started without one, the file may have got that number itself.
    os.set_inheritable(0, True)  # noqa: FBT003
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


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
