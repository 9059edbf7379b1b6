"""What a script imports: its modules of the library, whose text reruns it, and packages, for its environment."""

import ast
import hashlib
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from torchship.files import sha256

LIBRARY = Path(__file__).resolve().parent


@cache
def imported_names(path: Path) -> frozenset[str]:
    """Give the full dotted names that a Python file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def library_modules(path: Path) -> list[Path]:
    """Give the files of `torchship` that `path` imports, directly or through one another, sorted."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        for name in imported_names(waiting.pop()):
            package, _, module = name.partition(".")
            candidate = LIBRARY / f"{module}.py"
            if package == LIBRARY.name and candidate.is_file() and candidate not in found:
                found.add(candidate)
                waiting.append(candidate)
    return sorted(found)


def digest(paths: Iterable[Path]) -> str:
    """Give 16 hexadecimal digits that stand for the names and the text of some files."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.name} {sha256(path)}\n".encode())
    return whole.hexdigest()[:16]


def third_party(path: Path) -> set[str]:
    """Give the top-level packages, neither of Python nor of this library, that a file and its modules import."""
    names = {name.partition(".")[0] for file in [path, *library_modules(path)] for name in imported_names(file)}
    return names - sys.stdlib_module_names - {LIBRARY.name}
