"""What Network() can be called with, read from its file without running it, since torch is not there yet.

Read by the workflow while it is planned, in Snakemake's own environment, never by a step.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torchship.config.naming import suggest
from torchship.core.errors import ConfigError


def check_arguments(place: str, network: Mapping[str, Any], project: Path) -> None:
    """Check that a network has the arguments that it is to be called with.

    Args:
        place: where they stand in the configuration.
        network: the section `network` of a model.
        project: the folder that has the networks in models/.

    Raises:
        ConfigError: it has no argument of that name, as far as its file says.
    """
    file = f"models/{network['file']}.py"
    taken = keywords(project / file)
    unknown = [name for name in network.get("arguments", {}) if taken is not None and name not in taken]
    if unknown:
        known = ", ".join(sorted(taken or ())) or "none"
        raise ConfigError(
            f"{place}/{unknown[0]}: Network() in {file} has no such argument{suggest(unknown[0], taken or ())}; "
            f"its arguments: {known}"
        )


def keywords(file: Path) -> set[str] | None:
    """Return the names that Network() takes; None where the file does not say, or cannot be read as Python."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return None
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Network":
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == "__init__" and not item.args.kwarg:
                    return {argument.arg for argument in [*item.args.args[1:], *item.args.kwonlyargs]}
    return None
