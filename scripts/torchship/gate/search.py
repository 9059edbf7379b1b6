"""The search for the worst input: an evolution over the domain, towards the largest error in units of the limit.

The same seed and number of evaluations give the same inputs; the seconds only stop what takes too long.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from torchship.data.domain import (
    corners,
    discrete,
    draw,
    edge_draws,
    element_type,
    ends_of,
    on_values,
    rows,
    special_draw,
    uniform,
)
from torchship.data.padding import hidden, repad
from torchship.gate.case import Case
from torchship.gate.case_inputs import sizes_of, told_shapes
from torchship.gate.constants import graph_constants
from torchship.gate.documents import SearchDocument
from torchship.gate.judge import Failure, Judge
from torchship.gate.session import Session
from torchship.gate.witness.arbiter import CLOSE_SAMPLES
from torchship.gate.witness.limits import ratios
from torchship.spec.arrays import Array, Feed
from torchship.spec.axes import BATCH, usual_sizes
from torchship.spec.tensor import Tensor, Tensors

log = logging.getLogger(__name__)


POPULATION = 256
SURVIVORS = 32
# Inputs that are confirmed, and kept.
KEPT = 8
# Of the numbers that are drawn anew in a child, the share that is on constants, integers and ends.
SPECIAL = 0.5
# Numbers of an input that the evidence spells out; larger ones are in .worst.safetensors.
MOST_SHOWN = 64


@dataclass(frozen=True)
class Found:
    """The worst inputs of a search, as a case, and how the search went; there are none where all was refused."""

    worst: Case | None
    document: SearchDocument
    failures: list[Failure]


@dataclass(frozen=True)
class Breeding:
    """How inputs are made of inputs, all in the domain.

    Attributes:
        sizes: of the dynamic axes: of the batch as many as there are in a population, where `together`.
        constants: numbers that a comparison may flip at.
        together: events are independent of one another, and bred many at once; else one input at a time.
    """

    inputs: Tensors
    sizes: Mapping[str, int]
    generator: np.random.Generator
    constants: Sequence[float]
    together: bool

    def first(self, starts: Sequence[Feed]) -> dict[str, Array]:
        """Return the starts, corners, uniform draws, and draws on constants that are compared with."""
        inputs, sizes, generator = self.inputs, self.sizes, self.generator
        if not self.together:
            return draw(inputs, edge_draws(inputs)[0][1], sizes, generator)
        part = {**sizes, BATCH: -(-sizes[BATCH] // 3)}
        drawn = [draw(inputs, dict.fromkeys(inputs, way), part, generator) for way in (corners, uniform)]
        drawn.append(on_values(inputs, part, dict.fromkeys(inputs, self.constants), generator))
        shape = {name: array.shape[1:] for name, array in drawn[0].items()}
        usable = [feed for feed in starts if {name: array.shape[1:] for name, array in feed.items()} == shape]
        return {name: np.concatenate([feed[name] for feed in [*usable, *drawn]])[: sizes[BATCH]] for name in inputs}

    def next(self, parents: Sequence[Feed]) -> dict[str, Array]:
        """Return children: of two parents each, some of their numbers changed a little, a lot, or to the last place."""
        generator, count = self.generator, self.sizes[BATCH] if self.together else 1
        children, fresh, was_padding = {}, {}, {}
        first, second = generator.integers(len(parents), size=(2, count))
        if self.together:
            stacks = {name: np.concatenate([parent[name] for parent in parents]) for name in self.inputs}
            mothers, fathers = rows(stacks, first), rows(stacks, second)
        else:
            mothers, fathers = dict(parents[first[0]]), dict(parents[second[0]])
        for name, tensor in self.inputs.items():
            from_father = generator.random(mothers[name].shape) < 0.3
            child = np.where(from_father, fathers[name], mothers[name])
            hides = [hidden(tensor, feed, child.ndim) for feed in (fathers, mothers)]
            was_padding[name] = np.where(from_father, *hides)
            drawn = uniform(tensor, self.sizes, generator)
            special = special_draw(tensor, self.sizes, self.constants, generator)
            fresh[name] = np.where(generator.random(drawn.shape) < SPECIAL, special, drawn)
            children[name] = self.mutated(tensor, child, fresh[name], count)
        return repad(self.inputs, children, was_padding, fresh)

    def mutated(self, tensor: Tensor, child: Array, fresh: Array, count: int) -> Array:
        """Return one input of children with some of its numbers moved, or drawn anew."""
        generator = self.generator
        rate = np.exp(generator.uniform(np.log(1.0 / max(child[0].size if child.ndim else 1, 1) / 2), 0.0, count))
        rate = rate.reshape(count, *[1] * (child.ndim - 1)) if self.together else rate[0]
        chosen = generator.random(child.shape) < rate
        if discrete(tensor):
            found: Array = np.where(chosen & (generator.random(child.shape) < 0.2), fresh, child)
            return found
        low, high = ends_of(tensor, self.sizes)
        # From a tenth of the domain down to the last place, and now and then to anywhere.
        step = (
            (high - low) * 10.0 ** generator.uniform(-8.0, -0.5, child.shape) * generator.standard_normal(child.shape)
        )
        moved = np.where(generator.random(child.shape) < 0.05, fresh, child + step)
        return np.clip(np.where(chosen, moved, child), low, high).astype(element_type(tensor))


class Search:
    """A search on an open file, towards the largest error that its judge sees.

    Events that are independent are tried a population at a time; other inputs, such as graphs, one at a time, which
    takes about as long and counts as many.
    """

    def __init__(self, session: Session, judge: Judge, seed: int) -> None:
        self.session, self.judge = session, judge
        file = session.file
        self.together = file.separate
        sizes = usual_sizes(file.inputs, file.axes, POPULATION if self.together else 1)
        # What the file compares with; the network's own constants are in the cases that the search starts from.
        constants = graph_constants(onnx.load_from_string(file.content))
        self.breeding = Breeding(
            file.inputs, sizes, np.random.default_rng([seed, 1]), constants, together=self.together
        )

    def run(self, starts: Sequence[Feed], evaluations: int, seconds: float) -> Found | None:
        """Look for the input with the largest error.

        Args:
            starts: inputs to start from beside random ones, [batch, ...] each: the worst so far, events of the test
                set.
            evaluations: inputs to try.
            seconds: time after which the search ends all the same.

        Returns:
            None where nothing was tried. A search ends at inputs that the runtime refuses, which is a failure.
        """
        population = self.breeding.first(starts)
        best: list[tuple[float, Feed]] = []
        refused: list[Failure] = []
        tried, generations, begin = 0, 0, time.monotonic()
        while tried < evaluations:
            if time.monotonic() - begin > seconds:
                log.warning(
                    "the search stopped after %g s and %d of %d evaluations: raise validate/search/seconds",
                    seconds,
                    tried,
                    evaluations,
                )
                break
            scored = self.score(population)
            if isinstance(scored, str):
                refused.append(Failure("search", f"found by the search, {told_shapes(population)}", scored))
                break
            tried += self.breeding.sizes[BATCH] if self.together else POPULATION
            generations += 1
            # The sort is stable: of equals the older one stays.
            best = sorted([*best, *scored], key=lambda pair: -pair[0])[:SURVIVORS]
            population = self.breeding.next([feed for _, feed in best])
        if not best and not refused:
            return None
        found = self.confirm([feed for _, feed in best]) if best else Found(None, {}, [])
        document: SearchDocument = {"evaluations": tried, "generations": generations, **found.document}
        return Found(found.worst, document, [*refused, *found.failures])

    def score(self, population: dict[str, Array]) -> list[tuple[float, Feed]] | str:
        """Return each input with its largest error in units of the limit; a text if the runtime refuses them.

        An output that is not there, or of another shape, is as wrong as it can be.
        """
        found = self.session.run(population)
        if isinstance(found, str):
            return found
        exact, limit = self.judge.expected(population)
        count = len(next(iter(population.values()))) if self.together else 1
        worst = np.zeros(count)
        for name, expected in exact.items():
            if name not in found or found[name].shape != expected.shape:
                worst[:] = np.inf
            elif expected.size:
                ratio = ratios(found[name], expected, limit[name])
                worst = np.maximum(worst, ratio.reshape(len(worst), -1).max(axis=1))
        if not self.together:
            return [(float(worst[0]), population)]
        return [(float(worst[event]), rows(population, slice(event, event + 1))) for event in range(count)]

    def confirm(self, best: Sequence[Feed]) -> Found:
        """Judge the worst inputs with limits from many samples: a search finds estimates that are too low."""
        feed = dict(best[0])
        if self.together:
            feed = {name: np.concatenate([one[name] for one in best[:KEPT]]) for name in feed}
        exact, limit = self.judge.expected(feed, CLOSE_SAMPLES)
        sizes = sizes_of(self.session.file.inputs, feed)
        case = Case({"origin": "found by the search", "sizes": sizes}, feed, exact, {}, limit)
        differences, failures = self.judge.case(case, self.session.run(case.feed), "search")
        largest = max(differences.items(), key=lambda item: item[1].ratio, default=None)
        document: SearchDocument = {}
        if largest is not None:
            name, difference = largest
            at = {key: array[difference.event] if self.together else array for key, array in feed.items()}
            shown = sum(array.size for array in at.values()) <= MOST_SHOWN
            spelled = {key: array.tolist() for key, array in at.items()} if shown else None
            document["worst"] = {"output": name, **difference.document(), "input": spelled}
        return Found(case, document, failures)
