"""What outputs should be, in the form that a loss takes: converted where nothing is lost, else told by the event."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torchship.core.errors import DataError
from torchship.spec.arrays import Array
from torchship.spec.tensor import Axis

CLASSES = "cross_entropy"


def suit_all(
    arrays: Mapping[str, Array], wanted: Sequence[Mapping[str, Any]], place: str
) -> tuple[dict[str, Array], dict[str, str]]:
    """Return arrays with each target as its losses take it, and what was converted, by name.

    A target of several losses that take it in different forms stays as it is: each training converts its own.

    Args:
        wanted: for each use of an array by a loss `target`, `function` and `shape`, see `suited`.
        place: the file that they are from, for messages.

    Raises:
        DataError: see `suited`.
    """
    found = dict(arrays)
    words: dict[str, str] = {}
    for name in sorted({one["target"] for one in wanted}):
        ways = [
            suited(arrays[name], one["function"], one["shape"], f"{place}: {name!r}")
            for one in wanted
            if one["target"] == name
        ]
        if len({form(array) for array, _ in ways}) == 1:
            found[name] = ways[0][0]
            words |= {name: ways[0][1]} if ways[0][1] else {}
    return found, words


def suited(target: Array, loss: str, shape: Sequence[Axis], place: str) -> tuple[Array, str]:
    """Return a target as a loss takes it, and what had to be converted, in words; '' where nothing had to be.

    Args:
        shape: of one event's output that it is for; the last axis has the classes.

    Raises:
        DataError: it has other values, or another shape, or numbers that would be rounded; the message has the first
            event that is wrong.
    """
    changed = as_classes(target, shape, place) if loss == CLASSES else as_numbers(target, loss, shape, place)
    same = form(changed) == form(target)
    return (target, "") if same else (changed, f"{form(target)} to {form(changed)}, which loses nothing")


def form(array: Array) -> str:
    """Return an array's type and shape in words."""
    return f"{array.dtype} {list(array.shape)}"


def as_classes(target: Array, shape: Sequence[Axis], place: str) -> Array:
    """Return one class a decision, int64 [events, …], of integers, truth values, or whole numbers in floating point."""
    *others, classes = shape
    each = f"event, as [{', '.join(map(str, ['events', *others]))}]" if others else "event"
    takes = f"{place}: cross_entropy takes one integer from 0 to {number_before(classes)} an {each}"
    flat = target[..., 0] if target.shape[-1:] == (1,) and target.ndim == len(shape) + 1 else target
    if not matches(flat.shape[1:], others):
        one_hot = target.ndim == len(shape) + 1 and target.shape[-1] == classes
        hint = f"; of one column a class, numpy.argmax(target, axis={len(shape)}) makes that" if one_hot else ""
        raise DataError(f"{takes}, {described(target)}{hint}")
    wrong = np.asarray(flat < 0)
    if isinstance(classes, int):
        wrong |= flat >= classes
    if flat.dtype.kind == "f":
        wrong |= flat != np.floor(flat)
    require_none(flat, wrong, takes)
    return flat.astype(np.int64)


def as_numbers(target: Array, loss: str, shape: Sequence[Axis], place: str) -> Array:
    """Return numbers as float32, in the shape of the output that they are for."""
    takes = f"{place}: {loss} takes float32 of shape [{', '.join(map(str, ['events', *shape]))}]"
    shaped = target[..., np.newaxis] if target.ndim == len(shape) and shape[-1] == 1 else target
    if not matches(shaped.shape[1:], shape):
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


def matches(sizes: Sequence[int], shape: Sequence[Axis]) -> bool:
    """Say whether sizes are those of a shape; a dynamic axis has any."""
    return len(sizes) == len(shape) and all(
        isinstance(axis, str) or size == axis for size, axis in zip(sizes, shape, strict=True)
    )


def number_before(classes: Axis) -> str:
    """Return the last class's number in words."""
    return str(classes - 1) if isinstance(classes, int) else "the last class"


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
