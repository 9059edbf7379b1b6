"""What is done elsewhere to check an exported file: functions that say whether they notice that it is broken."""

import contextlib
import io
import logging
import warnings

import numpy as np
import onnx
import onnx_ir
import torch
from torch.onnx._internal.exporter._verification import verify_onnx_program
from torchship.data.domain import draw, uniform
from torchship.export.torch_export import example
from torchship.runtimes.local import session
from torchship.spec.axes import BATCH, USUAL_SIZE, dynamic_axes

# torch/onnx/_internal/exporter/_core.py, step 6: what `verify=True` warns of.
TORCH_ABSOLUTE, TORCH_RELATIVE = 5e-3, 1e-1


def peers(network):
    """Return the peers for one network, by name."""
    return {"verify": torch_verify(network), "one input": one_input(network), "400 inputs": many_inputs(network)}


def torch_verify(network):
    """Export once; then let torch's own verification look at another file than it exported."""
    examples = example(network.inputs)
    axes = tuple({place: torch.export.Dim(axis) for place, axis in enumerate(tensor.shape) if isinstance(axis, str)}
                 for tensor in network.inputs.values())  # fmt: skip
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(network.module, examples, dynamo=True, dynamic_shapes=axes, verbose=False,
                                    input_names=list(network.inputs), output_names=list(network.outputs))  # fmt: skip

    def notices(content):
        try:
            program.model = onnx_ir.serde.deserialize_model(onnx.load_from_string(content))
            program.release()
            onnx.checker.check_model(onnx.load_from_string(content))
            found = verify_onnx_program(program)
        except Exception:
            return True
        return any(not (one.max_abs_diff < TORCH_ABSOLUTE and one.max_rel_diff < TORCH_RELATIVE) for one in found)

    return notices


def compared(network, events, close):
    """Compare the file with the eager module on random events."""
    axes = dynamic_axes(network.inputs)
    sizes = dict.fromkeys(axes, USUAL_SIZE) | {axes[0]: events}
    feed = draw(network.inputs, dict.fromkeys(network.inputs, uniform), sizes, np.random.default_rng(7))
    with torch.no_grad():
        wanted = network.module(*map(torch.from_numpy, feed.values()))
    wanted = [tensor.numpy() for tensor in (wanted if isinstance(wanted, tuple) else (wanted,))]

    def notices(content):
        try:
            found = session(content).run(None, feed)
        except Exception:
            return True
        return not all(one.shape == two.shape and close(one, two) for one, two in zip(found, wanted, strict=False))

    return notices


def one_input(network):
    """As in torch's tutorial."""
    return compared(network, USUAL_SIZE if BATCH not in dynamic_axes(network.inputs) else 1,
                    lambda one, two: np.allclose(one, two, rtol=1e-3, atol=1e-5))  # fmt: skip


def many_inputs(network):
    """As a careful analysis does it."""
    return compared(network, 400, lambda one, two: bool((np.abs(one - two) < 1e-4).all()))
