"""Activations by their steps: an error of exp(x) is one of exp(x) - 1, however small that is."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from torchship.gate.witness.onnx.steps import Operator
from torchship.spec.arrays import Array


def erf(x: Array) -> Array:
    """Return the error function in float64."""
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x) if np.size(x) else x, np.float64)


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)) without overflow."""
    power = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + power), power / (1 + power))


class Activation(Operator):
    """One function of each element."""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array]:
        with np.errstate(all="ignore"):
            return (np.asarray(self.compute(x, **attributes)).astype(x.dtype),)

    @abstractmethod
    def compute(self, x: Array, **attributes: Any) -> Array:
        """Return the function's value."""

    def less_one(self, x: Array) -> Array:
        """Return exp(x) - 1 for x < 0 as it is computed by way of exp(x)."""
        if self.monitor is None or self.monitor.strength is None:
            return np.expm1(np.minimum(x, 0))
        return np.where(x == 0, x, self.a(np.expm1(np.minimum(x, 0))))


class Elu(Activation):
    """x, or alpha (exp(x) - 1) where it is negative."""

    def compute(self, x: Array, alpha: float = 1.0, **_: object) -> Array:
        """Return the function's value."""
        return np.where(x >= 0, x, self.r(alpha * self.less_one(x)))


class Celu(Activation):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1))."""

    def compute(self, x: Array, alpha: float = 1.0, **_: object) -> Array:
        """Return the function's value."""
        return np.where(x >= 0, x, self.r(alpha * self.less_one(self.r(x / alpha))))


class Selu(Activation):
    """gamma times Elu."""

    def compute(self, x: Array, alpha: float = 1.0, gamma: float = 1.0, **_: object) -> Array:
        """Return the function's value; the evaluator fills in the defaults of both."""
        return self.r(gamma * np.where(x >= 0, x, self.r(alpha * self.less_one(x))))


class Softplus(Activation):
    """log(1 + exp(x)), without overflow."""

    def compute(self, x: Array, **_: object) -> Array:
        """Return the function's value."""
        power = np.exp(-np.abs(x))
        small = np.log1p(power)
        if self.monitor is not None and self.monitor.strength is not None:
            small = self.a(small)
        return self.r(np.maximum(x, 0) + small)


class HardSigmoid(Activation):
    """max(0, min(1, alpha x + beta)); its sum may cancel."""

    def compute(self, x: Array, alpha: float = 0.2, beta: float = 0.5, **_: object) -> Array:
        """Return the function's value."""
        return np.clip(self.r(self.r(alpha * x) + self.r(np.broadcast_to(beta, np.shape(x)).astype(x.dtype))), 0, 1)


class HardSwish(Activation):
    """x times HardSigmoid with alpha 1/6."""

    def compute(self, x: Array, **_: object) -> Array:
        """Return the function's value."""
        half = np.broadcast_to(np.asarray(0.5, x.dtype), np.shape(x))
        return self.r(x * np.clip(self.r(self.r(x / 6) + self.r(half)), 0, 1))


class Swish(Activation):
    """x sigmoid(alpha x)."""

    def compute(self, x: Array, alpha: float = 1.0, **_: object) -> Array:
        """Return the function's value."""
        return self.r(x * self.a(sigmoid(self.r(alpha * x))))


class Mish(Activation):
    """x tanh(softplus(x))."""

    def compute(self, x: Array, **_: object) -> Array:
        """Return the function's value."""
        soft = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
        return self.r(x * self.a(np.tanh(self.a(soft))))


class Gelu(Activation):
    """x times the normal distribution function, or its approximation by tanh."""

    def compute(self, x: Array, approximate: str = "none", **_: object) -> Array:
        """Return the function's value."""
        if approximate == "tanh":
            inner = self.r(np.sqrt(2 / np.pi) * self.r(x + self.r(0.044715 * x**3)))
            return self.r(x * self.r(0.5 * (1 + self.a(np.tanh(inner)))))
        return self.r(x * self.r(0.5 * (1 + self.a(erf(self.r(x / np.sqrt(2.0)))))))


class Erf(Activation):
    """The error function; the evaluator's is float32."""

    def compute(self, x: Array, **_: object) -> Array:
        """Return the function's value."""
        return np.asarray(self.a(erf(x)))


OPERATORS: dict[str, type[Operator]] = {
    kind.__name__: kind for kind in (Elu, Celu, Selu, Softplus, HardSigmoid, HardSwish, Swish, Mish, Gelu, Erf)
}

Function = Callable[[Array], Array]


def named(name: str, alpha: float | None, beta: float | None) -> Function:
    """Return an activation of the recurrent operators by its name; alpha and beta have the defaults of the operators.

    Raises:
        NotImplementedError: there is none of this name.
    """

    def either(value: float | None, default: float) -> float:
        return default if value is None else value

    known: dict[str, Function] = {
        "relu": lambda x: np.maximum(x, 0),
        "tanh": np.tanh,
        "sigmoid": sigmoid,
        "affine": lambda x: either(alpha, 1.0) * x + either(beta, 0.0),
        "leakyrelu": lambda x: np.where(x >= 0, x, either(alpha, 0.01) * x),
        "thresholdedrelu": lambda x: np.where(x > either(alpha, 1.0), x, 0),
        "scaledtanh": lambda x: either(alpha, 1.0) * np.tanh(either(beta, 1.0) * x),
        "hardsigmoid": lambda x: np.clip(either(alpha, 0.2) * x + either(beta, 0.5), 0, 1),
        "elu": lambda x: np.where(x >= 0, x, either(alpha, 1.0) * np.expm1(np.minimum(x, 0))),
        "softsign": lambda x: x / (1 + np.abs(x)),
        "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    }
    if name.lower() not in known:
        raise NotImplementedError(f"activation {name!r}")
    return known[name.lower()]
