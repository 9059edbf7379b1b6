"""A feed-forward network in float64, with a bound on what any correct float32 implementation may differ from it.

Running error analysis (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002, chapters 3
and 4): next to each value its error bound is carried from layer to layer. A sum of n products costs at most
gamma_n = n u / (1 - n u) times the sum of the magnitudes, for any order of the sum and with or without fused
multiply-adds, so that part of the bound holds for any runtime, instruction set and batch size. What an activation adds
of its own is no theorem: it is assumed to be within `ACTIVATION_UNITS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torchship.codegen.layers import Activation, BatchNorm, Linear, Network
from torchship.gate.witness.limits import SMALLEST_FLOAT32, UNIT_FLOAT32
from torchship.spec.arrays import Array

Exact = NDArray[np.float64]

UNIT_FLOAT64 = 2.0**-53

# Two implementations in float64 may each be one bound away from the exact value.
BOTH_ROUND = 2.0

# What an implementation of an activation may add of its own, in units of roundoff at 1: an assumption. Sigmoid and tanh
# are rational approximations in most runtimes, with an absolute error of a few units; exp has a relative one.
ACTIVATION_UNITS = 8.0
# Exponentials of very negative arguments may be flushed to zero, or clamped (MLAS clamps sigmoid's argument at 18).
CLAMPED_SIGMOID = {UNIT_FLOAT32: float(np.exp(-18.0)), UNIT_FLOAT64: 0.0}
SMALLEST = {UNIT_FLOAT32: SMALLEST_FLOAT32, UNIT_FLOAT64: 2.0**-1022}


@dataclass
class Values:
    """What flows between layers, each [events, width].

    Attributes:
        value: in float64.
        error: how far a correct implementation may be from `value`.
        magnitude: sum of the magnitudes that `value` was summed from: what a runtime that folds the next affine layer
            into this one has as its rounding error's scale.
    """

    value: Exact
    error: Exact
    magnitude: Exact


def gamma(count: int, unit: float) -> float:
    """Return Higham's constant of `count` roundings."""
    return count * unit / (1.0 - count * unit)


def evaluate(network: Network, x: Array, unit: float = UNIT_FLOAT32) -> tuple[Exact, Exact]:
    """Return a network's outputs in float64 and the bound of an implementation with this unit roundoff.

    Args:
        x: [events, inputs]; taken as exact.
        unit: half the spacing of the implementation's numbers at 1.

    Returns:
        outputs and bounds, [events, outputs] each.
    """
    exact = np.asarray(x, dtype=np.float64)
    flow = Values(exact, np.zeros_like(exact), np.abs(exact))
    # Infinite and NaN inputs go through as IEEE 754 has it; the gate judges them apart.
    with np.errstate(all="ignore"):
        for layer in network.layers:
            match layer:
                case Linear():
                    flow = _linear(layer, flow, unit)
                case BatchNorm():
                    flow = _batch_norm(layer, flow, unit)
                case Activation():
                    flow = ACTIVATIONS[layer.function](layer, flow, unit)
    return flow.value, flow.error


def _linear(layer: Linear, x: Values, unit: float) -> Values:
    weight, bias = np.array(layer.weight), np.array(layer.bias)
    magnitude = (np.abs(x.value) + x.error) @ np.abs(weight).T + np.abs(bias)
    carried = x.error @ np.abs(weight).T
    # A product below the normal numbers may be flushed to zero.
    lost = (weight.shape[1] + 1) * SMALLEST[unit]
    # One rounding a product, one a sum; the bias is one more term.
    return Values(x.value @ weight.T + bias, carried + gamma(weight.shape[1] + 1, unit) * magnitude + lost, magnitude)


def _batch_norm(layer: BatchNorm, x: Values, unit: float) -> Values:
    slope = np.array(layer.scale) / np.sqrt(np.array(layer.variance) + layer.epsilon)
    mean, shift = np.array(layer.mean), np.array(layer.shift)
    value = (x.value - mean) * slope + shift
    # A runtime may multiply slope and shift into the layer before, hence x.magnitude and not |x.value|. Eight
    # roundings: variance + epsilon, square root, quotient and product of the slope; difference, product and sum;
    # and one for folding.
    magnitude = np.abs(slope) * (x.magnitude + x.error + np.abs(mean)) + np.abs(shift)
    return Values(value, np.abs(slope) * x.error + gamma(8, unit) * magnitude + 8.0 * SMALLEST[unit], magnitude)


def _sigmoid(_: Activation, x: Values, unit: float) -> Values:
    value = 0.5 * (1.0 + np.tanh(0.5 * x.value))
    # The steepest slope within the error: where the argument may come closest to zero.
    nearest = np.maximum(np.abs(x.value) - x.error, 0.0)
    power = np.exp(-nearest)
    slope = power / (1.0 + power) ** 2
    error = np.minimum(slope * x.error + ACTIVATION_UNITS * unit + CLAMPED_SIGMOID[unit], 1.0)
    return Values(value, error, np.abs(value))


def _tanh(_: Activation, x: Values, unit: float) -> Values:
    value = np.tanh(x.value)
    slope = 1.0 - np.tanh(np.maximum(np.abs(x.value) - x.error, 0.0)) ** 2
    return Values(value, np.minimum(slope * x.error + ACTIVATION_UNITS * unit, 2.0), np.abs(value))


def _relu(_: Activation, x: Values, _unit: float) -> Values:
    value = np.where(x.value < 0.0, 0.0, x.value)
    return Values(value, x.error, np.abs(value))


def _leaky_relu(layer: Activation, x: Values, unit: float) -> Values:
    value = np.where(x.value < 0.0, layer.slope * x.value, x.value)
    # The slope is rounded to the implementation's type, and so is its product.
    error = (
        max(1.0, abs(layer.slope)) * x.error
        + gamma(2, unit) * (np.abs(value) + abs(layer.slope) * x.error)
        + SMALLEST[unit]
    )
    return Values(value, error, np.abs(value))


def _softmax(_: Activation, x: Values, unit: float) -> Values:
    shifted = x.value - x.value.max(axis=1, keepdims=True)
    power = np.exp(shifted)
    value = power / power.sum(axis=1, keepdims=True)
    # d log(y_i) is within the change of x_i and the largest change of any x_j; the shifted argument is rounded, exp
    # has a few units of its own, the sum one rounding a term, the quotient one.
    width = x.value.shape[1]
    argument = (
        x.error
        + x.error.max(axis=1, keepdims=True)
        + gamma(2, unit) * (np.abs(shifted) + np.abs(shifted).max(axis=1, keepdims=True))
    )
    relative = np.expm1(argument + gamma(width + 1, unit) + 2.0 * ACTIVATION_UNITS * unit)
    return Values(value, np.minimum(value * relative + width * SMALLEST[unit], 1.0), np.abs(value))


ACTIVATIONS: dict[str, Callable[[Activation, Values, float], Values]] = {
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "softmax": _softmax,
}
