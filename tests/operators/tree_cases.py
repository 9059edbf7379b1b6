"""Cases of ai.onnx.ml: trees, linear models, and what prepares their inputs."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from case_maker import Maker, ints
from operator_cases import OperatorCase


def trees(make: Maker) -> Iterator[OperatorCase]:
    """Yield operators of ai.onnx.ml."""
    x = np.concatenate([make.x(20, 3), np.array([[0.5, -1.0, 0.25], [0.5, 0.0, 0.0]], np.float32)])
    nodes: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0, 0, 0, 1, 1, 1],
        "nodes_nodeids": [0, 1, 2, 3, 4, 0, 1, 2],
        "nodes_featureids": [0, 1, 0, 0, 0, 2, 0, 0],
        "nodes_values": [0.5, -1.0, 0.0, 0.0, 0.0, 0.25, 0.0, 0.0],
        "nodes_truenodeids": [1, 3, 0, 0, 0, 1, 0, 0],
        "nodes_falsenodeids": [2, 4, 0, 0, 0, 2, 0, 0],
    }
    domain = "ai.onnx.ml"
    for opset, mode in itertools.product(
        (1, 3), ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
    ):
        modes = [mode, mode, "LEAF", "LEAF", "LEAF", mode, "LEAF", "LEAF"]
        leaf = {"target_treeids": [0, 0, 0, 1, 1], "target_nodeids": [2, 3, 4, 1, 2], "target_ids": [0] * 5,
                "target_weights": [0.1, -0.7, 1.3, 0.33, -0.21]}  # fmt: skip
        for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
            yield make.case("TreeEnsembleRegressor", opset, [x], domain=domain, nodes_modes=modes, n_targets=1,
                            aggregate_function=aggregate, base_values=[0.05], **nodes, **leaf)  # fmt: skip
        for ids, labels, transform in (
            ([0], [0, 1], "NONE"), ([0], [0, 1], "LOGISTIC"), ([1], [0, 1], "LOGISTIC"), ([1], [0, 1], "NONE"),
            ([0], [5, 3], "SOFTMAX"), ([0, 1], [0, 1], "NONE"), ([0, 1, 2], [0, 1, 2], "NONE"), ([0, 1, 2], [4, 7, 9], "SOFTMAX"),
            ([0, 1, 2], [0, 1, 2], "LOGISTIC"),
        ):  # fmt: skip
            for low in (-1.0, 0.05):
                places = [(0, 2), (0, 3), (0, 4), (1, 1), (1, 2)]
                votes = [(tree, node, number) for tree, node in places for number in ids]
                tag = "_two" if ids == [0, 1] else ""
                yield make.case("TreeEnsembleClassifier", opset, [x], 2, domain=domain, tag=tag, nodes_modes=modes,
                                class_treeids=[vote[0] for vote in votes], class_nodeids=[vote[1] for vote in votes],
                                class_ids=[vote[2] for vote in votes], class_weights=make.x(len(votes), low=low, high=0.9).tolist(),
                                classlabels_int64s=labels, post_transform=transform, **nodes)  # fmt: skip
    yield make.case(
        "LinearRegressor",
        1,
        [x],
        domain=domain,
        coefficients=[0.1, 0.2, -0.3, 0.5, 0.6, 0.7],
        intercepts=[0.3, -0.1],
        targets=2,
    )
    for transform in ("NONE", "LOGISTIC", "SOFTMAX"):
        yield make.case("LinearClassifier", 1, [x], 2, domain=domain, coefficients=[0.1, 0.2, -0.3, 0.5, 0.6, 0.7, 0.2, -0.4, 0.3],
                        intercepts=[0.3, -0.1, 0.2], classlabels_ints=[0, 1, 2], post_transform=transform)  # fmt: skip
        yield make.case("LinearClassifier", 1, [x], 2, domain=domain, coefficients=[-0.1, -0.2, 0.3, 0.1, 0.2, -0.3], intercepts=[-0.3, 0.3],
                        classlabels_ints=[0, 1], post_transform=transform)  # fmt: skip
    yield make.case("Scaler", 1, [x], domain=domain, offset=[0.1, 0.2, 0.3], scale=[2.0, 0.3, 1.7])
    yield make.case("Scaler", 1, [x], domain=domain, offset=[0.1], scale=[2.0])
    for norm in ("MAX", "L1", "L2"):
        yield make.case("Normalizer", 1, [make.x(5, 3, low=0.1)], domain=domain, norm=norm)
        yield make.case("Normalizer", 1, [make.x(5, 3)], domain=domain, norm=norm)
    yield make.case(
        "Imputer",
        1,
        [np.array([[1, np.nan, 3], [np.nan, 2, 0.5]], np.float32)],
        domain=domain,
        imputed_value_floats=[0.1, 0.2, 0.3],
        replaced_value_float=float("nan"),
    )
    yield make.case(
        "Imputer",
        1,
        [np.array([[1, -9, 3]], np.float32)],
        domain=domain,
        imputed_value_floats=[0.1],
        replaced_value_float=-9.0,
    )
    yield make.case("OneHotEncoder", 1, [np.array([1, 5, 3], np.int64)], domain=domain, cats_int64s=[1, 3, 4])
    yield make.case("Binarizer", 1, [x], domain=domain, threshold=0.25)
    yield make.case("ArrayFeatureExtractor", 1, [x, ints(2, 0)], domain=domain)
    yield make.case(
        "LabelEncoder",
        2,
        [ints(1, 2, 9)],
        domain=domain,
        keys_int64s=[1, 2],
        values_floats=[0.1, 0.2],
        default_float=-1.5,
    )
    yield make.case(
        "LabelEncoder", 2, [ints(1, 2, 9)], domain=domain, keys_int64s=[1, 2], values_int64s=[10, 20], default_int64=-1
    )
    yield make.case(
        "LabelEncoder",
        2,
        [np.array([0.1, 0.5], np.float32)],
        domain=domain,
        keys_floats=[0.1, 0.3],
        values_floats=[7.0, 8.0],
    )
