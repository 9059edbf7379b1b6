"""The layers of a feed-forward network as plain numbers: what code is generated from.

Standard library only. `weights.json` holds them; `tracing` makes it from a torch module.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from torchship.core.errors import GenerationError

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "softmax")


class LayerEntry(TypedDict, total=False):
    """A layer in weights.json; parameters are there by name, None where there are none."""

    kind: str
    name: str
    weight: str
    bias: str | None
    mean: str
    variance: str
    scale: str | None
    shift: str | None
    epsilon: float
    slope: float


class ParameterEntry(TypedDict):
    """A parameter in weights.json, its values in nested lists, or one."""

    dtype: str
    shape: Sequence[int]
    values: object


class EndEntry(TypedDict):
    """The input or the output in weights.json, with a name for each number."""

    name: str
    features: Sequence[str]


class WeightsDocument(TypedDict):
    """All of weights.json."""

    network: str
    numbers: str
    input: EndEntry
    output: EndEntry
    layers: Sequence[LayerEntry]
    parameters: Mapping[str, ParameterEntry]


@dataclass(frozen=True)
class Linear:
    """y = W x + b, with W [outputs, inputs] and b [outputs]."""

    name: str
    weight: Matrix
    bias: Vector


@dataclass(frozen=True)
class BatchNorm:
    """y = (x - mean) / sqrt(variance + epsilon) * scale + shift, [width] each: as in evaluation mode."""

    name: str
    mean: Vector
    variance: Vector
    scale: Vector
    shift: Vector
    epsilon: float


@dataclass(frozen=True)
class Activation:
    """One of `ACTIVATIONS`; `slope` is leaky_relu's for negative arguments."""

    name: str
    function: str
    slope: float = 0.0


Layer = Linear | BatchNorm | Activation


@dataclass(frozen=True)
class Network:
    """A chain of layers between one input and one output, with the names that its users know them by."""

    name: str
    input_name: str
    output_name: str
    features: tuple[str, ...]
    classes: tuple[str, ...]
    layers: tuple[Layer, ...]


def read_network(document: WeightsDocument) -> Network:
    """Read a network from the document of weights.json, every number as the float32 that it stands for.

    Raises:
        GenerationError: layers of unknown kind, or whose widths don't fit together.
    """
    try:
        return _read_network(document)
    except (KeyError, TypeError, OverflowError) as error:
        raise GenerationError(
            f"weights.json is damaged: {type(error).__name__} {error}; run the extraction again"
        ) from error


def _read_network(document: WeightsDocument) -> Network:
    values = {name: exact(entry["values"]) for name, entry in document["parameters"].items()}
    layers = tuple(_read_layer(entry, values) for entry in document["layers"])
    features, classes = tuple(document["input"]["features"]), tuple(document["output"]["features"])
    width = len(features)
    for layer in layers:
        width = _output_width(layer, width)
    if width != len(classes):
        raise GenerationError(
            f"the last layer gives {width} values, output {document['output']['name']!r} has {len(classes)}"
        )
    return Network(
        document["network"], document["input"]["name"], document["output"]["name"], features, classes, layers
    )


def exact(values: Any) -> Any:
    """Round decimals to float32, in nested tuples: 7.2888 -> 7.288800239562988."""
    if isinstance(values, list):
        return tuple(exact(value) for value in values)
    return struct.unpack("f", struct.pack("f", values))[0]


def _read_layer(entry: LayerEntry, values: Mapping[str, Any]) -> Layer:
    name, kind = entry["name"], entry["kind"]
    if kind == "linear":
        weight: Matrix = values[entry["weight"]]
        bias: Vector = values[entry["bias"]] if entry["bias"] else (0.0,) * len(weight)
        return Linear(name, weight, bias)
    if kind == "batch_norm":
        mean, variance = values[entry["mean"]], values[entry["variance"]]
        scale = values[entry["scale"]] if entry["scale"] else (1.0,) * len(mean)
        shift = values[entry["shift"]] if entry["shift"] else (0.0,) * len(mean)
        return BatchNorm(name, mean, variance, scale, shift, exact(entry["epsilon"]))
    if kind in ACTIVATIONS:
        return Activation(name, kind, exact(entry.get("slope", 0.0)))
    raise GenerationError(
        f"layer {name!r} is of unknown kind {kind!r}; known: linear, batch_norm, {', '.join(ACTIVATIONS)}"
    )


def _output_width(layer: Layer, width: int) -> int:
    vectors: Sequence[Vector]
    match layer:
        case Linear():
            vectors, result = layer.weight, len(layer.weight)
            if len(layer.bias) != result:
                raise GenerationError(f"layer {layer.name!r} has {result} rows and {len(layer.bias)} biases")
        case BatchNorm():
            vectors, result = (layer.mean, layer.variance, layer.scale, layer.shift), width
        case _:
            return width
    if any(len(vector) != width for vector in vectors):
        raise GenerationError(f"layer {layer.name!r} takes {len(vectors[0])} values, the layer before it gives {width}")
    return result
