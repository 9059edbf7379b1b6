"""The columns of a training's tables, and its report. Standard library only."""

from collections.abc import Mapping
from pathlib import Path

from torchship.core.files import sha256, write_json
from torchship.spec.report import Report

# What is recorded of each replica while it is trained.
QUANTITIES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
# Those that a regression has, too.
LOSSES = ("train_loss", "validation_loss")
REPLICA_COLUMNS = ["replica", "seed", *QUANTITIES, "converged", "diverged_at_epoch"]
# The band between the 16th and the 84th percentile is one standard deviation of a normal distribution.
PERCENTILES = {"minimum": 0.0, "p16": 0.16, "median": 0.5, "p84": 0.84, "maximum": 1.0}
HISTORY_COLUMNS = ["epoch", "quantity", "shipped", *PERCENTILES]


def write_report(outputs: Mapping[str, Path], about: Report) -> None:
    """Write training.json, last of all, with the checksums of the files beside it."""
    files = {kind: sha256(path) for kind, path in outputs.items() if kind != "training"}
    write_json(outputs["training"], {**about, "files": files})
