"""What a training makes small: the losses of some outputs, as the configuration says it. Standard library only."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

REGRESSION = "mean_squared_error"


@dataclass(frozen=True)
class Term:
    """The loss of one output.

    Attributes:
        place: which of the network's outputs it is, from 0.
        function: by its name in the configuration.
        weight: of the term in the sum.
        target: the array of the data that the output should be.
    """

    output: str
    place: int
    function: str
    weight: float
    target: str


def terms(loss: str | Mapping[str, Any], outputs: Iterable[str], target: str) -> list[Term]:
    """Return the terms of `train/loss`, in the order of the outputs: a name is that of the first output's.

    Args:
        outputs: the names of all outputs, in order.
        target: `data/target`, for the terms that name none.
    """
    names = list(outputs)
    by_output = {names[0]: {"function": loss}} if isinstance(loss, str) else loss
    return [
        Term(name, place, term["function"], float(term.get("weight", 1.0)), term.get("target", target))
        for place, name in enumerate(names)
        if (term := by_output.get(name)) is not None
    ]


def terms_of(model: Mapping[str, Any]) -> list[Term]:
    """Return the terms of a run, from its `train/loss`, `outputs` and `data/target`."""
    return terms(model["train"]["loss"], model["outputs"], model["data"]["target"])


def targets_of(model: Mapping[str, Any]) -> list[str]:
    """Return the names of the arrays that a run's outputs should be, sorted; that of the first output always."""
    return sorted({model["data"]["target"], *(term.target for term in terms_of(model))})


def decisive(found: Sequence[Term]) -> int:
    """Return which term says what is right and wrong: the first that classifies, or the first of all."""
    return next((place for place, term in enumerate(found) if term.function != REGRESSION), 0)


def functions_of(loss: str | Mapping[str, Any]) -> set[str]:
    """Return the names of the functions in `train/loss`."""
    return {loss} if isinstance(loss, str) else {term["function"] for term in loss.values()}


def spelled(loss: str | Mapping[str, Any]) -> str:
    """Return `train/loss` as a text, the same for the same losses."""
    return loss if isinstance(loss, str) else json.dumps(loss, sort_keys=True)
