"""What a script runs: modules of the library, whose text reruns it, and packages, which its environment must have."""

import ast
import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from torchship.core.files import sha256

LIBRARY = Path(__file__).resolve().parents[1]


# Folders beside a module that have, in one of the module's name, what is of its code and not in Python.
TEMPLATES, STANDINS = "templates", "standins"

# A module of the library, as a text names it that another interpreter is started with: python -m torchship.….
STARTED = re.compile(rf"""(["'])({LIBRARY.name}(?:\.\w+)+)\1""")

# Planning asks this of every script, and on a cluster each job plans: only statements are looked at, each file once.


@cache
def imported_names(path: Path) -> frozenset[str]:
    """Return the full dotted names that a Python file imports, anywhere in it."""
    names: set[str] = set()
    for node in statements(ast.parse(text_of(path), filename=str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all statements in a node, those within others too."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, field, None)
        # A lambda's body is an expression.
        for statement in inner if isinstance(inner, list) else ():
            yield statement
            yield from statements(statement)


@cache
def started_names(path: Path) -> frozenset[str]:
    """Return the dotted names of the library that stand as texts in a Python file, which it starts as programs."""
    return frozenset(name for _, name in STARTED.findall(text_of(path)))


@cache
def text_of(path: Path) -> str:
    """Return the text of a Python file."""
    return path.read_text(encoding="utf-8")


def library_modules(path: Path) -> list[Path]:
    """Return the files of `torchship` that `path` runs, sorted: it imports or starts them, or they one another.

    Templates and stand-ins are among them, those of each module.
    """
    return closure(path, run_by)


@cache
def run_by(path: Path) -> frozenset[Path]:
    """Return the files of the library that a file imports or starts, and those beside it in other languages."""
    if path.suffix != ".py":
        return frozenset()
    beside = (file for kind in (TEMPLATES, STANDINS) for file in (path.parent / kind / path.stem).rglob("*"))
    started = {file for name in started_names(path) for file in files_of(name)}
    return imported_by(path) | started | {file for file in beside if file.is_file()}


@cache
def imported_by(path: Path) -> frozenset[Path]:
    """Return the files of the library that a file imports."""
    return frozenset(file for name in imported_names(path) for file in files_of(name))


def closure(path: Path, files_in: Callable[[Path], Iterable[Path]]) -> list[Path]:
    """Return the files that a file names, those that they name, and so on, sorted."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        new = set(files_in(waiting.pop())) - found
        found |= new
        waiting += new
    return sorted(found)


@cache
def files_of(name: str) -> tuple[Path, ...]:
    """Return the files of the library that run when something of that dotted name is imported.

    These are the module and the `__init__.py` of each package on the way to it, as far as it says anything:
    `torchship.gate.judge.run_feed` runs gate/judge.py.
    """
    package, *parts = name.split(".")
    if package != LIBRARY.name:
        return ()
    files = [LIBRARY / "__init__.py"]
    for depth in range(1, len(parts) + 1):
        place = LIBRARY.joinpath(*parts[:depth])
        files += [place / "__init__.py", place.with_name(f"{place.name}.py")]
    return tuple(file for file in files if file.is_file() and file.stat().st_size)


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
    files = [path, *closure(path, imported_by)]
    names = {name.partition(".")[0] for file in files for name in imported_names(file)}
    return names - sys.stdlib_module_names - {LIBRARY.name}
