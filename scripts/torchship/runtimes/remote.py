"""The ONNX Runtime of another interpreter as an object of this process, which survives when that one crashes."""

import contextlib
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from torchship.core.errors import TargetError
from torchship.core.files import Json
from torchship.runtimes.frames import RefusedError, read_block, read_frame, write_frame
from torchship.runtimes.interpreters import environment, last_line, located
from torchship.runtimes.protocol import Signature
from torchship.spec.arrays import Array, Feed

# Seconds that one call may take. The largest case of a network takes far less: a call that takes longer hangs.
PATIENCE = 600.0
# After so many calls of one model have hung, no more are tried.
MOST_HANGS = 2
# Seconds that the process has to end by itself.
FAREWELL = 10.0


@dataclass
class Opened:
    """A model that is open in the process.

    Attributes:
        there: its number there; None where the process is a new one.
        hangs: how many of its calls have hung.
    """

    model: bytes
    level: str
    threads: int
    there: int | None = None
    hangs: int = 0


class Runtime:
    """The ONNX Runtime of another interpreter, in a process of its own, which ends with the `with` block.

    A call that crashes the runtime or hangs raises RefusedError, like any other that fails, and says what was called.
    Then the process is started anew, and opens models again when they are asked for.

    Args:
        python: the interpreter, as it is or as it was recorded.
        patience: seconds that one call may take.
    """

    def __init__(self, python: Path, patience: float = PATIENCE) -> None:
        self._python, self._patience = located(python), patience
        self._models: dict[int, Opened] = {}
        self._count = 0

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def open(self, model: bytes, level: str = "all", threads: int = 1) -> int:
        """Open a model and return its number.

        Raises:
            RefusedError: the runtime does not load it, or crashes on it.
        """
        entry = Opened(model, level, threads)
        entry.there = self._open(entry)
        self._count += 1
        self._models[self._count] = entry
        return self._count

    def signature(self, number: int) -> Signature:
        """Return name, type and shape of each input and output, as the runtime sees them.

        Raises:
            RefusedError: the runtime crashes on it.
        """
        entry = self._there(number)
        call = f"reading inputs and outputs ({setting(entry)})"
        answer, _ = self._ask({"do": "signature", "number": entry.there}, {}, call, entry)
        return {"inputs": answer["inputs"], "outputs": answer["outputs"]}

    def run(self, number: int, feed: Feed) -> dict[str, Array]:
        """Run a model that is open, and return its outputs by name.

        Raises:
            RefusedError: the runtime does not run it on these inputs, or crashes on them.
        """
        entry = self._there(number)
        call = f"running {described(feed)} ({setting(entry)})"
        answer, block = self._ask({"do": "run", "number": entry.there}, feed, call, entry)
        arrays = read_block(block)
        return {name: arrays[name] for name in answer["outputs"]}

    def close(self, number: int) -> None:
        """Forget a model."""
        entry = self._models.pop(number)
        # A process that crashes on closing a model has closed it.
        if entry.there is not None:
            with contextlib.suppress(RefusedError):
                self._ask({"do": "close", "number": entry.there}, {}, f"closing a file ({setting(entry)})", entry)

    def _there(self, number: int) -> Opened:
        """Return what is known of a model, opened again if the process is a new one.

        Raises:
            RefusedError: it does not open this time, or has hung too often.
        """
        entry = self._models[number]
        if entry.hangs >= MOST_HANGS:
            raise RefusedError(f"not tried: the runtime {self.version} hung {entry.hangs} times on this file before")
        if entry.there is None:
            entry.there = self._open(entry)
        return entry

    def _open(self, entry: Opened) -> int:
        asked = {"do": "open", "level": entry.level, "threads": entry.threads}
        call = f"opening a file of {len(entry.model):,} bytes ({setting(entry)})"
        answer, _ = self._ask(asked, {}, call, entry, entry.model)
        return int(answer["number"])

    def _ask(
        self,
        request: Mapping[str, object],
        arrays: Feed,
        call: str,
        entry: Opened,
        block: bytes | None = None,
    ) -> tuple[Json, bytes]:
        """Ask the process something and return its answer.

        Raises:
            RefusedError: it refuses, in its words; or it died or hung, with the call that it was at.
        """
        assert self._process.stdin is not None  # noqa: S101 -- the type of a pipe
        assert self._process.stdout is not None  # noqa: S101
        with self._watched() as hung:
            try:
                write_frame(self._process.stdin, request, arrays, block)
                answer, found = read_frame(self._process.stdout)
            except (EOFError, BrokenPipeError):
                answer, found = None, b""
        if answer is None or hung.is_set():
            entry.hangs += hung.is_set()
            reason = self._replace(hung=hung.is_set())
            raise RefusedError(f"the runtime {self.version} {reason}; it was {call}")
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer, found

    @contextlib.contextmanager
    def _watched(self) -> Iterator[threading.Event]:
        """Yield an event; if the block takes longer than a call may, end the process and set the event."""
        hung, process = threading.Event(), self._process

        def end() -> None:
            hung.set()
            process.kill()

        timer = threading.Timer(self._patience, end)
        timer.daemon = True
        timer.start()
        try:
            yield hung
        finally:
            timer.cancel()
            timer.join()

    def _replace(self, *, hung: bool) -> str:
        """Start a new process in place of one that has died, and return what it died of."""
        status, said = self._stop()
        self._start()
        for entry in self._models.values():
            entry.there = None
        if hung:
            return f"hung: it had not answered after {self._patience:g} seconds, and was ended"
        return f"crashed: {died(status)}" + (f": {said}" if said else "")

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the process
        command = [str(self._python), "-m", "torchship.runtimes.local"]
        try:
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment()
            )
        except OSError as error:
            self._errors.close()
            raise TargetError(
                f"{self._python} cannot be started: {error.strerror}; run `make runtimes`, and if it should be "
                "elsewhere add `--forcerun find_runtime` to snakemake, which looks for it again"
            ) from error
        assert self._process.stdout is not None  # noqa: S101 -- the type of a pipe
        with self._watched() as hung:
            try:
                answer, _ = read_frame(self._process.stdout)
            except EOFError:
                answer = None
        if answer is None:
            status, said = self._stop()
            what = f"within {self._patience:g} seconds" if hung.is_set() else f"{died(status)}: {said or 'no message'}"
            raise TargetError(f"{self._python} cannot start ONNX Runtime, {what}")
        self.version: str = answer["version"]

    def _stop(self) -> tuple[int, str]:
        """End the process; return its status, and the last line of what it wrote of its errors."""
        assert self._process.stdin is not None  # noqa: S101 -- the type of a pipe
        assert self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            status = self._process.wait(timeout=FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._process.stdout.close()
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace").strip()
        self._errors.close()
        return status, last_line(text) if text else ""


def setting(entry: Opened) -> str:
    """Return the setting that a model is opened with, for a message."""
    return f"optimization {entry.level}, {entry.threads} thread{'s' if entry.threads > 1 else ''}"


def described(feed: Feed) -> str:
    """Return the inputs of a call, for a message: name, type and shape of each."""
    return ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in feed.items())


def died(status: int) -> str:
    """Say how a process ended."""
    if status == -signal.SIGKILL:
        return "killed by SIGKILL, as the system does where memory runs out"
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"it ended with status {status}"
