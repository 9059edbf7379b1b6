"""How wide limits are beside the outputs that they are for, and which operation makes them so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torchship.gate.case import Case
from torchship.gate.case_inputs import ORIGINS_IN_USE
from torchship.gate.documents import WidthDocument
from torchship.gate.witness.limits import UNIT_FLOAT32, Recorded

# The share of an output's numbers whose limits may be wide before nothing is said to be validated.
MOST_WIDE = 0.01
# Ends of an output's range: what lies beyond is one number in a thousand, which may be anywhere.
ENDS = (0.001, 0.999)


@dataclass(frozen=True)
class Width:
    """How wide the limits of one output are, over the cases where inputs lie as they do in use.

    Attributes:
        range: of the output over the cases, but for one number in a thousand at either end; of one that is constant in
            float32 its size.
        median, largest: limits, in units of the range.
        numbers: how many there are, and `wide`, how many have a limit that is wide.
        case, event: where the widest is; the case by its number.
    """

    range: float
    median: float
    largest: float
    numbers: int
    wide: int
    case: int
    event: int

    @property
    def share(self) -> float:
        """Return the share of numbers with wide limits."""
        return self.wide / self.numbers

    def document(self) -> WidthDocument:
        """Return what the evidence holds of it."""
        return {
            "range": self.range,
            "median": self.median,
            "largest": self.largest,
            "numbers": self.numbers,
            "wide": self.wide,
            "case": self.case,
            "event": self.event,
        }


def widths(cases: Sequence[Case], widest: float) -> dict[str, Width]:
    """Return how wide the limits of each output are; none of outputs that are integers, 0, or never finite.

    Args:
        cases: see `case.Case`.
        widest: a limit that is more than that, in units of the output's range, is wide.
    """
    usual = [case for case in cases if case.about["origin"].startswith(ORIGINS_IN_USE)]
    found = {}
    for name in cases[0].exact if cases else ():
        parts = [(case, case.exact[name], case.limit[name]) for case in usual if case.exact[name].dtype.kind == "f"]
        values = np.concatenate([exact[np.isfinite(exact)] for _, exact, _ in parts]) if parts else np.zeros(0)
        low, high = np.quantile(values, ENDS) if values.size else (0.0, 0.0)
        extent = float(high - low) or float(np.ptp(values)) if values.size else 0.0
        size = float(np.abs(values).max(initial=0.0))
        # To float32 it is a constant, whose size is all that there is to compare with.
        extent = extent if extent > UNIT_FLOAT32 * size else size
        if extent <= 0.0:
            continue
        relative = [(case, np.where(np.isfinite(exact), limit, 0.0) / extent) for case, exact, limit in parts]
        case, worst = max(((case, array) for case, array in relative if array.size), key=lambda pair: pair[1].max())
        # Where the network gives no finite number there is nothing whose limit could be narrow.
        flat = np.concatenate([limit[np.isfinite(exact)] / extent for _, exact, limit in parts])
        found[name] = Width(
            range=extent,
            median=float(np.median(flat)),
            largest=float(flat.max()),
            numbers=flat.size,
            wide=int((flat > widest).sum()),
            case=case.about["number"],
            event=int(np.unravel_index(int(worst.argmax()), worst.shape)[0]) if worst.ndim else 0,
        )
    return found


def amplifier(record: Sequence[Recorded]) -> tuple[Recorded, float] | None:
    """Return the value that rounding moves most beside what it is computed from, and how much more.

    A sum that cancels is one, and a choice that rounding may turn over.
    """
    relative = [spread_of(value) for value in record]
    found = [
        (value, relative[place] / max(UNIT_FLOAT32, *(relative[source] for source in value.sources), 0.0))
        for place, value in enumerate(record)
        if value.between and relative[place] > 0.0
    ]
    return max(found, key=lambda pair: pair[1]) if found else None


def spread_of(value: Recorded) -> float:
    """Return how far rounding moves a value, in units of its own size."""
    exact, scale = value.value.exact, value.value.scale
    if exact.dtype.kind != "f" or not exact.size:
        return 0.0
    size = float(np.abs(exact[np.isfinite(exact)]).max(initial=0.0))
    return float(scale.max()) / size if size else 0.0


def told_amplifier(found: tuple[Recorded, float] | None) -> str:
    """Say which operation amplifies rounding, and where it is in the user's code."""
    if found is None:
        return "the operation is not known"
    value, times = found
    module = f" of module {value.module!r}" if value.module else ""
    line = f" at {value.line}" if value.line else ""
    return f"{value.name!r}{module}{line} makes it {times:.2g} times as large"


def too_wide(found: Mapping[str, Width]) -> str | None:
    """Return the name of the first output of which too large a share has wide limits."""
    return next((name for name, width in found.items() if width.share > MOST_WIDE), None)
