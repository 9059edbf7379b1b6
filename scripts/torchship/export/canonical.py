"""ONNX files whose bytes depend on the network alone: no path, no source line, no order that a run chooses."""

import json
from collections.abc import Mapping
from pathlib import Path

import onnx
from google.protobuf.message import Message
from onnx import ModelProto
from torchship.core.errors import ExportError
from torchship.core.files import replacing
from torchship.export.origins import Origin, read

PRODUCER = "torchship"


def canonicalize(
    model: ModelProto, *, graph: str, opset: int, ir: int, about: Mapping[str, object]
) -> dict[str, Origin]:
    """Bring a model into its canonical form, in place, and return what each node was made from.

    Checks the operator set, sets the IR version, removes all metadata and doc strings of the exporter (they hold
    absolute paths and lines of source), sorts what has no order of its own, and puts `about` into the metadata, one
    JSON value a key.

    Returns:
        of each node by its name, `module`, `line` and `code`: see `origins`, whose metadata are read and removed.

    Raises:
        ExportError: the model has another operator set than was asked for, or uses a foreign operator domain.
    """
    imported = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if imported != {"ai.onnx": opset}:
        raise ExportError(
            f"network {graph!r}: the exporter gave operator sets {imported} where ai.onnx {opset} was asked for; "
            "choose another export/opset (torch falls back silently when it cannot convert)"
        )
    model.ir_version = ir
    origins = {node.name: read(node) for node in model.graph.node}
    strip(model)
    for node in model.graph.node:
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        del node.attribute[:]
        node.attribute.extend(attributes)
    initializers = sorted(model.graph.initializer, key=lambda tensor: tensor.name)
    del model.graph.initializer[:]
    model.graph.initializer.extend(initializers)
    # Shapes of inner values, which runtimes infer anew.
    del model.graph.value_info[:]
    model.graph.name = graph
    model.producer_name, model.producer_version = PRODUCER, ""
    onnx.helper.set_model_props(model, {key: json.dumps(value, sort_keys=True) for key, value in sorted(about.items())})
    return origins


def strip(message: Message) -> None:
    """Clear `metadata_props` and `doc_string` of a protobuf message and of everything in it."""
    for field, value in message.ListFields():
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.type == field.TYPE_MESSAGE:
            for item in [value] if isinstance(value, Message) else value:
                strip(item)


def save(model: ModelProto, path: Path) -> None:
    """Check a model with ONNX's own full checker and write it, whole or not at all.

    Raises:
        ExportError: the checker refuses the model, or its text holds an absolute path of this machine.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # several types, by what is wrong
        raise ExportError(
            f"network {model.graph.name!r} is not valid ONNX: {str(error).strip().splitlines()[0]}"
        ) from error
    content = model.SerializeToString(deterministic=True)
    for place in {str(Path.cwd()), str(Path(__file__).resolve().parents[3]), str(Path.home())} - {"/"}:
        if place.encode() in content:
            raise ExportError(f"network {model.graph.name!r}: the exported bytes hold the path {place}")
    with replacing(path) as part:
        part.write_bytes(content)
