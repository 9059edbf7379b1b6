"""export.json as a type. Standard library only."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from torchship.spec.target import TargetEntry


class Named(TargetEntry):
    """A target with its name."""

    name: str


class ExportDocument(TypedDict):
    """What is said of a file that was exported, or placed; see `report.Origin`."""

    file: str
    sha256: str
    bytes: int
    opset: int
    ir_version: int
    target: Named
    operators: Mapping[str, int]
    modules: Mapping[str, Mapping[str, str]]
    metadata: Mapping[str, object]
    notes: Sequence[str]
    exporter: Mapping[str, str]
