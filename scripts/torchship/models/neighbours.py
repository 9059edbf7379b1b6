"""Files beside a network's file that it imports: found without running them, and carried with it in one file.

Read by the workflow while it is planned, in Snakemake's own environment: standard library only.
"""

import ast
import hashlib
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from torchship.core.files import sha256

# Where a module is, whether it is a package, its text.
Source = tuple[str, bool, str]


def neighbours(file: Path) -> dict[str, Path]:
    """Return the files that a network's file imports from its own folder, and those that they import, by dotted name.

    A name of the standard library is never one of them. A folder without `__init__.py` is a package, too: its path is
    the folder itself.
    """
    found: dict[str, Path] = {}
    waiting = [(file, "")]
    while waiting:
        path, package = waiting.pop()
        for name in sorted(imported(path, package)):
            parts = name.split(".")
            for depth in range(1, len(parts) + 1):
                inner = ".".join(parts[:depth])
                place = located(file.parent, inner)
                if place is None:
                    break
                if inner not in found:
                    found[inner] = place
                    waiting.append((place, inner if is_package(place) else inner.rpartition(".")[0]))
    return dict(sorted(found.items()))


def imported(path: Path, package: str) -> set[str]:
    """Return the dotted names that a file imports, relative ones spelled out; none of a folder or of what is no Python.

    Args:
        package: the dotted name of the package that the file is in.
    """
    try:
        tree = ast.parse(text_of(path))
    except (OSError, SyntaxError, ValueError):
        # Whoever runs it says so.
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level and package else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names.update(".".join(filter(None, [base, alias.name])) for alias in node.names)
            names.update([base] if base else [])
    return names


def located(folder: Path, name: str) -> Path | None:
    """Return the file, or the folder of a package without one, that a dotted name means below a folder, if any."""
    place = folder.joinpath(*name.split("."))
    if name.partition(".")[0] in sys.stdlib_module_names:
        return None
    for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if path.is_file():
            return path
    return place if place.is_dir() and any(place.rglob("*.py")) else None


def is_package(place: Path) -> bool:
    """Tell whether a file or folder is that of a package."""
    return place.name == "__init__.py" or place.is_dir()


def text_of(place: Path) -> str:
    """Return the text of a module, which a folder has none of."""
    return "" if place.is_dir() else place.read_text(encoding="utf-8")


def digest(file: Path) -> str:
    """Return the SHA-256 of a network's file, or of it and of its neighbours, where it has some."""
    beside = neighbours_digest(file)
    return sha256(file) if not beside else hashlib.sha256(f"{sha256(file)} {beside}".encode()).hexdigest()


def neighbours_digest(file: Path) -> str:
    """Return what stands for the names and texts of a file's neighbours; nothing where it has none."""
    texts = {name: text_of(path) for name, path in neighbours(file).items()}
    return hashlib.sha256(json.dumps(texts, sort_keys=True).encode()).hexdigest() if texts else ""


def sources(file: Path) -> dict[str, Source]:
    """Return the neighbours of a file as `install_neighbours` takes them."""
    return {name: (str(path), is_package(path), text_of(path)) for name, path in neighbours(file).items()}


def install_neighbours(sources: dict[str, tuple[str, bool, str]]) -> None:
    """Have modules made of texts, by dotted name, when they are imported, in the place of others that are called so."""
    # It also stands in bundles, where nothing else of this library is.
    import importlib.util  # noqa: PLC0415
    import sys  # noqa: PLC0415

    class Finder:
        def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, ARG002
            if name not in sources:
                return None
            where, package, _ = sources[name]
            return importlib.util.spec_from_loader(name, self, origin=where, is_package=package)  # type: ignore[arg-type]

        def create_module(self, spec):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, ARG002
            return None

        def exec_module(self, module):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            module.__file__ = sources[module.__name__][0]
            # Else it would get the bundle's imports from __future__.
            code = compile(sources[module.__name__][2], module.__file__, "exec", dont_inherit=True)
            exec(code, module.__dict__)  # noqa: S102

        def get_source(self, name):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            return sources[name][2]

    for name in sources:
        sys.modules.pop(name, None)
    # It stays: a network may import what stands beside it when it is called, or not at all.
    sys.meta_path.insert(0, Finder())


def bundle(file: Path) -> str:
    """Return a network's file with its neighbours in it, which stands for itself; a verbatim copy where it has none."""
    text, modules = text_of(file), neighbours(file)
    if not modules:
        return text
    lines = text.splitlines(keepends=True)
    head = first_line(text)
    return "".join([*lines[:head], *carried(modules, file.parent), *lines[head:]])


def first_line(text: str) -> int:
    """Return the number of lines that must stay first: the docstring, and imports from __future__."""
    last = 0
    for place, node in enumerate(ast.parse(text).body):
        is_docstring = place == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_docstring and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        last = node.end_lineno or last
    return last


def carried(modules: dict[str, Path], folder: Path) -> Iterator[str]:
    """Yield the lines that make the neighbours anew, in a bundle."""
    yield "\n# What this file imported from beside it, put into it by Torchship.\n\n\n"
    yield f"{inspect.getsource(install_neighbours)}\n\ninstall_neighbours({{\n"
    for name, path in modules.items():
        yield f"    {name!r}: ({path.relative_to(folder).as_posix()!r}, {is_package(path)}, (\n"
        yield from (f"        {line!r}\n" for line in text_of(path).splitlines(keepends=True) or [""])
        yield "    )),\n"
    yield "})\n"
