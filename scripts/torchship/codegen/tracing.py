"""From a torch module to `weights.json`: its parameters by name, and its layers in the order they are called."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torchship.codegen.layers import EndEntry, LayerEntry, ParameterEntry, WeightsDocument
from torchship.core.errors import GenerationError
from torchship.spec.tensor import Tensors

COVERED = "Linear, Sigmoid, Tanh, ReLU, LeakyReLU, Softmax, BatchNorm1d and, without effect, Identity, Dropout, Flatten"

FUNCTIONS: dict[Callable[..., object] | str, str] = {
    torch.sigmoid: "sigmoid",
    nn.functional.sigmoid: "sigmoid",
    "sigmoid": "sigmoid",
    torch.tanh: "tanh",
    nn.functional.tanh: "tanh",
    "tanh": "tanh",
    torch.relu: "relu",
    nn.functional.relu: "relu",
    "relu": "relu",
    nn.functional.leaky_relu: "leaky_relu",
    torch.softmax: "softmax",
    nn.functional.softmax: "softmax",
    "softmax": "softmax",
}

# What to do about a network that no code is generated for.
INSTEAD = "; set extract/handcode: false, and all other stages take the network as it is"


def weights_document(name: str, module: nn.Module, inputs: Tensors, outputs: Tensors) -> WeightsDocument:
    """Return the document of weights.json.

    Raises:
        GenerationError: the module is not a chain of covered layers between one input and one output, each of shape
            [batch, features], or a parameter is not finite; the message names the layer, and what to set instead.
    """
    try:
        require_vectors(name, {"input": inputs, "output": outputs})
        chain = layers(name, module)
    except GenerationError as error:
        raise GenerationError(f"{error}{INSTEAD}") from error
    return {
        "network": name,
        "numbers": "shortest decimals that round to the float32: convert to float32 before use",
        "input": _tensor(inputs),
        "output": _tensor(outputs),
        "layers": chain,
        "parameters": {key: parameter(key, value) for key, value in sorted(module.state_dict().items())},
    }


def require_vectors(name: str, declared: Mapping[str, Tensors]) -> None:
    """Check that there are one input and one output, each [batch, features].

    Raises:
        GenerationError: there are not.
    """
    for kind, tensors in declared.items():
        shapes = {tensor: list(entry.shape) for tensor, entry in tensors.items()}
        if len(shapes) != 1 or len(next(iter(shapes.values()))) != 2:
            raise GenerationError(
                f"network {name!r}: code is generated for one {kind} [batch, features], not for {shapes}"
            )


def _tensor(tensors: Tensors) -> EndEntry:
    ((name, tensor),) = tensors.items()
    width = int(tensor.shape[1])
    return {"name": name, "features": list(tensor.features or (f"{name}{index}" for index in range(width)))}


def parameter(name: str, value: Tensor) -> ParameterEntry:
    """Return a parameter's type, shape and values, floats as the shortest decimals that round to the float32.

    Raises:
        GenerationError: a value is NaN or infinite, or of another floating type than float32.
    """
    array = value.detach().cpu().numpy()
    if not np.isfinite(array).all():
        raise GenerationError(f"parameter {name!r} holds {np.sum(~np.isfinite(array))} values that are not finite")
    if array.dtype == np.float32:
        # str() of a float32 is its shortest decimal; as a Python float that decimal is spelled the same.
        shortest = [float(str(number)) for number in array.ravel()]
        values = np.array(shortest, dtype=np.float64).reshape(array.shape).tolist()
    elif np.issubdtype(array.dtype, np.integer):
        values = array.tolist()
    else:
        raise GenerationError(f"parameter {name!r} is {array.dtype}, only float32 is covered{INSTEAD}")
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": values}


def layers(name: str, module: nn.Module) -> list[LayerEntry]:
    """Return the layers of a chain, traced symbolically with torch.fx.

    Raises:
        GenerationError: the network branches, depends on its data, or holds a layer that is not covered.
    """
    try:
        graph = fx.symbolic_trace(module.eval()).graph
    except Exception as error:  # torch.fx raises what the module's own code raises
        raise GenerationError(f"network {name!r} cannot be traced: {error}; covered are chains of {COVERED}") from error
    found: list[LayerEntry] = []
    previous: fx.Node | None = None
    for node in graph.nodes:
        if node.op == "get_attr":
            raise GenerationError(
                f"network {name!r} uses parameter {node.target!r} outside of a covered layer: {COVERED}"
            )
        if node.op != "placeholder" and (
            previous is None or node.all_input_nodes != [previous] or len(previous.users) != 1
        ):
            raise GenerationError(f"layer {node.name!r} of network {name!r} branches; covered are chains of {COVERED}")
        if node.op == "output" and node.args[0] is not previous:
            raise GenerationError(
                f"network {name!r} returns {node.args[0]}, not one tensor; covered are chains of {COVERED}"
            )
        if node.op not in ("placeholder", "output"):
            layer = _module(node, module) if node.op == "call_module" else _function(node)
            if layer is not None:
                found.append(layer)
        previous = node
    return found


def _module(node: fx.Node, root: nn.Module) -> LayerEntry | None:
    target = str(node.target)
    layer: Any = root.get_submodule(target)
    # Exact types: a subclass may compute something else.
    kind = type(layer)
    if kind is nn.Linear:
        bias = f"{target}.bias" if layer.bias is not None else None
        return {"kind": "linear", "name": target, "weight": f"{target}.weight", "bias": bias}
    if kind is nn.BatchNorm1d and layer.track_running_stats:
        return {
            "kind": "batch_norm",
            "name": target,
            "mean": f"{target}.running_mean",
            "variance": f"{target}.running_var",
            "scale": f"{target}.weight" if layer.affine else None,
            "shift": f"{target}.bias" if layer.affine else None,
            "epsilon": layer.eps,
        }
    if kind in (nn.Sigmoid, nn.Tanh, nn.ReLU):
        return {"kind": kind.__name__.lower(), "name": target}
    if kind is nn.LeakyReLU:
        return {"kind": "leaky_relu", "name": target, "slope": layer.negative_slope}
    if kind is nn.Softmax and layer.dim in (-1, 1):
        return {"kind": "softmax", "name": target}
    if kind in (nn.Identity, nn.Dropout) or (kind is nn.Flatten and layer.start_dim == 1):
        return None
    raise GenerationError(f"layer {target!r} is {layer}, which is not covered; covered are {COVERED}")


def _function(node: fx.Node) -> LayerEntry:
    kind = FUNCTIONS.get(node.target)
    arguments = [*node.args[1:], *node.kwargs.values()]
    if kind == "leaky_relu":
        slope: Any = node.kwargs.get("negative_slope", node.args[1] if len(node.args) > 1 else 0.01)
        return {"kind": kind, "name": node.name, "slope": slope}
    if kind == "softmax" and node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None) in (-1, 1):
        return {"kind": kind, "name": node.name}
    if kind in ("sigmoid", "tanh", "relu") and not any(arguments):
        return {"kind": kind, "name": node.name}
    raise GenerationError(f"layer {node.name!r} is {node.format_node()}, which is not covered; covered are {COVERED}")
