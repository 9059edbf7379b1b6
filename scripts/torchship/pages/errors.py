"""What the pictures of the gate show: errors of each output, and of each row beside some numbers of the inputs.

A row is an event; of inputs that are not made of events, such as graphs, whatever the first axis of the first output
counts (hits), or the whole case where that is fixed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torchship.data.datasets import write_arrays
from torchship.data.padding import hidden
from torchship.gate.case import Case
from torchship.gate.witness.limits import ratios
from torchship.spec.arrays import Array
from torchship.spec.tensor import Tensor, Tensors

# Rows and numbers that are kept, evenly chosen: as many as a picture can show.
MOST_POINTS = 20000
# Columns of an input, and of all; outputs.
MOST_OF_INPUT = 4
MOST_COLUMNS = 8
MOST_OUTPUTS = 4


@dataclass(frozen=True)
class Column:
    """One number of each row: which of an input's, in what place of its further axes."""

    name: str
    place: tuple[int, ...]
    label: str


def write_errors(
    path: Path, cases: Sequence[Case], results: Sequence[dict[str, Array] | str], inputs: Tensors, outputs: Tensors
) -> None:
    """Write what the pictures show.

    Arrays `input` [rows, columns], NaN where there is no such number or it is padding; `ratio` [rows], the signed error
    in units of the limit of the output that is furthest off; and for each shown output `exact/<name>` and
    `signed/<name>` [numbers], float64's value and (found - expected) / limit. The header has the `columns`' labels, the
    `outputs`, and as `left_out` a line for each input or output that is not shown whole.
    """
    axis = row_axis(inputs, outputs)
    largest = {
        name: largest_row([case.feed[name] for case in cases], first=by_rows(tensor, axis))
        for name, tensor in inputs.items()
    }
    columns, left_out = choose_columns(inputs, largest, axis)
    floats = [name for name in outputs if any(case.exact[name].dtype.kind == "f" for case in cases)]
    shown = floats[:MOST_OUTPUTS]
    # Integers are equal, or the gate has failed: there is nothing to draw.
    columns = columns if shown else []
    left_out += [
        f"nothing of output {name}" + ("" if name in floats else ", which is not floating point")
        for name in outputs
        if name not in shown
    ]
    kept: dict[str, list[Array]] = {}
    for case, found in zip(cases, results, strict=True):
        if not isinstance(found, str):
            for key, array in of_case(case, found, columns, shown, inputs, outputs, axis).items():
                kept.setdefault(key, []).append(array)
    arrays = {name: thinned(np.concatenate(parts)) for name, parts in kept.items()}
    write_arrays(
        path, arrays, {"columns": [column.label for column in columns], "outputs": shown, "left_out": left_out}
    )


def largest_row(arrays: Sequence[Array], *, first: bool) -> Array:
    """Return the array with the most numbers for a row, which the first axis counts or which is the whole array."""
    return max(arrays, key=lambda array: math.prod(array.shape[first:]), default=np.zeros(()))


def of_case(
    case: Case,
    found: Mapping[str, Array],
    columns: Sequence[Column],
    shown: Sequence[str],
    inputs: Tensors,
    outputs: Tensors,
    axis: str | None,
) -> dict[str, Array]:
    """Return the arrays of one case, see `write_errors`."""
    rows = case.about["sizes"][axis] if axis is not None else 1
    kept: dict[str, Array] = {}
    largest = np.zeros(rows)
    for name, exact in case.exact.items():
        if exact.dtype.kind != "f":
            continue
        with np.errstate(all="ignore"):
            sign = np.nan_to_num(np.sign(found[name].astype(np.float64) - exact))
        signed = sign * ratios(found[name], exact, case.limit[name])
        if name in shown:
            kept |= {f"exact/{name}": exact.reshape(-1).astype(np.float64), f"signed/{name}": signed.reshape(-1)}
        if exact.size and (axis is None or outputs[name].shape[:1] == (axis,)):
            by_row = signed.reshape(rows, -1)
            worst = by_row[np.arange(rows), np.abs(by_row).argmax(axis=1)]
            largest = np.where(np.abs(worst) > np.abs(largest), worst, largest)
    numbers = [
        numbers_of(column, case.feed, inputs[column.name], rows, by_row=by_rows(inputs[column.name], axis))
        for column in columns
    ]
    return {**kept, "ratio": largest, "input": np.stack(numbers, axis=1) if numbers else np.zeros((rows, 0))}


def numbers_of(column: Column, feed: Mapping[str, Array], tensor: Tensor, rows: int, *, by_row: bool) -> Array:
    """Return a column's number of each row, NaN where there is none, or padding."""
    array = feed[column.name]
    counted = ~np.broadcast_to(hidden(tensor, feed, array.ndim), array.shape)
    # What has no rows of its own is the same in each.
    place: tuple[int | slice | None, ...] = (slice(None) if by_row else np.newaxis, *column.place)
    if any(have <= index for have, index in zip(array.shape[by_row:], column.place, strict=True)):
        return np.full(rows, np.nan)
    numbers = np.where(counted[place], array[place].astype(np.float64), np.nan)
    return np.broadcast_to(numbers, rows)


def row_axis(inputs: Tensors, outputs: Tensors) -> str | None:
    """Return the dynamic axis that counts the rows: the first of the first output, where an input has it, too."""
    first = next(iter(outputs.values())).shape[:1]
    names = [axis for axis in first if isinstance(axis, str) and any(by_rows(inputs[name], axis) for name in inputs)]
    return names[0] if names else None


def by_rows(tensor: Tensor, axis: str | None) -> bool:
    """Say whether the first axis of a tensor is the one that counts the rows."""
    return axis is not None and tensor.shape[:1] == (axis,)


def choose_columns(inputs: Tensors, largest: Mapping[str, Array], axis: str | None) -> tuple[list[Column], list[str]]:
    """Return the columns to show, the first ones of each input in turn, and a line for each that is not shown whole.

    Args:
        largest: of each input the array with the most numbers for a row, of all cases.
    """
    places: dict[str, list[tuple[int, ...]]] = {}
    counts: dict[str, int] = {}
    for name, tensor in inputs.items():
        shape = largest[name].shape[by_rows(tensor, axis) :]
        # What counts something else than rows cannot stand beside them.
        beside = axis is None or by_rows(tensor, axis) or all(isinstance(size, int) for size in tensor.shape)
        counts[name] = math.prod(shape)
        most = min(counts[name], MOST_OF_INPUT) if beside and largest[name].dtype.kind in "fiub" else 0
        places[name] = [tuple(map(int, np.unravel_index(number, shape))) for number in range(most)]
    turns = [(turn, name) for turn in range(MOST_OF_INPUT) for name in inputs if turn < len(places[name])]
    columns = [
        Column(name, places[name][turn], label(name, inputs, places[name][turn]))
        for name in inputs
        for turn, other in turns[:MOST_COLUMNS]
        if other == name
    ]
    left_out = []
    for name, tensor in inputs.items():
        have = sum(column.name == name for column in columns)
        most_of = "up to " if any(isinstance(size, str) for size in tensor.shape[by_rows(tensor, axis) :]) else ""
        if have < counts[name]:
            left_out.append(f"{have} of {most_of}{counts[name]} numbers of {name}")
    return columns, left_out


def label(name: str, inputs: Tensors, place: tuple[int, ...]) -> str:
    """Return what a number of an input is called: `jets[0].pt`, `image[0, 3, 3]`, `x[1]`, or the feature's name."""
    features = inputs[name].features
    if not features or not place:
        return f"{name}[{', '.join(map(str, place))}]" if place else name
    before = f"{name}[{', '.join(map(str, place[:-1]))}]." if place[:-1] else f"{name}." if len(inputs) > 1 else ""
    return f"{before}{features[place[-1]]}"


def thinned(array: Array) -> Array:
    """Return evenly chosen rows, not more than a picture can show."""
    return array[:: max(1, -(-len(array) // MOST_POINTS))]
