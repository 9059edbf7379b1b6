"""Trainings of the networks in tests/networks on data of their own, as the step does them."""

import csv
from pathlib import Path

import numpy as np
from support import DEFAULTS, PROJECT, merge
from torchship.core.files import read_json
from torchship.data.datasets import SPLITS
from torchship.spec.objective import targets_of
from torchship.spec.section import read_section

from generate_data import generate_data
from train_network import train_network

NETWORKS = PROJECT / "tests" / "networks"
DOMAIN = {"low": -10.0, "high": 10.0}
EVENTS = 60
QUICK = {"epochs": 3, "record_every": 2, "batch_size": 8, "replicas": 2, "weights": {"distribution": "default"}}


def points(generator, events=EVENTS):
    """Two features and a class."""
    x = generator.uniform(0, 1, (events, 2)).astype("float32")
    return {"x": x, "target": (x.sum(1, keepdims=True) > 1).astype("float32")}, {"x": ["batch", 2]}


def tracks(generator, events=EVENTS):
    """Five hits of three features, some of them padding."""
    hits = generator.normal(0, 1, (events, 5, 3)).clip(-9, 9).astype("float32")
    return {"hits": hits, "target": (hits[:, :, 1:].sum((1, 2))[:, None] > 0).astype("float32")}, {
        "hits": ["batch", 5, 3]
    }


def rows_of(path):
    """Return the rows of a table that a training has written."""
    return list(csv.DictReader(path.read_text().splitlines()))


def model_of(file, inputs, train, outputs=None):
    """Return the section of a run as the configuration would resolve it."""
    return read_section({
        "network": {"file": Path(file).stem, "arguments": {}},
        "inputs": {name: {"shape": shape, **DOMAIN} for name, shape in inputs.items()},
        "outputs": outputs or {"y": {"shape": ["batch", 1]}},
        "data": merge(DEFAULTS["data"], {"source": "file"}),
        "train": merge(DEFAULTS["train"], merge(QUICK, train)),
        "evaluate": DEFAULTS["evaluate"], "seed": 1, "device": "cpu",
    })  # fmt: skip


def trained(folder, network, made=points, name="run", outputs=None, arrays=None, checkpoint=None, **train):
    """Train a network of tests/networks, or a file; give its outputs, and the report as a document."""
    file = network if isinstance(network, Path) else NETWORKS / f"{network}.py"
    data, inputs = made(np.random.default_rng(1))
    model = model_of(file, inputs, train, outputs)
    sets = {split: folder / f"{split}.safetensors" for split in SPLITS}
    if not (folder / "datasheet.json").exists():
        np.savez(folder / "mine.npz", **data, **(arrays or {}))
        generate_data(sets, folder / "datasheet.json", data={**model["data"], "path": str(folder / "mine.npz")},
                      model=model, targets=targets_of(model), seed=1)  # fmt: skip
    written = {key: folder / f"{name}.{key}" for key in ("weights", "history", "replicas", "training")}
    train_network(
        {split: sets[split] for split in ("train", "validation")}, folder / "datasheet.json", file, written,
        checkpoint or folder / f"{name}.checkpoint", "this code", section=model,
        watch={"log_every": 100, "checkpoint_seconds": 0}, point={},
    )  # fmt: skip
    return written, read_json(written["training"])
