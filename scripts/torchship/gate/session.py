"""An exported file in a runtime: opened at a setting, run on inputs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from torchship.data.domain import independent
from torchship.gate.case import Case, select
from torchship.runtimes.frames import RefusedError
from torchship.runtimes.protocol import Runtime
from torchship.spec.arrays import Array, Feed
from torchship.spec.axes import BATCH, EVERY, Axes, single_events
from torchship.spec.tensor import Tensors

# Outputs by name, or why the runtime refused the inputs.
Result = dict[str, Array] | str
# Graph optimization level, and threads.
Setting = tuple[str, int]

# What users run unless they say otherwise; every other setting is compared with it.
DEFAULT_SETTING: Setting = ("all", 1)


@dataclass(frozen=True)
class ExportedFile:
    """A file as bytes, and its declared signature.

    Attributes:
        inputs, outputs: the declared tensors by name.
        axes: which sizes the dynamic axes may have.
    """

    content: bytes
    inputs: Tensors
    outputs: Tensors
    axes: Axes = field(default_factory=lambda: EVERY)

    @property
    def separate(self) -> bool:
        """Whether events know nothing of one another, and one may be given alone."""
        return independent({**self.inputs, **self.outputs}) and single_events(self.axes)

    @contextmanager
    def opened(self, runtime: Runtime, setting: Setting = DEFAULT_SETTING) -> Iterator["Session"]:
        """Open it in a runtime.

        Raises:
            RefusedError: the runtime does not load it.
        """
        number = runtime.open(self.content, *setting)
        try:
            yield Session(self, runtime, number)
        finally:
            runtime.close(number)


@dataclass(frozen=True)
class Session:
    """An exported file that is open in a runtime under a number."""

    file: ExportedFile
    runtime: Runtime
    number: int

    def run(self, feed: Feed) -> Result:
        """Run it on inputs."""
        try:
            return self.runtime.run(self.number, feed)
        except RefusedError as refused:
            return str(refused)

    def run_all(self, cases: Sequence[Case]) -> list[Result]:
        """Run it on the inputs of all cases."""
        return [self.run(case.feed) for case in cases]

    def run_one_by_one(self, case: Case, most: int) -> tuple[Case, Result]:
        """Run the first events of a case one by one; return them as a case, and the outputs put together.

        An output that has not one event then is told as a refusal is: there is nothing to put together.
        """
        part = select(case, slice(0, min(most, case.about["sizes"][BATCH])))
        parts: list[dict[str, Array]] = []
        for event in range(part.about["sizes"][BATCH]):
            found = self.run(select(part, slice(event, event + 1)).feed)
            if isinstance(found, str):
                return part, found
            for name, array in found.items():
                if array.shape[:1] != (1,):
                    return part, f"output {name!r} has shape {list(array.shape)} of one event: axis 0 must be 1"
            parts.append(found)
        return part, {name: np.concatenate([found[name] for found in parts]) for name in parts[0]}
