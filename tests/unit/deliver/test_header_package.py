"""The package of the C++ header: its golden test passes on the right header and on no other, in every build."""

import re
import shutil
import subprocess
import sysconfig
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support import want
from torch import nn
from torchship.codegen import to_cpp
from torchship.codegen.layers import read_network
from torchship.codegen.tracing import weights_document
from torchship.core.errors import DeliveryError
from torchship.deliver.golden import Golden
from torchship.deliver.header import package, try_package
from torchship.spec.tensor import Tensor

PASSED = {"latest": {"verdict": "passed", "sha256": "0" * 64, "runtime": "1.32.0"}}
FEATURES = ("pt", "eta | phi", "mass of the pair's jets")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2), nn.Softmax(dim=1)).eval()
    tensors = {"x": Tensor(("batch", 3), features=FEATURES)}, {"y": Tensor(("batch", 2), features=("signal", "rest"))}
    return module, read_network(weights_document("jets", module, *tensors))


@pytest.fixture(scope="module")
def golden(network):
    x = np.random.default_rng(0).uniform(-3.0, 3.0, (20, 3)).astype(np.float32)
    with torch.no_grad():
        exact = network[0].double()(torch.from_numpy(x).double()).numpy()
    return Golden((1,) * 20, ("uniform over the domain",) * 20, {"x": x}, {"y": exact}, {"y": np.full((20, 2), 1e-6)})


@pytest.fixture(scope="module")
def files(network, golden):
    return package(network[1], to_cpp.generate(network[1]), golden, PASSED, "f" * 64)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_right_header_passes_without_a_warning(files, compiler):
    assert try_package(files, want(shutil.which(compiler), f"there is no {compiler}")) == 20


def other_weight(network, golden):
    layer = network.layers[2]
    bias = (layer.bias[0] * 1.001, *layer.bias[1:])
    return replace(network, layers=(*network.layers[:2], replace(layer, bias=bias), *network.layers[3:])), golden


def exchanged_classes(network, golden):
    return network, replace(golden, exact={"y": golden.exact["y"][:, ::-1]})


def exchanged_features(network, golden):
    return network, replace(golden, inputs={"x": golden.inputs["x"][:, ::-1]})


def no_number(network, golden):
    layer = network.layers[2]
    return replace(
        network, layers=(*network.layers[:2], replace(layer, bias=(1e39, 1e39)), *network.layers[3:])
    ), golden


@pytest.mark.parametrize("change", [other_weight, exchanged_classes, exchanged_features, no_number])
def test_another_network_is_told_with_event_and_output(network, golden, change):
    other, events = change(network[1], golden)
    files = package(other, to_cpp.generate(other), events, PASSED, "f" * 64)
    with pytest.raises(
        DeliveryError,
        match=r"golden test of the header: float: event 0 \(uniform over the domain\), output \d: .* limit 1e-06 \(and",
    ):
        try_package(files, want(shutil.which("g++"), "there is no g++"))


def test_events_of_another_width_do_not_compile(network, golden):
    narrow = replace(golden, inputs={"x": golden.inputs["x"][:, :2]})
    files = package(network[1], to_cpp.generate(network[1]), narrow, PASSED, "f" * 64)
    with pytest.raises(DeliveryError, match="another network's golden inputs"):
        try_package(files, want(shutil.which("g++"), "there is no g++"))


def written(files, folder):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(*command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


MAIN = """
#include <network.hpp>
#include <cstdio>

int main() {
  namespace net = torchship::jets_network;
  float x[net::inputs] = {}, y[net::outputs];
  net::evaluate_rows(x, y, 1);
  std::printf("%g\\n", static_cast<double>(y[0] + y[1]));
}
"""


def test_cmake_builds_it_by_itself_and_within_another_project(files, tmp_path):
    tools = [Path(sysconfig.get_path("scripts")) / name for name in ("cmake", "ctest")]
    package_folder = tmp_path / "with a space" / "net"
    written(files, package_folder)
    run(tools[0], "-S", ".", "-B", "build", folder=package_folder)
    run(tools[0], "--build", "build", folder=package_folder)
    assert "100% tests passed" in run(tools[1], "--test-dir", "build", folder=package_folder)
    whole = tmp_path / "whole"
    written(files, whole / "net")
    (whole / "main.cpp").write_text(MAIN)
    (whole / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.15)\nproject(whole CXX)\nadd_subdirectory(net)\n"
        "add_executable(main main.cpp)\ntarget_link_libraries(main PRIVATE torchship::jets)\n"
    )
    run(tools[0], "-S", ".", "-B", "build", folder=whole)
    run(tools[0], "--build", "build", folder=whole)
    assert run(whole / "build/main", folder=whole) == "1\n"
    assert not (whole / "build/net/test_golden").exists()


def test_the_page_lists_features_and_classes_by_place(files):
    page = files["README.md"]
    assert "| 1 | eta \\| phi |" in page
    assert "| 1 | rest |" in page
    assert f"| latest | passed | `{'0' * 64}` | 1.32.0 |" in page


def test_the_commands_of_the_page_do_what_it_says(files, tmp_path):
    written(files, tmp_path)
    want(shutil.which("c++"), "there is no c++")
    by_hand = re.search(r"\*\*By hand\*\*: `(.*)`", files["README.md"])[1]
    said = run("sh", "-c", by_hand, folder=tmp_path)
    assert said.startswith('{"events": 20')
    snippet = re.search(r"```cpp\n(.*?)```", files["README.md"], re.DOTALL)[1]
    includes, _, body = snippet.partition("\n\n")
    (tmp_path / "main.cpp").write_text(f"{includes}\nint main() {{\n{body}\n  return y[0] > 0 ? 0 : 1;\n}}\n")
    run("c++", "-std=c++17", "-Wall", "-Werror", "-Iinterface", "main.cpp", "-o", "main", folder=tmp_path)
    run(tmp_path / "main", folder=tmp_path)
