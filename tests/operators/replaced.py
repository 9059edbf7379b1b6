"""The table of docs/onnx-operators.md: each operator of one's own, from which operator set on, and why."""

from torchship.gate.witness.onnx import contrib, operators

WHY = {
    "AffineGrid": "is float32",
    "AveragePool": "loops over every element: minutes for an image; its sums are disturbed at every partial sum",
    "BatchNormalization": "of opset 9 mixes the batch's statistics in whenever there is a momentum; of opset 7 fails",
    "Bernoulli": "draws random numbers: refused in words",
    "Celu": "float32 error of exp(x) − 1",
    "ConvTranspose": "fails for groups, and for a stated output shape",
    "DFT": "the error is that of the whole signal, also where the result is zero",
    "DequantizeLinear": "has none before opset 19, and goes through float32",
    "Dropout": "in training mode draws random numbers: refused in words; the mask before opset 12",
    "Einsum": "may fall back to float32",
    "Elu": "float32 error of exp(x) − 1",
    "Erf": "is float32",
    "GRU": "ignores sequence lengths, activations and clipping; disturbed step by step",
    "Gelu": "disturbed step by step; the evaluator expands a function of the newest operator set",
    "GlobalLpPool": "has none",
    "GridSample": "does not know the modes' names of opset 16; float32 coordinates; clamps a cubic's coordinates to the border",
    "HardSigmoid": "its sum may cancel: disturbed step by step",
    "HardSwish": "its sum may cancel: disturbed step by step",
    "Hardmax": "before opset 13 goes over one axis instead of all from that on",
    "InstanceNormalization": "means are long sums of one sign, whose error grows with their number",
    "LRN": "normalises as many channels as there are events, and leaves the others at 0",
    "LSTM": "ignores sequence lengths, activations, clipping, direction and input_forget; disturbed step by step",
    "LayerNormalization": "means are long sums, disturbed as such",
    "LogSoftmax": "before opset 13 goes over one axis instead of all from that on; the error where the result is near 0",
    "LpNormalization": "leaves out the absolute value where p = 1",
    "LpPool": "loops over every element",
    "MaxPool": "loops over every element: minutes for an image",
    "Mish": "disturbed step by step",
    "Multinomial": "draws random numbers: refused in words",
    "Pad": "fails for negative padding",
    "RNN": "ignores sequence lengths, clipping and most activations; disturbed step by step",
    "RandomNormal": "draws random numbers: refused in words",
    "RandomNormalLike": "draws random numbers: refused in words",
    "RandomUniform": "draws random numbers: refused in words",
    "RandomUniformLike": "draws random numbers: refused in words",
    "Resize": "of opset 10 reads its inputs wrongly; disturbed scales would change the shape; coordinates are rounded",
    "RoiAlign": "of opset 10 is shifted by half a pixel, as from 16 on",
    "STFT": "the error is that of the whole signal, also where the result is zero",
    "Scatter": "has none",
    "Selu": "float32 error of exp(x) − 1",
    "Softmax": "before opset 13 goes over one axis instead of all from that on; the error of a sum over thousands",
    "Softplus": "overflows, and the float32 error of 1 + exp(x)",
    "Squeeze": "with axes as an attribute, in any order but rising, takes the wrong ones or fails",
    "Swish": "disturbed step by step",
    "Unsqueeze": "with axes as an attribute, in any order but rising or from the end, takes the wrong ones",
    "Upsample": "knows whole scales of `nearest` alone, and no attribute `scales`",
    "LinearClassifier": "with two classes and one row gives float32",
    "Normalizer": "MAX divides by the largest absolute value instead of the largest",
    "OneHotEncoder": "loops, in float32",
    "TreeEnsembleClassifier": "sums in float32; two classes with one weight are otherwise in ONNX Runtime, whose convention converters "
    "follow; comparisons are exact, sums disturbed",
    "TreeEnsembleRegressor": "post-transforms are missing; comparisons are exact, sums disturbed",
}


def table() -> str:
    """Return the table in Markdown."""
    rows = ["| operator | from opset | what the reference evaluator does |", "|---|--:|---|"]
    for name, versions in sorted(operators.OPERATORS.items()):
        first = versions[0][0]
        until = next((opset - 1 for opset, kind in versions if kind is None), None)
        span = "all" if until is None and first == 1 else f"up to {until}"
        rows.append(f"| {name} | {span} | {WHY[name]} |")
    rows += [f"| ai.onnx.ml {name} | all | {WHY[name]} |" for name in sorted(operators.ML_OPERATORS)]
    rows += [f"| com.microsoft {name} | 1 | has none |" for name in sorted(contrib.OPERATORS)]
    return "\n".join(rows)
