"""The page of witnesses that failed: what they found of the cases before any runtime was asked."""

from collections.abc import Mapping
from pathlib import Path

from torchship.core.errors import ParityError, WitnessError
from torchship.core.files import plain, write_json, write_text
from torchship.pages.html import heading, page, paragraph, table

ABOUT = (
    "Before a file is judged, those who say what is right must agree: the network in float32 with the same in float64, "
    "within what rounding explains, and closely enough for a limit to tell right from wrong. They do not, so that no "
    "file was judged."
)


def write_failure(outputs: Mapping[str, Path], title: str, error: ParityError) -> None:
    """Write why the witnesses failed, as a page and as a document.

    Args:
        outputs: paths of the `evidence` and the `page`.
    """
    evidence = error.evidence if isinstance(error, WitnessError) else {}
    write_json(outputs["evidence"], plain({"verdict": "failed", "message": str(error), **evidence}))
    body = [paragraph(str(error), "bad"), paragraph(ABOUT, "note")]
    cases = evidence.get("cases", [])
    if cases:
        rows = [[case["number"], case["origin"], sizes_of(case), case["needed"], case["lost"]] for case in cases]
        header = ["Case", "Origin", "Sizes", "float32 from float64 (spreads)", "Not finite under rounding"]
        body += [heading("The cases"), table(header, rows)]
    write_text(outputs["page"], page(title, body))


def sizes_of(about: Mapping[str, Mapping[str, int]]) -> str:
    """Name the sizes of a case."""
    return ", ".join(f"{axis} {size}" for axis, size in about["sizes"].items())
