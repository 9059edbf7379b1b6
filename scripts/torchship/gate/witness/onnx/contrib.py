"""Operators of com.microsoft, as ONNX Runtime's optimizers and other exporters write them into files.

What they compute is ONNX Runtime's docs/ContribOperators.md. All others are computed by its double kernels.
"""

from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops._op_list import Conv
from torchship.gate.witness.long_sums import growth_of_result, growth_of_terms
from torchship.gate.witness.onnx.activations import Gelu, named, sigmoid
from torchship.gate.witness.onnx.steps import Operator
from torchship.spec.arrays import Array


class ContribGelu(Gelu):
    """Gelu by the error function."""

    op_domain = "com.microsoft"


class BiasGelu(Gelu):
    """Gelu of a sum."""

    op_domain = "com.microsoft"

    def _run(self, x: Array, bias: Array, **_: object) -> tuple[Array]:  # type: ignore[override] # has two inputs
        return (self.compute(self.r(x + bias)),)


class FastGelu(Gelu):
    """Gelu by tanh, of a sum."""

    op_domain = "com.microsoft"

    def _run(self, x: Array, bias: Array | None = None, **_: object) -> tuple[Array]:
        return (self.compute(x if bias is None else self.r(x + bias), approximate="tanh"),)


class QuickGelu(Operator):
    """x sigmoid(alpha x)."""

    op_domain = "com.microsoft"

    def _run(self, x: Array, alpha: float = 1.702) -> tuple[Array]:
        return (self.r(x * self.a(sigmoid(self.r(alpha * x)))),)


class FusedMatMul(Operator):
    """alpha times a product, of transposed matrices."""

    op_domain = "com.microsoft"

    def _run(self, a: Array, b: Array, alpha: float = 1.0, **options: Any) -> tuple[Array]:
        if options.get("transBatchA") or options.get("transBatchB"):
            raise NotImplementedError("FusedMatMul with transBatchA or transBatchB")
        a = np.swapaxes(a, -1, -2) if options.get("transA") and a.ndim > 1 else a
        b = np.swapaxes(b, -1, -2) if options.get("transB") and b.ndim > 1 else b
        return (self.r(alpha * self.product(a, b)),)


class SkipLayerNormalization(Operator):
    """Layer normalisation of a sum; without beta and mean in its simplified form."""

    op_domain = "com.microsoft"
    simplified = False

    def _run(self, x: Array, skip: Array, gamma: Array, *more: Array | None, epsilon: float = 1e-12) -> tuple[Any, ...]:
        beta, bias = (*more, None)[:2] if self.simplified else (*more, None, None)[:2]
        if self.simplified:
            beta, bias = None, beta
        total = self.r(x + skip) if bias is None else self.r(self.r(x + skip) + bias)
        mean = 0.0 if self.simplified else self.mean(total, [-1])
        centred = self.r(total - mean)
        scale = 1 / np.sqrt(self.mean(np.square(centred), [-1]) + epsilon)
        result = self.r(self.r(centred * self.r(scale)) * gamma)
        result = result if beta is None else self.r(result + beta)
        places = [result, np.asarray(mean), np.asarray(scale), total]
        return tuple(places[: len(self.onnx_node.output)])


class SkipSimplifiedLayerNormalization(SkipLayerNormalization):
    """By the root of the mean square."""

    simplified = True


class FusedConv(Operator):
    """A convolution, something added, and an activation."""

    op_domain = "com.microsoft"

    def _run(
        self,
        x: Array,
        w: Array,
        b: Array | None = None,
        added: Array | None = None,
        activation: str = "",
        activation_params: Any = None,
        **options: Any,
    ) -> tuple[Array]:
        names = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
        options = {"auto_pad": "NOTSET", "group": 1, **{name: options.get(name) for name in names if options.get(name)}}
        # The method of another operator, as a function.
        run: Any = Conv._run  # noqa: SLF001 -- the evaluator has no other way in
        terms = w.size // len(w)
        moved = [self.r(value, growth_of_terms(terms)) for value in (x, w)]
        result = self.r(run(self, *moved, b, **options)[0], growth_of_result(terms))
        result = result if added is None else self.r(result + added)
        alpha, beta = (*(activation_params or []), None, None)[:2]
        return (self.r(named(activation, alpha, beta)(result)) if activation else result,)


class FusedGemm(Operator):
    """Gemm and an activation."""

    op_domain = "com.microsoft"

    def _run(self, a: Array, b: Array, c: Array | None = None, activation: str = "", **options: Any) -> tuple[Array]:
        left, right = a.T if options.get("transA") else a, b.T if options.get("transB") else b
        result = self.r(options.get("alpha", 1.0) * self.product(left, right))
        result = result if c is None else self.r(result + options.get("beta", 1.0) * c)
        function = (
            named(activation, options.get("activation_alpha"), options.get("activation_beta")) if activation else None
        )
        return (result if function is None else self.r(function(result)),)


OPERATORS: dict[str, type[OpRun]] = {
    "Gelu": ContribGelu,
    **{
        kind.__name__: kind
        for kind in (
            BiasGelu,
            FastGelu,
            QuickGelu,
            FusedMatMul,
            FusedConv,
            FusedGemm,
            SkipLayerNormalization,
            SkipSimplifiedLayerNormalization,
        )
    },
}
