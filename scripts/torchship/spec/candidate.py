"""Candidates: the trainings of a run, of which one is selected. Standard library only."""

from collections.abc import Mapping
from typing import Any

# What the one candidate of a run without a scan is called: one that is trained here, one that came trained.
ONLY, GIVEN = "only", "given"


def candidates_of(section: Mapping[str, Any], points: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the complete section of each candidate of a run, by its name; of a file from elsewhere there are none.

    Args:
        section: the run's own.
        points: those of its scan, by name.
    """
    if "network" not in section:
        return {}
    if "weights" in section["network"]:
        return {GIVEN: section}
    return {**points} or {ONLY: section}
