"""Scans: runs of one model that differ in some knobs, by name, each knob by its place in the configuration.

Read by the workflow while it is planned, in Snakemake's own environment, never by a step.
"""

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torchship.config import check, parse
from torchship.errors import ConfigError
from torchship.run_checks import check_batches, require_known, suggest

# A point: the value of each scanned knob, by place, such as train/learning_rate.
Point = dict[str, Any]

# Between a model's name and a point's in the name of a run; Snakemake takes commas in a run's name for its own.
FOLDER, BETWEEN = "/scan/", "+"
# A file system takes names of 255 bytes; a longer name than this ends in a hash of all of it.
LONGEST = 160
ARGUMENTS = "network/arguments/"


def expand(run: str, section: Mapping[str, Any], schema: Mapping[str, Any], project: Path) -> dict[str, dict[str, Any]]:
    """Give a complete section for each point of a run's scan, by the point's name; its `point` says what it changes.

    Args:
        section: the run's own section, which the points are laid over.
        schema: schemas/config.schema.yaml as a document.
        project: the folder that has the networks in models/.

    Raises:
        ConfigError: a knob that cannot be scanned, a value that it does not take, a point that stands there twice.
    """
    points = [point_of(point) for point in listed(section["scan"])]
    if not points:
        return {}
    place = f"models/{run}/scan"
    if "network" not in section:
        raise ConfigError(f"{place}: an ONNX file from elsewhere is not trained; remove the scan")
    check_values(place, points, schema, project)
    check_metric(place, section["scan"]["metric"], points)
    words = short_places(points)
    sections: dict[str, dict[str, Any]] = {}
    for point in points:
        name = run + FOLDER + name_of(point, words)
        if name in sections:
            raise ConfigError(f"{place}: {point} and {sections[name]['point']} would both be {name}: remove one")
        sections[name] = {**laid_over(section, point), "point": point}
        check_batches(name, sections[name]["train"])
    return sections


def listed(scan: Mapping[str, Any]) -> Iterable[Point]:
    """Give all points: every combination of the grid's values, then those that are listed one by one."""
    grid = {place: scan["grid"][place] for place in sorted(scan["grid"])}
    if grid:
        for values in itertools.product(*grid.values()):
            yield dict(zip(grid, values, strict=True))
    yield from scan["points"]


def point_of(point: Mapping[str, Any]) -> Point:
    """Give a point with its places sorted, and with numbers where the command line has handed on text."""
    return {place: from_text(value) for place, value in sorted(point.items())}


def from_text(value: Any) -> Any:
    """Give what a text spells, and all else as it is."""
    if isinstance(value, list):
        return [from_text(item) for item in value]
    return parse(value) if isinstance(value, str) else value


def laid_over(section: Mapping[str, Any], point: Point) -> dict[str, Any]:
    """Give a section with a point's values in it; what no value lies in is shared, since there may be thousands."""
    changed = dict(section)
    for place, value in point.items():
        *parents, last = place.split("/")
        inner = changed
        for key in parents:
            inner[key] = dict(inner.get(key, {}))
            inner = inner[key]
        inner[last] = value
    return changed


def check_values(place: str, points: Iterable[Point], schema: Mapping[str, Any], project: Path) -> None:
    """Check each value of each knob once.

    Raises:
        ConfigError: see `expand`.
    """
    seen: dict[str, set[str]] = {}
    schemas: dict[str, dict[str, Any]] = {}
    for knob, value in itertools.chain.from_iterable(point.items() for point in points):
        if knob not in schemas:
            schemas[knob], seen[knob] = {"$defs": schema["$defs"], **knob_schema(place, knob, schema)}, set()
        if repr(value) not in seen[knob]:
            seen[knob].add(repr(value))
            check(value, schemas[knob], at=f"{place}: {knob}")
            if knob == "network/file":
                networks = (path.stem for path in (project / "models").glob("*.py"))
                require_known(value, networks, f"{place}: {knob}", "network")


def knob_schema(place: str, knob: str, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the schema of a knob that decides a training.

    Raises:
        ConfigError: there is no such knob, or it decides something else.
    """
    if knob.startswith(ARGUMENTS):
        return {}
    first, *rest = knob.split("/")
    if first == "data":
        raise ConfigError(f"{place}: {knob} cannot be scanned: points on other data could not be compared")
    if first not in ("network", "train", "seed"):
        known = f"{ARGUMENTS}<name>, network/file, train/<knob>, seed"
        raise ConfigError(f"{place}: {knob} does not decide a training; what can be scanned: {known}")
    inner: Mapping[str, Any] = {
        "properties": {**schema["properties"], "network": schema["$defs"]["model"]["properties"]["network"]}
    }
    for depth, key in enumerate([first, *rest]):
        if "$ref" in inner:
            inner = schema["$defs"][inner["$ref"].rpartition("/")[2]]
        allowed = inner.get("properties", {})
        if key not in allowed:
            above = "/".join([first, *rest][:depth])
            raise ConfigError(
                f"{place}: unknown knob {knob}{suggest(key, allowed)}; known in {above}: {', '.join(sorted(allowed))}"
            )
        inner = allowed[key]
    if "properties" in inner:
        raise ConfigError(f"{place}: {knob} holds several knobs: scan {knob}/{next(iter(inner['properties']))}, …")
    return inner


def check_metric(place: str, metric: str, points: Iterable[Point]) -> None:
    """Check that the points can be compared by the metric.

    Raises:
        ConfigError: it is a loss, and the points differ in their loss.
    """
    losses = {point["train/loss"] for point in points if "train/loss" in point}
    if losses and metric == "validation_loss":
        raise ConfigError(
            f"{place}/metric is {metric}, and the points have losses of their own: take validation_accuracy"
        )


def short_places(points: Iterable[Point]) -> dict[str, str]:
    """Give each scanned place a word for names: its last one, or all of them where two places end alike."""
    places = {place for point in points for place in point}
    ends = Counter(place.rpartition("/")[2] for place in places)
    return {
        place: place.replace("/", ".") if ends[last] > 1 else last
        for place in places
        for last in [place.rpartition("/")[2]]
    }


def name_of(point: Point, words: Mapping[str, str]) -> str:
    """Give a point's name, such as hidden=4+learning_rate=0.01: the same whatever other points there are."""
    name = BETWEEN.join(f"{words[place]}={spell(value)}" for place, value in point.items())
    if len(name) > LONGEST:
        return f"{name[:LONGEST]}~{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def spell(value: Any) -> str:
    """Give a value as it stands in a file's name."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return "x".join(map(spell, value))
    return re.sub(r"[^A-Za-z0-9._-]", "_", str(value).replace("e+", "e") if isinstance(value, float) else str(value))
