"""The wall of foreign networks in its small form, one target and little search; `make foreign` runs it whole."""

import ast
import io
import logging
import re
import warnings

import files_wall
import networks_wall
import numpy as np
import pytest
import torch
from building import HERE, NETWORKS, foreign
from files_wall import FILES
from independent import draw_points, float64, numbers, truth
from page import page
from twins import TWINS, broken

# Each for a trait of its own: writes in place, scattered sums, thresholds, nearest neighbours. `make foreign` has the others.
SMALL = ("masked_attention", "vertex_scatter", "jet_counting", "particle_net")
SMALL_FILES = ("keras_dense", "paddle_names", "lstm_states", "cast_chain")


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_a_right_network_passes_and_its_twin_is_stopped(name):
    result = networks_wall.examine(name, ("latest",), train=False)
    assert result.right, result.truth
    assert result.stages.said["declaration"] is None
    assert result.stopped is None
    assert result.verdicts["latest"].passed
    assert result.twin_truth.wrong
    assert result.twin_stopped is not None
    assert result.placed is not False
    assert "**missed**" not in page({name: result}, {}, {name: "a style"}, [], ["latest"])


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL_FILES)
def test_a_right_file_passes_and_its_twin_is_stopped(name):
    result = files_wall.examine(name, ("latest",))
    assert result.right, result.truth
    assert result.stages.said["declaration"] is None
    assert result.stopped is None
    assert result.verdicts["latest"].passed
    assert result.twin_truth.wrong
    assert result.twin_stopped is not None


def test_a_bias_that_the_exporter_drops_is_stopped():
    result = networks_wall.examine("bias_by_type", ("latest",), train=False)
    assert not result.right
    assert not result.verdicts["latest"].passed
    assert result.verdicts["latest"].failures[0][0] == "parity"
    assert not result.missed


def test_every_network_and_file_is_declared_and_has_a_twin():
    assert {path.stem for path in (HERE / "networks").glob("*.py")} == NETWORKS.keys()
    assert {path.stem for path in (HERE / "files").glob("*.py")} == FILES.keys()
    # Their files are wrong, or there are none, as they are.
    assert NETWORKS.keys() - TWINS.keys() == {"bias_by_type", "early_exit"}
    assert len(NETWORKS) >= 25
    assert len(FILES) >= 15


TRAITS = (
    r"\[:, \(0, 3\)\] = torch\.log", r"h\[m\] = 0", r"masked_fill_\(", r"zeros\(.*\)\.scatter_add_\(", r"index_add_\(", r"index_put_\(",
    r"\.add_\(", r"\.clamp_\(", r"x\[mask\]|tracks\[mask\]", "scatter_reduce_", "Ghost", r"type\(self\.bias\) is nn\.Parameter", "ModuleList",
    "einsum", r"torch\.where", r"nn\.LSTM", r"nn\.GRU\(.*batch_first=True", "LayerNorm", "GELU", r"nn\.MultiheadAttention", "TransformerEncoder",
    "key_padding_mask", "-1e4", "lnkt", "knn", "EdgeConv", r"nn\.Embedding", "softplus", "logsumexp", "argmax", r"torch\.sort", "topk",
    "BatchNorm2d", "weight_norm", "spectral_norm", r"weight\.t\(\)", ">=", "chunk", r"\.item\(\)",
)  # fmt: skip


def test_every_trait_appears():
    code = "\n".join(path.read_text() for path in sorted((HERE / "networks").glob("*.py")))
    assert [trait for trait in TRAITS if not re.search(trait, code)] == []


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_network_is_a_module_and_nothing_else(name):
    tree = ast.parse((HERE / "networks" / f"{name}.py").read_text())
    assert ast.get_docstring(tree)
    assert "torchship" not in {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }


def test_the_independent_check_can_fail():
    """The right module is right, and its twin is wrong, by the same check, on files of torch's older exporter."""
    network = foreign("two_heads")

    def found(module):
        return truth(
            exported(module, network.entry), network.entry,
            lambda feed: float64(network.module, feed), lambda feed: numbers(network.module, feed),
        ).wrong  # fmt: skip

    assert found(network.module) is None
    assert "classes" in found(broken(network.module, TWINS["two_heads"]))


def exported(module, entry):
    """Export without any code of the library."""
    feed = draw_points(entry, np.random.default_rng(0), 3)
    names = [*entry["inputs"], *entry["outputs"]]
    with warnings.catch_warnings(), io.BytesIO() as stream:
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            module, tuple(torch.from_numpy(array) for array in feed.values()), stream, dynamo=False, opset_version=17,
            input_names=list(entry["inputs"]), output_names=list(entry["outputs"]),
            dynamic_axes={name: {0: "batch"} for name in names},
        )  # fmt: skip
        return stream.getvalue()
