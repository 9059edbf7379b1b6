"""Where the library of an ONNX Runtime is, for programs in C++. Standard library only."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torchship.runtimes.interpreters import located

FIND = "from importlib.util import find_spec; print(find_spec('onnxruntime').origin)"


@dataclass(frozen=True)
class Library:
    """A shared library of ONNX Runtime, and its version."""

    path: Path
    version: str


def first_library(interpreters: Iterable[Path]) -> Library | None:
    """Return the library of the first interpreter whose wheel has one; None where none has.

    Wheels of ONNX Runtime before 1.20 have all of it in a module of Python's alone.
    """
    for python in interpreters:
        done = subprocess.run(  # noqa: S603
            [str(located(python)), "-c", FIND], capture_output=True, text=True, check=True
        )
        for path in sorted((Path(done.stdout.strip()).parent / "capi").glob("libonnxruntime.so.*.*")):
            return Library(path, path.name.removeprefix("libonnxruntime.so."))
    return None
