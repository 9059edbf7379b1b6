"""The sources that the three sets of a run come from, by the name that `data/source` has for each, and their checks."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
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
class Found:
    """All events of a source, in its own order: what is wrong with one is told by its place there.

    Attributes:
        arrays: by name, an event along the first axis.
        place: what messages call the source.
        cut: makes the three sets of them, by name.
        about: what the datasheet says of where they are from.
    """

    arrays: Arrays
    place: str
    cut: Callable[[Arrays], Mapping[str, Arrays]]
    about: Provenance = field(default_factory=Provenance)


class Source(Protocol):
    """Finds the events of a run. Whether they fit is checked by `make_sets`, whatever the source.

    Raises:
        DataError: there are none to be had.
    """

    def __call__(self, wanted: Wanted) -> Found:
        """Return the events."""
        ...


def make_sets(wanted: Wanted) -> tuple[Mapping[str, Arrays], Provenance]:
    """Return the three sets by name, and what the datasheet says of where they are from.

    All is checked before the source cuts its events, which may shuffle them, so that a message has the event's number
    in the source.

    Raises:
        DataError: the events do not fit the declared inputs, their axes or domain, or the losses; the message names
            source, array and event.
    """
    inputs, targets = wanted.model["inputs"], wanted.targets
    found = SOURCES[wanted.data["source"]](wanted)
    place = found.place
    unused = sorted(found.arrays.keys() - {*inputs, *targets})
    if unused:
        log.warning("%s: nothing uses %s; used are %s", place, ", ".join(unused), ", ".join([*inputs, *targets]))
    arrays = select(found.arrays, inputs, targets)
    count_events(arrays)
    check_inputs(arrays, inputs, targets, place, read_axes(wanted.model))
    check_domain(arrays, inputs, place)
    arrays, converted = suit_all(arrays, wanted.losses, place)
    for name, words in converted.items():
        log.info("%s: %r converted from %s", place, name, words)
    about: Provenance = {**found.about, "converted": converted} if converted else found.about
    return found.cut(arrays), about


def truth_table(wanted: Wanted) -> Found:
    """Return the four events of XOR, x [4, 2] and target [4, 1] in float32, as all three sets.

    Four events are the whole population: nothing is left to hold out, and the datasheet says so.
    """
    inputs, target = wanted.model["inputs"], wanted.data["target"]
    if len(inputs) != 1:
        raise DataError(f"the truth table of XOR fills one input, but the model declares {', '.join(inputs)}")
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    y = np.logical_xor(x[:, :1], x[:, 1:])
    events = {next(iter(inputs)): x.astype(np.float32), target: y.astype(np.float32)}
    note = "the truth table is the whole population: the three sets are equal, nothing is held out"
    return Found(events, "the truth table", lambda arrays: {split: dict(arrays) for split in SPLITS}, {"note": note})


def from_file(wanted: Wanted) -> Found:
    """Return the events of a file of arrays, which are shuffled by the seed and cut into the three sets."""
    path, fractions = Path(wanted.data["path"] or ""), wanted.data["fractions"]
    arrays = read_arrays(path)
    about: Provenance = {
        "path": path.name,
        "sha256": sha256(path),
        "fractions": fractions,
        "note": "events were shuffled by the seed and cut into the three sets",
    }
    return Found(arrays, str(path), partial(split_events, fractions=fractions, seed=wanted.seed), about)


SOURCES: Mapping[str, Source] = {"xor": truth_table, "file": from_file}
