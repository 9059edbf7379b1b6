"""Only what the gate passed is delivered. Standard library only."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from torchship.core.errors import DeliveryError
from torchship.core.files import read_json, sha256
from torchship.gate.documents import Evidence


class Passed(TypedDict):
    """What a delivery says of a target's verdict: the word, the exported file that it speaks of, and in what it ran."""

    verdict: str
    sha256: str
    runtime: str


def require_passed(validation: Path, file: Path | None = None) -> Passed:
    """Return a target's verdict, which must be that nothing is wrong.

    Args:
        validation: the gate's document.
        file: the exported file that is delivered, if it is.

    Raises:
        DeliveryError: the gate stopped the file, or it passed another one.
    """
    document: Evidence = read_json(validation)
    if document["failures"]:
        first = document["failures"][0]
        raise DeliveryError(f"{validation}: the gate stopped this file, so it is not delivered: {first['message']}")
    if file is not None and sha256(file) != document["sha256"]:
        raise DeliveryError(
            f"{file} is not the file that {validation} speaks of: sha256 {sha256(file)[:12]}…, there "
            f"{document['sha256'][:12]}…; validate it anew"
        )
    return {
        "verdict": document["verdict"],
        "sha256": document["sha256"],
        "runtime": document["runtime"]["onnxruntime"],
    }


def require_all_passed(validations: Mapping[str, Path]) -> dict[str, Passed]:
    """Return the verdicts of all targets of a run, by target.

    Raises:
        DeliveryError: the gate stopped one.
    """
    return {target: require_passed(path) for target, path in validations.items()}
