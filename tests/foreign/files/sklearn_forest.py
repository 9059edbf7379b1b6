"""A random forest as skl2onnx writes it: ai.onnx.ml TreeEnsembleClassifier with int64 labels and probabilities."""

import numpy as np
from making import FLOAT, INT64, ML, model, set_attribute, value
from onnx import helper

TREES, DEPTH, FEATURES, CLASSES = 6, 4, 5, 3
GENERATOR = np.random.default_rng(4)
# A full binary tree each: node k has the children 2k + 1 and 2k + 2. Thresholds are those of coarse data.
INNER, NODES = 2**DEPTH - 1, 2 ** (DEPTH + 1) - 1
FEATURE = GENERATOR.integers(0, FEATURES, (TREES, INNER))
THRESHOLD = (GENERATOR.integers(-6, 7, (TREES, INNER)) / 4).astype(np.float32)
LEAVES = GENERATOR.dirichlet(np.ones(CLASSES), (TREES, NODES - INNER)).astype(np.float32) / np.float32(TREES)
BROKEN = "BRANCH_LT for BRANCH_LEQ"


def make():
    rows = [(tree, node) for tree in range(TREES) for node in range(NODES)]
    inner = [node < INNER for _, node in rows]
    leaves = [(tree, node, k) for tree in range(TREES) for node in range(INNER, NODES) for k in range(CLASSES)]
    node = helper.make_node(
        "TreeEnsembleClassifier", ["X"], ["label", "probabilities"], domain=ML, post_transform="NONE",
        classlabels_int64s=list(range(CLASSES)),
        nodes_treeids=[tree for tree, _ in rows], nodes_nodeids=[node for _, node in rows],
        nodes_featureids=[int(FEATURE[t, n]) if i else 0 for (t, n), i in zip(rows, inner, strict=True)],
        nodes_values=[float(THRESHOLD[t, n]) if i else 0.0 for (t, n), i in zip(rows, inner, strict=True)],
        nodes_modes=["BRANCH_LEQ" if i else "LEAF" for i in inner],
        nodes_truenodeids=[2 * n + 1 if i else 0 for (_, n), i in zip(rows, inner, strict=True)],
        nodes_falsenodeids=[2 * n + 2 if i else 0 for (_, n), i in zip(rows, inner, strict=True)],
        nodes_hitrates=[1.0] * len(rows), nodes_missing_value_tracks_true=[0] * len(rows),
        class_treeids=[t for t, _, _ in leaves], class_nodeids=[n for _, n, _ in leaves], class_ids=[k for _, _, k in leaves],
        class_weights=[float(LEAVES[t, n - INNER, k]) for t, n, k in leaves],
    )  # fmt: skip
    return model([node], [value("X", FLOAT, [None, FEATURES])], [value("label", INT64, [None]), value("probabilities", FLOAT, [None, CLASSES])],
                 {}, 15, 8, "skl2onnx", others=[(ML, 1)])  # fmt: skip


def reference(feed):
    x = feed["X"]
    total = np.zeros((len(x), CLASSES))
    for tree in range(TREES):
        node = np.zeros(len(x), dtype=np.int64)
        for _ in range(DEPTH):
            left = x[np.arange(len(x)), FEATURE[tree, node]] <= THRESHOLD[tree, node]
            node = np.where(left, 2 * node + 1, 2 * node + 2)
        total += LEAVES[tree, node - INNER]
    return {"label": total.argmax(axis=1), "probabilities": total}


def broken(made):
    modes = next(a for a in made.graph.node[0].attribute if a.name == "nodes_modes").strings
    set_attribute(
        made,
        "TreeEnsembleClassifier",
        "nodes_modes",
        ["BRANCH_LT" if m == b"BRANCH_LEQ" else m.decode() for m in modes],
    )
