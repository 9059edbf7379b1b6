"""The ONNX Runtime of another interpreter, as an object of this process."""

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray
from torchship.errors import TargetError
from torchship.frames import RefusedError, read_block, read_frame, write_frame
from torchship.interpreters import environment, last_line

Array = NDArray[Any]


class Runtime:
    """The ONNX Runtime of another interpreter, in a process of its own, which ends with the `with` block.

    A model that crashes the runtime is refused like any other that does not run, and the process is started anew.
    """

    def __init__(self, python: Path) -> None:
        self._python = python
        self._models: dict[int, dict[str, Any]] = {}
        self._count = 0

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def open(self, model: bytes, level: str = "all", threads: int = 1) -> int:
        """Open a model and give its number.

        Raises:
            RefusedError: the runtime does not load it, or crashes on it.
        """
        answer, _ = self._ask({"do": "open", "level": level, "threads": threads}, {}, model)
        self._count += 1
        self._models[self._count] = {"there": answer["number"], "model": model, "level": level, "threads": threads}
        return self._count

    def signature(self, number: int) -> dict[str, list[list[Any]]]:
        """Give name, type and shape of each input and output, as the runtime sees them."""
        answer: dict[str, list[list[Any]]] = self._ask({"do": "signature", "number": self._there(number)}, {})[0]
        return answer

    def run(self, number: int, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Run a model that is open, and give its outputs by name.

        Raises:
            RefusedError: the runtime does not run it on these inputs, or crashes on them.
        """
        answer, block = self._ask({"do": "run", "number": self._there(number)}, feed)
        arrays = read_block(block)
        return {name: arrays[name] for name in answer["outputs"]}

    def close(self, number: int) -> None:
        """Forget a model."""
        self._ask({"do": "close", "number": self._there(number)}, {})
        del self._models[number]

    def _there(self, number: int) -> int:
        """Give the number that a model has in the process, opening it again if that is a new one."""
        entry = self._models[number]
        if entry["there"] is None:
            asked = {"do": "open", "level": entry["level"], "threads": entry["threads"]}
            entry["there"] = self._ask(asked, {}, entry["model"])[0]["number"]
        there: int = entry["there"]
        return there

    def _ask(self, request: dict[str, Any], arrays: Mapping[str, Array], block: bytes | None = None) -> Any:
        assert self._process.stdin is not None  # noqa: S101 -- the type of a pipe
        assert self._process.stdout is not None  # noqa: S101
        try:
            write_frame(self._process.stdin, request, arrays, block)
            answer, found = read_frame(self._process.stdout)
        except (EOFError, BrokenPipeError) as error:
            status = self._stop()
            self._start()
            for entry in self._models.values():
                entry["there"] = None
            raise RefusedError(f"the runtime {self.version} crashed: {died(status)}") from error
        if "refused" in answer:
            raise RefusedError(answer["refused"])
        return answer, found

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the process
        command = [str(self._python), "-m", "torchship.runtimes"]
        try:
            self._process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment()
            )
        except OSError as error:
            raise TargetError(f"{self._python} cannot be started: {error.strerror}; run `make runtimes`") from error
        assert self._process.stdout is not None  # noqa: S101 -- the type of a pipe
        try:
            answer, _ = read_frame(self._process.stdout)
        except EOFError as error:
            status = self._process.wait()
            self._errors.seek(0)
            reason = last_line(self._errors.read().decode(errors="replace"))
            raise TargetError(f"{self._python} cannot start ONNX Runtime, {died(status)}: {reason}") from error
        self.version: str = answer["version"]

    def _stop(self) -> int:
        assert self._process.stdin is not None  # noqa: S101 -- the type of a pipe
        assert self._process.stdout is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        status = self._process.wait()
        self._process.stdout.close()
        self._errors.close()
        return status


def died(status: int) -> str:
    """Say how a process ended."""
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"it ended with status {status}"
