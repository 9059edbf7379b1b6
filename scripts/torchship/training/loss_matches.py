"""Whether an output is what its loss is meant for: logits, or probabilities, by the operation that it is from."""

import re
from collections.abc import Iterable, Sequence

from torch import Tensor
from torchship.spec.objective import ON_LOGITS, Term, too_late

# Operations, as the graph of gradients calls them, whose results are probabilities.
PROBABILITIES = {"SoftmaxBackward0": "softmax", "SigmoidBackward0": "sigmoid"}
# Those that only move numbers or copy them.
MOVES = re.compile(
    r"(View|UnsafeView|ReshapeAlias|AsStrided|Squeeze|Unsqueeze|Transpose|Permute|T|Clone|ToCopy|Slice|Select|Expand|"
    r"Alias|Split|Unbind|Detach)Backward\d*"
)
# Of the sum of float32 probabilities, from 1.
SUM = 1e-4


def mismatches(terms: Iterable[Term], outputs: Sequence[Tensor]) -> list[str]:
    """Return a line for each output that its loss is not meant for, with what to change.

    Args:
        outputs: with their graph of gradients; without it the operation is not known, and the values alone tell.
    """
    found = []
    for term in terms:
        output = outputs[term.place]
        if term.function in ON_LOGITS:
            words = probabilities(output)
            if words:
                found.append(f"output {term.output} {words}, and {too_late(term.function, output.shape[-1])}")
        elif term.function == "binary_cross_entropy":
            words = no_probabilities(output)
            if words:
                found.append(f"output {term.output}: {words}")
    return found


def probabilities(output: Tensor) -> str:
    """Return how one sees that an output holds probabilities; '' where it does not."""
    last = PROBABILITIES.get(last_operation(output))
    if last:
        return f"ends in a {last}"
    values = output.detach()
    if values.dim() and values.shape[-1] > 1 and values.numel() and values.is_floating_point():
        sums = values.sum(dim=-1)
        if bool((values >= 0).all()) and bool(((sums - 1).abs() < SUM).all()):
            return "holds probabilities, whose sums are 1"
    return ""


def last_operation(output: Tensor) -> str:
    """Return the name in the graph of gradients of the last operation that computes; '' without a graph."""
    node = output.grad_fn
    while node is not None and MOVES.fullmatch(node.name()) and node.next_functions:
        node = node.next_functions[0][0]
    return node.name() if node is not None else ""


def no_probabilities(output: Tensor) -> str:
    """Return why an output cannot be probabilities, with its range; '' where it can. What has diverged, NaN, may be."""
    known = output.detach()[~output.detach().isnan()]
    if not known.numel() or bool(((known >= 0) & (known <= 1)).all()):
        return ""
    return (
        f"the network's output goes from {float(known.min()):g} to {float(known.max()):g}, and binary_cross_entropy "
        "takes probabilities: end the network in a sigmoid, or set train/loss to binary_cross_entropy_with_logits (and "
        "evaluate/threshold to 0.0)"
    )
