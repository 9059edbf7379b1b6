"""What export.json says of a file that was exported, or placed."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from torchship.export.contract import operator_set
from torchship.export.documents import ExportDocument
from torchship.spec.target import Target


@dataclass(frozen=True)
class Origin:
    """Where a file came from.

    Attributes:
        exporter: versions, by package or tool.
        modules: what each node was made from; nothing of a file from elsewhere.
        metadata: what was written into the file; what a file from elsewhere says of itself is its own affair.
        notes: what a reader of the verdict must know.
    """

    exporter: Mapping[str, str]
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)
    notes: Sequence[str] = ()


def export_document(file: Path, name: str, target: Target, origin: Origin) -> ExportDocument:
    """Return the document of export.json, of the file as it was saved.

    Args:
        name: of the target.
    """
    content = file.read_bytes()
    proto = onnx.load_from_string(content)
    return {
        "file": file.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "opset": operator_set(proto),
        "ir_version": proto.ir_version,
        "target": {"name": name, **target.document()},
        "operators": dict(Counter(node.op_type for node in proto.graph.node)),
        "modules": dict(origin.modules),
        "metadata": dict(origin.metadata),
        "notes": list(origin.notes),
        "exporter": dict(origin.exporter),
    }
