"""Small self-contained HTML pages for the report. Standard library only."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: .6rem 0; }
th, td { border-bottom: 1px solid #d8dee4; padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; color: #57606a; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
code, pre { font: 13px/1.45 ui-monospace, monospace; } pre { background: #f6f8fa; padding: .8rem; overflow-x: auto; }
figure { margin: .6rem 0; } figure svg { max-width: 100%; height: auto; }
.good { color: #116329; font-weight: 600; } .bad { color: #a40e26; font-weight: 600; }
.fair { color: #7d4e00; font-weight: 600; } .note { color: #57606a; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """Write a whole page."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """Return a section's heading."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph; `kind` is good, bad or note."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def graphic(svg: str) -> str:
    """Return a picture within the page, from the text of an SVG file."""
    return f"<figure>{svg[svg.index('<svg') :]}</figure>"


def code(text: str) -> str:
    """Return a block of code."""
    return f"<pre>{escape(text)}</pre>"


class Verdict(str):
    """Text that is shown as good if it says 'passed' or 'yes', as neither if 'static only', else as bad."""

    __slots__ = ()


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; numbers are set right, verdicts in colour."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "\n".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def cell(value: object) -> str:
    """Return one cell."""
    if isinstance(value, Verdict):
        kind = {"passed": "good", "yes": "good", "static only": "fair"}.get(value, "bad")
        return f'<td class="{kind}">{escape(value)}</td>'
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
        return f'<td class="number">{text}</td>'
    return f"<td>{escape(str(value))}</td>"
