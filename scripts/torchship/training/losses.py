"""Losses and accuracy, of one network or of many side by side."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torchship.core.errors import TrainingError
from torchship.spec.objective import BINARY, REGRESSION, Term, decisive
from torchship.training.loss_matches import no_probabilities

Tensors = Sequence[Tensor]


def _binary_cross_entropy(output: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    # torch's own stops the process at a NaN, which only says that one replica of many has diverged.
    diverged = output.isnan()
    try:
        loss = nn.functional.binary_cross_entropy(output.masked_fill(diverged, 0.5), target, reduction="none")
    except RuntimeError as error:
        words = no_probabilities(output)
        if not words:
            raise
        raise TrainingError(words) from error
    loss = loss.masked_fill(diverged, torch.nan)
    return loss.mean() if reduction == "mean" else loss


def _cross_entropy(output: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    # torch wants the classes on axis 1: [replicas, events, classes] -> [replicas, classes, events].
    return nn.functional.cross_entropy(output.movedim(-1, 1), target.reshape(output.shape[:-1]), reduction=reduction)


class Loss(Protocol):
    """A loss of outputs and targets, both tensors of one shape or as cross_entropy takes them."""

    def __call__(self, output: Tensor, target: Tensor, /, *, reduction: str) -> Tensor:
        """Return its mean, or that of each element with `none`."""
        ...


FUNCTIONS: dict[str, Loss] = {
    "binary_cross_entropy": _binary_cross_entropy,
    "binary_cross_entropy_with_logits": nn.functional.binary_cross_entropy_with_logits,
    "cross_entropy": _cross_entropy,
    "mean_squared_error": nn.functional.mse_loss,
}


def _quick_binary_cross_entropy(output: Tensor, target: Tensor, *, reduction: str) -> Tensor:
    # A GPU's assertion would end the process, so only a CPU may try.
    if output.is_cuda:
        return _binary_cross_entropy(output, target, reduction=reduction)
    try:
        return nn.functional.binary_cross_entropy(output, target, reduction=reduction)
    except RuntimeError:
        return _binary_cross_entropy(output, target, reduction=reduction)


# Of one network alone, where each of torch's calls counts.
QUICK: dict[str, Loss] = {**FUNCTIONS, "binary_cross_entropy": _quick_binary_cross_entropy}


class Objective:
    """The weighted sum of the losses of some outputs, and the accuracy of the one that decides.

    Outputs are all that the network gives, in order; targets stand in the order of the terms.

    Args:
        threshold: a single output above it means class 1.
    """

    def __init__(self, terms: Sequence[Term], threshold: float) -> None:
        self.terms, self.threshold = list(terms), threshold
        self.decides = decisive(self.terms)
        self.places = [term.place for term in self.terms]

    def mean(self, outputs: Tensors, targets: Tensors) -> Tensor:
        """Return the mean loss of one network, a scalar, from tensors [events, …]."""
        parts = [
            QUICK[term.function](beside(outputs[term.place], target), target, reduction="mean")
            for term, target in zip(self.terms, targets, strict=True)
        ]
        return self._sum(parts)

    def per_replica(self, outputs: Tensors, targets: Tensors) -> Tensor:
        """Return each replica's mean loss, [replicas], from tensors [replicas, events, …]."""
        return self._sum(self.each(outputs, targets))

    def each(self, outputs: Tensors, targets: Tensors) -> list[Tensor]:
        """Return each term's mean loss for each replica, [replicas] each, without its weight."""
        return [
            FUNCTIONS[term.function](beside(outputs[term.place], target), target, reduction="none").flatten(1).mean(1)
            for term, target in zip(self.terms, targets, strict=True)
        ]

    def _sum(self, parts: Sequence[Tensor]) -> Tensor:
        weighed = [
            part if term.weight == 1.0 else part * term.weight for term, part in zip(self.terms, parts, strict=True)
        ]
        total = weighed[0]
        for part in weighed[1:]:
            total = total + part
        return total

    def accuracy(self, outputs: Tensors, targets: Tensors) -> Tensor:
        """Return each replica's share of right decisions, [replicas], from tensors [replicas, events, …]."""
        term, target = self.terms[self.decides], targets[self.decides]
        return accuracy(beside(outputs[term.place], target), target, self.threshold, term.function)

    def counts(self, targets: Tensors) -> bool:
        """Say whether there are decisions to count: a regression has some if it is of labels 0 and 1."""
        term, target = self.terms[self.decides], targets[self.decides]
        return term.function != REGRESSION or (target.shape[-1] == 1 and bool(((target == 0) | (target == 1)).all()))


def beside(output: Tensor, target: Tensor) -> Tensor:
    """Return an output [events, …] with a last axis as its target has: [events] is [events, 1], one number an event."""
    return output.unsqueeze(-1) if output.dim() < target.dim() else output


def accuracy(output: Tensor, target: Tensor, threshold: float, function: str) -> Tensor:
    """Return the share of right decisions, [replicas], of outputs and targets [replicas, events, …, classes or 1].

    Of several binary labels each counts for itself, and one that is smoothed counts as what it is nearer to. A
    regression of several numbers decides nothing, and has 0.
    """
    if function == REGRESSION and output.shape[-1] != 1:
        return torch.zeros(len(output), device=output.device)
    decided = decisions(output, threshold, function)
    right = target > 0.5 if function in BINARY else target
    return (decided == right.reshape(decided.shape)).float().flatten(1).mean(1)


def decisions(output: Tensor, threshold: float, function: str) -> Tensor:
    """Return what outputs [replicas or events, …] stand for: their class, or whether each lies above the threshold."""
    if output.shape[-1] == 1:
        return output.squeeze(-1) > threshold
    return output.argmax(-1) if function == "cross_entropy" else output > threshold
