"""What arrays of numbers and text are called, for all that hold some. Needs NumPy: no rule imports it."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from numpy.typing import NDArray

# Of any element type: which one it must be, its tensor says.
Array: TypeAlias = NDArray[Any]
# The inputs of one call, by name.
Feed: TypeAlias = Mapping[str, Array]
