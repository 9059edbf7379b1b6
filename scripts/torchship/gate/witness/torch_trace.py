"""What a torch module computes on the way: every value, with the place in the user's code, and every comparison."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchship.gate.witness.noise import Noise
from torchship.gate.witness.thresholds import constants_of
from torchship.gate.witness.torch_modes import as_array, tensors
from torchship.gate.witness.torch_operations import Arguments, Named, Operation
from torchship.gate.witness.torch_rounding import Rounding
from torchship.models.user_code import line_of_stack
from torchship.spec.arrays import Array


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
        folder: where the user's code is, if its lines are to be found, which takes time.

    Attributes:
        path: has to follow the module.
    """

    def __init__(
        self,
        noise: Noise | None,
        inputs: Sequence[Tensor],
        folder: Path | None = None,
        seen: Sequence[tuple[str, bool]] = (),
    ) -> None:
        super().__init__(noise, seen)
        self.steps: list[Step] = []
        self.path = ModulePath()
        self._folder = folder
        # The step that made a tensor last. Tensors are kept, so that no other gets the memory of one that is gone.
        self._made: dict[int, int] = {}
        self._following = {storage(value) for value in inputs}
        self._kept: list[Tensor] = list(inputs)

    def look(self, done: Operation, args: Arguments, kwargs: Named, result: object) -> None:
        """Record what an operation made or wrote to."""
        # What is made from a shape alone says nothing of the numbers.
        from_shape = done.name.endswith("_like") or done.name.startswith("new_")
        given = set() if from_shape else {storage(value) for value in tensors([*args, *kwargs.values()])}
        sources = tuple(sorted({self._made[number] for number in given if number in self._made}))
        follows = bool(given & self._following)
        found = line_of_stack(sys._getframe(1), self._folder)  # noqa: SLF001 -- as traceback does
        line = found.place if found is not None else ""
        for value in tensors(result):
            self._made[storage(value)] = len(self.steps)
            if follows:
                self._following.add(storage(value))
            self._kept.append(value)
            # A copy, since it may be written to later.
            self.steps.append(
                Step(done.name, as_array(value), sources, self.path.name, line, follows, done.view, done.seeded)
            )

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
    """Collects what is compared: the answers, and the constants that the inputs, or what follows from them, meet."""

    def __init__(self, noise: Noise | None, inputs: Sequence[Tensor], seen: Sequence[tuple[str, bool]] = ()) -> None:
        super().__init__(noise, seen)
        self.answers: list[Array] = []
        self.constants: set[float] = set()
        self._following = {storage(value) for value in inputs}
        self._kept = list(inputs)

    def look(self, done: Operation, args: Arguments, kwargs: Named, result: object) -> None:
        """Follow what depends on the inputs, and look at comparisons."""
        given = list(tensors([*args, *kwargs.values()]))
        if not any(storage(value) in self._following for value in given):
            return
        for value in tensors(result):
            self._following.add(storage(value))
            self._kept.append(value)
        if not isinstance(result, Tensor):
            return
        to_integer = done.name == "to_copy" and given[0].is_floating_point() and not result.is_floating_point()
        if done.name in COMPARED or to_integer:
            self.answers.append(as_array(result))
            numbers = [float(value) for value in args if isinstance(value, int | float)]
            others = [as_array(value) for value in given if storage(value) not in self._following]
            self.constants |= {*numbers, *constants_of(others)}


def storage(value: Tensor) -> int:
    """Return what tells a tensor's memory from another's, which its views share."""
    return value.untyped_storage().data_ptr() or id(value)


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
