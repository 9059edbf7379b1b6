"""What a network's outputs are worth on a set: losses, accuracy, confusion."""

from collections.abc import Sequence

from torch import Tensor
from torchship.spec.objective import REGRESSION
from torchship.spec.report import Measured
from torchship.training.losses import Objective, beside
from torchship.training.metrics import confusion, decide, true_classes


def measured(objective: Objective, outputs: Sequence[Tensor], targets: Sequence[Tensor]) -> Measured:
    """Return the number of events of a set, its losses, and how good the decisions are, as metrics.json has them."""
    one = [[tensor.unsqueeze(0) for tensor in tensors] for tensors in (outputs, targets)]
    entry: Measured = {"events": len(targets[0]), "loss": float(objective.per_replica(*one)[0])}
    if len(objective.terms) > 1:
        each = objective.each(*one)
        entry["losses"] = {term.output: float(loss[0]) for term, loss in zip(objective.terms, each, strict=True)}
    term = objective.terms[objective.decides]
    if term.function == REGRESSION:
        return entry
    target = targets[objective.decides]
    output = beside(outputs[term.place], target).numpy()
    classes = output.shape[-1]
    if term.function != "cross_entropy" and classes != 1:
        # Labels of their own, each right or wrong.
        return {**entry, "accuracy": float(objective.accuracy(*one)[0])}
    # An event may have several decisions, one for each of its samples or particles.
    decided, true = (
        decide(output.reshape(-1, classes), objective.threshold),
        true_classes(target.numpy(), term.function),
    )
    classes = max(2, classes)
    return {
        **entry,
        "accuracy": float((decided == true).mean()),
        "confusion": confusion(decided, true, classes).tolist(),
    }
