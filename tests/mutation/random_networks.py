"""Random networks, each as a torch module and as the file that means the same: none may be stopped."""

from itertools import pairwise

import numpy as np
import torch
from gating import needed_of
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torchship.gate.witness.limits import factor, ratios
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.runtimes.local import session

ACTIVATIONS = {
    "Relu": (nn.ReLU, {}), "Tanh": (nn.Tanh, {}), "Sigmoid": (nn.Sigmoid, {}), "Gelu": (nn.GELU, {}),
    "LeakyRelu": (nn.LeakyReLU, {"alpha": 0.01}), "Softmax": (lambda: nn.Softmax(dim=1), {"axis": 1}),
    "Elu": (nn.ELU, {}), "Softplus": (nn.Softplus, {}), "Selu": (nn.SELU, {}),
}  # fmt: skip
EVENTS = 100


def build(seed):
    """Return a module of some layers with weights of some size, its file, and inputs."""
    generator = np.random.default_rng(seed)
    torch.manual_seed(seed)
    depth, size = int(generator.integers(1, 7)), float(10.0 ** generator.uniform(-0.5, 0.7))
    widths = [int(width) for width in generator.integers(1, 33, depth + 1)]
    layers, nodes, weights, value = [], [], [], "x"
    for number, (before, after) in enumerate(pairwise(widths)):
        linear = nn.Linear(before, after)
        with torch.no_grad():
            linear.weight.mul_(size)
            linear.bias.mul_(size)
        kind = list(ACTIVATIONS)[int(generator.integers(len(ACTIVATIONS)))]
        make, attributes = ACTIVATIONS[kind]
        layers += [linear, make()]
        weights += [numpy_helper.from_array(tensor.detach().numpy(), f"{name}{number}")
                    for name, tensor in (("w", linear.weight), ("b", linear.bias))]  # fmt: skip
        nodes.append(helper.make_node("Gemm", [value, f"w{number}", f"b{number}"], [f"h{number}"], transB=1))
        value = "y" if number == depth - 1 else f"v{number}"
        nodes.append(helper.make_node(kind, [f"h{number}"], [value], **attributes))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
            for name, width in (("x", widths[0]), ("y", widths[-1])))  # fmt: skip
    model = helper.make_model(
        helper.make_graph(nodes, "net", [x], [y], weights), opset_imports=[helper.make_opsetid("", 20)]
    )
    model.ir_version = 9
    feed = {"x": generator.uniform(-3, 3, (EVENTS, widths[0])).astype(np.float32)}
    return nn.Sequential(*layers).eval(), model.SerializeToString(), feed


def largest_ratio(seed):
    """Return the file's largest error in units of the limit."""
    module, content, feed = build(seed)
    needed, output = needed_of(TorchArbiter(module, ["x"], ["y"], seed), feed)
    limit = factor(needed["y"]) * output["y"].scale
    found = session(content).run(None, feed)[0]
    return float(ratios(found, output["y"].exact, limit).max())
