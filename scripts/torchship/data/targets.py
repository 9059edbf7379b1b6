"""What outputs should be, in the form that a loss takes: converted where nothing is lost, else told by the event."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torchship.core.errors import DataError
from torchship.spec.arrays import Array

CLASSES = "cross_entropy"


def suit_all(
    arrays: Mapping[str, Array], wanted: Sequence[Mapping[str, Any]], place: str
) -> tuple[dict[str, Array], dict[str, str]]:
    """Return arrays with each target as its losses take it, and what was converted, by name.

    A target of several losses that take it in different forms stays as it is: each training converts its own.

    Args:
        wanted: for each use of an array by a loss `target`, `function` and `classes`, see `suited`.
        place: the file that they are from, for messages.

    Raises:
        DataError: see `suited`.
    """
    found = dict(arrays)
    words: dict[str, str] = {}
    for name in sorted({one["target"] for one in wanted}):
        ways = [
            suited(arrays[name], one["function"], one["classes"], f"{place}: {name!r}")
            for one in wanted
            if one["target"] == name
        ]
        if len({form(array) for array, _ in ways}) == 1:
            found[name] = ways[0][0]
            words |= {name: ways[0][1]} if ways[0][1] else {}
    return found, words


def suited(target: Array, loss: str, classes: Any, place: str) -> tuple[Array, str]:
    """Return a target as a loss takes it, and what had to be converted, in words; '' where nothing had to be.

    Args:
        classes: the last axis of the output that it is for.

    Raises:
        DataError: it has other values, or another shape, or numbers that would be rounded; the message has the first
            event that is wrong.
    """
    changed = as_classes(target, classes, place) if loss == CLASSES else as_numbers(target, loss, classes, place)
    same = form(changed) == form(target)
    return (target, "") if same else (changed, f"{form(target)} to {form(changed)}, which loses nothing")


def form(array: Array) -> str:
    """Return an array's type and shape in words."""
    return f"{array.dtype} {list(array.shape)}"


def as_classes(target: Array, classes: Any, place: str) -> Array:
    """Return one class an event, int64 [events], of integers, truth values, or whole numbers in floating point."""
    takes = f"{place}: cross_entropy takes one integer from 0 to {classes - 1} an event"
    if target.size != len(target):
        one_hot = target.shape[1:] == (classes,)
        hint = "; of one column a class, numpy.argmax(target, axis=1) makes that" if one_hot else ""
        raise DataError(f"{takes}, {described(target)}{hint}")
    flat = target.reshape(len(target))
    wrong = np.asarray((flat < 0) | (flat >= classes))
    if flat.dtype.kind == "f":
        wrong |= flat != np.floor(flat)
    require_none(flat, wrong, takes)
    return flat.astype(np.int64)


def as_numbers(target: Array, loss: str, classes: Any, place: str) -> Array:
    """Return numbers as float32 [events, classes]."""
    width = classes if isinstance(classes, int) else "any"
    takes = f"{place}: {loss} takes float32 of shape [events, {width}]"
    shaped = target[:, np.newaxis] if target.ndim == 1 and classes == 1 else target
    if shaped.ndim != 2 or (isinstance(classes, int) and shaped.shape[1] != classes):
        raise DataError(f"{takes}, {described(target)}")
    changed = shaped.astype(np.float32)
    # What is floating point was made float32 as the inputs were.
    whole = shaped.dtype.kind in "iu"
    lost = np.asarray(changed.astype(np.float64) != shaped) if whole else np.zeros(shaped.shape, dtype=bool)
    require_none(shaped, lost, f"{takes}, which cannot hold all integers beyond 16,777,216")
    if loss.startswith("binary"):
        takes = f"{place}: {loss} takes labels from 0 to 1"
        if set(np.unique(changed[:1000]).tolist()) == {-1.0, 1.0}:
            raise DataError(f"{takes}, {described(target)}; of labels -1 and 1, (target + 1) / 2 makes that")
        require_none(shaped, np.asarray((changed < 0.0) | (changed > 1.0)), takes)
    return changed


def require_none(target: Array, wrong: Array, takes: str) -> None:
    """Check that nothing is wrong.

    Raises:
        DataError: something is; the message has the first event, and how many there are.
    """
    events = np.asarray(wrong.reshape(len(wrong), -1).any(axis=1))
    if events.any():
        first = int(np.argmax(events))
        value = target[first].reshape(-1)[np.argmax(wrong[first])] if target[first].size else target[first]
        raise DataError(
            f"{takes}, {described(target)}: wrong in {int(events.sum())} of {len(events)} events, first in event "
            f"{first}, which has {value}"
        )


def described(target: Array) -> str:
    """Return a target's type, shape and range in words."""
    return f"the target is {target.dtype} of shape {list(target.shape)} from {target.min()} to {target.max()}"
