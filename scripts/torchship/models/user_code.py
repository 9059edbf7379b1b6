"""The user's own lines of a traced network: which frames of a stack lie in its file or beside it."""

import re
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from torchship.core.files import read_json

# As Python prints a frame: its file, its line, and below it what stands there.
FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+), in [^\n]+(?:\n[ \t]+(?P<code>[^\n]+))?')
INSTALLED = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib", "stdlib")]


@dataclass(frozen=True)
class Line:
    """A line of the user's code: `place` as models/xor.py:12, and what stands there."""

    place: str
    code: str

    def __str__(self) -> str:
        return f"{self.place} (`{self.code}`)" if self.code else self.place


def user_folder(module: Any) -> Path | None:
    """Return the folder of the file that defines a network; None for one of torch's own."""
    code = getattr(getattr(type(module).forward, "__func__", type(module).forward), "__code__", None)
    if not isinstance(code, CodeType):
        return None
    file = Path(code.co_filename).resolve()
    return file.parent if is_users(file, file.parent) else None


def is_users(file: Path, folder: Path | None) -> bool:
    """Say whether a file is the network's or one of its neighbours, and no installed package's."""
    file = file.resolve()
    if folder is None or not file.is_relative_to(folder) or "site-packages" in file.parts:
        return False
    return not any(file.is_relative_to(installed) for installed in INSTALLED)


def line_of(file: str, number: int, code: str, folder: Path) -> Line:
    """Return a line with a path as seen from beside the folder: models/xor.py:12."""
    path = Path(file).resolve()
    inner = Path(original(path) or Path(folder.name) / path.relative_to(folder))
    return Line(f"{inner.as_posix()}:{number}", code.strip())


@cache
def original(file: Path) -> str | None:
    """Return the file in models/ that a network which ships is a copy of, as models/xor.py; None of any other file."""
    beside = file.with_name("model.json")
    if file.name != "network.py" or not beside.is_file():
        return None
    return f"models/{read_json(beside)['section']['network']['file']}.py"


def line_in_text(text: str, folder: Path | None) -> Line | None:
    """Return the innermost line of the user's in a stack as Python prints it, the innermost frame last."""
    if folder is None:
        return None
    found = [match for match in FRAME.finditer(text) if is_users(Path(match["file"]), folder)]
    if not found:
        return None
    last = found[-1]
    return line_of(last["file"], int(last["line"]), last["code"] or source(last["file"], int(last["line"])), folder)


def line_of_traceback(trace: TracebackType | None, folder: Path | None) -> Line | None:
    """Return the innermost line of the user's that an error passed; of a node that was translated, that of the node."""
    found = None
    while trace is not None:
        frame, number = trace.tb_frame, trace.tb_lineno
        # While torch translates, its frames hold the node of its own graph that is being translated.
        noted = getattr(frame.f_locals.get("node"), "meta", {})
        if isinstance(noted, dict) and "stack_trace" in noted:
            found = line_in_text(str(noted["stack_trace"]), folder) or found
        if folder is not None and is_users(Path(frame.f_code.co_filename), folder):
            found = line_of(frame.f_code.co_filename, number, source(frame.f_code.co_filename, number), folder)
        trace = trace.tb_next
    return found


def line_of_stack(frame: FrameType | None, folder: Path | None) -> Line | None:
    """Return the innermost line of the user's that is being executed."""
    while frame is not None and folder is not None:
        file = frame.f_code.co_filename
        if is_users(Path(file), folder):
            return line_of(file, frame.f_lineno, source(file, frame.f_lineno), folder)
        frame = frame.f_back
    return None


def source(file: str, number: int) -> str:
    """Return a line of a file, '' if it is not there."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return lines[number - 1] if 0 < number <= len(lines) else ""
