"""The arbiter of torch modules on every operation that torch has test inputs for, in all forms of it."""

import os
import warnings

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torchship.gate.witness.limits import LEAST, SMALLEST_FLOAT32, UNIT_FLOAT32
from torchship.gate.witness.noise import NO_NOISE, Noise
from torchship.gate.witness.op_rules import TORCH_RULES, Rule
from torchship.gate.witness.torch_modes import Wide, plain_kernels
from torchship.gate.witness.torch_operations import base_name, operation
from torchship.gate.witness.torch_rounding import Rounding

SAMPLES = 32
# Both forms are disturbed by the same draws, so that few of them tell.
FEW = 8
# Inputs of torch's own tests that are tried of each operation; in float32 the last of them, all in `make operators`.
MOST, TRIED = 2, int(os.environ.get("TORCHSHIP_OPERATOR_INPUTS", "1"))
# Those that give no function of their inputs, or memory that nobody has written to.
UNDEFINED = {"empty_strided", "new_empty", "empty_permuted", "empty_like", "empty", "new_empty_strided", "as_strided"}
RANDOM = {"bernoulli", "cauchy", "exponential", "geometric", "log_normal", "normal", "uniform", "randn", "randn_like", "rand_like",
          "randint", "randint_like", "multinomial", "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d",
          "nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.alpha_dropout",
          "nn.functional.feature_alpha_dropout", "nn.functional.rrelu", "torch.ops.aten._efficient_attention_forward"}  # fmt: skip
# Of no network that can be exported: special functions whose float32 kernels are far from accurate, decompositions.
FOREIGN = ("_refs", "linalg", "svd", "fft", "signal", "special", "sparse", "torch.ops", "masked.", "polygamma", "igamma",
           "pinverse", "matrix_exp", "nn.functional.ctc", "nn.functional.linear_cross_entropy", "digamma", "lgamma",
           "cholesky", "lu", "geqrf", "ormqr", "qr", "triangular_solve", "mvlgamma", "addr", "nn.functional.gaussian_nll",
           "pca_lowrank", "logdet", "jiterator", "to_sparse", "stft", "istft", "cov", "corrcoef")  # fmt: skip


def copied(value):
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    return {key: copied(item) for key, item in value.items()} if isinstance(value, dict) else value


def in_float64(value):
    if isinstance(value, torch.Tensor):
        return value.detach().double() if value.dtype == torch.float32 else value.detach()
    if isinstance(value, list | tuple):
        return type(value)(in_float64(item) for item in value)
    return {key: in_float64(item) for key, item in value.items()} if isinstance(value, dict) else value


def first(result):
    return first(result[0]) if isinstance(result, list | tuple) else result


def spread(function, args, kwargs, samples=SAMPLES):
    """Return what a function makes of its arguments: exactly, disturbed by nothing, and how much rounding moves it."""

    def call(mode):
        with mode:
            return first(function(*copied(args), **copied(kwargs))).clone()

    noise = Noise(UNIT_FLOAT32, 0)
    with torch.no_grad(), plain_kernels(torch.float64):
        exact, same = call(Wide()), call(Rounding(NO_NOISE))
        if not exact.is_floating_point():
            return exact, same, torch.zeros(exact.shape)
        deviations = torch.stack([call(Rounding(noise)) for _ in range(samples)]) - exact
    return exact, same, deviations.pow(2).mean(0).sqrt()


def samples_of(op, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        usable = (s for s in op.sample_inputs("cpu", dtype) if isinstance(first(s.input), torch.Tensor))
        return [s for _, s in zip(range(MOST), (s for s in usable if first(s.input).numel()), strict=False)]


IN_PLACE = [
    op for op in op_db if op.inplace_variant and torch.float64 in op.dtypes and op.name not in RANDOM | UNDEFINED
]
ROUNDED = [op for op in op_db if {torch.float32, torch.float64} <= set(op.dtypes)
           and op.name not in RANDOM | UNDEFINED and not op.name.startswith(FOREIGN)]  # fmt: skip
# Quick enough for all, and told apart by name where one fails.
BLOCKS = 8


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", range(BLOCKS))
def test_an_operation_in_place_has_the_spread_of_the_one_out_of_place(block):
    compared = 0
    for op in IN_PLACE[block::BLOCKS]:
        for sample in samples_of(op, torch.float64):
            if sample.broadcasts_input:
                continue
            args = (sample.input, *sample.args)
            exact, _, wanted = spread(op.method_variant or op.op, args, sample.kwargs, FEW)
            written, same, found = spread(op.inplace_variant, args, sample.kwargs, FEW)
            assert torch.equal(exact.nan_to_num(), written.nan_to_num()), op.name
            assert torch.equal(written.nan_to_num(), same.nan_to_num()), op.name
            ratio = (found + 1e-300) / (wanted + 1e-300)
            ratio = ratio[ratio.isfinite()]
            # Of so few samples; what was lost in place once made it millions.
            assert not ratio.numel() or (ratio.max() < 10.0 and ratio.min() > 0.1), op.name
            compared += 1
    assert compared > 20


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("block", range(BLOCKS))
def test_torchs_own_float32_is_within_the_limit_of_every_operation(block):
    compared = 0
    for op in ROUNDED[block::BLOCKS]:
        for sample in samples_of(op, torch.float32)[-TRIED:]:
            args, kwargs = copied((sample.input, *sample.args)), copied(sample.kwargs)
            single = first(op.op(*copied(args), **copied(kwargs)))
            if not isinstance(single, torch.Tensor) or single.dtype != torch.float32 or not single.numel():
                continue
            exact, same, found = spread(op.op, in_float64(args), in_float64(kwargs))
            assert torch.equal(exact.nan_to_num(), same.nan_to_num()) or TORCH_RULES.get(op.name) is None, op.name
            limit = LEAST * (found + UNIT_FLOAT32 * exact.abs() + SMALLEST_FLOAT32)
            off = (single.double() - exact).abs() / limit
            assert (off[off.isfinite()] < 1.0).all(), op.name
            compared += 1
    assert compared > 40


def test_a_rule_is_of_the_function_not_of_its_form():
    assert base_name("_index_put_impl_") == base_name("index_put_") == "index_put"
    assert base_name("_softmax") == "softmax"
    aten = torch.ops.aten
    forms = [aten.relu.default, aten.relu_.default, aten.relu.out]
    assert {operation(form).rule for form in forms} == {Rule.EXACT}
    assert [sorted(operation(form).written, key=str) for form in forms] == [[], [0], ["out"]]
    assert operation(aten.relu.out).out == {"out"}
    assert operation(aten.transpose_.default).view
    assert operation(aten.bernoulli_.float).seeded
