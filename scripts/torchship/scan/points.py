"""Scans: runs of one model that differ in some knobs, by name, each knob by its place in the configuration.

Read by the workflow while it is planned, in Snakemake's own environment, never by a step.
"""

import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from torchship.config.checks import check_batches, check_losses, check_units
from torchship.config.naming import suggest
from torchship.config.network_signature import check_arguments
from torchship.core.errors import ConfigError
from torchship.core.files import Json
from torchship.scan.knobs import Knobs, plain
from torchship.spec.candidate import BEST
from torchship.spec.objective import REGRESSION, decisive, event_shape, spelled, terms_of
from torchship.spec.section import Point, Resolved, Scan

# Between the knobs in a point's name; Snakemake takes commas in a name for its own.
BETWEEN = "+"
# So many points are spelled out where a wrong one is named.
SHOWN = 8
# Its outputs are no probabilities.
LOGITS = "binary_cross_entropy_with_logits"
# A file system takes names of 255 bytes; a longer name than this ends in a hash of all of it.
LONGEST = 160


def expand(run: str, section: Resolved, schema: Json, project: Path) -> dict[str, Resolved]:
    """Return a complete section for each point of a run's scan, by the point's name; its `point` says what it changes.

    A run with an ONNX file from elsewhere is not trained, and has no points.

    Args:
        section: the run's own section, which the points are laid over.
        schema: schemas/config.schema.yaml as a document.
        project: the folder that has the networks in models/.

    Raises:
        ConfigError: a knob that cannot be scanned, a value that it does not take, a point that stands there twice,
            points that the metric cannot compare.
    """
    if "network" not in section:
        return {}
    knobs = Knobs(run, section, schema, project)
    sections: dict[str, Resolved] = {}
    called: set[tuple[str, str]] = set()
    for point in listed(section["scan"], knobs):
        name = name_of(point, knobs)
        if name in sections:
            raise ConfigError(f"{knobs.place}: {point} and {sections[name]['point']} would both be {name}: remove one")
        sections[name] = {**laid_over(section, point, knobs.place), "point": point}
        check_batches(f"{knobs.place}: {name}", sections[name]["train"])
        check_losses(f"{knobs.place}: {name}", sections[name])
        network = sections[name]["network"]
        call = network["file"], json.dumps(network.get("arguments", {}))
        if call not in called:
            check_arguments(f"{knobs.place}: network/arguments", network, project)
            called.add(call)
    check_metric(knobs.place, section["scan"]["metric"], sections.values())
    if section["scan"]["ship"] != BEST:
        require_point(knobs.place, section["scan"]["ship"], sections)
    for name, one in sections.items():
        check_units(f"{knobs.place}: {name}", one)
    return sections


def require_point(place: str, ship: str, points: Collection[str]) -> None:
    """Check that the point that ships, whichever is the best, is one of the scan.

    Raises:
        ConfigError: it is not; the message lists the first points.
    """
    if ship not in points:
        known = ", ".join(itertools.islice(points, SHOWN)) + (", …" if len(points) > SHOWN else "")
        raise ConfigError(
            f"{place}: scan/ship is {ship!r}, which is none of its {len(points)} points{suggest(ship, points)}; "
            f"set it to {BEST}{f', or to one of {known}' if points else ''}"
        )


def listed(scan: Scan, knobs: Knobs) -> Iterator[Point]:
    """Return all points: every combination of the grid's values, then those that are listed one by one."""
    grid = {knob: [knobs.value(knob, value) for value in scan["grid"][knob]] for knob in sorted(scan["grid"], key=str)}
    if grid:
        for values in itertools.product(*grid.values()):
            yield dict(zip(grid, values, strict=True))
    for point in scan["points"]:
        yield {knob: knobs.value(knob, value) for knob, value in sorted(point.items(), key=str)}


def laid_over(section: Resolved, point: Point, place: str) -> Resolved:
    """Return a section with a point's values in it; the rest is shared, not copied: there may be thousands of points.

    Raises:
        ConfigError: a value would lie in something that holds no others.
    """
    changed: Resolved = {**section}
    for knob, value in point.items():
        *parents, last = knob.split("/")
        inner: Any = changed
        for depth, key in enumerate(parents, start=1):
            holder = inner.get(key, {})
            if not isinstance(holder, Mapping):
                raise ConfigError(f"{place}: {knob} cannot be scanned: {'/'.join(parents[:depth])} is {holder!r}")
            inner[key] = dict(holder)
            inner = inner[key]
        inner[last] = value
    return changed


def check_metric(place: str, metric: str, sections: Collection[Resolved]) -> None:
    """Check that the points can be compared by the metric.

    Raises:
        ConfigError: the points differ in what it means.
    """
    decides = {"validation_loss": "loss", "convergence_rate": "converged_accuracy"}.get(metric)
    trainings: list[Json] = [{**section["train"], "loss": spelled(section["train"]["loss"])} for section in sections]
    meanings = sorted({training[decides] for training in trainings if decides})
    if len(meanings) > 1:
        raise ConfigError(
            f"{place}: metric is {metric}, which points with train/{decides} {' and '.join(map(str, meanings))} "
            "cannot be compared by: take validation_accuracy"
        )
    losses = set()
    for section in sections:
        terms = terms_of(section)
        decides_by = terms[decisive(terms)]
        losses.add(decides_by.function)
        several = event_shape(section["outputs"][decides_by.output]["shape"])[-1] != 1
        if metric != "validation_loss" and decides_by.function == REGRESSION and several:
            raise ConfigError(
                f"{place}: metric is {metric}, and {REGRESSION} of several numbers decides nothing: take "
                "validation_loss"
            )
    if metric != "validation_loss" and LOGITS in losses and len(losses) > 1:
        raise ConfigError(
            f"{place}: points with train/loss {LOGITS} and others cannot be compared by {metric}: evaluate/threshold, "
            "the same for all, would be a logit for some and a probability for others"
        )


def name_of(point: Point, knobs: Knobs) -> str:
    """Return a point's name, such as hidden=4+learning_rate=0.01: the same whatever other points there are."""
    name = BETWEEN.join(f"{knobs.word(knob)}={spell(value)}" for knob, value in point.items())
    if len(name) > LONGEST:
        return f"{name[:LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def spell(value: object) -> str:
    """Return a value as it stands in a file's name."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "x".join(map(spell, value))
    if isinstance(value, Mapping):
        return "_".join(f"{plain(key)}_{spell(inner)}" for key, inner in sorted(value.items()))
    return plain(str(value).replace("e+", "e") if isinstance(value, float) else str(value))
