"""The generated code: the seed's numbers, random networks, and what it must refuse."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchship.codegen import compilers, run_cpp, run_python, to_cpp, to_python
from torchship.codegen.crosscheck import BOTH_ROUND, check_decisions, eager
from torchship.codegen.layers import exact, read_network
from torchship.codegen.tracing import parameter, weights_document
from torchship.core.errors import GenerationError, ParityError
from torchship.core.files import read_json
from torchship.gate.compare import compare
from torchship.gate.witness.error_bound import UNIT_FLOAT64, evaluate
from torchship.spec.tensor import Tensor

from check_code import check_code


def compiled(text):
    names = {"__name__": "generated"}
    exec(compile(text, "generated.py", "exec"), names)
    return names["evaluate"]


def test_the_seeds_weights_give_the_seeds_outputs(golden):
    evaluate_event = compiled(to_python.generate(read_network(golden)))
    outputs = [evaluate_event(event)[0] for event in ((0, 0), (0, 1), (1, 0), (1, 1))]
    assert [f"{value:.4f}" for value in outputs] == ["0.0359", "0.9135", "0.9815", "0.0265"]
    assert [value > 0.5 for value in outputs] == [False, True, True, False]


def test_the_generated_file_needs_nothing_and_speaks(golden, tmp_path):
    path = tmp_path / "reference.py"
    path.write_text(to_python.generate(read_network(golden)))
    command = [sys.executable, "-I", "-S", str(path), "0", "1"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("a xor b = 0.9134")
    refused = subprocess.run(command[:-1], capture_output=True, text=True, check=False)
    assert "1 values given, 2 inputs expected: a, b" in refused.stderr


ACTIVATIONS = [nn.Sigmoid, nn.Tanh, nn.ReLU, lambda: nn.LeakyReLU(0.2), lambda: nn.Softmax(dim=1), nn.Identity]


@st.composite
def networks(draw):
    """Draw a feed-forward network of any width with trained-looking batch statistics, and events for it."""
    torch.manual_seed(draw(st.integers(0, 2**31)))
    widths = draw(st.lists(st.integers(1, 9), min_size=2, max_size=5))
    layers = []
    for inputs, outputs in itertools.pairwise(widths):
        layers.append(nn.Linear(inputs, outputs, bias=draw(st.booleans())))
        nn.init.normal_(layers[-1].weight, std=draw(st.sampled_from([0.1, 1.0, 5.0])))
        if draw(st.booleans()):
            norm = nn.BatchNorm1d(outputs, affine=draw(st.booleans()), eps=draw(st.sampled_from([1e-5, 1e-3])))
            norm.running_mean.normal_(std=2.0)
            norm.running_var.uniform_(0.1, 4.0)
            layers.append(norm)
        layers.append(draw(st.sampled_from(ACTIVATIONS))())
    module = nn.Sequential(*layers).eval()
    x = torch.randn(20, widths[0]).numpy() * draw(st.sampled_from([0.1, 1.0, 10.0]))
    return module, x.astype(np.float32), widths


def described(module, widths):
    tensors = [{name: Tensor(("batch", width))} for name, width in (("x", widths[0]), ("y", widths[-1]))]
    return read_network(weights_document("net", module, *tensors))


@settings(max_examples=60, deadline=None)
@given(networks())
def test_generated_python_agrees_with_torch(drawn):
    module, x, widths = drawn
    network = described(module, widths)
    found = run_python.evaluate_all(compiled(to_python.generate(network)), x)
    value, bound = evaluate(network, x, UNIT_FLOAT64)
    assert compare(found, eager(module, x, torch.float64), BOTH_ROUND * bound).ratio <= 1.0
    assert compare(value, found, BOTH_ROUND * bound).ratio <= 1.0


@settings(max_examples=200, deadline=None)
@given(networks())
def test_the_bound_holds_for_torch_in_float32(drawn):
    module, x, widths = drawn
    value, bound = evaluate(described(module, widths), x)
    assert compare(eager(module, x, torch.float32), value, bound).ratio <= 1.0


def test_the_bound_is_no_wider_than_it_must_be_for_any_order_of_a_sum():
    """One layer, whose terms come in the order in which each is rounded away: 1000 of 1002 roundings happen."""
    count, unit = 1001, 2.0**-24
    module = nn.Sequential(nn.Linear(count, 1, bias=False)).eval()
    module[0].weight.data[:] = unit
    module[0].weight.data[0, 0] = 1.0
    value, bound = evaluate(described(module, [count, 1]), np.ones((1, count), dtype=np.float32))
    total = np.float32(0)
    for term in module[0].weight.detach().numpy()[0]:
        total += term
    assert abs(total - value.item()) / bound.item() == pytest.approx((count - 1) / (count + 1), rel=1e-3)


def test_the_bound_is_near_what_torch_does_in_float32():
    """Of 200 networks so drawn the largest error is 0.07 of the bound in the middle, and 0.46 at most."""
    shares = []

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(networks())
    def measure(drawn):
        module, x, widths = drawn
        value, bound = evaluate(described(module, widths), x)
        shares.append(compare(eager(module, x, torch.float32), value, bound).ratio)

    measure()
    assert 0.2 < max(shares) <= 1.0
    assert np.median(shares) > 0.02


def test_generated_cpp_agrees_with_python(tmp_path, compiler):
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(5)
    norm.running_mean.normal_()
    layers = [nn.Linear(3, 5), norm, nn.LeakyReLU(0.1), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 4), nn.ReLU()]
    module = nn.Sequential(*layers, nn.Linear(4, 3), nn.Sigmoid(), nn.Softmax(dim=-1)).eval()
    network = described(module, [3, 3])
    header = tmp_path / "a b.hpp"
    header.write_text(to_cpp.generate(network))
    library = run_cpp.CompiledNetwork(header, "net", 3, tmp_path, compiler)
    x = torch.randn(50, 3).numpy()
    expected = run_python.evaluate_all(compiled(to_python.generate(network)), x)
    _, wide = evaluate(network, x, UNIT_FLOAT64)
    _, narrow = evaluate(network, x)
    assert compare(library.evaluate(x.astype(np.float64)), expected, BOTH_ROUND * wide).ratio <= 1.0
    assert compare(library.evaluate(x), expected, narrow).ratio <= 1.0


def test_a_broken_header_is_named(tmp_path, compiler):
    (tmp_path / "broken.hpp").write_text("namespace torchship::net_network { int")
    with pytest.raises(GenerationError, match=r"broken.hpp does not compile with .*error"):
        run_cpp.CompiledNetwork(tmp_path / "broken.hpp", "net", 1, tmp_path, compiler)


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)

    def forward(self, x):
        return x + self.inner(x)


class Sorted(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Scaled(nn.Linear):
    def forward(self, x):
        return 2.0 * super().forward(x)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            nn.Sequential(nn.Linear(2, 2), nn.GELU()),
            r"layer '1' is GELU\(.*\), which is not covered; covered are Linear, Sigmoid",
        ),
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax(dim=0)), r"layer '1' is Softmax\(dim=0\), which is not covered"),
        (nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False)), r"layer '0' is BatchNorm1d"),
        (Skip(), r"layer 'inner' of network 'net' branches"),
        (Sorted(), r"network 'net' cannot be traced"),
        (Scaled(2, 2), r"uses parameter 'weight' outside of a covered layer"),
    ],
)
def test_uncovered_layers_are_named(module, message):
    with pytest.raises(GenerationError, match=message + ".*; set extract/handcode: false, and all other stages take"):
        described(module, [2, 2])


def test_tensors_of_other_shapes_are_refused():
    with pytest.raises(GenerationError, match=r"code is generated for one input \[batch, features\]"):
        weights_document("net", nn.Identity(), {"x": Tensor(("batch", 3, 4))}, {"y": Tensor(("batch", 1))})
    two = {name: Tensor(("batch", 2)) for name in ("x", "z")}
    with pytest.raises(GenerationError, match=r"one input .*, not for {'x': .*, 'z': .*; set extract/handcode: false"):
        weights_document("net", nn.Identity(), two, {"y": Tensor(("batch", 1))})


def test_weights_that_are_not_finite_are_named():
    module = nn.Sequential(nn.Linear(2, 1))
    module[0].weight.data[0, 1] = torch.nan
    with pytest.raises(GenerationError, match=r"parameter '0.weight' holds 1 values that are not finite"):
        described(module, [2, 1])


def test_a_layer_of_another_width_is_named(golden):
    golden["parameters"]["l2.weight"]["values"] = [[1.0, 2.0, 3.0]]
    with pytest.raises(GenerationError, match=r"layer 'l2' takes 3 values, the layer before it gives 2"):
        read_network(golden)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_weights_survive_the_json_round_trip_exactly(values):
    tensor = torch.tensor(values, dtype=torch.float32)
    spelled = json.loads(json.dumps(parameter("w", tensor)))
    assert exact(spelled["values"]) == tuple(tensor.tolist())


def recheck(trained, tmp_path, **replaced):
    files = {
        name: replaced.get(name, getattr(trained, name))
        for name in ("weights", "python", "header", "network", "trained")
    }
    check_code(*files.values(), trained.sets["test"], trained.datasheet, tmp_path / "check.json", model=trained.model)


def test_one_corrupt_weight_stops_the_check(trained, tmp_path):
    text = trained.python.read_text()
    first = text.split("L1_WEIGHT = (\n    (")[1].split(",")[0]
    (tmp_path / "reference.py").write_text(text.replace(first, repr(float(first) * 1.0001), 1))
    with pytest.raises(
        ParityError, match=r"xor: torch float64 against the hand-coded Python on the .*: \|Δ\| = .* at event"
    ):
        recheck(trained, tmp_path, python=tmp_path / "reference.py")


def test_one_corrupt_constant_in_the_header_stops_the_check(trained, tmp_path):
    text = trained.header.read_text()
    first = text.split("L1_BIAS[2] = {")[1].split(",")[0]
    (tmp_path / "reference.hpp").write_text(text.replace(first, repr(float(first) + 1e-5), 1))
    with pytest.raises(ParityError, match=r"C\+\+ double against the hand-coded Python"):
        recheck(trained, tmp_path, header=tmp_path / "reference.hpp")


def test_wrong_decisions_stop_the_check(golden):
    golden["parameters"]["l2.bias"]["values"] = [50.0]
    network = read_network(golden)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    outputs = run_python.evaluate_all(compiled(to_python.generate(network)), x)
    with pytest.raises(
        ParityError, match=r"2 of 4 decisions are right, 1 of them must be; the first wrong one is event 0"
    ):
        check_decisions(outputs, np.array([[0], [1], [1], [0]]), "binary_cross_entropy", 0.5, 1.0, "xor")


def test_without_a_compiler_the_header_is_loudly_unchecked(trained, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(compilers, "compiler", lambda: None)
    recheck(trained, tmp_path)
    assert read_json(tmp_path / "check.json")["cpp"] == {"checked": False}
    assert "NOT CHECKED: the C++ header" in caplog.text


def test_two_versions_of_one_network_live_in_one_process(tmp_path, compiler):
    networks_ = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(70, 70), nn.Tanh(), nn.Linear(70, 1)).eval()
        networks_.append(described(module, [70, 1]))
        (tmp_path / f"{seed}").mkdir()
        (tmp_path / f"{seed}" / "net.hpp").write_text(to_cpp.generate(networks_[-1]))
    declared = "".join(f"void run_{seed}(const double* x, double* y);\n" for seed in (1, 2))
    main = (
        f"#include <cstdio>\n{declared}int main() {{ double x[70], y; for (int i = 0; i < 70; ++i) x[i] = 0.01 * i;"
        + "".join(f' run_{seed}(x, &y); std::printf("%.12g\\n", y);' for seed in (1, 2))
        + " }"
    )
    (tmp_path / "main.cpp").write_text(main)
    for seed in (1, 2):
        (tmp_path / f"part{seed}.cpp").write_text(
            f'#include "{seed}/net.hpp"\nvoid run_{seed}(const double* x, double* y) {{ torchship::net_network::evaluate(x, y); }}'
        )
    command = [compiler, "-std=c++17", "-O0", "main.cpp", "part1.cpp", "part2.cpp", "-o", "both"]
    subprocess.run(command, cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "both"], capture_output=True, text=True, check=True).stdout.split()
    x = (0.01 * np.arange(70))[None]
    assert [float(text) for text in printed] == pytest.approx(
        [float(evaluate(n, x)[0][0, 0]) for n in networks_], rel=1e-9
    )
    assert printed[0] != printed[1]


def test_the_bound_holds_where_products_underflow():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 8, bias=False), nn.ReLU(), nn.Linear(8, 1, bias=False)).eval()
    for parameter_ in module.parameters():
        parameter_.data *= 1e-22
    x = torch.randn(20, 8).numpy()
    value, bound = evaluate(described(module, [8, 1]), x)
    assert compare(eager(module, x, torch.float32), value, bound).ratio <= 1.0


def test_a_network_that_returns_a_tuple_is_refused():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, x):
            return (self.layer(x),)

    with pytest.raises(GenerationError, match=r"network 'net' returns \(layer,\), not one tensor"):
        described(Both(), [2, 1])


def test_damaged_weights_are_one_line(golden):
    del golden["parameters"]["l1.bias"]
    with pytest.raises(GenerationError, match=r"weights.json is damaged: KeyError 'l1.bias'; run the extraction again"):
        read_network(golden)
