"""What the differences mean for decisions: which events of the test set change side, and how close the nearest is."""

from collections.abc import Sequence

import numpy as np
from torchship.core.texts import is_text
from torchship.gate.case import Case
from torchship.gate.documents import Decisions, Nearest
from torchship.spec.arrays import Array


def margins(scores: Array, threshold: float) -> tuple[Array, Array]:
    """Return each event's decision and its margin, from scores [events, classes].

    The margin is the distance of a single score from the threshold, or that of the largest score from the second.
    """
    wide = np.asarray(scores, dtype=np.float64)
    if wide.shape[1] == 1:
        return (wide[:, 0] > threshold).astype(np.int64), np.abs(wide[:, 0] - threshold)
    ordered = np.sort(wide, axis=1)
    return wide.argmax(axis=1), ordered[:, -1] - ordered[:, -2]


def compare_decisions(
    cases: Sequence[Case], results: Sequence[dict[str, Array] | str], output: str, threshold: float
) -> Decisions | None:
    """Compare the decisions on the events of the test set with float64's.

    Args:
        output: the one that decides, [batch, classes], [batch, 1] or [batch].

    Returns:
        `events`, how many `changed` and the `first` of these, and the `nearest` event to changing: its margin, and the
        margin in units of what a correct file may move it by. None where nothing is decided: no test set, or an output
        of another shape.
    """
    events, changed, first = 0, 0, None
    nearest: Nearest | None = None
    for case, found in zip(cases, results, strict=True):
        exact, limit = case.exact[output], case.limit[output]
        if "first" not in case.about or exact.ndim not in (1, 2) or is_text(exact) or isinstance(found, str):
            continue
        have = found.get(output)
        if have is None or have.shape != exact.shape:
            continue
        # One number an event, [batch], decides as [batch, 1] does.
        have, exact, limit = (one.reshape(len(one), -1) for one in (have, exact, limit))
        (decided, _), (expected, margin) = margins(have, threshold), margins(exact, threshold)
        wrong = np.flatnonzero(decided != expected)
        if len(wrong) and first is None:
            first = case.about["first"] + int(wrong[0])
        events, changed = events + len(exact), changed + len(wrong)
        # Both of the scores that are compared may move.
        reach = limit.max(axis=1) * (2.0 if exact.shape[1] > 1 else 1.0)
        with np.errstate(all="ignore"):
            limits = margin / reach
        event = int(np.argmin(np.nan_to_num(limits, nan=np.inf)))
        if nearest is None or limits[event] < nearest["limits"]:
            nearest = {
                "event": case.about["first"] + event,
                "margin": float(margin[event]),
                "limits": float(limits[event]),
            }
    if nearest is None:
        return None
    return {"events": events, "changed": changed, "first": first, "nearest": nearest, "threshold": threshold}
