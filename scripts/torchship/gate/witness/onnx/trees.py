"""Decision trees of ai.onnx.ml: exact comparisons, and sums of leaves in float64."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops.aionnxml._common_classifier import probit
from onnx.reference.ops.aionnxml.op_linear_classifier import LinearClassifier as CoarseClassifier
from torchship.gate.witness.onnx.activations import sigmoid
from torchship.gate.witness.onnx.steps import Operator, Plain
from torchship.spec.arrays import Array

COMPARE: dict[str, np.ufunc] = {
    "BRANCH_LEQ": np.less_equal,
    "BRANCH_LT": np.less,
    "BRANCH_GTE": np.greater_equal,
    "BRANCH_GT": np.greater,
    "BRANCH_EQ": np.equal,
    "BRANCH_NEQ": np.not_equal,
}


def given(attributes: Mapping[str, Any], name: str) -> Array:
    """Return numbers that are given as float32, or as a tensor for those of more digits."""
    tensor = attributes.get(f"{name}_as_tensor")
    values = tensor if tensor is not None and np.size(tensor) else attributes.get(name)
    return np.asarray([] if values is None else values, np.float64)


def leaves(x: Array, attributes: Mapping[str, Any]) -> list[tuple[int, Array]]:
    """Return the leaf's node number of each event [events], for each tree."""
    trees, nodes = np.asarray(attributes["nodes_treeids"]), np.asarray(attributes["nodes_nodeids"])
    values, features = given(attributes, "nodes_values"), np.asarray(attributes["nodes_featureids"])
    modes = np.asarray(attributes["nodes_modes"])
    missing = np.asarray(attributes.get("nodes_missing_value_tracks_true") or np.zeros(len(nodes)), bool)
    place = {(int(tree), int(node)): spot for spot, (tree, node) in enumerate(zip(trees, nodes, strict=True))}
    leaf = modes == "LEAF"

    def targets(name: str) -> Array:
        ids = attributes[name]
        return np.array([spot if leaf[spot] else place[int(trees[spot]), int(ids[spot])] for spot in range(len(nodes))])

    yes, no = targets("nodes_truenodeids"), targets("nodes_falsenodeids")
    found = []
    for tree in dict.fromkeys(trees.tolist()):
        # A root is a node that no other one leads to.
        own = np.flatnonzero(trees == tree)
        led_to = {int(target) for spot in own if not leaf[spot] for target in (yes[spot], no[spot])}
        current = np.full(len(x), next(spot for spot in own if int(spot) not in led_to))
        while not leaf[current].all():
            value = x[np.arange(len(x)), features[current]]
            passed = np.zeros(len(x), bool)
            for mode in set(modes[current]) - {"LEAF"}:
                here = modes[current] == mode
                passed[here] = COMPARE[str(mode)](value[here], values[current[here]])
            passed |= np.isnan(value) & missing[current]
            current = np.where(passed, yes[current], no[current])
        found.append((int(tree), nodes[current]))
    return found


class Ensemble(Operator):
    """What the ensembles have in common."""

    op_domain = "ai.onnx.ml"
    kind: ClassVar[str] = "target"

    def gathered(self, x: Array, attributes: Mapping[str, Any], width: int) -> list[Array]:
        """Return what each tree gives [events, width]; NaN where it gives nothing."""
        prefix = self.kind
        numbers, ids = given(attributes, f"{prefix}_weights"), attributes[f"{prefix}_ids"]
        by_leaf: dict[tuple[int, int], list[int]] = {}
        for spot, key in enumerate(zip(attributes[f"{prefix}_treeids"], attributes[f"{prefix}_nodeids"], strict=True)):
            by_leaf.setdefault((int(key[0]), int(key[1])), []).append(spot)
        results = []
        for tree, nodes in leaves(x, attributes):
            result = np.full((len(x), width), np.nan)
            for node in np.unique(nodes):
                for spot in by_leaf.get((tree, int(node)), []):
                    rows, target = nodes == node, int(ids[spot])
                    result[rows, target] = np.nan_to_num(result[rows, target]) + numbers[spot]
            results.append(result)
        return results

    def summed(self, parts: list[Array], base: Array) -> Array:
        """Return the sum, rounded after each tree."""
        total = np.zeros(parts[0].shape)
        for part in parts:
            total = self.r(total + np.nan_to_num(part))
        return total if not base.size else np.asarray(self.r(total + base))

    def transformed(self, scores: Array, name: str | None) -> Array:
        """Return scores as probabilities."""
        match name or "NONE":
            case "NONE":
                return scores
            case "LOGISTIC":
                return np.asarray(self.a(sigmoid(scores)))
            case "SOFTMAX":
                powers = self.r(np.exp(self.r(scores - scores.max(1, keepdims=True))))
                return np.asarray(self.r(powers / self.r(powers.sum(1, keepdims=True))))
            case "SOFTMAX_ZERO":
                powers = np.where(np.abs(scores) > 1e-7, np.exp(scores - scores.max(1, keepdims=True)), 0.0)
                return np.asarray(self.r(self.r(powers) / self.r(powers.sum(1, keepdims=True))))
            case "PROBIT":
                return np.asarray(self.r(probit(self.r(scores))))
            case other:
                raise NotImplementedError(f"post_transform {other!r}")


class TreeEnsembleRegressor(Ensemble):
    """Sum, mean, least or largest of the leaves, and the base values."""

    def _run(self, x: Array, **attributes: Any) -> tuple[Array]:
        parts = self.gathered(x, attributes, attributes.get("n_targets") or 1)
        base = given(attributes, "base_values")
        match attributes.get("aggregate_function") or "SUM":
            case "SUM":
                total = self.summed(parts, base)
            case "AVERAGE":
                total = self.r(self.summed(parts, np.zeros(0)) / len(parts))
                total = self.r(total + base) if base.size else total
            case name:
                gather = np.fmin if name == "MIN" else np.fmax
                total = np.nan_to_num(gather.reduce(parts))
                total = self.r(total + base) if base.size else total
        kind = np.float64 if x.dtype == np.float64 else np.float32
        return (self.transformed(np.asarray(total), attributes.get("post_transform")).astype(kind),)


class TreeEnsembleClassifier(Ensemble):
    """Labels and scores.

    Two classes with weights of one alone are not specified: as in ONNX Runtime, which the converters of scikit-learn,
    LightGBM and XGBoost are written for.
    """

    kind = "class"

    def _run(self, x: Array, **attributes: Any) -> tuple[Array, Array]:
        numbers, words = attributes.get("classlabels_int64s"), attributes.get("classlabels_strings")
        labels = np.asarray(numbers if numbers else words)
        ids = {int(number) for number in attributes["class_ids"]}
        base, transform = given(attributes, "base_values"), attributes.get("post_transform")
        kind = np.float64 if x.dtype == np.float64 else np.float32
        parts = self.gathered(x, attributes, max(len(labels), max(ids) + 1))
        scores = self.summed(parts, base)
        if len(ids) == 1 and len(labels) <= 2:
            only = next(iter(ids))
            score = self.summed(parts, np.zeros(0))[:, only]
            score = self.r(score + base[-1]) if base.size else score
            positive = bool((given(attributes, "class_weights") >= 0).all())
            chosen = (score > (0.5 if positive else 0.0)).astype(np.int64)
            if only == 0:
                transform = transform if transform == "LOGISTIC" else None
                low = self.r(1 - score) if positive and transform is None else -score
                scores = np.stack([low, score], 1)
            return labels[chosen % len(labels)], self.transformed(scores, transform).astype(kind)
        # The label is that of the largest sum, of those classes that got any, before it is transformed.
        got = ~np.isnan(np.stack(parts)).all(0) | bool(base.size)
        return labels[np.where(got, scores, -np.inf).argmax(1)], self.transformed(scores, transform).astype(kind)


class Normalizer(Plain):
    """By the largest entry, the sum of absolute values, or the root of squares; nothing happens where that is zero."""

    op_domain = "ai.onnx.ml"

    def _run(self, x: Array, norm: str = "MAX") -> tuple[Array]:
        x = x if x.dtype.kind == "f" else x.astype(np.float32)
        axis = x.ndim - 1
        match norm:
            case "MAX":
                by = x.max(axis, keepdims=True)
            case "L1":
                by = np.abs(x).sum(axis, keepdims=True)
            case _:
                by = np.sqrt(np.square(x).sum(axis, keepdims=True))
        return (x / np.where(by == 0, 1, by),)


class LinearClassifier(CoarseClassifier):
    """In the type of its input: with two classes and one row of coefficients the evaluator's is float32."""

    op_domain = "ai.onnx.ml"

    def _run(self, x: Array, **attributes: Any) -> tuple[Array, Array]:  # type: ignore[override]
        if x.dtype.kind != "f":
            x = x.astype(np.float32)
        labels = attributes.get("classlabels_ints") or attributes.get("classlabels_strings") or []
        rows = np.asarray(attributes["coefficients"], x.dtype).reshape(-1, x.shape[1])
        if len(rows) == 1 and len(labels) == 2:
            doubled = np.concatenate([-rows, rows]).ravel().tolist()
            intercept = float((attributes.get("intercepts") or [0.0])[0])
            attributes |= {"coefficients": doubled, "intercepts": [-intercept, intercept]}
        elif not attributes.get("intercepts"):
            attributes["intercepts"] = [0.0] * len(rows)
        found: tuple[Array, Array] = super()._run(x, **attributes)  # type: ignore[no-untyped-call]
        return found


class OneHotEncoder(Plain):
    """One entry for each category."""

    op_domain = "ai.onnx.ml"

    def _run(self, x: Array, cats_int64s: Any = None, cats_strings: Any = None, zeros: int = 1) -> tuple[Array]:
        known = np.asarray(cats_int64s if cats_int64s else cats_strings)
        values = x.astype(np.int64) if cats_int64s and x.dtype.kind == "f" else x
        found = values[..., None] == known
        if not zeros and not found.any(-1).all():
            raise NotImplementedError("OneHotEncoder with an unknown category and zeros = 0")
        return (found.astype(np.float32),)


OPERATORS: dict[str, type[OpRun]] = {
    kind.__name__: kind
    for kind in (TreeEnsembleRegressor, TreeEnsembleClassifier, LinearClassifier, OneHotEncoder, Normalizer)
}
