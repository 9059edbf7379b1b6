"""Cases of one's own: old operator sets, where attributes stand in the place of inputs, and what the backend tests leave out."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from case_maker import Maker, ints
from operator_cases import OperatorCase
from tree_cases import trees

VERSIONS = (7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)


def shapes(make: Maker) -> Iterator[OperatorCase]:
    """Yield operators that move elements."""
    x = make.x(1, 3, 1, 4)
    for opset in (7, 11):
        for axes in ([0], [2], [0, 2], [2, 0]):
            yield make.case("Squeeze", opset, [x], axes=axes)
        for axes in ([0], [1, 3], [3, 1], [0, 4]):
            yield make.case("Unsqueeze", opset, [make.x(3, 4, 2)], axes=axes)
        yield make.case("Squeeze", opset, [x])
    for axes in ([-2], [-4, 2], [2, -4]):
        yield make.case("Squeeze", 11, [x], axes=axes)
        yield make.case("Squeeze", 13, [x, ints(*axes)])
    for axes in ([-1], [0, -1], [-1, 1]):
        yield make.case("Unsqueeze", 11, [make.x(3, 4)], axes=axes)
        yield make.case("Unsqueeze", 13, [make.x(3, 4), ints(*axes)])
    y = make.x(5, 6, 7)
    yield make.case("Slice", 7, [y], starts=[1, 2], ends=[4, 1000])
    yield make.case("Slice", 7, [y], axes=[2, 0], starts=[-3, 0], ends=[-1, 2])
    yield make.case("Slice", 9, [y], axes=[1], starts=[-1000], ends=[3])
    for opset in (10, 11, 13):
        yield make.case("Slice", opset, [y, ints(4, -1), ints(-1000, -1000), ints(0, 2), ints(-1, -2)])
        yield make.case("Slice", opset, [y, ints(1), ints(100)])
    for opset in (7, 9, 11):
        yield make.case("Pad", min(opset, 10), [y], pads=[1, 0, 2, 0, 3, 1], value=0.3)
        yield make.case("Pad", min(opset, 10), [y], pads=[1, 0, 2, 0, 3, 1], mode="reflect")
        yield make.case("Pad", min(opset, 10), [y], pads=[1, 0, 2, 0, 3, 1], mode="edge")
        yield make.case("Pad", min(opset, 10), [y], pads=[-1, 0, 2, 0, -3, 1])
    yield make.case("Pad", 11, [y, ints(1, 0, 2, 0, 3, 1), np.float32(0.3)])
    yield make.case("Pad", 18, [y, ints(1, 2), np.float32(0.3), ints(1)])
    for opset in (7, 11):
        yield make.case("Split", opset, [y], outputs=3, axis=1)
        yield make.case("Split", opset, [y], outputs=2, axis=2, split=[3, 4])
    yield make.case("Split", 13, [y, ints(3, 4)], outputs=2, axis=2)
    yield make.case("Split", 13, [y], outputs=2, axis=1)
    yield make.case("Split", 18, [y], outputs=3, axis=2, num_outputs=3)
    for opset in (9, 11, 13):
        yield make.case("Flatten", opset, [y], axis=2)
        yield make.case("Concat", opset, [y, y], axis=1)
        yield make.case("Gather", opset, [y, np.array([[0, 2], [1, 3]])], axis=1)
        yield make.case("Transpose", opset, [y])
        yield make.case("Tile", opset, [y, ints(1, 2, 2)])
        yield make.case("DepthToSpace", opset, [make.x(1, 8, 2, 3)], blocksize=2)
        yield make.case("SpaceToDepth", opset, [make.x(1, 2, 4, 6)], blocksize=2)
        yield make.case("Expand", opset, [make.x(3, 1), ints(2, 1, 4)])
        yield make.case("Where", opset, [make.x(3, 1) > 0, make.x(3, 4), make.x(1, 4)])
        yield make.case("NonZero", opset, [np.round(make.x(3, 4))])
        yield make.case("OneHot", opset, [ints(0, 3, -1, -4, 9), np.int64(4), np.array([0.25, 3.0], np.float32)])
        yield make.case("OneHot", opset, [ints(0, 1), np.int64(3), np.array([0.0, 1.0], np.float32)], axis=0)
        yield make.case("Compress", opset, [make.x(3, 4), np.array([True, False, True])], axis=0)
        yield make.case("EyeLike", opset, [make.x(3, 4)], k=1)
    for opset in (11, 13):
        yield make.case("Gather", opset, [y, ints(-1, -5, 2)], axis=0)
        yield make.case("GatherElements", opset, [make.x(3, 3), np.array([[-1, 0, 1], [2, -3, 0]])], axis=0)
        yield make.case("GatherND", opset, [make.x(3, 3), np.array([[-1, 0], [2, -3]])])
        yield make.case("DepthToSpace", opset, [make.x(1, 8, 2, 3)], blocksize=2, mode="CRD")
    for opset, reductions in (
        (11, [None]),
        (13, [None]),
        (16, ["none", "add", "mul"]),
        (18, ["add", "mul", "min", "max"]),
    ):
        for reduction in reductions:
            more = {} if reduction is None else {"reduction": reduction}
            index = np.array([[0, 1, 2], [0 if reduction not in (None, "none") else 3, 4, 3]])
            yield make.case("ScatterElements", opset, [make.x(5, 4), index, make.x(2, 3)], axis=0, **more)
            rows = np.array([[1], [1 if reduction not in (None, "none") else 2], [-1]])
            yield make.case("ScatterND", opset, [make.x(5, 4), rows, make.x(3, 4)], **more)
    for opset in (9, 10):
        yield make.case("Scatter", opset, [make.x(3, 4), np.array([[0, 1, 2]]), make.x(1, 3)], axis=1)
    for opset in (14, 18):
        for upper, k in itertools.product((0, 1), (-1, 0, 2)):
            yield make.case("Trilu", opset, [make.x(3, 4), np.int64(k)], upper=upper)


def choices(make: Maker) -> Iterator[OperatorCase]:
    """Yield operators that choose, compare and convert."""
    x = make.x(4, 5)
    yield make.case("Clip", 7, [x], min=-0.5, max=1.0)
    yield make.case("Clip", 7, [x], max=1.0)
    for opset in (11, 12, 13):
        yield make.case("Clip", opset, [x, np.float32(-0.5), np.float32(1.0)])
        yield make.case("Clip", opset, [x, None, np.float32(1.0)])
    yield make.case("TopK", 7, [x], outputs=2, k=3, axis=1)
    yield make.case("TopK", 9, [x], outputs=2, k=2, axis=0)
    yield make.case("TopK", 10, [x, ints(3)], outputs=2, axis=1)
    ties = np.round(make.x(4, 5))
    for opset, largest in itertools.product((11, 24), (0, 1)):
        yield make.case("TopK", opset, [ties, ints(3)], outputs=2, axis=1, largest=largest)
    for kind, opset in itertools.product(("ArgMax", "ArgMin"), (7, 11, 12, 13)):
        for keep in (0, 1):
            yield make.case(kind, opset, [ties], axis=1, keepdims=keep)
        if opset >= 12:
            yield make.case(kind, opset, [ties], axis=1, select_last_index=1)
    for opset in (7, 9, 13, 19):
        for kind in (6, 7, 9, 10, 11):
            yield make.case("Cast", opset, [x * 3], to=kind)
        yield make.case("Cast", opset, [np.array([0.0, -0.0, 0.3, np.nan, np.inf], np.float32)], to=9)
        yield make.case("Cast", opset, [ints(2**24 + 1, -3)], to=1)
        yield make.case("Cast", opset, [np.array([True, False])], to=1)
    for opset in (7, 9, 11, 13):
        yield make.case("Equal", opset, [np.array([1, 2, 3], np.int32), np.array([1, 3, 3], np.int32)])
        for kind in ("Greater", "Less"):
            yield make.case(kind, opset, [ties, np.round(make.x(4, 5))])
    for opset in (12, 16):
        for kind in ("GreaterOrEqual", "LessOrEqual"):
            yield make.case(kind, opset, [ties, np.round(make.x(4, 5))])
    for opset in (8, 12, 13):
        for kind in ("Max", "Min", "Sum", "Mean"):
            yield make.case(kind, opset, [x, make.x(4, 5), make.x(1, 5)])
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997], np.float32)
    yield make.case("Round", 11, [halves])
    yield make.case("Sign", 9, [np.array([-2.0, -0.0, 0.0, 3.0], np.float32)])
    yield make.case("IsInf", 10, [np.array([np.inf, -np.inf, np.nan, 1], np.float32)], detect_negative=0)
    yield make.case("IsNaN", 9, [np.array([np.inf, -np.inf, np.nan, 1], np.float32)])
    yield make.case("Dropout", 7, [x], ratio=0.7)
    yield make.case("Dropout", 10, [x], outputs=2, ratio=0.7)
    yield make.case("Dropout", 12, [x, np.float32(0.7)], outputs=2)
    yield make.case("Dropout", 13, [x, np.float32(0.7), np.array(False)])
    yield make.case("Unique", 11, [ties], outputs=4)
    yield make.case("Unique", 11, [ties], outputs=4, axis=0)
    for kind in (np.uint8, np.uint32):
        for direction in ("LEFT", "RIGHT"):
            yield make.case("BitShift", 11, [np.array([1, 4, 7], kind), np.array([1, 2, 3], kind)], direction=direction)
    for opset in (11, 13):
        yield make.case("ReverseSequence", 10, [make.x(4, 3), ints(4, 2, 1)], time_axis=0, batch_axis=1)
        yield make.case("Range", 11, [np.float32(0.1), np.float32(3.0), np.float32(0.3)])
        yield make.case("CumSum", min(opset, 11), [x, np.int64(1)], exclusive=1, reverse=opset % 2)


def arithmetic(make: Maker) -> Iterator[OperatorCase]:
    """Yield operators of each element, and sums."""
    x, positive = make.x(4, 5), make.x(4, 5, low=0.1, high=3.0)
    for opset in (7, 13, 14):
        for kind in ("Add", "Sub", "Mul", "Div"):
            yield make.case(kind, opset, [x, make.x(5, low=0.5)])
        yield make.case("Div", opset, [np.array([7, -7, 6], np.int32), np.array([2, 2, -4], np.int32)])
    for opset in (7, 12, 13, 15):
        yield make.case("Pow", opset, [positive, make.x(4, 5)])
        yield make.case("Pow", opset, [x, np.full((4, 5), 2.0, np.float32)])
    for opset in (12, 15):
        yield make.case("Pow", opset, [np.array([2, -3, 5], np.int64), np.array([3, 2, 0], np.int64)])
        yield make.case("Pow", opset, [make.x(3), np.array([3, 2, 0], np.int64)])
    for opset in (10, 13):
        a, b = np.array([-7, 7, -7, 7], np.int32), np.array([3, -3, -3, 3], np.int32)
        yield make.case("Mod", opset, [a, b])
        yield make.case("Mod", opset, [a, b], fmod=1)
        yield make.case("Mod", opset, [make.x(4, 5), positive], fmod=1)
    unary = {
        7: "Abs Acos Asin Atan Ceil Cos Elu Exp Floor HardSigmoid Identity LeakyRelu Log LogSoftmax Neg Reciprocal Relu Selu "
        "Sigmoid Sin Softmax Hardmax Softplus Softsign Sqrt Tan Tanh",
        9: "Acosh Asinh Atanh Cosh Erf Sinh Shrink",
        10: "ThresholdedRelu",
        12: "Celu",
        14: "HardSwish",
        18: "Mish",
        20: "Gelu",
    }
    for first, names in unary.items():
        for name, opset in itertools.product(names.split(), (7, 9, 11, 13, 16, 22)):
            if opset >= first:
                wide = {"Acos", "Asin", "Atanh"}
                value = make.x(4, 6, low=-0.95, high=0.95) if name in wide else make.x(4, 6, low=-6.0, high=6.0)
                value = make.x(4, 6, low=1.05, high=6) if name in {"Log", "Sqrt", "Acosh"} else value
                yield make.case(name, opset, [value])
    for name, options in (("Elu", {"alpha": 1.7}), ("Selu", {"alpha": 1.1, "gamma": 2.0}), ("LeakyRelu", {"alpha": 0.3}),
                          ("HardSigmoid", {"alpha": 0.3, "beta": 0.1}), ("Celu", {"alpha": 1.7}),
                          ("ThresholdedRelu", {"alpha": 0.3}), ("Shrink", {"lambd": 0.7, "bias": 0.3})):  # fmt: skip
        yield make.case(name, 13, [make.x(4, 6)], **options)
    for name in ("Elu", "Celu", "Selu", "Softplus", "HardSigmoid", "Gelu", "Mish", "HardSwish"):
        small = np.array([1e-9, -1e-9, 0.0, 1e-4, -1e-4, 30, -30, 88, -88, 200, -200, 3, -3, 2.5, -2.5], np.float32)
        yield make.case(name, 20, [small])
    yield make.case("Gelu", 20, [make.x(4, 6)], approximate="tanh")
    yield make.case("AffineGrid", 20, [make.x(2, 2, 3), ints(2, 1, 3, 4)])
    yield make.case("PRelu", 7, [x, make.x(5)])
    for name in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
                 "ReduceLogSumExp", "ReduceSumSquare"):  # fmt: skip
        value = make.x(3, 4, 5, low=0.1)
        for opset in (7, 11, 12, 13):
            if name == "ReduceSum" and opset >= 13:
                continue
            yield make.case(name, opset, [value], axes=[1], keepdims=0)
            yield make.case(name, opset, [value], axes=[0, 2])
            yield make.case(name, opset, [value])
        yield make.case(name, 18 if name != "ReduceSum" else 13, [value, ints(0, -1)])
        yield make.case(name, 18 if name != "ReduceSum" else 13, [value, ints()], noop_with_empty_axes=1)
    for name in ("ReduceSum", "ReduceMean"):
        yield make.case(name, 11, [make.x(2, 20000, low=0.0)], axes=[1])
    yield make.case("GlobalAveragePool", 7, [make.x(2, 3, 80, 80, low=0.0)])
    for opset in (7, 9, 11, 13):
        more = [make.x(6)] if opset != 11 else [None]
        for ta, tb in itertools.product((0, 1), (0, 1)):
            a, b = make.x(*((5, 4) if ta else (4, 5))), make.x(*((6, 5) if tb else (5, 6)))
            yield make.case(
                "Gemm",
                opset,
                [a, b, *[value for value in more if value is not None]],
                transA=ta,
                transB=tb,
                alpha=0.7,
                beta=1.3,
            )
        yield make.case("MatMul", opset, [make.x(2, 3, 4), make.x(4, 5)])
        yield make.case("MatMul", opset, [make.x(4), make.x(2, 4, 3)])
        yield make.case("Flatten", opset, [make.x(2, 3, 4)], axis=0)
    for equation in ("ij,jk->ik", "bij,bjk->bik", "ii->i", "i,j->ij", "...ij->...ji"):
        parts = equation.split("->")[0].split(",")
        sizes = {"i": 3, "j": 3, "k": 4, "b": 2}
        yield make.case(
            "Einsum",
            12,
            [make.x(*(sizes[letter] for letter in part.replace("...", "b"))) for part in parts],
            equation=equation,
        )


def normalised(make: Maker) -> Iterator[OperatorCase]:
    """Yield normalisations and softmax."""
    for shape in ((6, 3), (6, 3, 5), (2, 3, 4, 5)):
        x, scale, bias, mean, variance = make.x(*shape), make.x(3), make.x(3), make.x(3), make.x(3, low=0.1)
        statistics = [x, scale, bias, mean, variance]
        for opset in (7, 9, 14, 15):
            yield make.case("BatchNormalization", opset, statistics)
            yield make.case("BatchNormalization", opset, statistics, momentum=0.99, epsilon=1e-3)
        yield make.case("BatchNormalization", 7, statistics, spatial=1)
    parts = [make.x(3, 4) for _ in range(3)]
    yield make.case("BatchNormalization", 7, [make.x(2, 3, 4), *parts, make.x(3, 4, low=0.1)], spatial=0)
    for opset in (14, 15):
        yield make.case(
            "BatchNormalization",
            opset,
            [make.x(6, 3, 5), make.x(3), make.x(3), make.x(3), make.x(3, low=0.1)],
            outputs=3,
            training_mode=1,
            momentum=0.7,
        )
    for kind, opset in itertools.product(("Softmax", "LogSoftmax", "Hardmax"), (7, 11, 13)):
        yield make.case(kind, opset, [make.x(2, 3, 4)])
        for axis in (0, 1, 2):
            yield make.case(kind, opset, [make.x(2, 3, 4)], axis=axis)
        if opset >= 11:
            yield make.case(kind, opset, [make.x(2, 3, 4)], axis=-2)
    for opset in (7, 13):
        yield make.case("LRN", opset, [make.x(2, 5, 3, 3)], size=3)
        yield make.case("LRN", opset, [make.x(2, 5, 3, 3)], size=4, alpha=0.3, beta=0.5, bias=2.0)
    for opset in (7, 22):
        yield make.case("InstanceNormalization", opset, [make.x(2, 3, 4, 5), make.x(3), make.x(3)])
        yield make.case("LpNormalization", opset, [make.x(3, 4)], axis=0, p=1)
        yield make.case("LpNormalization", opset, [make.x(3, 4)])
        yield make.case("GlobalLpPool", opset, [make.x(2, 3, 4, 4)], p=3)
    for axes in ([0, 2, 3], [1]):
        yield make.case("MeanVarianceNormalization", 9, [make.x(2, 3, 4, 4)], axes=axes)
        yield make.case("MeanVarianceNormalization", 13, [make.x(2, 3, 4, 4)], axes=axes)
    for shape, axis in (((2, 5), -1), ((2, 3, 4), 1)):
        size = shape[axis:]
        yield make.case(
            "LayerNormalization", 17, [make.x(*shape), make.x(*size), make.x(*size)], outputs=3, axis=axis, epsilon=1e-3
        )
        yield make.case("LayerNormalization", 17, [make.x(*shape) + 5, make.x(*size)], axis=axis)
    yield make.case("GroupNormalization", 18, [make.x(2, 4, 5), make.x(2), make.x(2)], num_groups=2)
    yield make.case("GroupNormalization", 21, [make.x(2, 4, 5), make.x(4), make.x(4)], num_groups=2)


def images(make: Maker) -> Iterator[OperatorCase]:
    """Yield convolutions, pools, resizing."""
    x = make.x(2, 4, 9, 8)
    for opset in (7, 11, 22):
        for options in ({}, {"pads": [1, 0, 2, 1]}, {"strides": [2, 3]}, {"dilations": [2, 1]}, {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
                        {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, {"auto_pad": "VALID"}):  # fmt: skip
            yield make.case("Conv", opset, [x, make.x(6, 4, 3, 2), make.x(6)], **options)
            yield make.case("Conv", opset, [x, make.x(6, 2, 3, 2)], group=2, **options)
            yield make.case("ConvTranspose", opset, [x, make.x(4, 3, 3, 2), make.x(3)], **options)
        yield make.case("Conv", opset, [make.x(2, 3, 9), make.x(4, 3, 3)], pads=[1, 1])
        yield make.case("ConvTranspose", opset, [x, make.x(4, 3, 3, 2)], group=2, strides=[2, 2], output_padding=[1, 0])
        yield make.case(
            "ConvTranspose", opset, [make.x(1, 2, 4, 4), make.x(2, 3, 3, 3)], strides=[3, 2], output_shape=[10, 8]
        )
    pools = [
        {},
        {"pads": [1, 0, 1, 1]},
        {"strides": [2, 3]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"auto_pad": "SAME_LOWER"},
    ]
    for opset, options in itertools.product((7, 10, 11, 19, 22), pools):
        yield make.case("AveragePool", opset, [x], kernel_shape=[3, 2], **options)
        yield make.case("AveragePool", opset, [x], kernel_shape=[3, 2], count_include_pad=1, **options)
        if opset >= 10 and "auto_pad" not in options:
            for count in (0, 1):
                yield make.case(
                    "AveragePool",
                    opset,
                    [x],
                    kernel_shape=[3, 2],
                    ceil_mode=1,
                    count_include_pad=count,
                    **{"strides": [2, 2], **options},
                )
    for opset, options in itertools.product((7, 8, 10, 12, 22), pools):
        yield make.case("MaxPool", opset, [x], kernel_shape=[3, 2], **options)
        if opset >= 8:
            for order in (0, 1):
                yield make.case("MaxPool", opset, [x], outputs=2, kernel_shape=[3, 2], storage_order=order, **options)
        if opset >= 10 and "auto_pad" not in options:
            yield make.case(
                "MaxPool", opset, [x], outputs=2, kernel_shape=[3, 2], ceil_mode=1, dilations=[2, 1], **options
            )
    for opset in (7, 11, 18):
        for p in (1, 2, 3):
            yield make.case("LpPool", opset, [x], kernel_shape=[3, 2], p=p, strides=[2, 1], pads=[1, 0, 1, 1])
    small = make.x(1, 1, 4, 5)
    for scales, mode in itertools.product(([1.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.5, 2.3]), ("nearest", "linear")):
        yield make.case("Upsample", 7, [small], scales=scales, mode=mode)
        yield make.case("Upsample", 9, [small, np.array(scales, np.float32)], mode=mode)
    for scales, mode in itertools.product(([1, 1, 2, 3], [1, 1, 1.5, 0.6], [1, 1, 0.5, 0.4]), ("nearest", "linear")):
        yield make.case("Resize", 10, [small, np.array(scales, np.float32)], mode=mode)
    for opset, mode in itertools.product((11, 13, 18, 19), ("nearest", "linear", "cubic")):
        for way in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
            for scales in ([1, 1, 2, 3], [1, 1, 1.5, 0.7]):
                inputs = [small, np.zeros(0, np.float32), np.array(scales, np.float32)]
                yield make.case("Resize", opset, inputs, mode=mode, coordinate_transformation_mode=way)
            inputs = [small, np.zeros(0, np.float32), np.zeros(0, np.float32), ints(1, 1, 7, 3)]
            yield make.case("Resize", opset, inputs, mode=mode, coordinate_transformation_mode=way)
    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        inputs = [small, np.zeros(0, np.float32), np.array([1, 1, 2, 0.5], np.float32)]
        yield make.case("Resize", 13, inputs, mode="nearest", nearest_mode=rounding)
    yield make.case(
        "Resize",
        11,
        [small, np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32)],
        mode="nearest",
        coordinate_transformation_mode="tf_half_pixel_for_nn",
    )
    grid = make.x(1, 3, 4, 2, low=-1.2, high=1.2)
    for mode, padding, align in itertools.product(
        ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (0, 1)
    ):
        yield make.case("GridSample", 16, [small, grid], mode=mode, padding_mode=padding, align_corners=align)
    boxes = np.array([[0, 0, 3, 3], [1, 1, 2.5, 3.5]], np.float32)
    for opset, mode in itertools.product((10, 16), ("avg", "max")):
        yield make.case(
            "RoiAlign",
            opset,
            [make.x(1, 2, 6, 6), boxes, ints(0, 0)],
            mode=mode,
            output_height=2,
            output_width=2,
            sampling_ratio=2,
        )


def recurrent(make: Maker) -> Iterator[OperatorCase]:
    """Yield recurrent operators with each of their inputs and attributes."""
    steps, batch, inputs, hidden = 5, 3, 4, 3
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}
    x, lengths = make.x(steps, batch, inputs), np.array([5, 2, 4], np.int32)
    for (kind, number), direction, opset in itertools.product(
        gates.items(), ("forward", "reverse", "bidirectional"), (7, 14, 22)
    ):
        count = 2 if direction == "bidirectional" else 1
        w, r, b = (
            make.x(count, number * hidden, inputs),
            make.x(count, number * hidden, hidden),
            make.x(count, 2 * number * hidden),
        )
        states = [make.x(count, batch, hidden) for _ in range(2 if kind == "LSTM" else 1)]
        more: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
        outputs = 3 if kind == "LSTM" else 2
        yield make.case(kind, opset, [x, w, r], outputs, **more)
        yield make.case(kind, opset, [x, w, r, b, lengths], outputs, **more)
        yield make.case(kind, opset, [x, w, r, b, lengths, *states], outputs, **more)
        yield make.case(kind, opset, [x, w, r, b], outputs, clip=0.5, **more)
        functions = {"RNN": ["Relu"], "GRU": ["HardSigmoid", "Softsign"], "LSTM": ["HardSigmoid", "Softsign", "Tanh"]}[
            kind
        ]
        yield make.case(kind, opset, [x, w, r, b], outputs, activations=functions * count, **more)
        if kind == "RNN":
            yield make.case(
                kind,
                opset,
                [x, w, r, b],
                outputs,
                activations=["LeakyRelu"] * count,
                activation_alpha=[0.3, 0.1][:count],
                **more,
            )
        if kind == "GRU":
            yield make.case(kind, opset, [x, w, r, b, lengths, *states], outputs, linear_before_reset=1, **more)
        if kind == "LSTM":
            yield make.case(kind, opset, [x, w, r, b, lengths, *states, make.x(count, 3 * hidden)], outputs, **more)


def quantised(make: Maker) -> Iterator[OperatorCase]:
    """Yield operators of quantised networks."""
    x = make.x(3, 4)
    for kind, opset in itertools.product((np.uint8, np.int8), (10, 13, 19, 21)):
        zero = np.array(3, kind)
        yield make.case("QuantizeLinear", opset, [x, np.float32(0.031), zero])
        yield make.case("DequantizeLinear", opset, [np.arange(12).reshape(3, 4).astype(kind), np.float32(0.031), zero])
        if opset >= 13:
            scales, zeros = make.x(4, low=0.01, high=0.1), np.array([0, 1, 2, 3], kind)
            yield make.case("QuantizeLinear", opset, [x, scales, zeros], axis=1)
            yield make.case(
                "DequantizeLinear", opset, [np.arange(20, 32).reshape(3, 4).astype(kind), scales, zeros], axis=-1
            )
    yield make.case("DequantizeLinear", 13, [np.array([2**24 + 1, -5], np.int32), np.float32(0.1)])
    a, b = np.arange(12, dtype=np.uint8).reshape(3, 4), np.arange(8, dtype=np.uint8).reshape(4, 2)
    yield make.case("MatMulInteger", 10, [a, b, np.uint8(2), np.uint8(1)])
    yield make.case(
        "QLinearMatMul",
        10,
        [a, np.float32(0.1), np.uint8(2), b, np.float32(0.2), np.uint8(1), np.float32(0.5), np.uint8(3)],
    )
    yield make.case(
        "ConvInteger",
        10,
        [
            np.arange(32, dtype=np.uint8).reshape(1, 2, 4, 4),
            np.arange(36, dtype=np.uint8).reshape(2, 2, 3, 3),
            np.uint8(1),
        ],
    )


def own_cases() -> Iterator[OperatorCase]:
    """Yield all cases of one's own."""
    for family in (shapes, choices, arithmetic, normalised, images, recurrent, trees, quantised):
        yield from family(Maker())
