"""What a training makes small: the losses of some outputs, as the configuration says it. Standard library only."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torchship.spec.tensor import Axis

REGRESSION = "mean_squared_error"
# Losses of labels from 0 to 1, each of which is decided for itself.
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
# Losses that apply a softmax or sigmoid themselves.
ON_LOGITS = ("cross_entropy", "binary_cross_entropy_with_logits")


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
    """Return the names of the arrays that a run's outputs should be, sorted."""
    return sorted({term.target for term in terms_of(model)})


def wanted_of(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each term of a run the array that it takes, by which function, and an event's output."""
    return [
        {"target": term.target, "function": term.function, "shape": event_shape(model["outputs"][term.output]["shape"])}
        for term in terms_of(model)
    ]


def event_shape(shape: Sequence[Axis]) -> list[Axis]:
    """Return the shape of one event's numbers in an output; that of [batch], a number an event, is [1]."""
    return list(shape[1:]) or [1]


def decisive(found: Sequence[Term]) -> int:
    """Return which term says what is right and wrong: the first that classifies, or the first of all."""
    return next((place for place, term in enumerate(found) if term.function != REGRESSION), 0)


def spelled(loss: str | Mapping[str, Any]) -> str:
    """Return `train/loss` as a text, the same for the same losses."""
    return loss if isinstance(loss, str) else json.dumps(loss, sort_keys=True)


def too_late(function: str, classes: int) -> str:
    """Return why a loss on logits learns little from probabilities, with the loss that it never goes below.

    Of probabilities 1 and 0, which are as far apart as they can be, a softmax makes e and 1.
    """
    if function == "cross_entropy":
        floor = math.log(1 + (classes - 1) / math.e)
        return (
            "cross_entropy takes logits and applies a softmax itself: with one after the other the loss of an event is "
            f"never below {floor:.3f} ({classes} classes), however good the network is; return what goes into it, the "
            "logits, whose largest is the same class"
        )
    return (
        f"{function} takes logits and applies a sigmoid itself: with one after the other the loss of an event is never "
        f"below {math.log(1 + 1 / math.e):.3f} (class 1) and {math.log(2):.3f} (class 0), however good the network is; "
        "set train/loss to binary_cross_entropy and evaluate/threshold to 0.5, or return what goes into it, the logits"
    )
