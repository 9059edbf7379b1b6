"""Reference outputs as the only judge, of a file with an operator that nobody evaluates in float64.

It knows its own events and no others. How far a correct file may be from it no evaluation tells: the configuration
states it, in onnx/within.
"""

from collections.abc import Iterator, Mapping
from typing import NoReturn

import numpy as np
from torchship.config.naming import suggest
from torchship.core.errors import ConfigError, UnjudgedError, WitnessError
from torchship.core.texts import is_text
from torchship.data.domain import element_type, fixed_batch, independent, rows
from torchship.gate.about import About
from torchship.gate.case_inputs import data_inputs
from torchship.spec.arrays import Array
from torchship.spec.axes import ANY_SIZE, BATCH, Axes, shape_matrix
from torchship.spec.section import Section, Validate
from torchship.spec.tensor import Tensors

Arrays = Mapping[str, Array]
# Inputs, and by output what is right, the same in the type that the file gives, and how far a file may be from it.
Told = tuple[dict[str, Array], dict[str, Array], dict[str, Array], dict[str, Array]]


class GivenReference:
    """Inputs and outputs from elsewhere in the place of an arbiter.

    Attributes:
        kind: what it is, as the verdict says it.
        within: by output of floating point, how far a file may be from it.
        separate: whether events know nothing of one another, so that some of them are a batch as well.

    Raises:
        ConfigError: an output has no number in onnx/within, or there is no such output.
    """

    def __init__(self, given: Arrays, expected: Arrays, model: Section, within: float | Mapping[str, float]) -> None:
        self._inputs, self._outputs = model["inputs"], model["outputs"]
        self._tensors = {**self._inputs, **self._outputs}
        self._arrays = {**given, **expected}
        self.within = by_output(within, self._outputs)
        self.separate = independent(self._tensors)
        first = next(iter(given.values()))
        events = len(first) if self.separate or fixed_batch(self._tensors) is not None else 1
        self.kind = f"given reference alone: {events} event{'s' if events > 1 else ''}"

    def witness(self, feed: Arrays, samples: int = 0) -> NoReturn:  # noqa: ARG002 -- as of any arbiter
        """Say that inputs are not among its own."""
        raise UnjudgedError("nobody says what is right for these inputs: the given reference has its own events alone")

    def evaluate(self, feed: Arrays) -> NoReturn:
        """Say the same."""
        self.witness(feed)

    def record(self, feed: Arrays, samples: int = 0) -> NoReturn:  # noqa: ARG002 -- as of any arbiter
        """Say the same."""
        self.witness(feed)

    def comparisons(self, feed: Arrays, *, disturbed: int = 0) -> NoReturn:  # noqa: ARG002 -- as of any arbiter
        """Say the same."""
        self.witness(feed)

    def told(self, arrays: Arrays) -> Told:
        """Return what some of its own events say."""
        exact = {name: wide(arrays[name]) for name in self._outputs}
        limit = {name: np.full(array.shape, self.within.get(name, 0.0)) for name, array in exact.items()}
        single = {name: narrow(exact[name], element_type(tensor)) for name, tensor in self._outputs.items()}
        return {name: arrays[name] for name in self._inputs}, exact, single, limit

    def batch(self, size: int) -> Told:
        """Return so many of its events, repeated where it has fewer; one batch where that is fixed; or all there is."""
        fixed = fixed_batch(self._tensors)
        if fixed is None and not self.separate:
            return self.told(self._arrays)
        count = len(next(iter(self._arrays.values())))
        return self.told(rows(self._arrays, np.arange(size if fixed is None else fixed) % count))

    def cases(self, validate: Validate, axes: Axes, beyond: int) -> Iterator[tuple[About, Told]]:
        """Yield all its events, and the first at each batch size, with what a `Case` has as `about`."""
        batches = axes.get(BATCH, ANY_SIZE)
        sizes = {shape[BATCH] for shape in shape_matrix(self._inputs, validate, beyond, axes) if BATCH in shape}
        largest = batches.nearest(max(validate["batch_sizes"]))
        for about, arrays in data_inputs(self._tensors, self._arrays, batches, largest, sizes):
            yield about, self.told(arrays)

    def require_narrow(self, widest: float) -> None:
        """Check that what is stated tells right from wrong.

        Raises:
            WitnessError: it is too large a part of an output's range, or of its size where it has none.
        """
        for name, allowed in self.within.items():
            values = wide(self._arrays[name])
            values = values[np.isfinite(values)]
            extent = float(np.ptp(values) or np.abs(values).max()) if values.size else 0.0
            if 0.0 < extent * widest < allowed:
                raise WitnessError(
                    f"nothing can be validated here: onnx/within is {allowed:g} for output {name}, above {widest:g} of "
                    f"its range over the reference, {extent:.3g}: state less, or raise validate/widest_limit and say "
                    "why in validate/reason"
                )


def by_output(within: float | Mapping[str, float], outputs: Tensors) -> dict[str, float]:
    """Return what is stated of each output; integers and text are equal or not."""
    names = [name for name, tensor in outputs.items() if element_type(tensor).kind == "f"]
    if not isinstance(within, Mapping):
        return dict.fromkeys(names, float(within))
    for name in within:
        if name not in names:
            raise ConfigError(
                f"onnx/within/{name}: the file has no such output of floating point{suggest(name, names)}; it has "
                f"{', '.join(map(repr, names)) or 'none'}"
            )
    missing = [name for name in names if name not in within]
    if missing:
        raise ConfigError(f"onnx/within says nothing of output {missing[0]!r}: state it, too, or one number for all")
    return {name: float(within[name]) for name in names}


def wide(array: Array) -> Array:
    """Return floating-point numbers in float64, and all else as it is."""
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def narrow(array: Array, kind: np.dtype[np.generic]) -> Array:
    """Return numbers in the type that a file gives them in; text as it is."""
    with np.errstate(over="ignore"):
        return array if is_text(array) else array.astype(kind)
