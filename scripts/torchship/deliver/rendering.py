"""Sources from templates: a module's lie in the folder of its name in `templates/`."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import jinja2
from torchship.core.sources import TEMPLATES

# What may not stand in a text of C++ as it is.
ESCAPED = re.compile(r'[\\"?]|[^ -~]')


@cache
def environment(module: str) -> jinja2.Environment:
    """Return the templates of a module, by its `__file__`.

    What is written is C++, CMake, XML and Markdown: a value that comes from a user goes through the filter of where it
    stands (`cpp`, `e` for XML, `cell` for a table of Markdown). A name that is not given is an error.
    """
    path = Path(module)
    made = jinja2.Environment(  # noqa: S701 -- see above: HTML's escapes would be wrong in C++
        loader=jinja2.FileSystemLoader(path.parent / TEMPLATES / path.stem),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"cpp": cpp_text, "row": braces, "braced": braced, "cell": cell, "float32": float32}
    return made


def render(module: str, template: str, **values: object) -> str:
    """Return a module's template filled in."""
    return environment(module).get_template(f"{template}.jinja").render(**values)


def cpp_text(text: str) -> str:
    """Return a text as a literal of C++, with quotes: other bytes than printable ASCII as octal numbers."""

    def spelled(found: re.Match[str]) -> str:
        if found[0] in '\\"?':  # the last for the old trigraphs
            return f"\\{found[0]}"
        return "".join(f"\\{byte:03o}" for byte in found[0].encode())

    return f'"{ESCAPED.sub(spelled, text)}"'


def braced(texts: Iterable[object]) -> str:
    """Return what is source already, or numbers, as an initializer of C++."""
    return "{" + ", ".join(map(str, texts)) + "}"


def float32(number: float) -> str:
    """Return a number as a literal of type float: without the mark it would be a double, which is narrowed."""
    return f"{number!r}f"


def cell(text: str) -> str:
    """Return a text as it stands in a cell of a table of Markdown, in one line."""
    return " ".join(text.split()).replace("|", "\\|")


def braces(values: list[object]) -> str:
    """Return numbers, nested as they are, as an initializer of C++; each float as it is read back."""
    return "{" + ", ".join(braces(value) if isinstance(value, list) else repr(value) for value in values) + "}"
