"""Candidates: the trainings of a run, of which one is selected, or all folds of one point. Standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass

from torchship.spec.section import Resolved, Train

# What the one candidate of a run without a scan is called: one that is trained here, one that came trained.
ONLY, GIVEN = "only", "given"
# What `scan/ship` is where it names no point.
BEST = "best"


@dataclass(frozen=True)
class Candidate:
    """A training of a run.

    Attributes:
        point: the name of the point of the scan that it is, or is a fold of; `ONLY` or `GIVEN` where there is no scan.
        section: the complete section that it is trained with; `train/fold` says which fold it is.
        fold: the same; None where its point has no folds.
    """

    point: str
    section: Resolved
    fold: int | None = None

    @property
    def name(self) -> str:
        """Return what it is called: hidden=4, its fold hidden=4+fold=0, or fold=0 where there is no scan."""
        if self.fold is None:
            return self.point
        return f"fold={self.fold}" if self.point == ONLY else f"{self.point}+fold={self.fold}"


def candidates_of(section: Resolved, points: Mapping[str, Resolved]) -> dict[str, Candidate]:
    """Return the candidates of a run by name; of a file from elsewhere there are none.

    Args:
        section: the run's own.
        points: the complete section of each point of its scan, by name.
    """
    if "network" not in section:
        return {}
    if "weights" in section["network"]:
        return {GIVEN: Candidate(GIVEN, section)}
    named = {**points} or {ONLY: section}
    return {fold.name: fold for point, knobs in named.items() for fold in folds_of(point, knobs)}


def folds_of(point: str, section: Resolved) -> list[Candidate]:
    """Return the candidates of a point, one for each of its folds.

    A single one is no fold: it trains on the training set, and its section says nothing of folds.
    """
    train = section["train"]
    if train["folds"] == 1:
        alone: Train = {**train}
        del alone["folds"]
        return [Candidate(point, {**section, "train": alone})]
    return [Candidate(point, {**section, "train": {**train, "fold": fold}}, fold) for fold in range(train["folds"])]
