"""What each node of an exported graph was made from: the torch module, and the line of the user's file.

torch notes both for the nodes that it translates, but not for those that later passes make of them. A node that covers
several, such as a convolution that took in the normalisation after it, has the modules and lines of all.
"""

import ast
import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from onnx import GraphProto, NodeProto
from torchship.models.user_code import Line, line_in_text

# The keys under which a node's origin stands in its metadata, until the file is canonical.
KEYS = ("module", "line", "code")
PREFIX = "torchship."
Origin = dict[str, str]
NOTHING: Origin = dict.fromkeys(KEYS, "")

SCOPES, STACK = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.stack_trace"
# What torch calls the scope of nodes that none of its modules made.
NO_SCOPE = "_empty_nn_module_stack_from_metadata_hook"
# Where a node covers several, these are no work of a module of their own.
PASSED_OVER = frozenset(["Identity", "Constant", "Shape", "Size"])
MOST = 3


def read(node: NodeProto) -> Origin:
    """Return the origin that a node's metadata hold, empty where they hold none."""
    held = {
        entry.key.removeprefix(PREFIX): entry.value for entry in node.metadata_props if entry.key.startswith(PREFIX)
    }
    return {**NOTHING, **held}


def write(node: NodeProto, origin: Mapping[str, str]) -> None:
    """Put an origin into a node's metadata, in place of all that they held."""
    del node.metadata_props[:]
    for key in KEYS:
        node.metadata_props.add(key=PREFIX + key, value=origin[key])


def of_torch(node: NodeProto, folder: Path | None) -> Origin:
    """Return the origin that torch's exporter noted for a node that it translated.

    Args:
        folder: of the user's files, see `user_code.user_folder`.
    """
    noted = {entry.key: entry.value for entry in node.metadata_props}
    scopes = ast.literal_eval(noted.get(SCOPES, "[]"))
    # The innermost is last but one: ['', 'embed', 'embed.first', 'linear']. A module that is called twice has an @.
    module = re.sub(r"@\d+", "", scopes[-2]) if len(scopes) > 1 else ""
    line = line_in_text(noted.get(STACK, ""), folder) or Line("", "")
    return {"module": "" if module == NO_SCOPE else module, "line": line.place, "code": line.code}


def carry(before: GraphProto, after: GraphProto) -> None:
    """Write into the nodes of a graph the origins of those that they were made from.

    Args:
        before: the graph before it was optimised or converted, each node with its origin.
        after: the graph that became of it, changed in place.
    """
    makers = {name: (place, node) for place, node in enumerate(before.node) for name in node.output if name}
    inputs = {value.name for value in before.input}
    for node in after.node:
        write(node, covered(node, makers, inputs))
    for node in after.node:
        if not any(read(node).values()):
            write(node, of_neighbours(node, after))


def covered(node: NodeProto, makers: Mapping[str, tuple[int, NodeProto]], inputs: Container[str]) -> Origin:
    """Return the origin of all nodes that a node took the place of: those between its inputs and its outputs.

    Where its inputs do not bound these, as where a shape was folded into it, that of the node that made its output.
    """
    ends, found = set(node.input), dict[int, NodeProto]()
    made = [name for name in node.output if name in makers]
    waiting = list(made)
    while waiting:
        place, maker = makers[waiting.pop()]
        if place in found:
            continue
        found[place] = maker
        names = [name for name in maker.input if name not in ends]
        if any(name in inputs for name in names):
            return joined(read(makers[name][1]) for name in made)
        waiting += [name for name in names if name in makers]
    working = [maker for _, maker in sorted(found.items()) if maker.op_type not in PASSED_OVER]
    return joined(read(maker) for maker in working or found.values())


def joined(origins: Iterable[Origin]) -> Origin:
    """Return one origin of several: the innermost modules, and the lines, each once and in order."""
    all_of = list(origins)
    modules = list(dict.fromkeys(origin["module"] for origin in all_of))
    # A module that holds another one of them says less than that one does.
    inner = [name for name in modules if not any(holds(name, other) for other in modules)]
    told = [origin for origin in all_of if origin["module"] in inner]
    lines = {origin["line"]: origin["code"] for origin in told if origin["line"]}
    return {
        "module": " + ".join(inner[:MOST]),
        "line": ", ".join(list(lines)[:MOST]),
        "code": "; ".join(code for code in list(lines.values())[:MOST] if code),
    }


def holds(name: str, other: str) -> bool:
    """Say whether a module, by its name, holds another one; the network itself, which has none, holds all others."""
    return name != other and (not name or other.startswith(f"{name}."))


def of_neighbours(node: NodeProto, graph: GraphProto) -> Origin:
    """Return the origin that all neighbours of a node share, empty where they have several or none."""
    near = [
        read(other)
        for other in graph.node
        if set(other.output) & set(node.input) or set(other.input) & set(node.output)
    ]
    known = [origin for origin in near if any(origin.values())]
    modules = {origin["module"] for origin in known}
    if len(modules) != 1:
        return NOTHING
    lines = {origin["line"] for origin in known}
    return known[0] if len(lines) == 1 else {**NOTHING, "module": modules.pop()}
