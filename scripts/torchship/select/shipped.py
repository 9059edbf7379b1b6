"""The model that goes on after a scan: the best point's knobs in the place of the run's own. Standard library only."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torchship.core.files import read_json


def with_best(model: dict[str, Any], best: str | list[str] | None) -> dict[str, Any]:
    """Give the knobs of a step, with those of the best point in the place of the run's own.

    Args:
        model: the knobs that the step asked for; others of the point don't concern it.
        best: the path of a scan's best.json; nothing where the run has no scan.
    """
    if not best:
        return model
    knobs = read_json(Path(str(best)))["knobs"]
    # Network() is called with what the point says, which may be more than the run does.
    network = {"network": knobs["network"]} if "network" in model else {}
    return {**asked(model, knobs), **network}


def asked(model: Mapping[str, Any], knobs: Mapping[str, Any]) -> dict[str, Any]:
    """Give a mapping with the values that another has for its keys, where it has any."""
    return {
        key: asked(value, knobs[key]) if isinstance(value, Mapping) and key in knobs else knobs.get(key, value)
        for key, value in model.items()
    }
