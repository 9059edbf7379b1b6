"""What a script runs: modules of the library, whose text reruns it, and packages, which its environment must have."""

import ast
import hashlib
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from torchship.core.files import sha256

LIBRARY = Path(__file__).resolve().parents[1]


# A module of the library, as a text names it that another interpreter is started with: python -m torchship.….
STARTED = re.compile(rf"{LIBRARY.name}(\.\w+)+")


@cache
def imported_names(path: Path) -> frozenset[str]:
    """Return the full dotted names that a Python file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


@cache
def started_names(path: Path) -> frozenset[str]:
    """Return the dotted names of the library that stand as texts in a Python file, which it starts as programs."""
    texts = (node.value for node in ast.walk(parsed(path)) if isinstance(node, ast.Constant))
    return frozenset(text for text in texts if isinstance(text, str) and STARTED.fullmatch(text))


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def library_modules(path: Path) -> list[Path]:
    """Return the files of `torchship` that `path` runs, sorted: it imports or starts them, or they one another."""
    return closure(path, lambda file: imported_names(file) | started_names(file))


def closure(path: Path, names_in: Callable[[Path], Iterable[str]]) -> list[Path]:
    """Return the files of the library whose names are in a file, in one of those, and so on, sorted."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        new = {file for name in names_in(waiting.pop()) for file in files_of(name)} - found
        found |= new
        waiting += new
    return sorted(found)


def files_of(name: str) -> list[Path]:
    """Return the files of the library that run when something of that dotted name is imported.

    These are the module and the `__init__.py` of each package on the way to it, as far as it says anything:
    `torchship.gate.judge.run_feed` runs gate/judge.py.
    """
    package, *parts = name.split(".")
    if package != LIBRARY.name:
        return []
    files = [LIBRARY / "__init__.py"]
    for depth in range(1, len(parts) + 1):
        place = LIBRARY.joinpath(*parts[:depth])
        files += [place / "__init__.py", place.with_name(f"{place.name}.py")]
    return [file for file in files if file.is_file() and file.stat().st_size]


def digest(script: Path, modules: Iterable[Path]) -> str:
    """Return 16 hexadecimal digits that stand for the text of a script and of modules, and for where these lie."""
    whole = hashlib.sha256(script.read_bytes())
    for path in modules:
        whole.update(f"{path.relative_to(LIBRARY).as_posix()} {sha256(path)}\n".encode())
    return whole.hexdigest()[:16]


def third_party(path: Path) -> set[str]:
    """Return the top-level packages, neither of Python nor of this library, that a file and its modules import.

    What another interpreter is started with needs its packages there, not here.
    """
    files = [path, *closure(path, imported_names)]
    names = {name.partition(".")[0] for file in files for name in imported_names(file)}
    return names - sys.stdlib_module_names - {LIBRARY.name}
