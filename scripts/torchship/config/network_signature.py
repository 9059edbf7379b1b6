"""What Network() can be called with, read from its file without running it, since torch is not there yet.

Read by the workflow while it is planned, in Snakemake's own environment, never by a step.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from torchship.config.naming import suggest
from torchship.config.texts import from_json, parse
from torchship.core.errors import ConfigError
from torchship.spec.section import Network

# What an argument may be: names of `SIMPLE`, or a tuple of what a list's items may be. None: the file does not say.
Kinds: TypeAlias = tuple["str | Kinds", ...]
SIMPLE = ("int", "float", "bool", "str", "None")
LISTS = ("list", "List", "Sequence", "Iterable", "Collection")


@dataclass(frozen=True)
class Argument:
    """An argument of Network().

    Attributes:
        line: where it stands in the file.
        kinds: what its annotation takes; None where there is none, or one that is not understood.
        like: what a text is turned into, by the default where there is no annotation.
    """

    line: int
    kinds: Kinds | None
    like: Kinds | None


def check_arguments(place: str, network: Network, project: Path) -> None:
    """Check that a network has the arguments that it is to be called with, and that they are what it says they are.

    Args:
        place: where they stand in the configuration.
        network: the section `network` of a model.
        project: the folder that has the networks in models/.

    Raises:
        ConfigError: it has no argument of that name, or one of another type, as far as its file says.
    """
    file = f"models/{network['file']}.py"
    taken = arguments_of(project / file)
    if taken is None:
        return
    for name, value in network.get("arguments", {}).items():
        if name not in taken:
            raise ConfigError(
                f"{place}/{name}: Network() in {file} has no such argument{suggest(name, taken)}; its arguments: "
                f"{', '.join(sorted(taken)) or 'none'}"
            )
        kinds = taken[name].kinds
        if kinds is not None and not fits(value, kinds):
            raise ConfigError(
                f"{place}/{name} is {value!r}, of type {type(value).__name__}: Network() in {file}, line "
                f"{taken[name].line}, wants {spelled(kinds)}"
            )


def arguments_from_text(network: Network, project: Path) -> dict[str, object]:
    """Return a network's arguments with texts turned into what it wants, as far as its file says; see `from_text`."""
    taken = arguments_of(project / f"models/{network['file']}.py") or {}
    return {name: from_text(value, taken.get(name)) for name, value in network.get("arguments", {}).items()}


def from_text(value: object, argument: Argument | None) -> object:
    """Return what a text stands for, or the texts in lists and mappings: Snakemake's command line makes all of them.

    With an annotation or a default it is read as YAML where that gives what they say, and stays text where that is
    what they say; without, it is the number, truth value or null that it spells in JSON.
    """
    kinds = argument.like if argument is not None else None
    return from_json(value) if kinds is None else wanted(value, kinds)


def wanted(value: object, kinds: Kinds) -> object:
    """Return a text, or the texts in a list, as what is wanted, where YAML spells that; all else as it is."""
    if isinstance(value, list):
        items = next((kind for kind in kinds if isinstance(kind, tuple)), None)
        return value if items is None else [wanted(item, items) for item in value]
    if not isinstance(value, str) or "str" in kinds:
        # Of `str | None`, null is meant where it is written.
        return None if value == "null" and "None" in kinds else value
    read = parse(value)
    return read if fits(read, kinds) else value


def fits(value: object, kinds: Kinds) -> bool:
    """Tell whether a value is one of some kinds; an integer is a float, a truth value is no integer."""
    if isinstance(value, bool) or value is None:
        return ("None" if value is None else "bool") in kinds
    if isinstance(value, int | float):
        return "float" in kinds or (isinstance(value, int) and "int" in kinds)
    if isinstance(value, list):
        lists = [kind for kind in kinds if isinstance(kind, tuple)]
        return any(all(fits(item, items) for item in value) for items in lists)
    return isinstance(value, str) and "str" in kinds


def spelled(kinds: Kinds) -> str:
    """Return kinds in words."""
    words = [f"a list of {spelled(kind)}" if isinstance(kind, tuple) else kind for kind in kinds]
    return " or ".join("null" if word == "None" else word for word in words)


def arguments_of(file: Path) -> dict[str, Argument] | None:
    """Return the arguments of Network() by name; None where the file does not say, or cannot be read as Python."""
    try:
        return _arguments_in(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


@cache
def _arguments_in(text: str) -> dict[str, Argument] | None:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Network":
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__" and not item.args.kwarg:
                    return dict(_listed(item.args))
    return None


def _listed(arguments: ast.arguments) -> list[tuple[str, Argument]]:
    places = [*arguments.posonlyargs, *arguments.args]
    # The last of them have defaults; the first is self.
    defaults = dict(zip(places[len(places) - len(arguments.defaults) :], arguments.defaults, strict=True))
    named = dict(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    return [(one.arg, _argument(one, {**defaults, **named}.get(one))) for one in [*places[1:], *named]]


def _argument(one: ast.arg, default: ast.expr | None) -> Argument:
    kinds = None if one.annotation is None else kinds_of(one.annotation)
    usual = default.value if isinstance(default, ast.Constant) else ...
    if kinds is not None and usual is None and "None" not in kinds:
        kinds = (*kinds, "None")
    like = kinds
    if one.annotation is None and isinstance(usual, bool | int | float | str):
        # A number by default may be a float, and an argument that is None by default may be anything.
        like = ("int", "float", "None") if type(usual) in (int, float) else (type(usual).__name__, "None")
    return Argument(one.lineno, kinds, like)


def kinds_of(annotation: ast.expr) -> Kinds | None:
    """Return what an annotation takes; None where it is none of what is understood."""
    match annotation:
        case ast.Constant(value=None):
            return ("None",)
        case ast.Constant(value=str(text)):
            return _quoted(text)
        case ast.Name(id=name) if name in SIMPLE:
            return (name,)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _either([left, right])
        case ast.Subscript(value=outer, slice=inner):
            return _generic(_last_name(outer), inner)
    return None


def _quoted(text: str) -> Kinds | None:
    try:
        annotation = ast.parse(text, mode="eval").body
    except SyntaxError:  # words for a reader
        return None
    return kinds_of(annotation)


def _generic(name: str, inner: ast.expr) -> Kinds | None:
    if name == "Optional":
        return _either([inner, ast.Constant(value=None)])
    if name == "Union" and isinstance(inner, ast.Tuple):
        return _either(inner.elts)
    items = kinds_of(inner) if name in LISTS else None
    return None if items is None else (items,)


def _either(parts: list[ast.expr]) -> Kinds | None:
    found = [kinds_of(part) for part in parts]
    if any(kinds is None for kinds in found):
        return None
    return tuple(dict.fromkeys(kind for kinds in found for kind in kinds or ()))


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
