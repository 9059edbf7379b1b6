"""What must hold of the witnesses before they judge: finite under rounding, in agreement, with narrow limits."""

from collections.abc import Mapping, Sequence

import numpy as np
from torchship.core.errors import WitnessError
from torchship.data.domain import rows
from torchship.gate.about import About
from torchship.gate.case import Case
from torchship.gate.case_inputs import ORIGINS_IN_USE
from torchship.gate.documents import NotFinite
from torchship.gate.witness.arbiter import Arbiter
from torchship.gate.witness.limits import MOST_OF_TORCH, Witnessed, ratios
from torchship.gate.witness.widths import MOST_WIDE, Width, amplifier, told_amplifier, too_wide, widths
from torchship.spec.arrays import Array

# What is known of a case, its inputs, and what the witnesses say of its outputs.
Asked = Sequence[tuple[About, Mapping[str, Array], Mapping[str, Witnessed]]]

# The share of disturbed evaluations that may be NaN where the network gives a number: the spread is that of the others.
MOST_LOST = 0.5


def require_finite(arbiter: Arbiter, asked: Asked) -> list[NotFinite]:
    """Check that rounding alone makes NaN of no number, or hardly ever.

    Returns:
        where it does: case, output, event, the share of evaluations, and what operation gives the first.

    Raises:
        WitnessError: more than every other evaluation of an output is not finite.
    """
    found: list[NotFinite] = []
    for about, feed, output in asked:
        for name, value in output.items():
            if not value.lost.size or not value.lost.max() > 0.0:
                continue
            event = first_of(value.lost)
            entry: NotFinite = {
                "case": about["number"],
                "output": name,
                "event": event,
                "share": float(value.lost.max()),
                "operation": not_finite(arbiter, one_event(feed, event)),
            }
            found.append(entry)
            if value.lost.max() > MOST_LOST:
                raise WitnessError(
                    f"rounding makes {entry['share']:.0%} of the evaluations NaN or infinite where the network gives a "
                    f"number: case {about['number']} ({told_case(about)}), output {name}, event {event}; "
                    f"{entry['operation']}; keep its argument where it is defined (clamp)",
                    {"not_finite": found, **evidence_of(asked)},
                )
    return found


def not_finite(arbiter: Arbiter, feed: Mapping[str, Array]) -> str:
    """Say which operation gives the first number that is not finite, and of what."""
    if not hasattr(arbiter, "first_not_finite"):
        return "the operation is not known"
    found = arbiter.first_not_finite(feed)
    if found is None:
        return "the operation was not found again"
    step, given = found
    module = f" of module {step.module!r}" if step.module else ""
    return f"the first is {step.operation}({given}){module}" + (f" at {step.line}" if step.line else "")


def require_rounding(arbiter: Arbiter, asked: Asked) -> dict[str, float]:
    """Return the largest |float32 - float64| of the arbiter itself by output, in spreads.

    Raises:
        WitnessError: it is beyond what rounding explains, so that the witnesses do not agree.
    """
    needed: dict[str, float] = {}
    largest, where = 0.0, None
    for about, feed, output in asked:
        for name, value in output.items():
            ratio = ratios(value.single, value.exact, value.scale)
            most = float(ratio.max(initial=0.0))
            needed[name] = max(needed.get(name, 0.0), most)
            if most > largest:
                largest, where = most, (about, feed, name, first_of(ratio))
    if not largest <= MOST_OF_TORCH and where is not None:
        about, feed, name, event = where
        raise WitnessError(
            f"the witnesses disagree: the arbiter's own float32 is {largest:.3g} spreads from float64, more than "
            f"{MOST_OF_TORCH:g}, in case {about['number']} ({told_case(about)}), output {name}, event {event}; the "
            "network is discontinuous there, overflows in float32, or computes in another type: of what rounding does, "
            f"{told_amplifier(amplifier(arbiter.record(one_event(feed, event))))}; restrict the domain (low, high), or "
            "look for a comparison, a large constant, an exponential",
            {"needed": largest, **evidence_of(asked)},
        )
    return needed


def require_numbers(arbiter: Arbiter, cases: Sequence[Case]) -> None:
    """Check that the network gives numbers, since NaN equals NaN, and tells nothing of a file.

    Raises:
        WitnessError: it hardly does, on data and uniform draws.
    """
    usual = [case for case in cases if case.about["origin"].startswith(ORIGINS_IN_USE)]
    for name in usual[0].exact if usual else ():
        parts = [(case, case.exact[name]) for case in usual if case.exact[name].dtype.kind == "f"]
        numbers = sum(exact.size for _, exact in parts)
        undefined = sum(int(np.isnan(exact).sum()) for _, exact in parts)
        finite = sum(int(np.isfinite(exact).sum()) for _, exact in parts)
        if undefined > MOST_WIDE * numbers or (numbers and not finite):
            case, exact = next((case, exact) for case, exact in parts if not np.isfinite(exact).all())
            event = first_of(~np.isfinite(exact))
            raise WitnessError(
                f"nothing can be validated here: in float64 {undefined} of {numbers} numbers of output {name} are NaN, "
                f"and {finite} are finite, on data and uniform draws, first in case {case.about['number']} "
                f"({told_case(case.about)}), event {event}; {not_finite(arbiter, one_event(case.feed, event))}; are "
                "the weights finite? else restrict the domain (low, high), or keep the arguments of logarithms, roots "
                "and quotients where they are defined"
            )


def require_narrow(arbiter: Arbiter, cases: Sequence[Case], widest: float) -> dict[str, Width]:
    """Return how wide the limits are.

    Raises:
        WitnessError: they are so wide that nothing can be validated.
    """
    found = widths(cases, widest)
    name = too_wide(found)
    if name is not None:
        width = found[name]
        case = next(case for case in cases if case.about["number"] == width.case)
        size = np.abs(case.exact[name][width.event] if case.exact[name].ndim else case.exact[name]).max()
        if width.largest * width.range <= widest * size:
            why = f"the output is all but constant, about {size:.6g}; give what it saturates from"
        else:
            found_there = amplifier(arbiter.record(one_event(case.feed, width.event)))
            why = f"the network amplifies rounding: {told_amplifier(found_there)}; write that another way"
        raise WitnessError(
            f"nothing can be validated here: {width.share:.0%} of the numbers of output {name} have a limit above "
            f"{widest:g} of its range, {width.range:.3g} (allowed are {MOST_WIDE:.0%}), the widest {width.largest:.2g} "
            f"of it in case {case.about['number']} ({told_case(case.about)}), event {width.event}, because {why}, "
            "restrict the domain, or raise validate/widest_limit and say why in validate/reason",
            {"widths": {key: value.document() for key, value in found.items()}},
        )
    return found


def evidence_of(asked: Asked) -> dict[str, object]:
    """Return what the witnesses say of all cases: how far float32 is from float64, and what is lost to rounding."""
    cases = []
    for about, _, output in asked:
        needed = [ratios(value.single, value.exact, value.scale).max(initial=0.0) for value in output.values()]
        lost = [value.lost.max(initial=0.0) for value in output.values()]
        cases.append({**about, "needed": float(max(needed)), "lost": float(max(lost))})
    return {"cases": cases}


def one_event(feed: Mapping[str, Array], event: int) -> dict[str, Array]:
    """Return one event of a case where all inputs have as many, or the case."""
    lengths = {len(array) if array.ndim else 0 for array in feed.values()}
    return rows(feed, slice(event, event + 1)) if len(lengths) == 1 and 0 not in lengths else dict(feed)


def first_of(array: Array) -> int:
    """Return the event in which an array [batch, ...] is largest."""
    return int(np.unravel_index(int(array.argmax()), array.shape)[0]) if array.ndim else 0


def told_case(about: About) -> str:
    """Say which case it is."""
    return ", ".join([about["origin"], *(f"{axis} {size}" for axis, size in about["sizes"].items())])
