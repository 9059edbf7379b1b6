"""Where arbiter and ONNX Runtime part, and why that stays: the specification decides, or nobody can."""

from comparing import Outcome
from operator_cases import OperatorCase

# By operator and the start of a case's name; the words go into docs/onnx-operators.md.
KNOWN: dict[tuple[str, str], str] = {
    ("Bernoulli", ""): "draws random numbers: refused",
    ("Dropout", "test_training"): "in training mode draws random numbers: refused",
    ("Scan", "test_scan_sum"): "of opset 8 has a batch: refused",
    ("BitCast", ""): "takes float32 numbers apart into bits, which float64 has others of: refused",
    ("DynamicQuantizeLinear", ""): "is discontinuous: its scale in float64 rounds other elements up than in float32",
    (
        "MaxUnpool",
        "test_maxunpool_export_with_output_shape",
    ): "the specification (the backend test's outputs) has it as the "
    "arbiter does; ONNX Runtime reads the indices in the larger shape",
    ("Attention", "test_attention_4d_with_past_and_present_qk_matmul_bias"): "where the mask is −∞ ONNX Runtime's "
    "intermediate output holds the lowest float32",
    (
        "NegativeLogLikelihoodLoss",
        "test_nllloss_NCd1d2d3d4d5_mean_weight",
    ): "a loss, summed one by one over 1,620 numbers in float32: 1.7 limits",
    ("SoftmaxCrossEntropyLoss", "test_sce_NCd1d2d3d4d5_mean_weight"): "a loss, summed one by one over 1,620 numbers in "
    "float32: 1.5 limits",
    (
        "ai.onnx.ml::TreeEnsembleClassifier",
        "own_TreeEnsembleClassifier_two",
    ): "with two classes that both have weights ONNX "
    "Runtime's label is that of the second wherever its sum is positive; the specification says the top class, as the arbiter",
}


def known(case: OperatorCase, outcome: Outcome) -> str:
    """Return why a case does not agree, where that is known."""
    if outcome.verdict == "agree":
        return ""
    return next(
        (why for (operator, start), why in KNOWN.items() if case.operator == operator and case.name.startswith(start)),
        "",
    )
