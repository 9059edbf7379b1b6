"""Evaluating a torch module operation by operation: in float64, disturbed as rounding would, or recorded.

The function that is evaluated is the float32 one without its rounding: constants are what float32 makes of them, and
all that is computed from them and the inputs is float64.
"""

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torchship.op_rules import Operation, Rule, operation, rule_of
from torchship.thresholds import constants_of

Array = NDArray[Any]

LARGEST_FLOAT32 = float(torch.finfo(torch.float32).max)
# Numbers of noise that are drawn at once, and used from random places on.
POOL = 2**20


class Noise:
    """Uniform numbers between -unit and unit, from a pool with places chosen at random: drawing each anew takes longer.

    A unit of 0 changes nothing, to the last bit.
    """

    def __init__(self, unit: float, seed: int) -> None:
        self.unit, self.seed = unit, seed
        generator = torch.Generator().manual_seed(seed)
        numbers = torch.rand(POOL, generator=generator, dtype=torch.float64).mul_(2.0).sub_(1.0)
        # About 0 exactly, or a sum over many would be shifted.
        self._absolute = numbers.sub_(numbers.mean()).mul_(unit)
        self._relative = self._absolute + 1.0
        self._places = random.Random(seed)  # noqa: S311 -- no secret

    def start(self) -> None:
        """Begin again with the first numbers."""
        self._places = random.Random(self.seed)  # noqa: S311 -- no secret

    def permutation(self, count: int) -> Tensor:
        """Return a random order of so many things."""
        return torch.randperm(count, generator=torch.Generator().manual_seed(self._places.getrandbits(31)))

    def relative(self, value: Tensor) -> Tensor:
        """Return a value times 1 + noise, which keeps zeros, infinities and NaN."""
        if value.numel() <= POOL or not dense(value):
            return value * self._slice(self._relative, value)
        # Large weights a part at a time, each with other noise.
        result = torch.empty_like(value)
        flat, made = (array.as_strided((value.numel(),), (1,)) for array in (value, result))
        for part, into in zip(torch.split(flat, POOL // 2), torch.split(made, POOL // 2), strict=True):
            torch.mul(part, self._slice(self._relative, part), out=into)
        return result

    def relative_(self, value: Tensor) -> None:
        """Multiply a value by 1 + noise in its place."""
        value.copy_(self.relative(value))

    def absolute(self, value: Tensor, scale: Tensor | float) -> Tensor:
        """Return a value plus noise of a scale."""
        # Infinities stay what they are: one minus another would be NaN.
        bounded = scale.clamp(max=LARGEST_FLOAT32) if isinstance(scale, Tensor) else scale
        return value + self._slice(self._absolute, value) * bounded

    def _slice(self, pool: Tensor, value: Tensor) -> Tensor:
        size = value.numel()
        if size > POOL:
            pool = pool.repeat(-(-size // POOL) + 1)
        first = self._places.randrange(len(pool) - size + 1)
        chosen = pool[first : first + size]
        # In the layout of the value, or a matrix would be laid out anew, and its products summed in another order.
        return chosen.as_strided(value.shape, value.stride(), first) if dense(value) else chosen.view(value.shape)


NO_NOISE = Noise(0.0, 0)


def dense(value: Tensor) -> bool:
    """Say whether a tensor's numbers fill its memory in some order of its axes, each place once."""
    expected = 1
    for stride, size in sorted(zip(value.stride(), value.shape, strict=True)):
        if size != 1:
            if stride != expected:
                return False
            expected *= size
    return True


class Wide(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps in float64 what a module casts to float32 by itself, and its constants what they are in float32."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        done = operation(func)
        if done.view and not done.name.startswith("lift"):
            result = func(*args, **(kwargs or {}))
            self.look(done, args, kwargs or {}, result)
            return result
        args = tuple(value if place in done.written else widened(value) for place, value in enumerate(args))
        kwargs = {
            key: torch.float64 if key == "dtype" and value == torch.float32
            else value if key in done.written else widened(value)
            for key, value in (kwargs or {}).items()
        }  # fmt: skip
        result = self.compute(func, done, args, kwargs)
        if done.name.startswith(("empty", "new_empty")):
            # Memory that nobody has written to is the same each time.
            result.zero_()
        elif done.name.startswith("lift") or next(tensors([*args, *kwargs.values()]), None) is None:
            # What depends on no tensor is a constant.
            result = as_float32(result) if isinstance(result, Tensor) else result
        self.look(done, args, kwargs, result)
        return result

    def compute(self, func: Any, done: Operation, args: Any, kwargs: Any) -> Any:  # noqa: ARG002 -- for those who inherit
        """Evaluate one operation."""
        return func(*args, **kwargs)

    def look(self, done: Operation, args: Any, kwargs: Any, result: Any) -> None:
        """Look at what an operation made, for those who inherit."""


def scale_of(rule: Rule, value: Tensor) -> Tensor:
    """Return what an absolute error is in units of: of what the rule says, see `op_rules.Rule`."""
    if rule is Rule.GATED:
        return value.abs()
    # A place is wrong by one unit of the largest, and moves the result by as much as neighbours differ.
    pixels = tuple(range(2, value.dim()))
    return max(value.shape[2:]) * (value.amax(pixels, keepdim=True) - value.amin(pixels, keepdim=True))


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


class Rounding(Wide):  # type: ignore[no-untyped-call]
    """Disturbs what float32 would round, see `op_rules.Rule`; without noise nothing, by not being there."""

    def __init__(self, noise: Noise | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._disturbing = noise is not None
        self.noise = noise or NO_NOISE

    def compute(self, func: Any, done: Operation, args: Any, kwargs: Any) -> Any:
        """Evaluate one operation, as if it rounded."""
        rule = rule_of(done, args, kwargs)
        if rule is Rule.EXACT or not self._disturbing:
            return func(*args, **kwargs)
        scale = scale_of(rule, args[0]) if rule in (Rule.GATED, Rule.RESAMPLED) else None
        if rule in (Rule.SUM, Rule.STEPPED, Rule.RESAMPLED, Rule.ENTROPY):
            # Before what is written to is disturbed, since others may be views of it.
            args = tuple(value if place in done.written else self._terms(value) for place, value in enumerate(args))
            kwargs = {key: value if key in done.written else self._terms(value) for key, value in kwargs.items()}
            for key in done.written - done.out:
                self._in_place(kwargs[key] if isinstance(key, str) else args[key])
        elif rule is Rule.ORDERED:
            return self._in_some_order(func, args, kwargs)
        elif rule in (Rule.SOFTMAX, Rule.LOG_SOFTMAX):
            args = (self._distances(args[0], args[1]), *args[1:])
        result = func(*args, **kwargs)
        if rule is Rule.STEPPED:
            return result
        fresh = self._results(result, rule, scale) if not done.written else result
        for key in done.written:
            self._round_in_place(kwargs[key] if isinstance(key, str) else args[key], rule, scale)
        return fresh

    def _in_some_order(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Sort, or take the largest or smallest, with equal numbers in a random order."""
        named = {argument.name: place for place, argument in enumerate(func._schema.arguments)}  # noqa: SLF001

        def argument(name: str, default: Any) -> Any:
            place = named.get(name, len(args))
            return kwargs.get(name, args[place] if place < len(args) else default)

        value, axis = args[0], argument("dim", -1)
        if self.noise.unit == 0.0 or "values" in kwargs or value.dim() == 0:
            return func(*args, **kwargs)
        order = self.noise.permutation(value.shape[axis])
        largest = argument("descending", default=False) or ("largest" in named and argument("largest", default=True))
        found, places = value.index_select(axis, order).sort(dim=axis, descending=largest, stable=True)
        count = argument("k", value.shape[axis])
        return found.narrow(axis, 0, count), order[places.narrow(axis, 0, count)]

    def _terms(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self._relative(value)
        if isinstance(value, tuple | list):
            return type(value)(self._terms(item) for item in value)
        return value

    def _relative(self, value: Tensor) -> Tensor:
        if value.is_complex():
            return torch.view_as_complex(self.noise.relative(torch.view_as_real(value)))
        return self.noise.relative(value) if value.dtype == torch.float64 else value

    def _distances(self, value: Tensor, axis: Any) -> Tensor:
        """Disturb the distances to the largest along an axis, which are what is rounded."""
        if value.dtype != torch.float64 or not value.numel():
            return value
        distance = value - value.amax(axis, keepdim=True)
        # Where all are -inf there is no distance.
        return self.noise.absolute(value, distance.abs().nan_to_num(0.0, posinf=0.0))

    def _results(self, result: Any, rule: Rule, scale: Tensor | None) -> Any:
        if isinstance(result, tuple | list):
            return type(result)(self._results(item, rule, scale) for item in result)
        if not isinstance(result, Tensor) or not (result.dtype == torch.float64 or result.is_complex()):
            return result
        if rule is Rule.BOUNDED:
            return self.noise.absolute(result, 1.0)
        if rule in (Rule.SHIFTED, Rule.LOG_SOFTMAX, Rule.ENTROPY):
            return self.noise.absolute(result, result.abs().clamp(min=1.0))
        if scale is not None:
            return self.noise.absolute(result, scale)
        return self._relative(result)

    def _in_place(self, value: Any) -> None:
        if isinstance(value, Tensor) and value.dtype == torch.float64:
            self.noise.relative_(value)

    def _round_in_place(self, value: Any, rule: Rule, scale: Tensor | None) -> None:
        for item in value if isinstance(value, tuple | list) else [value]:
            if isinstance(item, Tensor) and item.dtype == torch.float64:
                item.copy_(self._results(item, rule, scale))


@contextmanager
def plain_kernels(dtype: torch.dtype) -> Iterator[None]:
    """Make torch compute in single operations, so that each is seen, and new tensors in this type.

    Meanwhile float64 has the smallest and largest numbers of float32: a module that asks for those of its type would
    compute another function in float64.
    """
    default, fastpath = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    finfo, narrow = torch.finfo, torch.finfo(torch.float32)
    torch.set_default_dtype(dtype)
    torch.backends.mha.set_fastpath_enabled(False)
    if dtype == torch.float64:
        torch.finfo = lambda asked=None: narrow if asked in (None, torch.float64) else finfo(asked)  # type: ignore[misc,assignment]
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.finfo = finfo  # type: ignore[misc]
        torch.set_default_dtype(default)
        torch.backends.mha.set_fastpath_enabled(fastpath)


@dataclass
class Step:
    """One value that a module computed on the way.

    Attributes:
        operation: the function's name.
        value: in float64.
        sources: places of the steps that its arguments came from.
        module: the module's path in the network, '' for the network itself.
        line: the file and line of the user's code, '' where none asked for it.
        between: whether it is on the way from the inputs to the outputs.
        moved: whether it is numbers that were there before, in another order or shape.
        seeded: whether it draws random numbers.
    """

    operation: str
    value: Array
    sources: tuple[int, ...]
    module: str
    line: str
    between: bool
    moved: bool
    seeded: bool


class Trace(Rounding):  # type: ignore[no-untyped-call]
    """Records every value in the order in which it was computed, with the place in the user's code that asked for it.

    Args:
        inputs: what the module is given.
        places: whether to look for the lines of code, which takes time.

    Attributes:
        path: has to follow the module.
    """

    def __init__(self, noise: Noise | None, inputs: Sequence[Tensor], *, places: bool = True) -> None:
        super().__init__(noise)
        self.steps: list[Step] = []
        self.path = ModulePath()
        self._places = places
        # The step that made a tensor last. Tensors are kept, so that no other gets the memory of one that is gone.
        self._made: dict[int, int] = {}
        self._following = {storage(value) for value in inputs}
        self._kept: list[Tensor] = list(inputs)

    def look(self, done: Operation, args: Any, kwargs: Any, result: Any) -> None:
        """Record what an operation made or wrote to."""
        # What is made from a shape alone says nothing of the numbers.
        from_shape = done.name.endswith("_like") or done.name.startswith("new_")
        given = set() if from_shape else {storage(value) for value in tensors([*args, *kwargs.values()])}
        sources = tuple(sorted({self._made[number] for number in given if number in self._made}))
        follows = bool(given & self._following)
        line = user_line() if self._places else ""
        for value in tensors(result):
            self._made[storage(value)] = len(self.steps)
            if follows:
                self._following.add(storage(value))
            self._kept.append(value)
            # A copy, since it may be written to later.
            copy = value.detach().numpy().copy()
            self.steps.append(Step(done.name, copy, sources, self.path.name, line, follows, done.view, done.seeded))

    def end(self, outputs: Sequence[Tensor]) -> None:
        """Keep as between inputs and outputs only what the outputs come from."""
        reached = {self._made[storage(value)] for value in outputs if storage(value) in self._made}
        for place in reversed(range(len(self.steps))):
            if place in reached:
                reached.update(self.steps[place].sources)
            else:
                self.steps[place].between = False


# Comparisons, and roundings to integers.
COMPARED = frozenset(
    "bucketize ceil eq floor floor_divide ge gt heaviside isin le lt ne round searchsorted sign trunc".split()
)


class Comparing(Rounding):  # type: ignore[no-untyped-call]
    """Collects what is compared: the outcomes, and the constants that the inputs, or what follows from them, meet."""

    def __init__(self, noise: Noise | None, inputs: Sequence[Tensor]) -> None:
        super().__init__(noise)
        self.outcomes: list[Array] = []
        self.constants: set[float] = set()
        self._following = {storage(value) for value in inputs}
        self._kept = list(inputs)

    def look(self, done: Operation, args: Any, kwargs: Any, result: Any) -> None:
        """Follow what depends on the inputs, and look at comparisons."""
        given = list(tensors([*args, *kwargs.values()]))
        if not any(storage(value) in self._following for value in given):
            return
        for value in tensors(result):
            self._following.add(storage(value))
            self._kept.append(value)
        to_integer = done.name == "to_copy" and given[0].is_floating_point() and not result.is_floating_point()
        if (done.name in COMPARED or to_integer) and isinstance(result, Tensor):
            self.outcomes.append(result.numpy().copy())
            numbers = [float(value) for value in args if isinstance(value, int | float)]
            others = [value.numpy() for value in given if storage(value) not in self._following]
            self.constants |= {*numbers, *constants_of(others)}


def storage(value: Tensor) -> int:
    """Return what tells a tensor's memory from another's, which its views share."""
    return value.untyped_storage().data_ptr() or id(value)


def tensors(values: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested lists of arguments or results."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, tuple | list):
        for value in values:
            yield from tensors(value)


class ModulePath:
    """The path of the module that is being evaluated, while hooks keep it."""

    def __init__(self) -> None:
        self._entered = [""]

    @property
    def name(self) -> str:
        """Return the path of the innermost module, '' for the network itself."""
        return self._entered[-1]

    @contextmanager
    def following(self, module: torch.nn.Module) -> Iterator[None]:
        """Follow a module's evaluation."""
        handles = []
        for name, inner in module.named_modules():
            handles += [
                inner.register_forward_pre_hook(lambda *_, name=name: self._entered.append(name)),
                inner.register_forward_hook(lambda *_: self._leave()),
            ]
        try:
            yield
        finally:
            self._entered = [""]
            for handle in handles:
                handle.remove()

    def _leave(self) -> None:
        self._entered.pop()


TORCH = str(Path(torch.__file__).parent)
LIBRARY = str(Path(__file__).parent)


def user_line() -> str:
    """Return file and line of the innermost frame of the user's code, '' where there is none."""
    frame = sys._getframe(1)  # noqa: SLF001 -- what the traceback module uses as well
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((TORCH, LIBRARY, "<")) and "contextlib" not in name:
            return f"{Path(name).parent.name}/{Path(name).name}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""
