"""A boosted regression as skl2onnx writes it: a Scaler, then TreeEnsembleRegressor."""

import numpy as np
from making import FLOAT, ML, model, set_attribute, value
from onnx import helper

TREES, FEATURES = 8, 4
GENERATOR = np.random.default_rng(5)
FEATURE = GENERATOR.integers(0, FEATURES, (TREES, 3))
THRESHOLD = GENERATOR.uniform(-1, 1, (TREES, 3)).astype(np.float32)
LEAF = GENERATOR.normal(0, 1, (TREES, 4)).astype(np.float32)
OFFSET, SCALE = np.array([50.0, 0.0, 1.0, 4e-4], np.float32), np.array([0.02, 0.5, 1.0, 3000.0], np.float32)
BASE = np.float32(91.2)
BROKEN = "the mean of one feature is wrong"


def make():
    nodes = [helper.make_node("Scaler", ["X"], ["scaled"], domain=ML, offset=OFFSET.tolist(), scale=SCALE.tolist())]
    ids = [(tree, node) for tree in range(TREES) for node in range(7)]
    nodes.append(helper.make_node(
        "TreeEnsembleRegressor", ["scaled"], ["variable"], domain=ML, n_targets=1, base_values=[float(BASE)],
        nodes_treeids=[t for t, _ in ids], nodes_nodeids=[n for _, n in ids],
        nodes_featureids=[int(FEATURE[t, n]) if n < 3 else 0 for t, n in ids],
        nodes_values=[float(THRESHOLD[t, n]) if n < 3 else 0.0 for t, n in ids],
        nodes_modes=["BRANCH_LEQ" if n < 3 else "LEAF" for _, n in ids],
        nodes_truenodeids=[2 * n + 1 if n < 3 else 0 for _, n in ids],
        nodes_falsenodeids=[2 * n + 2 if n < 3 else 0 for _, n in ids],
        target_treeids=[t for t, n in ids if n >= 3], target_nodeids=[n for _, n in ids if n >= 3],
        target_ids=[0] * (4 * TREES), target_weights=[float(LEAF[t, n - 3]) for t, n in ids if n >= 3],
    ))  # fmt: skip
    return model(
        nodes,
        [value("X", FLOAT, ["N", FEATURES])],
        [value("variable", FLOAT, ["N", 1])],
        {},
        12,
        7,
        "skl2onnx",
        others=[(ML, 1)],
    )


def reference(feed):
    x = (feed["X"] - OFFSET) * SCALE
    total = np.full((len(x), 1), float(BASE))
    for tree in range(TREES):
        node = np.zeros(len(x), dtype=np.int64)
        for _ in range(2):
            node = np.where(
                x[np.arange(len(x)), FEATURE[tree, node]] <= THRESHOLD[tree, node], 2 * node + 1, 2 * node + 2
            )
        total[:, 0] += LEAF[tree, node - 3]
    return {"variable": total}


def broken(made):
    set_attribute(made, "Scaler", "offset", [*OFFSET[:3].tolist(), 3e-4])
