"""Candidates: the trainings of a run, of which one is selected, or all folds of one point. Standard library only."""

from collections.abc import Mapping, Sequence
from typing import Any

# What the one candidate of a run without a scan is called: one that is trained here, one that came trained.
ONLY, GIVEN = "only", "given"
# What `scan/ship` is where it names no point.
BEST = "best"


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
    named = {**points} or {ONLY: section}
    return {name: fold for point, knobs in named.items() for name, fold in folds_of(point, knobs).items()}


def folds_of(point: str, section: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return a point's section for each of its folds, by the candidate's name; `train/fold` says which it is.

    A single one is no fold: it trains on the training set, and its section says nothing of folds.
    """
    train, count = section["train"], section["train"]["folds"]
    if count == 1:
        alone = {key: value for key, value in train.items() if key != "folds"}
        return {point: {**section, "train": alone}}
    return {fold_name(point, fold): {**section, "train": {**train, "fold": fold}} for fold in range(count)}


def fold_name(point: str, fold: int) -> str:
    """Return what a fold of a point is called as a candidate: hidden=4+fold=0, or fold=0 where there is no scan."""
    return f"fold={fold}" if point == ONLY else f"{point}+fold={fold}"


def points_of(names: Sequence[str], trainings: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Return the places of the candidates that are the folds of a point, by the point's name; of one, its own place.

    Args:
        names: of the candidates.
        trainings: the section `train` of each.
    """
    points: dict[str, list[int]] = {}
    for place, (name, train) in enumerate(zip(names, trainings, strict=True)):
        point = name
        if "fold" in train:
            last = f"fold={train['fold']}"
            point = ONLY if name == last else name.removesuffix(f"+{last}")
        points.setdefault(point, []).append(place)
    return points
