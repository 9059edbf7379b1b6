"""Start several processes that train one model together, with torchrun, and wait for their end.

No port is open to other machines: the processes meet through files and talk over the loopback device.
"""

import logging
import os
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torchship.core.errors import TrainingError
from torchship.core.files import write_json
from torchship.training.fit import Work
from torchship.training.parallel import worker
from torchship.training.parallel.group import GRACE, reported, unexpected

log = logging.getLogger(__name__)

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def launch(work: Work, logs: Sequence[str], count: int, gpus: Sequence[str], lock: IO[str]) -> None:
    """Start `count` processes with torchrun, each of which runs torchship.training.parallel.worker; wait for their end.

    Args:
        logs: the name and the log of the step, which they write to as well; empty where there is none.
        gpus: the GPUs that they use, as CUDA_VISIBLE_DEVICES names them; none on a CPU.
        lock: a locked file. The processes inherit it: even if this process is killed, it stays locked until the last of
            them has ended.

    Raises:
        TorchshipError: the error that one of them reported.
        TrainingError: one of them was killed, or this process was told to stop.
    """
    scripts = Path(__file__).resolve().parents[3]
    with (
        tempfile.TemporaryDirectory(prefix="torchship-") as name,
        environment_variables(
            PYTHONPATH=os.pathsep.join(filter(None, [str(scripts), os.environ.get("PYTHONPATH")])),
            # Without this, torchrun opens a port to the whole network.
            TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1",
            GLOO_SOCKET_IFNAME="lo",
            NCCL_SOCKET_IFNAME="lo",
            # DistributedDataParallel would warn that it looks for unused parameters where there are none.
            TORCH_CPP_LOG_LEVEL=os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
            # torchrun would set it to 1, with a warning; the worker sets its threads itself.
            OMP_NUM_THREADS=str(work.section["train"]["threads"]),
            **({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}),
        ),
        standard_input(lock),
    ):
        folder = Path(name)
        write_json(folder / "work.json", {"work": vars(work), "logs": [*logs], "parent": os.getpid()})
        # An error is told in one line, below; torchrun would print it as a table too.
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
            # torchrun leaves its own handlers in place.
            for number, handler in handlers.items():
                signal.signal(number, handler)


def ended(error: ChildFailedError | SignalException, tracebacks: Mapping[int, str]) -> str:
    """Return why the processes ended, where none of them reported an error; log the tracebacks that they left.

    Args:
        tracebacks: by process, the earliest first.
    """
    again = "started again it goes on from its last checkpoint, if it had one"
    if isinstance(error, SignalException):
        return f"stopped by {error.sigval.name}; {again}"
    codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
    # One process is the cause, the others follow: if one was killed, the others fail while they wait for it; if one has
    # failed, torchrun ends the others with SIGTERM. So another signal comes first, then an exit status.
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
    """Make an open file the standard input inside a `with` block, so that processes started in it hold its lock.

    torchrun passes no other file on to its processes.
    """
    before = os.dup(0)
    os.dup2(stream.fileno(), 0)
    # If this process was started without a standard input, the file may itself have number 0: dup2 then does nothing.
    os.set_inheritable(0, True)  # noqa: FBT003
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


@contextmanager
def environment_variables(**variables: str) -> Iterator[None]:
    """Set environment variables inside a `with` block."""
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
