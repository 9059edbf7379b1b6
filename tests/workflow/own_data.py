"""Workflows with data of their own: events of two features, and whether their sum is above 1."""

import numpy as np
import yaml
from driver import Workflow
from torchship.config.resolve import merge

TRAIN = {"replicas": 1, "epochs": 1, "batch_size": 50_000, "loader": "resident"}


def workflow_of(folder, changes=None, **runs):
    """Return a workflow with a run for each set of arrays, and changes to the section of each."""
    models = {}
    for name, arrays in runs.items():
        np.savez(folder / f"{name}.npz", **arrays)
        models[name] = {
            "network": {"file": "xor", "arguments": {"hidden": 2}},
            "inputs": {"x": {"shape": ["batch", 2], "low": 0.0, "high": 1.0}},
            "outputs": {"y": {"shape": ["batch", 1]}},
            "data": {"source": "file", "path": f"{name}.npz"},
            "train": TRAIN,
        }
        models[name] = merge(models[name], changes or {})
    (folder / "mine.yaml").write_text(yaml.safe_dump({"runs": list(runs), "models": models}))
    return Workflow(folder, configs=[folder / "mine.yaml"])


def arrays(events):
    x = np.random.default_rng(0).uniform(size=(events, 2)).astype("float32")
    return {"x": x, "target": (x.sum(axis=1, keepdims=True) > 1.0).astype("float32")}
