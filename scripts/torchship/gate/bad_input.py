"""Bad input: what a runtime does with it, beside what torch does, and whether the model's promises are kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torchship.core.errors import ParityError, UnjudgedError
from torchship.core.texts import is_text
from torchship.data.domain import element_type, ends_of, rows
from torchship.data.padding import hidden
from torchship.gate.case_inputs import told_shapes
from torchship.gate.documents import BadInputRow
from torchship.gate.judge import Failure, Judge
from torchship.gate.session import Result, Session
from torchship.gate.witness.limits import ratios
from torchship.spec.arrays import Array, Feed
from torchship.spec.tensor import Tensor, Tensors

# Numbers that a model may make a promise about, by the promise's name.
NUMBERS: dict[str, list[float]] = {"nan": [np.nan], "infinity": [np.inf, -np.inf], "denormal": [1e-42, -1e-42]}
# What is right for bad input where a given reference judges alone.
NOT_KNOWN = "not known"


def bad_numbers(inputs: Tensors, feed: Feed, sizes: Mapping[str, int]) -> Iterator[tuple[str, str, Feed]]:
    """Return inputs of which one event, or one entry, holds a bad number.

    Yields:
        the promise's name, what was put where, and the inputs.
    """
    for name, tensor in inputs.items():
        kind = element_type(tensor)
        if not feed[name].size or kind.kind not in "fiu":
            continue  # every truth value is one that is expected, and no text is a bad number
        place = first_real(tensor, feed, name)
        low, high = (float(np.broadcast_to(end, feed[name].shape).flat[place]) for end in ends_of(tensor, sizes))
        if kind.kind == "f":
            far = {**NUMBERS, "outside": [high + 10.0 * (high - low), low - 10.0 * (high - low)]}
        else:
            ends = np.iinfo(kind)
            far = {"outside": [value for value in (high + 1, low - 1) if ends.min <= value <= ends.max]}
        for promise, values in far.items():
            for value in values:
                changed = feed[name].copy()
                with np.errstate(over="ignore"):  # the far end of the domain may be beyond float16
                    changed.flat[place] = value
                yield promise, f"{value:g} in {name}{'[0]' * (changed.ndim > 0)}", {**feed, name: changed}


def first_real(tensor: Tensor, feed: Feed, name: str) -> int:
    """Return the place of the first number of the first event that no mask hides, or of the first, in flat order."""
    shape = feed[name].shape
    real = ~np.broadcast_to(hidden(tensor, feed, len(shape)), shape)
    return int(np.argmax(real[:1] if shape else real))


def wrong_calls(inputs: Tensors, feed: Feed) -> Iterator[tuple[str, str, Feed]]:
    """Return calls that don't fit the declaration."""
    for name, tensor in inputs.items():
        array = feed[name]
        other = np.dtype(np.float64 if element_type(tensor) == np.float32 else np.float32)
        numbers = np.zeros(array.shape, other) if is_text(array) else array.astype(other)
        yield "wrong type", f"{name} as {other}", {**feed, name: numbers}
        # A scalar's shape is empty, which ONNX Runtime takes for a shape that nobody said.
        if array.ndim:
            yield "wrong rank", f"{name} with an axis more", {**feed, name: array[None]}
            yield "wrong rank", f"{name} with an axis less", {**feed, name: array[0]}
        others = {key: value for key, value in feed.items() if key != name}
        yield "wrong name", f"{name} called {name}_", {**others, f"{name}_": array}
        yield "missing input", f"no {name}", others


def kind_of(found: Mapping[str, Array]) -> str:
    """Say what numbers the first event's outputs are."""
    firsts = [
        np.asarray(array[:1] if array.ndim else array, dtype=np.float64).ravel()
        for array in found.values()
        if not is_text(array)
    ]
    values = np.concatenate(firsts) if firsts else np.zeros(0)
    return "NaN" if np.isnan(values).any() else "infinite" if np.isinf(values).any() else "finite"


def as_torch(found: Mapping[str, Array], expected: Mapping[str, Array], limit: Mapping[str, Array]) -> bool:
    """Say whether outputs are the arbiter's; where that was asked for the first event alone, whether this one is."""
    for name, want in expected.items():
        have = found.get(name)
        if have is None or have.ndim != want.ndim:
            return False
        first = have[: len(want)] if want.ndim else have
        if first.shape != want.shape or not (ratios(first, want, limit[name]) <= 1.0).all():
            return False
    return True


Expected = tuple[dict[str, Array], dict[str, Array]] | str


@dataclass(frozen=True)
class Trials:
    """Bad input for an open file, made of good input of some sizes, and its judge, who says what torch makes of it."""

    session: Session
    judge: Judge
    good: Feed
    sizes: Mapping[str, int]

    def run(self, promises: Mapping[str, str]) -> tuple[list[BadInputRow], list[Failure]]:
        """Try all bad inputs; return a row for each, and what broke a promise.

        Args:
            promises: what the model promises of `nan`, `infinity`, `denormal`, `outside` and `empty`.
        """
        good = self.session.run(self.good)
        if isinstance(good, str):
            # Else every promise would be kept unseen.
            return [], [Failure("refused", f"bad input, {told_shapes(self.good)}", good)]
        table, failures = self.numbers(good, promises)
        failures += [Failure("promise", row["what"], message) for row in table if (message := breaks(row))]
        for condition, what, call in wrong_calls(self.session.file.inputs, self.good):
            found = self.session.run(call)
            row: BadInputRow = {"condition": condition, "what": what, "promise": "refused", "outcome": "returned"}
            if isinstance(found, str):
                row |= {"outcome": "refused", "message": found}
            else:
                failures.append(Failure("bad input", what, f"{condition}: was taken, a runtime must refuse it"))
            table.append(row)
        return table, failures

    def numbers(
        self, good: Mapping[str, Array], promises: Mapping[str, str]
    ) -> tuple[list[BadInputRow], list[Failure]]:
        """Try bad numbers, and a batch of no events; `good` is what the good input gives."""
        table: list[BadInputRow] = []
        failures: list[Failure] = []
        separate = self.session.file.separate
        trials = list(bad_numbers(self.session.file.inputs, self.good, self.sizes))
        expectations = self.expected_of([spoilt for _, _, spoilt in trials], separate=separate)
        for (promise, what, spoilt), expected in zip(trials, expectations, strict=True):
            row, found = self.try_numbers(expected, spoilt)
            row |= {"condition": promise, "what": what, "promise": promises.get(promise)}
            if separate and not isinstance(found, str):
                row["neighbours"] = all(same_but_first(found[name], good[name]) for name in good)
                if not row["neighbours"]:
                    failures.append(Failure("bad input", what, "changes the outputs of other events"))
            table.append(row)
        if separate:
            none = {name: array[:0] for name, array in self.good.items()}
            row, _ = self.try_numbers(self.expected(none), none)
            table.append({**row, "condition": "empty", "what": "a batch of 0", "promise": promises.get("empty")})
        return table, failures

    def expected_of(self, feeds: Sequence[Feed], *, separate: bool) -> list[Expected]:
        """Return what the arbiter makes of each; of independent events the first alone, all in one quick batch."""
        if not separate or not feeds:
            return [self.expected(feed) for feed in feeds]
        together = self.expected({name: np.concatenate([feed[name][:1] for feed in feeds]) for name in feeds[0]})
        if isinstance(together, str):
            return [self.expected({name: array[:1] for name, array in feed.items()}) for feed in feeds]
        exact, limit = together
        return [
            (rows(exact, slice(place, place + 1)), rows(limit, slice(place, place + 1))) for place in range(len(feeds))
        ]

    def expected(self, feed: Feed) -> Expected:
        """Return what the arbiter makes of inputs, with limits; or that it refuses them, or that nobody knows."""
        try:
            return self.judge.expected(feed)
        except UnjudgedError:
            return NOT_KNOWN
        except ParityError:
            return "refused"

    def try_numbers(self, expected: Expected, feed: Feed) -> tuple[BadInputRow, Result]:
        """Run spoilt inputs; return what came out beside what torch gives, and the outputs."""
        found = self.session.run(feed)
        row: BadInputRow = {"torch": expected if isinstance(expected, str) else kind_of(expected[0])}
        if isinstance(found, str):
            return {**row, "outcome": "refused", "message": found}, found
        same = not isinstance(expected, str) and as_torch(found, *expected)
        return {**row, "outcome": "returned", "kind": kind_of(found), "as_torch": same}, found


def same_but_first(found: Array, good: Array) -> bool:
    """Say whether all events but the first have the bits that they had beside a good first event."""
    return found.shape == good.shape and np.array_equal(found[1:], good[1:], equal_nan=found.dtype.kind == "f")


def breaks(row: BadInputRow) -> str | None:
    """Say how a row breaks the model's promise, if it does."""
    match row["promise"]:
        case None:
            return None
        case "refused":
            kept = row["outcome"] == "refused"
        case "as_torch" if row["torch"] == NOT_KNOWN:
            return "the model promises 'as_torch', and nobody says what is right for this input: promise something else"
        case "as_torch":
            kept = row.get("as_torch") is True or (row["outcome"] == row["torch"] == "refused")
        case kind:
            kept = row["outcome"] == "returned" and row.get("kind", "").lower() == kind
    if kept:
        return None
    came = "refused: " + row["message"] if row["outcome"] == "refused" else f"gives {row.get('kind')} numbers"
    if row["promise"] == "as_torch" and row["outcome"] == "returned":
        came += ", not those of torch"
    return f"the model promises {row['promise']!r} ({row['condition']}), the runtime {came}"
