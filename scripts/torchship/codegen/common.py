"""What both generators share: names, the kinds of layers, and a network's numbers as source text."""

import re
from collections.abc import Callable

from torchship.codegen.layers import Activation, BatchNorm, Layer, Linear, Network, Vector
from torchship.core.errors import GenerationError

# What a layer's function is called in the code where that is not its kind: both languages have a tanh of their own.
CALLED = {"tanh": "hyperbolic_tangent"}


def identifier(name: str) -> str:
    """Make a name that Python and C++ take: 'layers.0' -> 'layers_0', '0' -> 'layer_0'."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"layer_{plain}" if plain[:1].isdigit() else plain


def kind_of(layer: Layer) -> str:
    """Return a layer's kind as weights.json spells it."""
    match layer:
        case Linear():
            return "linear"
        case BatchNorm():
            return "batch_norm"
        case Activation():
            return layer.function


def summary(layer: Layer) -> str:
    """Say in a few words what a layer does."""
    match layer:
        case Linear():
            return f"{layer.name}: Linear {len(layer.weight[0])} -> {len(layer.weight)}"
        case BatchNorm():
            return f"{layer.name}: BatchNorm {len(layer.mean)}"
        case Activation():
            return f"{layer.name}: {layer.function}"


def constants(layer: Layer, vector: Callable[[Vector], str]) -> dict[str, str]:
    """Return a layer's numbers as source text by constant name, each vector spelled by `vector`."""
    stem = identifier(layer.name).upper()
    match layer:
        case Linear():
            rows = "".join(f"    {vector(row)},\n" for row in layer.weight)
            return {f"{stem}_WEIGHT": f"\n{rows}", f"{stem}_BIAS": vector(layer.bias)}
        case BatchNorm():
            names = ("mean", "variance", "scale", "shift")
            return {f"{stem}_{name.upper()}": vector(getattr(layer, name)) for name in names}
        case Activation():
            return {}


def all_constants(network: Network, vector: Callable[[Vector], str]) -> dict[str, tuple[Layer, str]]:
    """Return the source text of all numbers, once each, by constant name with the layer that it belongs to.

    Raises:
        GenerationError: two layers with different numbers would share a name.
    """
    found: dict[str, tuple[Layer, str]] = {}
    for layer in network.layers:
        for name, text in constants(layer, vector).items():
            if found.setdefault(name, (layer, text))[1] != text:
                raise GenerationError(
                    f"layers {found[name][0].name!r} and {layer.name!r} would both be called {name}: rename one"
                )
    return found
