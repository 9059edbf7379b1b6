"""What a runtime is: whatever opens an ONNX file and runs it. Both that of this interpreter and one in another are."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias, TypedDict

from torchship.spec.arrays import Array, Feed

# Its name, its type and its shape.
Value: TypeAlias = tuple[str, str, Sequence[int | str | None]]


class Signature(TypedDict):
    """All inputs and outputs of a file, as the runtime spells them."""

    inputs: Sequence[Value]
    outputs: Sequence[Value]


class Runtime(Protocol):
    """A runtime in one version; files that are open in it have numbers. `RefusedError` says that it does not do it."""

    version: str

    def open(self, model: bytes, level: str = "all", threads: int = 1) -> int:
        """Open a file at a graph optimization level, with so many threads, and return its number."""

    def signature(self, number: int) -> Signature:
        """Return name, type and shape of each input and output."""

    def run(self, number: int, feed: Feed) -> dict[str, Array]:
        """Run an open file, and return its outputs by name."""

    def close(self, number: int) -> None:
        """Forget a file."""
