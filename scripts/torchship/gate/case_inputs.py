"""What draws the cases: events of the data and near them, points of the domain, its edges, comparisons."""

from collections.abc import Iterator, Mapping

import numpy as np
from torchship.data.datasets import Arrays
from torchship.data.domain import draw, edge_draws, fixed_batch, independent, near, on_values, rows
from torchship.gate.about import About
from torchship.gate.witness.thresholds import Comparer, flips
from torchship.spec.arrays import Array, Feed
from torchship.spec.axes import (
    ANY_SIZE,
    BATCH,
    EVERY,
    USUAL_BATCH,
    Axes,
    AxisRange,
    largest_sizes,
    shape_matrix,
    usual_sizes,
)
from torchship.spec.section import Validate
from torchship.spec.tensor import Tensors

Made = Iterator[tuple[About, dict[str, Array]]]

# Inputs that are not made of independent events, such as graphs, are drawn that many times at their largest.
LARGE_DRAWS = 16
# Where no axis is dynamic, each call is as small as it can be.
FIXED_DRAWS = 64
# Events of the training data, events near data, and events on special values, of which there need not be a batch.
SOME = 256
# Draws on special values of inputs that are not made of independent events.
SPECIAL_DRAWS = 8

UNIFORM = "uniform over the domain"
# Where inputs lie as they do in use, and limits must be narrow; elsewhere ties and edges are sought.
ORIGINS_IN_USE = ("test set", "reference", "training set", "near the data", UNIFORM)


def make_inputs(
    inputs: Tensors,
    events: Arrays | None,
    validate: Validate,
    *,
    beyond: int,
    seed: int,
    axes: Axes = EVERY,
    training: Arrays | None = None,
    comparer: Comparer | None = None,
) -> Made:
    """Yield the inputs of all cases, in order.

    These are all events of the test set, in batches of the largest size; for each shape of the matrix the first events
    of the test set, repeated where it is shorter, and uniform draws; and at the usual shape the corners of the domain
    and the ends of each discrete input. Inputs that are not made of independent events are drawn at their largest, too.
    Then come events of the training data, events near those and the test set's, draws on the constants that the
    network compares with, integers and ends, and pairs of events between which a comparison flips.

    Args:
        beyond: the largest batch of the training.
        axes: which sizes the dynamic axes may have.
        training: the training set, if there is one.
        comparer: says what the network compares; None: it is not asked.

    Yields:
        what a `Case` has as `about`, and the inputs by name.
    """
    generator = np.random.default_rng(seed)
    batches = axes.get(BATCH, ANY_SIZE)
    shapes = shape_matrix(inputs, validate, beyond, axes)
    if events is not None:
        batch_sizes = {shape[BATCH] for shape in shapes if BATCH in shape}
        yield from data_inputs(inputs, events, batches, batches.nearest(max(validate["batch_sizes"])), batch_sizes)
    yield from domain_inputs(inputs, validate, shapes, axes, generator)
    # A generator of their own leaves the draws above what they were.
    generator = np.random.default_rng([seed, 3])
    yield from near_inputs(inputs, [training, events], batches, generator)
    yield from special_inputs(inputs, usual_sizes(inputs, axes, USUAL_BATCH), comparer, batches, generator)


def data_inputs(inputs: Tensors, events: Arrays, batches: AxisRange, largest: int, batch_sizes: set[int]) -> Made:
    """Yield the events of the test set or of a reference: all of them, and the first at each batch size."""
    fixed, sizes = fixed_batch(inputs), sizes_of(inputs, events)
    if fixed is not None:
        # A caller calls with that batch, again and again.
        for first in range(0, len(next(iter(events.values()))), fixed):
            yield {"origin": "reference", "sizes": {}, "first": first}, rows(events, slice(first, first + fixed))
        return
    if not independent(inputs):
        yield {"origin": "reference", "sizes": sizes, "first": 0}, dict(events)
        return
    count = len(next(iter(events.values())))
    given = {name: events[name] for name in inputs}
    for start in range(0, count, largest):
        # The last batch has a size that it may have: it shares events with the one before, or holds some twice.
        size = batches.nearest(min(largest, count - start))
        first = min(start, max(count - size, 0))
        about: About = {"origin": "test set", "sizes": {**sizes, BATCH: size}}
        if size <= count:
            about["first"] = first
        yield about, rows(given, (first + np.arange(size)) % count)
    for batch in sorted(batch_sizes - {0, count}):
        feed = rows({name: events[name] for name in inputs}, np.arange(batch) % count)
        yield (
            {
                "origin": "test set, repeated" if batch > count else "test set, its first events",
                "sizes": {**sizes, BATCH: batch},
            },
            feed,
        )


def domain_inputs(
    inputs: Tensors,
    validate: Validate,
    shapes: list[dict[str, int]],
    axes: Axes,
    generator: np.random.Generator,
) -> Made:
    """Yield uniform draws at each shape of the matrix, and the edges of the domain at the usual shape."""
    ways = edge_draws(inputs)
    for sizes in shapes:
        yield {"origin": ways[0][0], "sizes": sizes}, draw(inputs, ways[0][1], sizes, generator)
    if not independent(inputs):
        sizes = largest_sizes(inputs, validate, axes)
        for _ in range(LARGE_DRAWS if sizes else FIXED_DRAWS):
            yield {"origin": f"{ways[0][0]}, large", "sizes": sizes}, draw(inputs, ways[0][1], sizes, generator)
    usual = usual_sizes(inputs, axes, USUAL_BATCH)
    for origin, way in ways[1:]:
        for _ in range(1 if usual else LARGE_DRAWS):
            yield {"origin": origin, "sizes": usual}, draw(inputs, way, usual, generator)


def near_inputs(inputs: Tensors, sets: list[Arrays | None], batches: AxisRange, generator: np.random.Generator) -> Made:
    """Yield events of the training data, and events near the data, where there are some."""
    known = [{name: arrays[name] for name in inputs} for arrays in sets if arrays is not None]
    if not known or not independent(inputs):
        return
    count = len(next(iter(known[0].values())))
    chosen = {name: array[:: max(1, count // SOME)] for name, array in known[0].items()}
    size = batches.nearest(min(SOME, len(next(iter(chosen.values())))))
    some = rows(chosen, np.arange(size) % len(next(iter(chosen.values()))))
    sizes = {**sizes_of(inputs, some), BATCH: size}
    if len(known) > 1:
        yield {"origin": "training set, some events", "sizes": sizes}, some
    for feed in known:
        count = len(next(iter(feed.values())))
        part = rows(feed, generator.integers(count, size=size))
        yield (
            {"origin": "near the data", "sizes": {**sizes_of(inputs, part), BATCH: size}},
            near(part, inputs, generator),
        )


def special_inputs(
    inputs: Tensors,
    usual: Mapping[str, int],
    comparer: Comparer | None,
    batches: AxisRange,
    generator: np.random.Generator,
) -> Made:
    """Yield draws on constants, integers and ends, and pairs of events between which a comparison flips."""
    separate = independent(inputs)
    sizes = {**usual, BATCH: batches.nearest(SOME)} if separate else dict(usual)
    uniform = draw(inputs, edge_draws(inputs)[0][1], sizes, generator)
    constants = comparer.comparisons(uniform).constants if comparer is not None else ()
    for _ in range(1 if separate else SPECIAL_DRAWS):
        feed = on_values(inputs, sizes, dict.fromkeys(inputs, constants), generator)
        yield {"origin": "on constants, integers and ends", "sizes": sizes}, feed
    if comparer is not None and separate:
        found = flips(comparer, inputs, uniform, generator)
        size = len(next(iter(found.values()))) if found else 0
        if found and batches.allows(size):
            yield {"origin": "on both sides of a comparison", "sizes": {**sizes, BATCH: size}}, found


def sizes_of(inputs: Tensors, feed: Feed) -> dict[str, int]:
    """Return the sizes that the dynamic axes of some inputs have."""
    return {
        axis: feed[name].shape[place]
        for name, tensor in inputs.items()
        for place, axis in enumerate(tensor.shape)
        if isinstance(axis, str)
    }


def told_shapes(feed: Feed) -> str:
    """Return the shapes of some inputs, in words."""
    return ", ".join(f"{name} {list(array.shape)}" for name, array in feed.items())
