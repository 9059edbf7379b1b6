"""Operators of ONNX that the reference evaluator gets wrong, does not have, or computes too coarsely for float64.

docs/onnx-operators.md says of each why it is here. What an operator does follows its specification (`onnx.defs`); each
was compared with ONNX Runtime by `make operators`.
"""

from typing import Any

import numpy as np
from onnx import helper
from onnx.reference.op_run import OpRun
from onnx.reference.ops._op_list import RoiAlign as NewRoiAlign
from onnx.reference.ops._op_list import ScatterElements
from torchship.gate.witness.onnx import activations, contrib, grids, images, norms, recurrent, trees
from torchship.gate.witness.onnx.shapes import ConvTranspose, OldPad, OldSqueeze, OldUnsqueeze, Pad, Squeeze, Unsqueeze
from torchship.gate.witness.onnx.steps import NoFunctionError, Operator, Plain
from torchship.spec.arrays import Array


def flattened(x: Array, axis: int) -> Array:
    """Return a matrix of the axes before one and those from it on, as softmax took its input before opset 13."""
    axis %= max(x.ndim, 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


class Softmax(Operator):
    """exp(x - max) over their sum: what rounds is the distance to the largest, and a sum that may be long."""

    def _run(self, x: Array, axis: int = -1) -> tuple[Array]:
        return (self.parts(x, axis),) if x.size else (x,)

    def parts(self, x: Array, axis: int) -> Array:
        """Return it along an axis."""
        powers = np.exp(self.r(x - x.max(axis, keepdims=True)))
        return np.asarray(self.r(self.r(powers) / self.sum(powers, [axis])))


class OldSoftmax(Softmax):
    """Softmax before opset 13: over all axes from `axis` on, by default 1."""

    def _run(self, x: Array, axis: int = 1) -> tuple[Array]:
        return (self.parts(flattened(x, axis), 1).reshape(x.shape) if x.size else x,)


class LogSoftmax(Operator):
    """x - max - log(sum(exp(x - max))): the sum may be near one, the result then is small and its error is not."""

    def _run(self, x: Array, axis: int = -1) -> tuple[Array]:
        if not x.size:
            return (x,)
        return (self.logarithm(x, axis),)

    def logarithm(self, x: Array, axis: int) -> Array:
        """Return it along an axis."""
        shifted = self.r(x - x.max(axis, keepdims=True))
        total = self.sum(np.exp(shifted), [axis])
        return np.asarray(self.r(shifted - self.r(np.log(total))))


class OldLogSoftmax(LogSoftmax):
    """LogSoftmax before opset 13."""

    def _run(self, x: Array, axis: int = 1) -> tuple[Array]:
        return (self.logarithm(flattened(x, axis), 1).reshape(x.shape) if x.size else x,)


class OldHardmax(Plain):
    """Hardmax before opset 13."""

    def _run(self, x: Array, axis: int = 1) -> tuple[Array]:
        rows = flattened(x, axis)
        result = np.zeros_like(rows)
        if x.size:
            result[np.arange(len(rows)), rows.argmax(1)] = 1
        return (result.reshape(x.shape),)


class DequantizeLinear(Plain):
    """(x - zero point) * scale in the type of the scale, for one scale, one for each entry of an axis, or blocks."""

    def _run(self, x: Array, scale: Array, zero: Array | None = None, **attributes: Any) -> tuple[Array]:
        axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)

        def fitted(value: Array) -> Array:
            if value.size == 1:
                return value.reshape(())
            if block:
                return np.repeat(value, block, axis)[tuple(slice(0, size) for size in x.shape)]
            return value.reshape([-1 if place == axis % x.ndim else 1 for place in range(x.ndim)])

        kind = scale.dtype
        wanted = attributes.get("output_dtype") or 0
        whole = np.int64 if x.dtype.kind in "iu" else np.float64
        result = x.astype(whole) if zero is None else x.astype(whole) - fitted(zero).astype(whole)
        result = result.astype(np.float64) * fitted(scale).astype(np.float64)
        return (result.astype(helper.tensor_dtype_to_np_dtype(wanted) if wanted else kind),)


class Scatter(ScatterElements):
    """The old name of ScatterElements."""


class GlobalLpPool(Plain):
    """The p-norm of each channel."""

    def _run(self, x: Array, p: int = 2) -> tuple[Array]:
        axes = tuple(range(2, x.ndim))
        return ((np.abs(x) ** p).sum(axes, keepdims=True) ** (1.0 / p),)


class Random(Plain):
    """Whatever draws random numbers: no two runtimes draw the same."""

    def _run(self, *_: object, **__: object) -> tuple[Array]:
        raise NoFunctionError(f"{self.onnx_node.op_type} draws random numbers")


class Dropout(Plain):
    """Nothing happens in inference."""

    def _run(
        self, x: Array, ratio: Array | None = None, training: Array | None = None, **_: object
    ) -> tuple[Array, ...]:
        if training is not None and bool(training) and (ratio is None or float(ratio) > 0.0):
            raise NoFunctionError("Dropout in training mode draws random numbers")
        # From opset 12 on all is kept; before that nothing is said of the mask, and ONNX Runtime fills it with zeros.
        kept = np.full(x.shape, self.run_params["opsets"].get("", 1) >= 12)
        return (x, kept)[: len(self.onnx_node.output)]


class RoiAlign(NewRoiAlign):
    """Opset 10 knows no shift by half a pixel."""

    def _run(self, *inputs: Array, **attributes: Any) -> tuple[Array]:
        if self.run_params["opsets"].get("", 1) < 16:
            attributes["coordinate_transformation_mode"] = "output_half_pixel"
        found: tuple[Array] = super()._run(*inputs, **attributes)  # type: ignore[no-untyped-call]
        return found


class Einsum(Plain):
    """In the type of its inputs, whereas the evaluator's may fall back to float32."""

    def _run(self, *inputs: Array, equation: str) -> tuple[Array]:
        return (np.asarray(np.einsum(equation, *inputs)).astype(inputs[0].dtype),)


class Fourier(Operator):
    """What Fourier transforms are off by: the rounding of the whole signal, also where the result is zero."""

    def _run(self, x: Array, *more: Any, **attributes: Any) -> tuple[Array]:
        from onnx.reference.ops import _op_list  # noqa: PLC0415 -- only here

        version = "DFT_17" if "axis" in attributes else "DFT_20"
        implementation = getattr(_op_list, "STFT" if self.onnx_node.op_type == "STFT" else version)
        result: Array = implementation._run(self, x, *more, **attributes)[0]  # noqa: SLF001 -- the evaluator's own way
        size = 2 * np.log2(max(x.size, 2)) * np.sqrt(float(np.sum(np.square(x))))
        inverse = attributes.get("inverse") or 0
        return (result + (self.a(np.zeros(result.shape)) * (size / (max(x.shape[1:-1], default=1) if inverse else 1))),)


def pairs(*entries: tuple[str, int, type[OpRun]]) -> dict[str, list[tuple[int, type[OpRun] | None]]]:
    """Return the classes of each operator, with the first operator set of each."""
    found: dict[str, list[tuple[int, type[OpRun] | None]]] = {}
    for name, first, kind in entries:
        found.setdefault(name, []).append((first, kind))
    return found


# From which operator set on, by name; None: the evaluator's own from there on.
OPERATORS: dict[str, list[tuple[int, type[OpRun] | None]]] = {
    **pairs(
        ("Squeeze", 1, OldSqueeze),
        ("Squeeze", 13, Squeeze),
        ("Unsqueeze", 1, OldUnsqueeze),
        ("Unsqueeze", 13, Unsqueeze),
        ("DequantizeLinear", 1, DequantizeLinear),
        ("Scatter", 1, Scatter),
        ("RoiAlign", 1, RoiAlign),
        ("Pad", 1, OldPad),
        ("Pad", 11, Pad),
        ("ConvTranspose", 1, ConvTranspose),
        ("GlobalLpPool", 1, GlobalLpPool),
        ("Dropout", 1, Dropout),
        ("Einsum", 1, Einsum),
        ("DFT", 1, Fourier),
        ("STFT", 1, Fourier),
    ),
    **pairs(
        *(
            (name, 1, Random)
            for name in (
                "Bernoulli",
                "Multinomial",
                "RandomNormal",
                "RandomNormalLike",
                "RandomUniform",
                "RandomUniformLike",
            )
        )
    ),
    "Softmax": [(1, OldSoftmax), (13, Softmax)],
    "LogSoftmax": [(1, OldLogSoftmax), (13, LogSoftmax)],
    "Hardmax": [(1, OldHardmax), (13, None)],
    **{name: [(1, kind)] for name, kind in activations.OPERATORS.items()},
    **{name: [(1, kind)] for name, kind in recurrent.OPERATORS.items()},
    **{name: [(1, kind)] for name, kind in images.OPERATORS.items()},
    **{name: [(1, kind)] for name, kind in grids.OPERATORS.items()},
    **{name: [(1, kind)] for name, kind in norms.OPERATORS.items()},
}
ML_OPERATORS: dict[str, type[OpRun]] = {**trees.OPERATORS}


def operator_class(domain: str, name: str, opset: int) -> type[OpRun] | None:
    """Return the class that stands for an operator in an operator set; None for the evaluator's own."""
    if domain == "ai.onnx.ml":
        return ML_OPERATORS.get(name)
    if domain == "com.microsoft":
        return contrib.OPERATORS.get(name)
    found = None
    if domain == "":
        for first, kind in OPERATORS.get(name, []):
            if first <= opset:
                found = kind
    return found
