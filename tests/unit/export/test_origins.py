"""Each node of an exported file is told with the innermost torch module and the user's line that it was made from."""

from pathlib import Path

import pytest
import torch.export
from networks.origins import blocks, network
from onnx import helper
from torchship.export import origins
from torchship.export.canonical import canonicalize
from torchship.export.opsets import bring
from torchship.export.torch_export import translate
from torchship.spec.tensor import Tensor

INPUTS = {"x": Tensor(("batch", 4, "particles"), low=-1.0, high=1.0)}
OUTPUTS = {"y": Tensor(("batch", 8))}


@pytest.fixture(scope="module")
def models():
    """Return the network's models as torch translates them."""
    return translate(network.Network().eval(), INPUTS, OUTPUTS, [20, 18])


def at(module, code):
    """Return a line of a file as it is told."""
    lines = Path(module.__file__).read_text().splitlines()
    return f"origins/{Path(module.__file__).name}:{1 + next(i for i, line in enumerate(lines) if code in line)}"


@pytest.mark.parametrize("opset", [20, 18, 15])
def test_the_innermost_module_and_the_users_line_are_told(models, opset):
    model = bring(models[max(opset, 18)], opset)
    found = {node.op_type: origins.read(node) for node in model.graph.node}
    # The optimiser put the normalisation into the convolution: both are told, each with the line that calls it.
    assert found["Conv"] == {
        "module": "inputEmbed.conv1d.module + inputEmbed.norm",
        "line": f"{at(blocks, 'self.module(x)')}, {at(network, 'swish(self.norm')}",
        "code": "x = self.module(x); return swish(self.norm(self.conv1d(x)))",
    }
    assert found["Sigmoid"]["module"] == "inputEmbed"
    assert found["Softmax"] == {
        "module": "attend", "line": at(network, "self.attend(h"), "code": "h, _ = self.attend(h, h, h, need_weights=False)"
    }  # fmt: skip
    assert found["ReduceSum"] == {"module": "", "line": at(network, "return h.sum("), "code": "return h.sum("}
    shared = [origins.read(node) for node in model.graph.node if origins.read(node)["module"] == "shared"]
    assert len(shared) == 4  # it is called twice, a product and a sum each
    # None is without a line, not even those that conversion made.
    assert all(origins.read(node)["line"] for node in model.graph.node)


def test_nothing_of_it_stays_in_the_file(models):
    model = bring(models[20], 20)
    told = canonicalize(model, graph="net", opset=20, ir=8, about={})
    assert set(told) == {node.name for node in model.graph.node}
    assert all(set(origin) == {"module", "line", "code"} for origin in told.values())
    content = model.SerializeToString()
    for trace in (b"torchship.", b"network.py", str(Path(network.__file__).parent).encode(), b"pkg.torch"):
        assert trace not in content


def test_one_trace_serves_all_operator_sets(monkeypatch):
    traces = []
    real = torch.export.export
    monkeypatch.setattr(torch.export, "export", lambda *args, **kwargs: traces.append(1) or real(*args, **kwargs))
    found = translate(network.Network().eval(), INPUTS, OUTPUTS, [11, 13, 18, 20])
    assert sorted(found) == [18, 20]
    assert len(traces) == 1


def graph(*nodes):
    made = helper.make_graph([helper.make_node(kind, inputs, outputs, name=name) for kind, inputs, outputs, name in nodes],
                             "g", [helper.make_tensor_value_info("x", 1, ["n"])], [])  # fmt: skip
    for node in made.node:
        origins.write(node, origins.NOTHING)
    return made


def told(graph_, **modules):
    for node in graph_.node:
        if node.name in modules:
            origins.write(node, {"module": modules[node.name], "line": f"f.py:{len(node.name)}", "code": ""})
    return graph_


CHAIN = [("MatMul", ["x", "w"], ["a"], "one"), ("Add", ["a", "b"], ["c"], "two"), ("Relu", ["c"], ["y"], "three")]


def test_a_node_that_took_in_others_has_the_modules_of_all():
    before = told(graph(*CHAIN), one="net.first", two="net.second", three="net")
    after = graph(("Gemm", ["x", "w2", "b2"], ["c"], "fused"), ("Relu", ["c"], ["y"], "three"))
    origins.carry(before, after)
    assert [origins.read(node)["module"] for node in after.node] == ["net.first + net.second", "net"]
    # A module that holds another one of them says less.
    after = graph(("Fused", ["x", "w", "b"], ["y"], "all"))
    origins.carry(before, after)
    assert origins.read(after.node[0])["module"] == "net.first + net.second"


def test_a_new_node_has_its_neighbours_origin_where_they_agree():
    before = told(graph(*CHAIN), one="net.first", two="net.first", three="net.last")
    after = graph(("MatMul", ["x", "w"], ["a"], "one"), ("New", ["a"], ["new"], "new"), ("Add", ["new", "b"], ["c"], "two"),
                  ("Relu", ["c"], ["y0"], "other"), ("Neg", ["y0"], ["y"], "three"))  # fmt: skip
    origins.carry(before, after)
    modules = {node.name: origins.read(node)["module"] for node in after.node}
    assert modules["new"] == "net.first"
    # One neighbour is of first, the other of last: nobody knows.
    assert modules["other"] == ""
