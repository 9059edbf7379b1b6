"""From the best candidate of a run to what ships. Standard library only."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torchship.core.files import sha256
from torchship.select.ranking import METRICS
from torchship.spec.model import Model
from torchship.spec.section import by_name

# What ships beside model.json, by the names that the rule gives its outputs.
SHIPPED = ("network", "weights")


def selected(
    run: str, names: Sequence[str], reports: Sequence[Mapping[str, Any]], outcomes: Sequence[Mapping[str, Any]],
    ranked: Sequence[int], metric: str, outputs: Mapping[str, Path],
) -> Model:  # fmt: skip
    """Return the model of a run's best candidate, with the SHA-256 of its files, which are written already.

    Args:
        names, reports, outcomes: of each candidate its name, its training.json, and what came of it.
        ranked: the places of those that did not diverge, the best first.
    """
    best = reports[ranked[0]]
    return Model(
        run=run,
        section=by_name(best["section"]),
        files={outputs[kind].name: sha256(outputs[kind]) for kind in SHIPPED},
        candidate=names[ranked[0]],
        selection={
            "candidates": len(names),
            "diverged": len(names) - len(ranked),
            "metric": metric,
            "best_is": "smallest" if METRICS[metric] else "largest",
            "value": outcomes[ranked[0]][metric],
            "point": best["point"],
        },
        datasheet=best["datasheet_sha256"],
        device=best["device"],
        tensors=tensors(outputs["weights"]),
        source=best.get("source"),
    )


def tensors(weights: Path) -> dict[str, dict[str, Any]]:
    """Return type and shape of each tensor of a safetensors file, by name, from its header alone."""
    with weights.open("rb") as stream:
        header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
    return {
        name: {"dtype": entry["dtype"], "shape": entry["shape"]}
        for name, entry in sorted(header.items())
        if name != "__metadata__"
    }
