"""From the best point of a run, or the one that is named, to what ships. Standard library only."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchship.core.errors import TrainingError
from torchship.core.files import sha256
from torchship.select.ranking import METRICS, Outcome
from torchship.spec.candidate import BEST
from torchship.spec.model import Model, Selection, Weight
from torchship.spec.report import Report
from torchship.spec.section import Train, by_name

# What ships beside model.json, by the names that the rule gives its outputs.
SHIPPED = ("network", "weights")


@dataclass(frozen=True)
class Choice:
    """Which of a run's points ships.

    Attributes:
        points: the places of each point's candidates, by its name, in the order of the scan.
        outcomes: what came of each point.
        ranked: the places of the points that did not diverge, the best first.
        metric: what they are ranked by.
        name: of the point that ships.
    """

    points: Mapping[str, Sequence[int]]
    outcomes: Sequence[Outcome]
    ranked: Sequence[int]
    metric: str
    name: str

    @property
    def members(self) -> Sequence[int]:
        """Return the places of the candidates that ship: one, or all folds of the point."""
        return self.points[self.name]

    def ranks(self) -> dict[int, int]:
        """Return the rank of each candidate, from 1, which its folds share."""
        places = list(self.points.values())
        return {member: rank for rank, point in enumerate(self.ranked, start=1) for member in places[point]}

    def report(self) -> Selection:
        """Return it as it stands in model.json; that another is better stands there only where it is so."""
        names = list(self.points)
        rank, best = self.ranked.index(names.index(self.name)) + 1, names[self.ranked[0]]
        report: Selection = {
            "candidates": len(names),
            "diverged": len(names) - len(self.ranked),
            "metric": self.metric,
            "best_is": "smallest" if METRICS[self.metric] else "largest",
            "value": self.outcomes[names.index(self.name)][self.metric],
        }
        return {**report, "best": best, "rank": rank} if rank > 1 else report


def choose(
    points: Mapping[str, Sequence[int]],
    outcomes: Sequence[Outcome],
    ranked: Sequence[int],
    metric: str,
    ship: str,
) -> Choice:
    """Choose the point that ships: the best, or the one that `ship` names.

    Raises:
        TrainingError: that one has diverged.
    """
    names = list(points)
    name = names[ranked[0]] if ship == BEST else ship
    if names.index(name) not in ranked:
        raise TrainingError(f"scan/ship is {ship}, which has diverged: name another point, or set it to {BEST}")
    return Choice(points, outcomes, ranked, metric, name)


def selected(
    run: str, choice: Choice, names: Sequence[str], reports: Sequence[Report], outputs: Mapping[str, Path]
) -> Model:
    """Return the model of the point that ships, with the SHA-256 of its files, which are written already.

    Args:
        names, reports: of each candidate its name and its training.json.
    """
    first = reports[choice.members[0]]
    section = by_name(first["section"])
    if len(choice.members) > 1:
        train: Train = {**section["train"]}
        del train["fold"]
        section["train"] = train
    return Model(
        run=run,
        section=section,
        files={outputs[kind].name: sha256(outputs[kind]) for kind in SHIPPED},
        candidate=choice.name,
        selection={**choice.report(), "point": first["point"]},
        datasheet=first["datasheet_sha256"],
        device=first["device"],
        tensors=tensors(outputs["weights"]),
        source=first.get("source"),
        members=tuple({"candidate": names[place], "fold": fold} for fold, place in enumerate(choice.members))
        if len(choice.members) > 1
        else (),
    )


def tensors(weights: Path) -> dict[str, Weight]:
    """Return type and shape of each tensor of a safetensors file, by name, from its header alone."""
    with weights.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return {
        name: {"dtype": entry["dtype"], "shape": entry["shape"]}
        for name, entry in sorted(header.items())
        if name != "__metadata__"
    }
