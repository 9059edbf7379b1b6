"""What a file from elsewhere is: written once, when it is adopted, read by later steps. Standard library only."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torchship.core.errors import DataError
from torchship.core.files import read_json, sha256, write_json

Tensors = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Description:
    """A file as it ships, and its complete inputs and outputs: what the configuration says, and the file for the rest.

    Attributes:
        inputs, outputs: tensors by name, in the file's order, each with `shape` and `dtype`; inputs with their domain.
        source: the file that it was made from, with its SHA-256, and those of files that held its weights.
        notes: what a reader of the verdict must know: where a domain is from, what is fixed, what was put into it.
        file, sha256: the file that ships, beside the description.
    """

    inputs: Tensors
    outputs: Tensors
    source: Mapping[str, Any]
    notes: tuple[str, ...]
    file: str
    sha256: str


def write_description(path: Path, description: Description) -> None:
    """Write a description; tensors as lists, since JSON's keys are sorted and their order means something."""
    document = asdict(description)
    for kind in ("inputs", "outputs"):
        document[kind] = [{"name": name, **tensor} for name, tensor in getattr(description, kind).items()]
    write_json(path, document)


def read_description(path: Path) -> Description:
    """Read a description, after a check of the file that it is of.

    Raises:
        DataError: that file has changed since.
    """
    document = read_json(path)
    file = path.with_name(document["file"])
    found = sha256(file)
    if found != document["sha256"]:
        raise DataError(
            f"{file} has changed since it was adopted: sha256 {found[:12]}…, was {document['sha256'][:12]}…; delete "
            "it, so that it is made anew"
        )
    for kind in ("inputs", "outputs"):
        document[kind] = {
            tensor["name"]: {key: value for key, value in tensor.items() if key != "name"} for tensor in document[kind]
        }
    return Description(**{**document, "notes": tuple(document["notes"])})


def with_description(model: dict[str, Any], path: str | None) -> dict[str, Any]:
    """Return the knobs of a step with the complete inputs and outputs, where the run has a description."""
    if not path:
        return model
    description = read_description(Path(path))
    return {**model, "inputs": dict(description.inputs), "outputs": dict(description.outputs)}
