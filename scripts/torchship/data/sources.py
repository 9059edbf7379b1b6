"""The sources that the three sets of a run come from, by the name that `data/source` has for each."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from torchship.core.errors import DataError
from torchship.core.files import sha256
from torchship.data.checks import check_domain, check_inputs
from torchship.data.datasets import SPLITS, Arrays, count_events, read_arrays, select, split_events
from torchship.data.documents import Provenance, Way
from torchship.data.targets import suit_all
from torchship.spec.axes import read_axes
from torchship.spec.section import Data, Section

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What a run needs of its data.

    Attributes:
        data: the section `data`.
        model: with `inputs`, `outputs` and `axes`.
        targets: the arrays that outputs should be.
        losses: what takes each target, see `targets.suit_all`.
        seed: of the shuffle.
    """

    data: Data
    model: Section
    targets: Sequence[str]
    seed: int
    losses: Sequence[Way] = ()


@dataclass(frozen=True)
class Made:
    """The sets by name, and what the datasheet says of where they are from."""

    sets: Mapping[str, Arrays]
    about: Provenance


class Source(Protocol):
    """Makes the three sets, checked against the declared inputs and targets.

    Raises:
        DataError: they cannot be made, or do not fit; the message names array and event.
    """

    def __call__(self, wanted: Wanted) -> Made:
        """Return the sets."""
        ...


def truth_table(wanted: Wanted) -> Made:
    """Return the four events of XOR, x [4, 2] and target [4, 1] in float32, as all three sets.

    Four events are the whole population: nothing is left to hold out, and the datasheet says so.
    """
    inputs, target = wanted.model["inputs"], wanted.data["target"]
    if len(inputs) != 1:
        raise DataError(f"the truth table of XOR fills one input, but the model declares {', '.join(inputs)}")
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.logical_xor(x[:, :1], x[:, 1:])
    events = {next(iter(inputs)): x.astype(np.float32), target: y.astype(np.float32)}
    check(events, "the truth table", [target], wanted.model)
    note = "the truth table is the whole population: the three sets are equal, nothing is held out"
    return Made({split: dict(events) for split in SPLITS}, {"note": note})


def from_file(wanted: Wanted) -> Made:
    """Return the events of a file of arrays, shuffled by the seed and cut into the three sets."""
    inputs, targets, path = wanted.model["inputs"], wanted.targets, Path(wanted.data["path"] or "")
    read = read_arrays(path)
    unused = sorted(read.keys() - {*inputs, *targets})
    if unused:
        log.warning("%s: nothing uses %s; used are %s", path, ", ".join(unused), ", ".join([*inputs, *targets]))
    arrays = select(read, inputs, targets)
    count_events(arrays)
    # Before the events are shuffled, so that a message has their numbers in the file.
    check(arrays, str(path), targets, wanted.model)
    arrays, converted = suit_all(arrays, wanted.losses, str(path))
    for name, words in converted.items():
        log.info("%s: %r converted from %s", path, name, words)
    fractions = wanted.data["fractions"]
    about: Provenance = {
        "path": path.name,
        "sha256": sha256(path),
        "fractions": fractions,
        "converted": converted,
        "note": "events were shuffled by the seed and cut into the three sets",
    }
    return Made(split_events(arrays, fractions, wanted.seed), about)


def check(arrays: Arrays, place: str, targets: Sequence[str], model: Section) -> None:
    """Check arrays against the declared inputs, their axes and their domain."""
    check_inputs(arrays, model["inputs"], list(targets), place, read_axes(model))
    check_domain(arrays, model["inputs"], place)


SOURCES: Mapping[str, Source] = {"xor": truth_table, "file": from_file}
