"""Normalisations by mean, variance or length, which are sums: where those are long their error is the result's."""

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from torchship.gate.witness.onnx.steps import Operator, Plain
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
        middle = self.mean(x, axes)
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


class LRN(Plain):
    """Each channel by those around it; the evaluator goes through as many channels as there are events."""

    def _run(self, x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> tuple[Array]:
        before, after = (size - 1) // 2, size // 2
        squares = np.square(x)
        total = np.stack([squares[:, max(0, c - before) : c + after + 1].sum(1) for c in range(x.shape[1])], 1)
        return ((x / (bias + alpha / size * total) ** beta).astype(x.dtype),)


class LpNormalization(Operator):
    """By the sum of absolute values or squares; the evaluator leaves the absolute value out."""

    def _run(self, x: Array, axis: int = -1, p: int = 2) -> tuple[Array]:
        norm = self.sum(np.abs(x) ** p, [axis]) ** (1.0 / p)
        return (self.r(np.where(norm == 0, 0, x / np.where(norm == 0, 1, norm))).astype(x.dtype),)


OPERATORS: dict[str, type[OpRun]] = {
    kind.__name__: kind
    for kind in (BatchNormalization, InstanceNormalization, LayerNormalization, LRN, LpNormalization)
}
