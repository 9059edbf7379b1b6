"""An ONNX file from elsewhere: read whole, wherever its weights lie, and what it says of its inputs and outputs."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, EncodeError
from onnx import GraphProto, ModelProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto
from onnx.external_data_helper import load_external_data_for_model
from torchship.core.errors import DataError, ExportError
from torchship.export.contract import MICROSOFT, ML, ONNX, all_nodes

log = logging.getLogger(__name__)

# The element types that inputs and outputs may have, as the configuration spells them.
DTYPES: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.UINT8: "uint8",
    TensorProto.BOOL: "bool",
    TensorProto.STRING: "string",
}
NOT_TENSORS = {
    "sequence_type": "a sequence",
    "map_type": "a map",
    "optional_type": "optional, that is a tensor or nothing",
    "sparse_tensor_type": "a sparse tensor",
    "opaque_type": "of an opaque type",
}
ZIPMAP = "; skl2onnx's ZipMap makes it: convert with options={'zipmap': False}, which gives probabilities as a tensor"

SaidAxis = int | str | None


@dataclass(frozen=True)
class Said:
    """What a file says of an input or output; an axis is a size, a name, or None where it is neither."""

    name: str
    dtype: str
    axes: tuple[SaidAxis, ...] | None


@dataclass(frozen=True)
class Signature:
    """What a file says of all its inputs and outputs; `defaults` are inputs that it has a value for itself."""

    inputs: Sequence[Said]
    outputs: Sequence[Said]
    defaults: Sequence[str]


def read_model(path: Path) -> tuple[ModelProto, list[Path]]:
    """Read a model with its weights, and say which files beside it they came from.

    Raises:
        ExportError: it is no ONNX model, or of a newer IR version than is known here, or weights of it lie outside of
            its folder.
        DataError: a file with weights is missing, or too short.
    """
    try:
        model = onnx.load_from_string(path.read_bytes())
    except DecodeError as error:
        raise ExportError(f"{path} is no ONNX model: {error}") from error
    if not model.graph.output:
        raise ExportError(f"{path} is no ONNX model: it has no outputs")
    if model.ir_version > onnx.IR_VERSION:
        raise ExportError(
            f"{path} has IR version {model.ir_version}, and onnx {onnx.__version__} knows those up to "
            f"{onnx.IR_VERSION}: lower it, which changes no operator: model = onnx.load({path.name!r}); "
            f"model.ir_version = {onnx.IR_VERSION}; onnx.save(model, {path.name!r})"
        )
    beside = external_files(model, path)
    try:
        load_external_data_for_model(model, str(path.parent))
    except Exception as error:  # onnx raises types of several kinds for what is wrong with such files
        raise DataError(f"{path}: its weights cannot be read: {one_line(error)}") from error
    return model, beside


def external_files(model: ModelProto, path: Path) -> list[Path]:
    """Return the files beside a model that hold weights of it, sorted.

    Raises:
        ExportError: one lies outside of the model's folder, which nobody who is given that folder would have.
        DataError: there is no such file.
    """
    folder, found = path.parent.resolve(), set()
    for tensor in all_tensors(model):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        file = path.parent / location
        if not location or not file.resolve().is_relative_to(folder):
            raise ExportError(
                f"{path}: the weights of {tensor.name!r} are in {location!r}, outside of the model's folder: put the "
                "file beside the model and save it anew (onnx.save_model(model, path, save_as_external_data=True))"
            )
        if not file.is_file():
            raise DataError(f"{path}: the weights of {tensor.name!r} are in {location!r}, and there is no such file")
        found.add(file)
    return sorted(found)


def all_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Yield all tensors of a model: of its graph, of the graphs within it, and of its nodes."""
    yield from graph_tensors(model.graph)
    for function in model.functions:
        for node in function.node:
            yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def graph_tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield the initializers of a graph, and the tensors of its nodes, with those of the graphs within."""
    yield from graph.initializer
    for node in all_nodes(graph):
        for attribute in node.attribute:
            yield from [attribute.t] * attribute.HasField("t") + list(attribute.tensors)
            for inner in [attribute.g] * attribute.HasField("g") + list(attribute.graphs):
                yield from inner.initializer


def serialized(model: ModelProto, path: Path) -> bytes:
    """Return a model as the bytes of one file.

    Raises:
        ExportError: it is larger than one ONNX file can be.
    """
    try:
        content: bytes = model.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ExportError(
            f"{path} is with its weights more than the 2 GB that one ONNX file can hold, and one file is deployed: "
            f"{one_line(error)}"
        ) from error
    return content


def signature(model: ModelProto, path: Path) -> Signature:
    """Return what a file says of its inputs and outputs.

    Raises:
        ExportError: one of them is no tensor, or of an element type that is not supported.
    """
    have = {tensor.name for tensor in model.graph.initializer}
    have |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    outputs = list(model.graph.output)
    if not all(value.type.tensor_type.HasField("shape") for value in outputs):
        outputs = inferred(model)
    refuse_foreign(model, path)
    return Signature(
        [said(value, f"{path}: input") for value in model.graph.input if value.name not in have],
        [said(value, f"{path}: output") for value in outputs],
        [value.name for value in model.graph.input if value.name in have],
    )


def refuse_foreign(model: ModelProto, path: Path) -> None:
    """Check that all operators are ONNX's or ONNX Runtime's, or functions within the file.

    Raises:
        ExportError: one is not, so that nobody says what it means.
    """
    local = {function.name for function in model.functions}
    for node in all_nodes(model.graph):
        if node.domain not in (*ONNX, ML, MICROSOFT) and node.op_type not in local:
            raise ExportError(
                f"{path}: node {node.name!r} is {node.domain}.{node.op_type}, no operator of ONNX or ONNX Runtime, so "
                "that nobody says what it means: save the file by ONNX's operators alone"
            )


def inferred(model: ModelProto) -> list[ValueInfoProto]:
    """Return the outputs with the shapes that follow from the graph, as far as any do."""
    try:
        return list(onnx.shape_inference.infer_shapes(model).graph.output)
    except Exception as error:  # inference raises what an operator's own code does
        log.debug("no shapes can be inferred: %s", error)
        return list(model.graph.output)


def said(value: ValueInfoProto, place: str) -> Said:
    """Return what a file says of one input or output."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        what = NOT_TENSORS.get(kind or "", "of no type")
        hint = ZIPMAP if holds_map(value.type) else "; only tensors are supported"
        raise ExportError(f"{place} {value.name!r} is {what}{hint}")
    tensor = value.type.tensor_type
    if tensor.elem_type not in DTYPES:
        raise ExportError(
            f"{place} {value.name!r} is {TensorProto.DataType.Name(tensor.elem_type).lower()}, which is not supported; "
            f"supported are {', '.join(DTYPES.values())}: cast it in the graph"
        )
    if any(character in '"\\' or not character.isprintable() for character in value.name) or not value.name:
        raise ExportError(
            f"{place} {value.name!r} has quotes, backslashes or control characters in its name: rename it"
        )
    axes = tuple(map(axis, tensor.shape.dim)) if tensor.HasField("shape") else None
    return Said(value.name, DTYPES[tensor.elem_type], axes)


def holds_map(kind: TypeProto) -> bool:
    """Tell whether a type is a map, or a sequence of maps."""
    inner = kind.sequence_type.elem_type if kind.WhichOneof("value") == "sequence_type" else kind
    return bool(inner.WhichOneof("value") == "map_type")


def axis(dim: TensorShapeProto.Dimension) -> SaidAxis:
    """Return an axis as a file says it: its size, its name, or None; sizes below one mean any."""
    if dim.WhichOneof("value") == "dim_value":
        return int(dim.dim_value) if dim.dim_value > 0 else None
    return str(dim.dim_param) or None


def one_line(error: Exception) -> str:
    """Return an error's message in one line, not too long."""
    return " ".join(str(error).split())[:300]
