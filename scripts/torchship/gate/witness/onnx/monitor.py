"""What disturbs the values of an evaluation as rounding would, and keeps them."""

from collections.abc import Mapping

import numpy as np
from torchship.gate.witness.limits import UNIT_FLOAT32
from torchship.spec.arrays import Array

# Numbers that are not disturbed one by one: a window of this many, at a random place, is as good and much quicker.
POOL = 1 << 20


class Monitor:
    """What happens to every value of an evaluation: it may be disturbed, and it may be kept.

    Attributes:
        strength: of the disturbance in units roundoff; 0 must change nothing. None: there is none.
        units: one unit roundoff of each value, by name, as the file declares it.
        seen: values that are kept, by name, where they are asked for.
    """

    def __init__(self, units: Mapping[str, float]) -> None:
        self.units = units
        self.strength: float | None = None
        self.seen: list[tuple[str, str, Array]] | None = None
        self._generator = np.random.default_rng(0)
        self._pool: Array | None = None

    def start(self, seed: int, strength: float = 1.0) -> None:
        """Disturb from here on."""
        self._generator, self.strength = np.random.default_rng(seed), strength

    def stop(self) -> None:
        """Disturb no more."""
        self.strength = None

    def noise(self, shape: tuple[int, ...]) -> Array:
        """Return random numbers between -1 and 1."""
        size = int(np.prod(shape))
        if size > POOL:
            return self._generator.uniform(-1.0, 1.0, shape)
        if self._pool is None:
            self._pool = np.random.default_rng([1, 2]).uniform(-1.0, 1.0, 2 * POOL)
        first = int(self._generator.integers(POOL))
        return self._pool[first : first + size].reshape(shape)

    @property
    def disturbs(self) -> bool:
        """Say whether anything is disturbed now, by more than nothing."""
        return bool(self.strength)

    def number(self) -> int:
        """Return a random number, as a seed of something else."""
        return int(self._generator.integers(2**31))

    def towards(self, value: Array, other: Array, unit: float) -> Array:
        """Return a value with the error of another one, which comes of rounding to float32."""
        with np.errstate(all="ignore"):
            moved = value + (other - value) * ((self.strength or 0.0) * unit / UNIT_FLOAT32)
        # Infinity is no error that could be scaled.
        return np.where(np.isfinite(moved), moved, other)

    def relative(self, value: Array, unit: float) -> Array:
        """Return a value as one rounding might leave it; zeros, infinities and NaN stay what they are."""
        if self.strength is None or not is_wide(value):
            return value
        return value * (1.0 + self.strength * unit * self.noise(np.shape(value)))

    def absolute(self, value: Array, unit: float) -> Array:
        """Return a value with an error of one unit roundoff of 1."""
        if self.strength is None or not is_wide(value):
            return value
        moved = value + self.strength * unit * self.noise(np.shape(value))
        # A zero keeps its sign where nothing was added.
        return np.where(moved == value, value, moved)


def is_wide(value: object) -> bool:
    """Say whether a value is a float64 array."""
    return isinstance(value, np.ndarray | np.floating) and value.dtype == np.float64
