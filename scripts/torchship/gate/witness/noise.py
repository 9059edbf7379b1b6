"""Random numbers that stand for rounding."""

import random
from functools import lru_cache

import torch
from torch import Tensor
from torchship.gate.witness.limits import UNIT_FLOAT32

# Numbers of noise that are drawn at once, and used from random places on.
POOL = 2**20
# Noise of larger scale would overflow.
LARGEST = float(torch.finfo(torch.float32).max)


@lru_cache(maxsize=4)
def pool(unit: float, seed: int, size: int) -> Tensor:
    """Return uniform numbers between -unit and unit; those of one seed are drawn once."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.rand(size, generator=generator, dtype=torch.float64).mul_(2.0).sub_(1.0)
    # About 0 exactly, or a sum over many would be shifted.
    return numbers.sub_(numbers.mean()).mul_(unit)


# A network has few lengths of sums, each of which rounds by another multiple.
@lru_cache(maxsize=16)
def pool_about_one(unit: float, seed: int, size: int, times: float) -> Tensor:
    """Return 1 plus so many times the numbers of a pool."""
    return pool(unit, seed, size) * times + 1.0


class Noise:
    """Uniform numbers between -unit and unit, from a pool with places chosen at random: drawing each anew takes longer.

    A unit of 0 changes nothing, to the last bit.
    """

    def __init__(self, unit: float, seed: int) -> None:
        self.unit, self.seed = unit, seed
        self._absolute = pool(unit, seed, POOL)
        self._places = random.Random(seed)  # noqa: S311 -- no secret

    def start(self) -> None:
        """Begin again with the first numbers."""
        self._places = random.Random(self.seed)  # noqa: S311 -- no secret

    def number(self) -> int:
        """Return a random number, as a seed of something else."""
        return self._places.getrandbits(31)

    def permutation(self, count: int) -> Tensor:
        """Return a random order of so many things."""
        return torch.randperm(count, generator=torch.Generator().manual_seed(self.number()))

    def relative(self, value: Tensor, times: float = 1.0) -> Tensor:
        """Return a value times 1 + so many times the noise, which keeps zeros, infinities and NaN."""
        if value.numel() <= POOL or not dense(value):
            return value * self._about_one(value, times)
        # Large weights a part at a time, each with other noise.
        result = torch.empty_like(value)
        flat, made = (array.as_strided((value.numel(),), (1,)) for array in (value, result))
        for part, into in zip(torch.split(flat, POOL // 2), torch.split(made, POOL // 2), strict=True):
            torch.mul(part, self._about_one(part, times), out=into)
        return result

    def relative_(self, value: Tensor, times: float = 1.0) -> None:
        """Multiply a value by 1 + so many times the noise in its place."""
        value.copy_(self.relative(value, times))

    def absolute(self, value: Tensor, scale: Tensor | float) -> Tensor:
        """Return a value plus noise of a scale."""
        # Infinities stay what they are: one minus another would be NaN.
        bounded = scale.clamp(max=LARGEST) if isinstance(scale, Tensor) else scale
        return value + self._slice(self._absolute, value) * bounded

    def towards(self, value: Tensor, other: Tensor) -> Tensor:
        """Return a value with the error of another one, which comes of rounding to float32."""
        moved = value + (other - value) * (self.unit / UNIT_FLOAT32)
        # Infinity is no error that could be scaled.
        return torch.where(moved.isfinite(), moved, other)

    def _about_one(self, value: Tensor, times: float) -> Tensor:
        return self._slice(pool_about_one(self.unit, self.seed, POOL, times), value)

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
