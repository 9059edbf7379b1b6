"""What the tests share: the project's paths, its configuration, and steps called as functions."""

import os
from pathlib import Path

import pytest
import yaml
from torchship.config.resolve import merge, resolve
from torchship.data.datasets import SPLITS
from torchship.spec.objective import targets_of
from torchship.spec.section import read_section
from torchship.spec.target import read_targets

from generate_data import generate_data
from train_network import train_network

PROJECT = Path(__file__).resolve().parents[1]


def document(name):
    return yaml.safe_load((PROJECT / name).read_text())


DEFAULTS = {**document("config.yaml"), **document("targets.yaml")}
TARGETS = read_targets(DEFAULTS["targets"])
SCHEMA = document("schemas/config.schema.yaml")


def configured_model(**changes):
    """Return the section of the run `xor` with the tests' configuration, and changes to its sections, as rules have it."""
    merged = merge(merge(DEFAULTS, document("tests/config.yaml")), changes)
    return resolve(merged, SCHEMA, PROJECT)["xor"]


def small_model(**changes):
    """Return the same as steps have it."""
    return read_section(configured_model(**changes))


def want(tool, reason):
    """Return a tool; without it skip the test, but fail where .ci/run has installed all of them."""
    if not tool:
        (pytest.fail if os.environ.get("TORCHSHIP_TOOLS") == "installed" else pytest.skip)(reason)
    return tool


def case_outputs(path):
    """Return what make_cases writes, and what it leaves where the witnesses fail."""
    return {"cases": path, "evidence": path.with_suffix(".failed.json"), "page": path.with_suffix(".failed.html")}


def make_data(folder, model):
    sets = {split: folder / f"{split}.safetensors" for split in SPLITS}
    generate_data(
        sets, folder / "datasheet.json", data=model["data"], model=model, targets=targets_of(model), seed=model["seed"]
    )
    return sets


def train_in(folder, model, sets, name="run", checkpoint=None, point=None, network=PROJECT / "models" / "xor.py"):
    outputs = {key: folder / f"{name}.{key}" for key in ("weights", "history", "replicas", "training")}
    # Where a test looks at the checkpoint there is one after each epoch, whose writing takes ten times as long.
    seconds = 0 if checkpoint else 1000
    train_network(
        {split: sets[split] for split in ("train", "validation")}, folder / "datasheet.json",
        network, outputs, checkpoint or folder / f"{name}.checkpoint", "this code", section=model, watch={"log_every": 100, "checkpoint_seconds": seconds},
        point=point or {},
    )  # fmt: skip
    return outputs
