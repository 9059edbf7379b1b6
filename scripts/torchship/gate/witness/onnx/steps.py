"""What operators of one's own are made of."""

from collections.abc import Sequence
from math import prod
from typing import ClassVar

import numpy as np
from onnx.reference.op_run import OpRun
from torchship.gate.witness.limits import UNIT_FLOAT32
from torchship.gate.witness.long_sums import LONG, growth_of_result, growth_of_terms, running_sum
from torchship.gate.witness.onnx.monitor import Monitor
from torchship.spec.arrays import Array


class NoFunctionError(Exception):
    """What an operator gives does not follow from its inputs: no other evaluation may take its place."""


class Plain(OpRun):
    """An operator that is disturbed from outside, by its kind.

    Attributes:
        monitor: set by the evaluator, see `monitor.Monitor`; None where nothing is disturbed.
        unit: one unit roundoff of its outputs.
    """

    stepped: ClassVar[bool] = False
    monitor: Monitor | None = None
    unit: float = UNIT_FLOAT32


class Operator(Plain):
    """An operator that disturbs its own steps, where the error of the whole is not that of its inputs and outputs."""

    stepped = True

    def r(self, value: Array, times: float = 1.0) -> Array:
        """Return a value as one rounding leaves it, or one that is so many times as large."""
        return value if self.monitor is None else self.monitor.relative(value, times * self.unit)

    def product(self, left: Array, right: Array) -> Array:
        """Return a matrix product as sums of rounded products leave it."""
        terms = growth_of_terms(left.shape[-1])
        return self.r(self.r(left, terms) @ self.r(right, terms), growth_of_result(left.shape[-1]))

    def sum(self, value: Array, axes: Sequence[int]) -> Array:
        """Return a sum over axes, which are kept, as adding rounded terms number by number leaves it."""
        value = self.r(value)
        exact, count = value.sum(tuple(axes), keepdims=True), prod(value.shape[axis] for axis in axes)
        if self.monitor is not None and self.monitor.disturbs and count >= LONG:
            exact = self.monitor.towards(exact, running_sum(value, axes, self.monitor.number()), self.unit)
        return self.r(np.asarray(exact), growth_of_result(count))

    def mean(self, value: Array, axes: Sequence[int]) -> Array:
        """Return a mean over axes, which are kept, of such a sum."""
        return np.asarray(self.sum(value, axes) / prod(value.shape[axis] for axis in axes), value.dtype)

    def a(self, value: Array) -> Array:
        """Return a value with an error of one unit roundoff of 1, as functions bounded by 1 have it."""
        return value if self.monitor is None else self.monitor.absolute(value, self.unit)
