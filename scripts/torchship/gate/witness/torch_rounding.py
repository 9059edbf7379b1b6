"""Disturbing what float32 would round, one operation of torch after another: see `op_rules.Rule` for what that is."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torchship.gate.witness.long_sums import growth_of_result, growth_of_terms
from torchship.gate.witness.noise import NO_NOISE, Noise
from torchship.gate.witness.op_rules import Rule
from torchship.gate.witness.torch_modes import Wide
from torchship.gate.witness.torch_operations import Arguments, Named, Operation, rule_of
from torchship.gate.witness.torch_sums import summed_in_float32, terms_of_products, terms_of_reduction


class Rounding(Wide):  # type: ignore[no-untyped-call]
    """Disturbs what float32 would round, see `op_rules.Rule`; without noise nothing, by not being there."""

    def __init__(self, noise: Noise | None, seen: Sequence[tuple[str, bool]] = ()) -> None:
        super().__init__(seen)
        self._disturbing = noise is not None
        self.noise = noise or NO_NOISE

    def compute(self, func: OpOverload, done: Operation, args: Arguments, kwargs: Named) -> Any:
        """Evaluate one operation, as if it rounded."""
        rule = rule_of(done, args, kwargs)
        if rule is Rule.EXACT or not self._disturbing:
            return func(*args, **kwargs)
        scale = scale_of(rule, args[0]) if rule in (Rule.GATED, Rule.RESAMPLED) else None
        if rule is Rule.STEPPED:
            return self._stepped(func, done, args, kwargs)
        products, running = terms_of_products(done, args), None
        if rule in (Rule.SUM, Rule.RESAMPLED, Rule.ENTROPY):
            growth = growth_of_terms(products)
            # Before what is written to is disturbed, since others may be views of it.
            args = tuple(
                value if place in done.written else self._terms(value, growth) for place, value in enumerate(args)
            )
            kwargs = {key: value if key in done.written else self._terms(value) for key, value in kwargs.items()}
            for key in done.written - done.out:
                self._in_place(kwargs[key] if isinstance(key, str) else args[key])
            running = summed_in_float32(func, done, args, kwargs, self.noise.number()) if self.noise.unit else None
        elif rule is Rule.ORDERED:
            return self._in_some_order(func, args, kwargs)
        elif rule in (Rule.SOFTMAX, Rule.LOG_SOFTMAX):
            args = (self._distances(args[0], args[1]), *args[1:])
        result = func(*args, **kwargs)
        if running is not None:
            moved = self.noise.towards(result, running)
            result = result.copy_(moved) if done.written else moved
        terms = products or (terms_of_reduction(args, result) if rule is Rule.SUM else 1)
        times = growth_of_result(terms)
        for key in done.written:
            self._round_in_place(kwargs[key] if isinstance(key, str) else args[key], rule, scale, times)
        return result if done.written else self._results(result, rule, scale, times)

    def _stepped(self, func: OpOverload, done: Operation, args: Arguments, kwargs: Named) -> Any:
        """Divide what is disturbed, but where the quotient is whole: nothing is rounded there, in any order."""
        place = 0 if isinstance(args[0], Tensor) else 1
        value = args[place]
        if value.dtype == torch.float64:
            moved = torch.where(torch.remainder(args[0], args[1]) == 0.0, value, self.noise.relative(value))
            if place in done.written:
                value.copy_(moved)
            else:
                args = (*args[:place], moved, *args[place + 1 :])
        return func(*args, **kwargs)

    def _in_some_order(self, func: OpOverload, args: Arguments, kwargs: Named) -> Any:
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

    def _terms(self, value: Any, times: float = 1.0) -> Any:
        if isinstance(value, Tensor):
            return self._relative(value, times)
        if isinstance(value, tuple | list):
            return type(value)(self._terms(item, times) for item in value)
        return value

    def _relative(self, value: Tensor, times: float = 1.0) -> Tensor:
        if value.is_complex():
            return torch.view_as_complex(self.noise.relative(torch.view_as_real(value), times))
        return self.noise.relative(value, times) if value.dtype == torch.float64 else value

    def _distances(self, value: Tensor, axis: int) -> Tensor:
        """Disturb the distances to the largest along an axis, which are what is rounded."""
        if value.dtype != torch.float64 or not value.numel():
            return value
        distance = value - value.amax(axis, keepdim=True)
        # Where all are -inf there is no distance.
        return self.noise.absolute(value, distance.abs().nan_to_num(0.0, posinf=0.0))

    def _results(self, result: Any, rule: Rule, scale: Tensor | None, times: float = 1.0) -> Any:
        if isinstance(result, tuple | list):
            return type(result)(self._results(item, rule, scale, times) for item in result)
        if not isinstance(result, Tensor) or not (result.dtype == torch.float64 or result.is_complex()):
            return result
        if rule is Rule.BOUNDED:
            return self.noise.absolute(result, 1.0)
        if rule in (Rule.SHIFTED, Rule.LOG_SOFTMAX, Rule.ENTROPY):
            return self.noise.absolute(result, result.abs().clamp(min=1.0))
        if scale is not None:
            return self.noise.absolute(result, scale)
        return self._relative(result, times)

    def _in_place(self, value: object) -> None:
        if isinstance(value, Tensor) and value.dtype == torch.float64:
            self.noise.relative_(value)

    def _round_in_place(self, value: object, rule: Rule, scale: Tensor | None, times: float) -> None:
        for item in value if isinstance(value, tuple | list) else [value]:
            if isinstance(item, Tensor) and item.dtype == torch.float64:
                item.copy_(self._results(item, rule, scale, times))


def scale_of(rule: Rule, value: Tensor) -> Tensor:
    """Return what an absolute error is in units of: of what the rule says, see `op_rules.Rule`."""
    if rule is Rule.GATED:
        return value.abs()
    # A place is wrong by one unit of the largest, and moves the result by as much as neighbours differ.
    pixels = tuple(range(2, value.dim()))
    return max(value.shape[2:]) * (value.amax(pixels, keepdim=True) - value.amin(pixels, keepdim=True))
