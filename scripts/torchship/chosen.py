"""The model that goes on after a scan: the run's own knobs with the best point's laid over. Standard library only."""

import copy
from pathlib import Path
from typing import Any

from torchship.files import read_json

# What Network() is called with has no defaults: a point may name what the run does not.
FREE = "network/arguments/"


def with_best(model: dict[str, Any], best: str | list[str] | None) -> dict[str, Any]:
    """Give the knobs of a step, with those of the best point in the place of the run's own.

    Args:
        model: the knobs that the step asked for; others of the point don't concern it.
        best: the path of a scan's best.json; nothing where the run has no scan.
    """
    if not best:
        return model
    changed = copy.deepcopy(model)
    for place, value in read_json(Path(str(best)))["point"].items():
        *parents, last = place.split("/")
        inner: Any = changed
        for key in parents:
            inner = inner.setdefault(key, {}) if place.startswith(FREE) and key != "network" else inner.get(key, {})
        if last in inner or (place.startswith(FREE) and "network" in changed):
            inner[last] = value
    return changed
