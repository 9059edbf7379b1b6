"""Which operators of ONNX are sums, of how many terms, and what they give when they are added up in float32."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from torchship.gate.witness.long_sums import LONG, running_sum
from torchship.gate.witness.onnx.monitor import is_wide
from torchship.spec.arrays import Array

Inputs = tuple[Any, ...]


def terms_of_einsum(node: Any, inputs: Inputs) -> int:
    """Return over how many products an `Einsum` sums, by the letters that its result has not."""
    left, _, right = node.equation.replace(" ", "").partition("->")
    sizes = {
        letter: size
        for names, value in zip(left.split(","), inputs, strict=True)
        if "." not in names
        for letter, size in zip(names, value.shape, strict=True)
    }
    # Without a result's letters, those that come once are its own.
    kept = right or [letter for letter in sizes if left.count(letter) == 1]
    return prod(size for letter, size in sizes.items() if letter not in kept)


# How many products make up each number of a result, from a node and its inputs.
PRODUCTS: dict[str, Callable[[Any, Inputs], int]] = {
    "MatMul": lambda _, inputs: inputs[0].shape[-1],
    "Gemm": lambda node, inputs: inputs[0].shape[0 if node.transA else 1],
    "Conv": lambda _, inputs: inputs[1].size // inputs[1].shape[0],
    # No more than that, and fewer where it has strides.
    "ConvTranspose": lambda node, inputs: inputs[1].size // (inputs[1].shape[1] * (node.group or 1)),
    "Einsum": terms_of_einsum,
}
# What a reduction adds up of each number, and what it makes of the sum and its count.
Term = Callable[[Array], Array]
Finish = Callable[[Array, int], Array]
REDUCTIONS: dict[str, tuple[Term, Finish]] = {
    "ReduceSum": (np.asarray, lambda total, _: total),
    "ReduceMean": (np.asarray, lambda total, count: total / count),
    "GlobalAveragePool": (np.asarray, lambda total, count: total / count),
    "ReduceL1": (np.abs, lambda total, _: total),
    "ReduceL2": (np.square, lambda total, _: np.sqrt(total)),
    "ReduceSumSquare": (np.square, lambda total, _: total),
    "ReduceLogSum": (np.asarray, lambda total, _: np.log(total)),
    "ReduceLogSumExp": (np.exp, lambda total, _: np.log(total)),
}
# What adds up in the order of what it is given, here as everywhere.
IN_ORDER = frozenset({"CumSum", "ScatterElements", "ScatterND"})


def terms_of_products(node: Any, inputs: Inputs) -> int:
    """Return how many products a node sums for each of its results; 0 for one that sums none."""
    terms = PRODUCTS.get(node.op_type)
    return terms(node, inputs) if terms is not None else 0


def terms_of_reduction(node: Any, inputs: Inputs, result: Array) -> int:
    """Return how many numbers come together in one of a result; 1 where none do."""
    if not node.op_type.startswith(("Reduce", "Global")) or not result.size:
        return 1
    return max(int(inputs[0].size) // int(result.size), 1)


def summed_in_float32(node: Any, inputs: Inputs, result: Array, run: Callable[..., Any], seed: int) -> Array | None:
    """Return what a sum gives that adds number by number in float32; None for other operators and short sums."""
    if node.op_type in IN_ORDER:
        found = run(*(value.astype(np.float32) if is_wide(value) else value for value in inputs))[0]
        return np.asarray(found, np.float64)
    if node.op_type not in REDUCTIONS or not is_wide(inputs[0]):
        return None
    value: Array = inputs[0]
    count = terms_of_reduction(node, inputs, result)
    if count < LONG:
        return None
    if node.op_type == "GlobalAveragePool":
        axes = list(range(2, value.ndim))
    else:
        given = inputs[1] if len(inputs) > 1 else getattr(node, "axes", None)
        axes = [int(axis) for axis in np.ravel(given)] if given is not None else []
    axes = axes or list(range(value.ndim))
    # What is added may be infinite, and then nothing is left of it.
    largest = value.max(tuple(axes), keepdims=True) if node.op_type == "ReduceLogSumExp" else np.zeros(())
    largest = np.where(np.isfinite(largest), largest, 0.0)
    term, finish = REDUCTIONS[node.op_type]
    with np.errstate(all="ignore"):
        total = running_sum(term(value - largest), axes, seed)
        return np.asarray(finish(total, count) + largest).reshape(result.shape)
