"""Where arbiter and ONNX Runtime part, and why that stays: the specification decides, or nobody can."""

from dataclasses import dataclass
from math import inf

from comparing import Outcome
from operator_cases import OperatorCase


@dataclass(frozen=True)
class Known:
    """What is known of some cases: another verdict, output, size or message is no known one.

    Attributes:
        why: goes into docs/onnx-operators.md.
        verdict: see `comparing.Outcome`.
        outputs: those that differ; all others agree.
        most: the largest difference, in limits.
        words: part of the message.
    """

    why: str
    verdict: str = "differ"
    outputs: tuple[str, ...] = ()
    most: float = inf
    words: str = ""


def refused(why: str, words: str) -> Known:
    """Return that the arbiter refuses cases with a message."""
    return Known(f"{why}: refused", "arbiter", words=words)


# By operator and the start of a case's name.
KNOWN: dict[tuple[str, str], Known] = {
    ("Bernoulli", ""): refused("draws random numbers", "Bernoulli draws random numbers"),
    ("Dropout", "test_training"): refused(
        "in training mode draws random numbers", "Dropout in training mode draws random numbers"
    ),
    ("Scan", "test_scan_sum"): refused("of opset 8 has a batch", "does not take initial"),
    ("BitCast", ""): refused(
        "takes float32 numbers apart into bits, which float64 has others of", "BitCast requires input"
    ),
    ("DynamicQuantizeLinear", ""): Known(
        "is discontinuous: its scale in float64 rounds other elements up than in float32", outputs=("y",)
    ),
    ("MaxUnpool", "test_maxunpool_export_with_output_shape"): Known(
        "the specification (the backend test's outputs) has it as the arbiter does; ONNX Runtime reads the indices in "
        "the larger shape",
        outputs=("y",),
    ),
    ("Attention", "test_attention_4d_with_past_and_present_qk_matmul_bias"): Known(
        "where the mask is −∞ ONNX Runtime's intermediate output holds the lowest float32",
        outputs=("qk_matmul_output",),
    ),
    ("NegativeLogLikelihoodLoss", "test_nllloss_NCd1d2d3d4d5_mean_weight"): Known(
        "a loss, summed one by one over 1,620 numbers in float32: 1.7 limits", outputs=("loss",), most=1.7
    ),
    ("SoftmaxCrossEntropyLoss", "test_sce_NCd1d2d3d4d5_mean_weight"): Known(
        "a loss, summed one by one over 1,620 numbers in float32: 1.5 limits", outputs=("z",), most=1.6
    ),
    ("ai.onnx.ml::TreeEnsembleClassifier", "own_TreeEnsembleClassifier_two"): Known(
        "with two classes that both have weights ONNX Runtime's label is that of the second wherever its sum is "
        "positive; the specification says the top class, as the arbiter",
        outputs=("y0",),
    ),
}


def known(case: OperatorCase, outcome: Outcome) -> str:
    """Return why a case does not agree, where that is known."""
    return next(
        (
            one.why
            for (operator, start), one in KNOWN.items()
            if (case.operator, outcome.verdict, outcome.outputs) == (operator, one.verdict, one.outputs)
            and case.name.startswith(start)
            and outcome.ratio <= one.most
            and one.words in outcome.words
        ),
        "",
    )
