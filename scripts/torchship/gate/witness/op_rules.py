"""Where an operator's rounding rule is: how each operation of torch, and each of ONNX, rounds in float32.

A rule says what the disturbances of Monte Carlo arithmetic are for it. It is of the function, not of one of its forms:
`relu`, `relu_` and `relu(out=…)` have the same. Standard library only.
"""

from collections.abc import Mapping
from enum import Enum, auto


class Rule(Enum):
    """What a float32 implementation rounds.

    Attributes:
        EXACT: nothing: it gives numbers that it was given, or none.
        POINTWISE: the result, once.
        SUM: a sum of products, in an order of the implementation's own: each term as well as the result, the more the
            longer it is, see `long_sums`.
        BOUNDED: a rational approximation in most runtimes: absolute, one unit of its largest value.
        SHIFTED: by way of 1 + exp(x) or exp(x) - 1 in most runtimes: absolute, or that of the value if larger.
        GATED: a bounded function times its argument.
        SOFTMAX: the distance to the largest argument, and the result.
        LOG_SOFTMAX: the same, and the logarithm of a sum that is at least 1: absolute.
        STEPPED: a quotient that is cut to an integer, or what is left then: what is divided, where it is no multiple.
        RESAMPLED: places between pixels, which weigh the pixels beside them, each term, and the result.
        ENTROPY: each term, and the logarithm of 1 + exp(-x): absolute.
        ORDERED: nothing, but which of equal numbers comes first is nowhere defined.
        CONTAINER: nothing itself: it holds graphs, whose operations are disturbed.
    """

    EXACT = auto()
    POINTWISE = auto()
    SUM = auto()
    BOUNDED = auto()
    SHIFTED = auto()
    GATED = auto()
    SOFTMAX = auto()
    LOG_SOFTMAX = auto()
    STEPPED = auto()
    RESAMPLED = auto()
    ENTROPY = auto()
    ORDERED = auto()
    CONTAINER = auto()


# Of torch. What is named nowhere has the rule POINTWISE where torch tags it so, else SUM.
TORCH = {
    Rule.EXACT: (
        "abs adaptive_max_pool2d adaptive_max_pool3d alias_copy amax amin aminmax arange argmax argmin argsort "
        "as_strided as_strided_copy assert_async bernoulli bitwise_and bitwise_left_shift bitwise_not bitwise_or "
        "bitwise_right_shift bitwise_xor bucketize cat ceil channel_shuffle clamp clamp_max clamp_min clone complex "
        "conj_physical constant_pad_nd contiguous copy copysign count_nonzero cummax cummin detach diag diag_embed "
        "diagonal_copy diagonal_scatter embedding empty empty_like empty_permuted empty_strided eq equal expand_copy "
        "eye fill flip floor fmax fmin fmod frac fractional_max_pool2d fractional_max_pool3d full full_like gather ge "
        "gt hardshrink hardtanh heaviside im2col index index_copy index_fill index_select is_nonzero isfinite isin "
        "isinf isnan isneginf isposinf kthvalue le lift lift_fresh lift_fresh_copy linspace local_scalar_dense "
        "logical_and logical_not logical_or logical_xor logspace lt masked_fill masked_scatter masked_select max "
        "max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices max_unpool2d max_unpool3d maximum "
        "median min minimum mkldnn_max_pool2d mode nan_to_num nanmedian narrow_copy ne neg new_empty "
        "new_empty_strided new_full new_ones new_zeros nextafter nonzero nonzero_static normal one_hot ones ones_like "
        "permute_copy pixel_shuffle pixel_unshuffle positive put rand rand_like randint randint_like randn randn_like "
        "randperm range reflection_pad1d reflection_pad2d reflection_pad3d relu relu6 repeat repeat_interleave "
        "replication_pad1d replication_pad2d replication_pad3d roll rot90 round scalar_tensor scatter searchsorted "
        "select_copy select_scatter sgn sign signbit slice_copy slice_scatter split_copy squeeze_copy stack t_copy "
        "take take_along_dim threshold tile to_copy trace_copy transpose_copy tril tril_indices triu triu_indices "
        "trunc unfold_copy uniform unique2 unique_consecutive unique_dim unsafe_index unsafe_view unsqueeze_copy "
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_nearest_exact1d upsample_nearest_exact2d "
        "upsample_nearest_exact3d view_copy where zero zeros zeros_like"
    ),
    Rule.BOUNDED: "sigmoid tanh erf erfc sin cos sinc hardsigmoid atan special_erfcx i0 special_i0e i1 special_i1e",
    Rule.SHIFTED: (
        "elu celu selu expm1 softplus log1p log_sigmoid_forward asinh atanh sinh acosh logit logaddexp logaddexp2 "
        "special_entr special_ndtr special_log_ndtr lgamma digamma polygamma special_zeta special_xlog1py"
    ),
    Rule.GATED: "gelu silu mish hardswish",
    Rule.SOFTMAX: "softmax safe_softmax",
    Rule.LOG_SOFTMAX: "log_softmax logsumexp",
    Rule.STEPPED: "floor_divide remainder",
    Rule.RESAMPLED: (
        "grid_sampler_2d grid_sampler_3d upsample_bicubic2d upsample_bicubic2d_aa upsample_bilinear2d "
        "upsample_bilinear2d_aa upsample_linear1d upsample_trilinear3d"
    ),
    Rule.ORDERED: "sort topk",
    Rule.ENTROPY: "binary_cross_entropy_with_logits soft_margin_loss",
    # Tagged as pointwise, but a product is added to something that it may cancel with.
    Rule.SUM: "addcmul addcdiv lerp",
}
# Of ONNX. What is named nowhere sums; a class of the evaluator that is `stepped` disturbs its own steps.
ONNX = {
    Rule.EXACT: (
        "Abs And ArgMax ArgMin ArrayFeatureExtractor Binarizer BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr "
        "BitwiseXor Cast CastLike CastMap CategoryMapper Ceil CenterCropPad Clip Col2Im Compress Concat "
        "ConcatFromSequence Constant ConstantOfShape DepthToSpace DictVectorizer Dropout Equal Expand EyeLike "
        "FeatureVectorizer Flatten Floor Gather GatherElements GatherND GlobalMaxPool Greater GreaterOrEqual Hardmax "
        "Identity Imputer IsInf IsNaN LabelEncoder Less LessOrEqual Max MaxPool MaxRoiPool MaxUnpool Min Mod Neg "
        "NonMaxSuppression NonZero Not OneHot OneHotEncoder Optional OptionalGetElement OptionalHasElement Or Pad "
        "ReduceMax ReduceMin Relu Reshape ReverseSequence Round SequenceAt SequenceConstruct SequenceEmpty "
        "SequenceErase SequenceInsert SequenceLength Shape Sign Size Slice SpaceToDepth Split SplitToSequence Squeeze "
        "StringConcat StringNormalizer StringSplit TensorScatter ThresholdedRelu Tile TopK Transpose Trilu Unique "
        "Unsqueeze Where Xor ZipMap"
    ),
    Rule.BOUNDED: "Sigmoid Tanh Erf Sin Cos Atan HannWindow HammingWindow BlackmanWindow",
    Rule.POINTWISE: (
        "Add Sub Mul Div Exp Log Sqrt Reciprocal Pow LeakyRelu PRelu Shrink Range DequantizeLinear "
        "Tan Acos Asin Acosh Asinh Atanh Cosh Sinh"
    ),
    Rule.CONTAINER: "If Loop Scan SequenceMap",
}


def by_operator(table: Mapping[Rule, str]) -> dict[str, Rule]:
    """Return the rule of each operator that a table names."""
    return {name: rule for rule, names in table.items() for name in names.split()}


TORCH_RULES, ONNX_RULES = by_operator(TORCH), by_operator(ONNX)


def onnx_rule(operator: str) -> Rule:
    """Return the rule of an operator of ONNX."""
    return ONNX_RULES.get(operator, Rule.SUM)
