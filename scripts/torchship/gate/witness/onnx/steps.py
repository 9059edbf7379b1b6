"""What operators of one's own are made of."""

from typing import ClassVar

from onnx.reference.op_run import OpRun
from torchship.gate.witness.limits import UNIT_FLOAT32
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

    def r(self, value: Array) -> Array:
        """Return a value as one rounding leaves it."""
        return value if self.monitor is None else self.monitor.relative(value, self.unit)

    def a(self, value: Array) -> Array:
        """Return a value with an error of one unit roundoff of 1, as functions bounded by 1 have it."""
        return value if self.monitor is None else self.monitor.absolute(value, self.unit)
