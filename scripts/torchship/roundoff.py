"""How much rounding to float32 moves a torch module's outputs: Monte Carlo arithmetic in float64, for any network.

Every operation that a float32 implementation would round is evaluated in float64 and disturbed at random by one unit
roundoff of float32, several times over; the spread of the outputs is what rounding does to them, whatever the
network's layers are (D. S. Parker, Monte Carlo Arithmetic, UCLA CSD-970002, 1997; C. Denis et al., Verificarlo, ARITH
2016). Unlike a bound of the worst case it neither grows without limit with depth nor needs a rule for each layer.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torchship.errors import ParityError
from torchship.limits import SAMPLES, UNIT_FLOAT32, Recorded, Witnessed, witnessed

Array = NDArray[Any]
Feed = Mapping[str, Array]

# Operations that give numbers they were given, or none that are rounded. Views are recognised by themselves.
EXACT = frozenset(
    "abs amax amin arange argmax argmin bitwise_and bitwise_not bitwise_or bucketize cat ceil clamp clamp_max "
    "clamp_min clone constant_pad_nd contiguous copy copy_ detach embedding empty empty_like eq eye fill fill_ flip "
    "floor full full_like gather ge gt index index_copy index_fill index_select isfinite isinf isnan le logical_and "
    "logical_not logical_or lt masked_fill masked_select max max_pool1d_with_indices max_pool2d_with_indices "
    "max_pool3d_with_indices maximum min minimum ne neg new_empty new_full new_ones new_zeros nonzero one_hot ones "
    "ones_like reflection_pad1d reflection_pad2d relu relu_ repeat replication_pad1d replication_pad2d roll round "
    "scalar_tensor scatter searchsorted select_scatter sign slice_scatter sort stack threshold tile topk tril triu "
    "trunc unique_dim upsample_nearest1d upsample_nearest2d where zero_ zeros zeros_like _local_scalar_dense "
    "_to_copy lift_fresh_copy".split()
)
# Rational approximations in most runtimes, whose error is absolute, about one unit of their largest value.
BOUNDED = frozenset(["sigmoid", "sigmoid_", "tanh", "tanh_", "erf", "sin", "cos", "hardsigmoid", "atan"])
# Computed by way of 1 + exp(x) or exp(x) - 1 in most runtimes: an absolute error of one unit, or that of the value.
SHIFTED = frozenset(["elu", "elu_", "celu", "selu", "expm1", "softplus", "log1p", "log_sigmoid_forward"])
# The same as the bounded, times their argument.
GATED = frozenset(["gelu", "silu", "mish", "hardswish"])

LARGEST = 1e300


class Wide(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps a module in float64 that casts to float32 by itself, and every value that it computes, if asked to."""

    def __init__(self, *, recording: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.values: list[tuple[str, Array]] | None = [] if recording else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        result = self.compute(func, name, args, widened(kwargs or {}))
        if self.values is not None:
            for value in result if isinstance(result, tuple | list) else [result]:
                if isinstance(value, Tensor) and value.dtype == torch.float64:
                    self.values.append((name, value.detach().numpy().copy()))
        return result

    def compute(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002 -- for those who inherit
        """Evaluate one operation."""
        return func(*args, **kwargs)


class Rounding(Wide):  # type: ignore[no-untyped-call]
    """Disturbs what float32 would round, by `unit` times a uniform number between -1 and 1."""

    def __init__(self, unit: float, generator: torch.Generator, *, recording: bool = False) -> None:
        super().__init__(recording=recording)
        self.unit, self.generator = unit, generator

    def compute(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Evaluate one operation, as if it rounded."""
        if func.is_view or name in EXACT:
            return func(*args, **kwargs)
        if name in BOUNDED:
            return self._add(func(*args, **kwargs), 1.0)
        if name in SHIFTED:
            result = func(*args, **kwargs)
            return self._add(result, result.abs().clamp(min=1.0)) if isinstance(result, Tensor) else result
        if name in GATED:
            return self._add(func(*args, **kwargs), args[0].abs())
        if torch.Tag.pointwise not in func.tags:
            # A sum of products, in an order of the implementation's own: each term is rounded as well as the result.
            args, kwargs = self._disturb(args), self._disturb(kwargs)
        return self._disturb(func(*args, **kwargs))

    def _disturb(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._add(value, value.abs()) if value.dtype == torch.float64 else value
        if isinstance(value, tuple | list):
            return type(value)(self._disturb(item) for item in value)
        if isinstance(value, dict):
            return {key: self._disturb(item) for key, item in value.items()}
        return value

    def _add(self, value: Tensor, scale: Tensor | float) -> Tensor:
        noise = torch.rand(value.shape, generator=self.generator, dtype=torch.float64).mul_(2.0).sub_(1.0)
        # Infinities stay what they are: one minus another would be NaN.
        return value + noise * (self.unit * (scale.clamp(max=LARGEST) if isinstance(scale, Tensor) else scale))


def widened(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Give an operation's arguments with float64 where it would make float32."""
    return {**kwargs, "dtype": torch.float64} if kwargs.get("dtype") == torch.float32 else kwargs


class TorchArbiter:
    """The eager module with its trained weights: what an exported file must compute.

    Args:
        module: in evaluation mode, float32.
        inputs, outputs: names, in the order of `forward` and of what it returns.
        seed: of the disturbances.
    """

    kind = "torch eager"

    def __init__(self, module: nn.Module, inputs: Sequence[str], outputs: Sequence[str], seed: int = 0) -> None:
        self.inputs, self.outputs, self.seed = list(inputs), list(outputs), seed
        self._modules = {torch.float32: module.eval(), torch.float64: copy.deepcopy(module).double().eval()}

    def evaluate(self, feed: Feed, dtype: torch.dtype = torch.float64) -> dict[str, Array]:
        """Give the outputs by name, computed in a floating type.

        Raises:
            ParityError: the module does not take these inputs, or gives another number of outputs than declared.
        """
        with Wide() if dtype == torch.float64 else _nothing():
            return self._call(feed, dtype)

    def witness(self, feed: Feed, samples: int = SAMPLES) -> dict[str, Witnessed]:
        """Give for each output its value in float64 and float32, and the spread that rounding gives it."""
        exact, single = self.evaluate(feed), self.evaluate(feed, torch.float32)
        generator = torch.Generator().manual_seed(self.seed)
        disturbed = []
        for _ in range(samples):
            with Rounding(UNIT_FLOAT32, generator):
                disturbed.append(self._call(feed, torch.float64))
        return {
            name: witnessed(exact[name], single[name], (sample[name] for sample in disturbed)) for name in self.outputs
        }

    def record(self, feed: Feed, samples: int = SAMPLES) -> list[Recorded]:
        """Give every value that the module computes on the way in float64, with the spread that rounding gives it."""
        with Wide(recording=True) as exact:
            self._call(feed, torch.float64)
        generator = torch.Generator().manual_seed(self.seed)
        disturbed = []
        for _ in range(samples):
            with Rounding(UNIT_FLOAT32, generator, recording=True) as rounding:
                self._call(feed, torch.float64)
            disturbed.append(rounding.values or [])
        return [
            Recorded(name, witnessed(value, value, (sample[place][1] for sample in disturbed)))
            for place, (name, value) in enumerate(exact.values or [])
            if all(len(sample) > place and sample[place][1].shape == value.shape for sample in disturbed)
        ]

    def _call(self, feed: Feed, dtype: torch.dtype) -> dict[str, Array]:
        tensors = [_tensor(feed[name], dtype) for name in self.inputs]
        try:
            with torch.no_grad(), plain_kernels(dtype):
                result = self._modules[dtype](*tensors)
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            shapes = ", ".join(f"{name} {list(feed[name].shape)}" for name in self.inputs)
            raise ParityError(f"the torch module does not take {shapes}: {str(error).splitlines()[0]}") from error
        values = [result] if isinstance(result, Tensor) else list(result)
        if len(values) != len(self.outputs):
            raise ParityError(f"the torch module gives {len(values)} outputs, declared are {', '.join(self.outputs)}")
        return {name: value.numpy() for name, value in zip(self.outputs, values, strict=True)}


def _tensor(array: Array, dtype: torch.dtype) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(dtype) if tensor.is_floating_point() else tensor


@contextmanager
def plain_kernels(dtype: torch.dtype) -> Iterator[None]:
    """Make torch compute in single operations, so that each is seen, and new tensors in this type."""
    default, fastpath = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    torch.set_default_dtype(dtype)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.set_default_dtype(default)
        torch.backends.mha.set_fastpath_enabled(fastpath)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
