"""What can be done about what torch's exporter stops at: a table from its words to advice."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Hint:
    """Words of an error, and what to do about it; {name} in the advice is a named group of the pattern, or `axis`."""

    pattern: re.Pattern[str]
    advice: str


def _hint(pattern: str, advice: str) -> Hint:
    return Hint(re.compile(pattern, re.IGNORECASE | re.DOTALL), advice)


AXES = "axes: {{{axis}: {{least: …, most: …, multiple: …, traced: …}}}}"

# In order: the first that matches is told.
HINTS = (
    _hint(
        r"(?P<size>\d+) not in VR\[(?P<least>-?\d+), (?P<most>\w+)\]",
        "axis {axis} was traced with size {size}, which is not within {least} to {most}: declare which sizes the "
        "network takes, as axes: {{{axis}: {{least: {least}}}}} in the model's section",
    ),
    _hint(
        r"k not in range for dimension|selected index k out of range|index .* is out of bounds|out of range",
        "the traced size of axis {axis} is too small for it: declare the least size that the network takes, "
        "axes: {{{axis}: {{least: …}}}} in the model's section",
    ),
    _hint(
        r"specialized it to be a constant|is frozen",
        "the network's code fixes the size of axis {axis} to the traced one: write it for any size (no loop over the "
        "axis, as nn.RNN is one and nn.GRU and nn.LSTM are none, no len() of it, no number for its size, no layer "
        "whose width is that size), or declare this axis as a number",
    ),
    _hint(
        r"satisfy the generated guard|inconsistencies were found|is invalid for input of size|is inconsistent",
        "not every size of axis {axis} fits there: write it for any size, or declare those that the network takes, "
        + AXES
        + " in the model's section",
    ),
    _hint(
        r"data-dependent|u\d+ .*(declared|unhinted)|has shape \[[^\]]*'[^']*\bu\d+",
        "an exported network may branch on and be shaped by the sizes of its inputs, not by their values: use "
        "torch.where, a mask, or sums over all entries in place of `if`, `.item()`, `.tolist()` and boolean indexing",
    ),
    _hint(
        r"complex-valued input|complex(64|128)|ComplexFloat",
        "ONNX has no complex numbers: compute with real and imaginary parts",
    ),
    _hint(
        r"No ONNX function found for (?P<operator>[\w.]*\w)",
        "torch cannot translate the operator {operator} to ONNX: write it by others",
    ),
    _hint(
        r"translating node .*torch\.ops\.(?P<operator>\w+\.\w+)",
        "torch cannot translate the operator {operator} with these arguments to ONNX: write it by others",
    ),
    _hint(
        r"is (bfloat16|float16|complex64), declared",
        "the network computes in another type, as under torch.autocast: export it without, or cast its outputs back",
    ),
    _hint(
        r"missing a required argument|required positional argument|positional arguments? but|unexpected keyword",
        "the declared inputs must be those of forward(), in order",
    ),
    _hint(
        r"must have same reduction dim|mat1 and mat2|size mismatch|expected .* to have \d+ channels|must match the size"
        r"|normalized_shape|shapes? .* cannot be|not broadcastable|Expected \d+D",
        "the network does not take inputs of the declared shapes: correct one or the other",
    ),
    _hint(
        r"numpy|__array__|data pointer of Tensor|storage|FakeTensor|'SymInt'|Cannot access data",
        "the exporter follows operations of torch alone, without numbers in them: write this by torch's",
    ),
    _hint(
        r"has no attribute|is not defined|not supported between|not subscriptable|is not callable",
        "this is an error of the network's own code: mend it there",
    ),
    _hint(r"out of memory|can't allocate|bad_alloc", "there is not memory enough for it here"),
)


def advice(text: str, axis: str | None) -> str:
    """Return what to do about an error with these words, '' where the table has nothing.

    Args:
        axis: the dynamic axis that it is about, if that is known.
    """
    for hint in HINTS:
        match = hint.pattern.search(text)
        if match:
            words = {key: value.replace("int_oo", "infinity") for key, value in match.groupdict().items() if value}
            return hint.advice.format(axis=axis or "<axis>", **words)
    return ""
