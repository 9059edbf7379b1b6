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
from torchship.gate.witness.onnx import activations, contrib, grids, images, recurrent, trees
from torchship.gate.witness.onnx.shapes import ConvTranspose, OldPad, OldSqueeze, OldUnsqueeze, Pad, Squeeze, Unsqueeze
from torchship.gate.witness.onnx.steps import NoFunctionError, Operator, Plain
from torchship.spec.arrays import Array


class BatchNormalization(Operator):
    """With the statistics that the file holds; `training_mode` of opset 14 with the batch's.

    Before opset 14 the mode follows from the number of outputs, and `momentum` says nothing in inference.
    """

    def _run(
        self, x: Array, scale: Array, bias: Array, mean: Array, variance: Array, **attributes: Any
    ) -> tuple[Array, ...]:
        if attributes.get("spatial", 1) == 0:
            return (self._normalized(attributes["epsilon"], x, scale, bias, mean, variance),)
        shape = (1, -1, *[1] * (x.ndim - 2))
        if not attributes.get("training_mode", 0):
            if len([name for name in self.onnx_node.output if name]) > 1:
                raise NotImplementedError("BatchNormalization in training mode, before opset 14")
            parts = (value.reshape(shape) for value in (scale, bias, mean, variance))
            return (self._normalized(attributes["epsilon"], x, *parts),)
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        middle = self.mean(self.r(x), axes)
        of_batch, spread = middle.reshape(-1), self.mean(np.square(x - middle), axes).reshape(-1)
        parts = (value.reshape(shape) for value in (scale, bias, of_batch, spread))
        y, keep = self._normalized(attributes["epsilon"], x, *parts), attributes["momentum"]
        return y, self.r(mean * keep + of_batch * (1 - keep)), self.r(variance * keep + spread * (1 - keep))

    def _normalized(self, epsilon: float, x: Array, *parts: Array) -> Array:
        scale, bias, mean, variance = parts
        # As (x - mean) * factor + bias, and as x * factor + (bias - mean * factor): the larger of both errors.
        factor = self.r(self.r(scale) / np.sqrt(self.r(variance + epsilon)))
        result = self.r(self.r(x) - self.r(mean)) * factor + self.r(bias)
        return np.asarray(self.r(result), x.dtype)


class InstanceNormalization(Operator):
    """Each channel of each event by its own mean and variance, which are long sums."""

    def _run(self, x: Array, scale: Array, bias: Array, epsilon: float = 1e-5) -> tuple[Array]:
        axes, shape = tuple(range(2, x.ndim)), (1, -1, *[1] * (x.ndim - 2))
        mean = self.mean(x, axes)
        variance = self.mean(np.square(x - mean), axes)
        factor = self.r(self.r(scale.reshape(shape)) / np.sqrt(self.r(variance + epsilon)))
        return (
            np.asarray(
                self.r(self.r(x - mean) * factor + self.r(self.r(mean * factor) - mean * factor) + bias.reshape(shape)),
                x.dtype,
            ),
        )


class LayerNormalization(Operator):
    """The axes from one on by their mean and variance."""

    def _run(
        self,
        x: Array,
        scale: Array,
        bias: Array | None = None,
        axis: int = -1,
        epsilon: float = 1e-5,
        stash_type: int = 1,  # noqa: ARG002 -- in which type it is computed: here in that of the evaluation
    ) -> tuple[Array, ...]:
        axes = tuple(range(axis % x.ndim, x.ndim))
        mean = self.mean(x, axes)
        centred = self.r(self.r(x) - mean)
        inverse = self.r(1 / np.sqrt(self.r(self.mean(np.square(centred), axes) + epsilon)))
        result = self.r(self.r(centred * inverse) * self.r(scale))
        result = result if bias is None else self.r(result + self.r(bias))
        return tuple(value.astype(x.dtype) for value in (result, mean, inverse))[: len(self.onnx_node.output)]


def flattened(x: Array, axis: int) -> Array:
    """Return a matrix of the axes before one and those from it on, as softmax took its input before opset 13."""
    axis %= max(x.ndim, 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


class OldSoftmax(Plain):
    """Softmax before opset 13: over all axes from `axis` on, by default 1."""

    def _run(self, x: Array, axis: int = 1) -> tuple[Array]:
        if not x.size:
            return (x,)
        rows = flattened(x, axis)
        powers = np.exp(rows - rows.max(1, keepdims=True))
        return ((powers / powers.sum(1, keepdims=True)).reshape(x.shape),)


class LogSoftmax(Operator):
    """x - max - log(sum(exp(x - max))): the sum may be near one, the result then is small and its error is not."""

    def _run(self, x: Array, axis: int = -1) -> tuple[Array]:
        if not x.size:
            return (x,)
        return (self.logarithm(x, axis),)

    def logarithm(self, x: Array, axis: int) -> Array:
        """Return it along an axis."""
        shifted = self.r(x - x.max(axis, keepdims=True))
        total = self.r(self.r(np.exp(shifted)).sum(axis, keepdims=True))
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


class LRN(Plain):
    """Each channel by those around it; the evaluator goes through as many channels as there are events."""

    def _run(self, x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> tuple[Array]:
        before, after = (size - 1) // 2, size // 2
        squares = np.square(x)
        total = np.stack([squares[:, max(0, c - before) : c + after + 1].sum(1) for c in range(x.shape[1])], 1)
        return ((x / (bias + alpha / size * total) ** beta).astype(x.dtype),)


class LpNormalization(Plain):
    """By the sum of absolute values or squares; the evaluator leaves the absolute value out."""

    def _run(self, x: Array, axis: int = -1, p: int = 2) -> tuple[Array]:
        norm = (np.abs(x) ** p).sum(axis, keepdims=True) ** (1.0 / p)
        return (np.where(norm == 0, 0, x / np.where(norm == 0, 1, norm)).astype(x.dtype),)


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
        ("BatchNormalization", 1, BatchNormalization),
        ("InstanceNormalization", 1, InstanceNormalization),
        ("LayerNormalization", 17, LayerNormalization),
        ("Squeeze", 1, OldSqueeze),
        ("Squeeze", 13, Squeeze),
        ("Unsqueeze", 1, OldUnsqueeze),
        ("Unsqueeze", 13, Unsqueeze),
        ("DequantizeLinear", 1, DequantizeLinear),
        ("Scatter", 1, Scatter),
        ("LRN", 1, LRN),
        ("LpNormalization", 1, LpNormalization),
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
    "Softmax": [(1, OldSoftmax), (13, None)],
    "LogSoftmax": [(1, OldLogSoftmax), (13, LogSoftmax)],
    "Hardmax": [(1, OldHardmax), (13, None)],
    **{name: [(1, kind)] for name, kind in activations.OPERATORS.items()},
    **{name: [(1, kind)] for name, kind in recurrent.OPERATORS.items()},
    **{name: [(1, kind)] for name, kind in images.OPERATORS.items()},
    **{name: [(1, kind)] for name, kind in grids.OPERATORS.items()},
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
