"""The search for the worst input: an evolution over the domain, towards the largest error in units of the limit.

The same seed and number of evaluations give the same inputs; the seconds only stop what takes too long.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from torchship.data.domain import (
    corners,
    discrete,
    draw,
    edge_draws,
    element_type,
    limits_of,
    on_values,
    rows,
    special_draw,
    uniform,
)
from torchship.data.padding import hidden, repad
from torchship.gate.case_inputs import sizes_of
from torchship.gate.cases import Case, Witnesses
from torchship.gate.constants import graph_constants
from torchship.gate.judge import Failure, Model, judge_case, run_feed
from torchship.gate.witness.limits import ratios
from torchship.spec.arrays import Array
from torchship.spec.axes import BATCH, usual_sizes
from torchship.spec.tensor import Tensors

log = logging.getLogger(__name__)

Feed = dict[str, Array]

POPULATION = 256
SURVIVORS = 32
# The limit of what is found is estimated anew with this many samples: a search finds estimates that are too low.
CONFIRMING_SAMPLES = 128
# Candidates that are confirmed, and kept.
KEPT = 8
# Of the numbers that are drawn anew in a child, the share that is on constants, integers and ends.
SPECIAL = 0.5
# Numbers of an input that the evidence spells out; larger ones are in worst.safetensors.
MOST_SHOWN = 64


@dataclass
class Found:
    """The worst inputs of a search, as a case, and how the search went."""

    worst: Case
    document: dict[str, Any]
    failures: list[Failure]


def search(
    model: Model, number: int, witnesses: Witnesses, factor: float, starts: Sequence[Feed], *,
    evaluations: int, seconds: float, seed: int, tolerance: float,
) -> Found | None:  # fmt: skip
    """Look for the input with the largest error.

    Events that are independent are tried a population at a time; other inputs, such as graphs, one at a time, which
    takes about as long and counts as many.

    Args:
        factor: of the limits, see `limits.factor`.
        starts: inputs to start from beside random ones, [batch, ...] each: the worst so far, events of the test set.
        evaluations: inputs to try.
        seconds: time after which the search ends all the same.
        tolerance: in units of the limit.

    Returns:
        None where the runtime refuses all that was tried.
    """
    together = model.separate
    sizes = usual_sizes(model.inputs, model.axes, POPULATION if together else 1)
    generator = np.random.default_rng([seed, 1])
    # What the file compares with; the network's own constants are in the cases that the search starts from.
    constants = graph_constants(onnx.load_from_string(model.content))
    population = first_population(model.inputs, sizes, starts, generator, constants, together=together)
    best: list[tuple[float, Feed]] = []
    tried, generations, begin = 0, 0, time.monotonic()
    while tried < evaluations:
        if time.monotonic() - begin > seconds:
            log.warning("the search stopped after %g s and %d of %d evaluations: raise validate/search/seconds",
                        seconds, tried, evaluations)  # fmt: skip
            break
        scored = score(model, number, witnesses, factor, population, together=together)
        if scored is None:
            return None
        tried += sizes[BATCH] if together else POPULATION
        generations += 1
        # The sort is stable: of equals the older one stays.
        best = sorted([*best, *scored], key=lambda pair: -pair[0])[:SURVIVORS]
        population = next_population(model.inputs, sizes, [feed for _, feed in best], generator, constants,
                                     together=together)  # fmt: skip
    return confirm(model, number, witnesses, factor, best, tried, generations, tolerance, together=together)


def first_population(
    inputs: Tensors, sizes: Mapping[str, int], starts: Sequence[Feed], generator: np.random.Generator,
    constants: Sequence[float], *, together: bool,
) -> Feed:  # fmt: skip
    """Return the starts, corners, uniform draws, and draws on constants that are compared with."""
    if not together:
        ways = edge_draws(inputs)
        return draw(inputs, ways[0][1], sizes, generator)
    part = {**sizes, BATCH: -(-sizes[BATCH] // 3)}
    drawn = [draw(inputs, dict.fromkeys(inputs, way), part, generator) for way in (corners, uniform)]
    drawn.append(on_values(inputs, part, dict.fromkeys(inputs, constants), generator))
    shape = {name: array.shape[1:] for name, array in drawn[0].items()}
    usable = [feed for feed in starts if {name: array.shape[1:] for name, array in feed.items()} == shape]
    return {name: np.concatenate([feed[name] for feed in [*usable, *drawn]])[: sizes[BATCH]] for name in inputs}


def score(
    model: Model, number: int, witnesses: Witnesses, factor: float, population: Feed, *, together: bool
) -> list[tuple[float, Feed]] | None:
    """Return each candidate with its largest error in units of the limit; None if the runtime refuses them."""
    exact, limit = witnesses.judge(population, factor)
    found = run_feed(model, number, population)
    if isinstance(found, str):
        return None
    count = len(next(iter(population.values()))) if together else 1
    worst = np.zeros(count)
    for name, expected in exact.items():
        if name in found and found[name].shape == expected.shape and expected.size:
            ratio = ratios(found[name], expected, limit[name])
            worst = np.maximum(worst, ratio.reshape(len(worst), -1).max(axis=1))
    if not together:
        return [(float(worst[0]), population)]
    return [(float(worst[event]), rows(population, slice(event, event + 1))) for event in range(count)]


def next_population(
    inputs: Tensors, sizes: Mapping[str, int], parents: Sequence[Feed], generator: np.random.Generator,
    constants: Sequence[float], *, together: bool,
) -> Feed:  # fmt: skip
    """Return children: of two parents each, some of their numbers changed a little, a lot, or to the last place."""
    count = sizes[BATCH] if together else 1
    children, fresh, was_padding = {}, {}, {}
    first, second = generator.integers(len(parents), size=(2, count))
    if together:
        stacks = {name: np.concatenate([parent[name] for parent in parents]) for name in inputs}
        mothers, fathers = rows(stacks, first), rows(stacks, second)
    else:
        mothers, fathers = parents[first[0]], parents[second[0]]
    for name, tensor in inputs.items():
        from_father = generator.random(mothers[name].shape) < 0.3
        child = np.where(from_father, fathers[name], mothers[name])
        hides = [hidden(tensor, feed, child.ndim) for feed in (fathers, mothers)]
        was_padding[name] = np.where(from_father, *hides)
        drawn = uniform(tensor, sizes, generator)
        special = special_draw(tensor, sizes, constants, generator)
        fresh[name] = np.where(generator.random(drawn.shape) < SPECIAL, special, drawn)
        rate = np.exp(generator.uniform(np.log(1.0 / max(child[0].size if child.ndim else 1, 1) / 2), 0.0, count))
        rate = rate.reshape(count, *[1] * (child.ndim - 1)) if together else rate[0]
        chosen = generator.random(child.shape) < rate
        if discrete(tensor):
            children[name] = np.where(chosen & (generator.random(child.shape) < 0.2), fresh[name], child)
            continue
        low, high = limits_of(tensor, sizes)
        # From a tenth of the domain down to the last place, and now and then to anywhere.
        step = (
            (high - low) * 10.0 ** generator.uniform(-8.0, -0.5, child.shape) * generator.standard_normal(child.shape)
        )
        moved = np.where(generator.random(child.shape) < 0.05, fresh[name], child + step)
        children[name] = np.clip(np.where(chosen, moved, child), low, high).astype(element_type(tensor))
    return repad(inputs, children, was_padding, fresh)


def confirm(
    model: Model, number: int, witnesses: Witnesses, factor: float, best: Sequence[tuple[float, Feed]], tried: int,
    generations: int, tolerance: float, *, together: bool,
) -> Found | None:  # fmt: skip
    """Judge the worst candidates with limits from many samples."""
    if not best:
        return None
    if together:
        feed = {name: np.concatenate([candidate[name] for _, candidate in best[:KEPT]]) for name in best[0][1]}
    else:
        feed = best[0][1]
    exact, limit = witnesses.judge(feed, factor, CONFIRMING_SAMPLES)
    case = Case({"origin": "found by the search", "sizes": sizes_of(model.inputs, feed)}, feed, exact, {}, limit)
    differences, failures = judge_case(case, run_feed(model, number, case.feed), model.outputs, tolerance, "search")
    largest = max(differences.items(), key=lambda item: item[1].ratio, default=None)
    document: dict[str, Any] = {"evaluations": tried, "generations": generations}
    if largest is not None:
        name, difference = largest
        at = {key: array[difference.event] if together else array for key, array in feed.items()}
        shown = sum(array.size for array in at.values()) <= MOST_SHOWN
        spelled = {key: array.tolist() for key, array in at.items()} if shown else None
        document["worst"] = {"output": name, **difference.document(), "input": spelled}
    return Found(case, document, failures)
