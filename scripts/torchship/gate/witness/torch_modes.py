"""Evaluating a torch module operation by operation, in float64.

The function that is evaluated is the float32 one without its rounding: constants are what float32 makes of them, and
all that is computed from them and the inputs is float64.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torchship.gate.witness.torch_operations import Arguments, Named, Operation, operation
from torchship.gate.witness.torch_sums import steps_of
from torchship.spec.arrays import Array

LARGEST_FLOAT32 = float(torch.finfo(torch.float32).max)

# Operations whose types a cast decides: where all is float64, a cast to it is none, and one to float32 is one more.
CASTS = frozenset({"to_copy", "copy"})


class Types(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which operations a module computes in float64 on purpose, in the order in which they come.

    Attributes:
        seen: of each operation that is neither a view nor a cast its name, and whether it gave float64.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: list[tuple[str, bool]] = []

    def __torch_dispatch__(self, func: OpOverload, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        done, result = operation(func), func(*args, **(kwargs or {}))
        if not is_view(done) and done.name not in CASTS:
            self.seen.append((done.name, any(value.dtype == torch.float64 for value in tensors(result))))
        return result


def is_view(done: Operation) -> bool:
    """Say whether an operation computes nothing."""
    return done.view and not done.name.startswith("lift")


class Wide(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps in float64 what a module casts to float32 by itself, and its constants what they are in float32.

    Args:
        seen: what `Types` saw of the module on the same inputs, for one that computes in float64 on purpose: there a
            constant is what it is in float64.
    """

    def __init__(self, seen: Sequence[tuple[str, bool]] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._seen, self._within_step = iter(seen), False
        # Whether the operation that is being evaluated is in float64 in the module itself.
        self.double = False

    def _advance(self, name: str) -> None:
        """Find out whether the next operation is in float64; from where another one comes, none is taken for that."""
        if name not in CASTS and not self._within_step:
            expected, self.double = next(self._seen, ("", False))
            if expected != name:
                self._seen, self.double = iter(()), False

    def __torch_dispatch__(self, func: OpOverload, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        done = operation(func)
        if is_view(done):
            result = func(*args, **(kwargs or {}))
            self.look(done, args, kwargs or {}, result)
            return result
        self._advance(done.name)
        steps = steps_of(done, args, kwargs or {})
        if steps is not None and not self.double:
            outer, self._within_step = self._within_step, True
            with self:
                result = steps(*args, **(kwargs or {}))
            self._within_step = outer
            return result
        if self.double and done.name not in CASTS:
            result = func(*args, **(kwargs or {}))
            self.look(done, args, kwargs or {}, result)
            return result
        given = args
        args = tuple(value if place in done.written else widened(value) for place, value in enumerate(args))
        kwargs = {
            key: torch.float64
            if key == "dtype" and value == torch.float32
            else value
            if key in done.written
            else widened(value)
            for key, value in (kwargs or {}).items()
        }
        if done.name == "nan_to_num":
            args, kwargs = with_ends(args, kwargs)
        result = self.compute(func, done, args, kwargs)
        if done.name.startswith(("empty", "new_empty")):
            # Memory that nobody has written to is the same each time.
            result.zero_()
        elif done.name.startswith("lift") or next(tensors([*args, *kwargs.values()]), None) is None:
            # What depends on no tensor is a constant: what float32 makes of it, in steps of float32 where it has some.
            if done.name in STEPPED and isinstance(result, Tensor) and result.is_floating_point():
                result = func(*given, **{**kwargs, "dtype": torch.float32}).double()
            result = as_float32(result) if isinstance(result, Tensor) else result
        self.look(done, args, kwargs, result)
        return result

    def compute(self, func: OpOverload, done: Operation, args: Arguments, kwargs: Named) -> Any:  # noqa: ARG002 -- for those who inherit
        """Evaluate one operation."""
        return func(*args, **kwargs)

    def look(self, done: Operation, args: Arguments, kwargs: Named, result: object) -> None:
        """Look at what an operation made, for those who inherit."""


# Factory functions that add up steps, each of which rounds.
STEPPED = {"arange", "linspace", "logspace", "range"}


def with_ends(args: Arguments, kwargs: Named) -> tuple[Arguments, Named]:
    """Return the arguments of `nan_to_num` with what it takes for infinities: the ends of float32."""
    given = {**dict(zip(("nan", "posinf", "neginf"), args[1:], strict=False)), **kwargs}
    ends = {"posinf": LARGEST_FLOAT32, "neginf": -LARGEST_FLOAT32}
    return args[:1], {**given, **{name: end for name, end in ends.items() if given.get(name) is None}}


def widened(value: Any) -> Any:
    """Return an argument in float64 where it is a tensor in float32, and rounded to float32 where it is a number."""
    if isinstance(value, Tensor):
        return value.double() if value.dtype == torch.float32 else value
    if type(value) is float:
        return to_float32(value)
    if isinstance(value, tuple | list):
        return type(value)(widened(item) for item in value)
    return value


def to_float32(number: float) -> float:
    """Return what float32 makes of a constant; the ends of float64 become those of float32."""
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 -- NaN
        return number
    return float(np.float32(min(max(number, -LARGEST_FLOAT32), LARGEST_FLOAT32)))


def as_float32(value: Tensor) -> Tensor:
    """Return a float64 tensor with the values that float32 has for them."""
    if value.dtype != torch.float64 or not value.numel():
        return value
    limited = torch.where(value.isfinite(), value.clamp(-LARGEST_FLOAT32, LARGEST_FLOAT32), value)
    return limited.float().double()


@contextmanager
def plain_kernels(dtype: torch.dtype) -> Iterator[None]:
    """Make torch compute in single operations, so that each is seen, and new tensors in this type.

    Meanwhile float64 has the smallest and largest numbers of float32: a module that asks for those of its type would
    compute another function in float64.
    """
    default, fastpath = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    finfo, narrow = torch.finfo, torch.finfo(torch.float32)

    def narrow_finfo(type: torch.dtype | None = None) -> torch.finfo:  # noqa: A002 -- torch's own name of it
        return narrow if type in (None, torch.float64) else finfo(type)

    torch.set_default_dtype(dtype)
    torch.backends.mha.set_fastpath_enabled(False)
    if dtype == torch.float64:
        torch.finfo = narrow_finfo  # type: ignore[misc,assignment]
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.finfo = finfo  # type: ignore[misc]
        torch.set_default_dtype(default)
        torch.backends.mha.set_fastpath_enabled(fastpath)


def as_array(value: Tensor) -> Array:
    """Return a copy of a tensor's numbers; those of bfloat16, which NumPy has not, in float32."""
    detached = value.detach()
    found: Array = (detached.float() if value.dtype == torch.bfloat16 else detached).numpy().copy()
    return found


def tensors(values: object) -> Iterator[Tensor]:
    """Yield the tensors in nested lists of arguments or results."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, tuple | list):
        for value in values:
            yield from tensors(value)
