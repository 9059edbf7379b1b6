"""A whole training: from the data of a run to its weights, tables and report, in one process or as one of several."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torchship.checkpoints import Checkpoint, fingerprint
from torchship.datasets import check_target, read_set
from torchship.errors import DivergenceError
from torchship.files import sha256
from torchship.loading import EventDataset
from torchship.networks import describe_device
from torchship.outcome import write_divergence, write_outcome
from torchship.processes import Processes
from torchship.replicas import Replicas
from torchship.training import train

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What a training is given, in types that JSON has, since other processes may be handed it.

    Attributes:
        sets: the files of the training and validation set, by name.
        outputs: the files to write: weights, history, replicas, training.
        code: what stands for the code that trains: other code makes another training.
        model: the knobs of the run that decide the training.
        watch: the section `watch` of the configuration.
        point: what the run changes if it is one of a scan, by place; then it may diverge.
    """

    sets: dict[str, str]
    datasheet: str
    network: str
    outputs: dict[str, str]
    checkpoint: str
    code: str
    model: dict[str, Any]
    watch: dict[str, Any]
    point: dict[str, Any]


def fit(work: Work, device: torch.device, processes: Processes) -> None:
    """Train all replicas of a network, or go on from a checkpoint, and write the best by validation loss.

    Raises:
        DataError: a set is not what its datasheet says, or its target does not suit the loss.
        TrainingError: all replicas have diverged (but for a point of a scan, where that is a result), or a signal
            has ended it.
    """
    model, knobs, seed = work.model, work.model["train"], work.model["seed"]
    torch.set_num_threads(knobs["threads"])
    together = f", {processes.count} processes" if processes.count > 1 else ""
    log.info("device: %s (asked for %s)%s, %d threads, CUDA_VISIBLE_DEVICES %s", describe_device(device),
             model["device"], together, knobs["threads"],
             os.environ.get("CUDA_VISIBLE_DEVICES", "not set"))  # fmt: skip
    datasheet, network = Path(work.datasheet), Path(work.network)
    data = {}
    for split, path in work.sets.items():
        named = read_set(Path(path), datasheet)
        classes = next(iter(model["outputs"].values()))["shape"][-1]
        check_target(named[model["data"]["target"]], knobs["loss"], classes, f"the {split} set")
        data[split] = EventDataset.from_arrays(named, list(model["inputs"]), model["data"]["target"])
    replicas = Replicas(network, model["network"].get("arguments", {}), knobs, seed, device)
    identity = fingerprint([model, device.type, torch.__version__, work.code, sha256(datasheet), sha256(network)])
    saved = Checkpoint(Path(work.checkpoint), identity, work.watch["checkpoint_seconds"])
    outputs = {name: Path(path) for name, path in work.outputs.items()}
    about = {
        "device": describe_device(device), "processes": processes.count, "epochs": knobs["epochs"], "seed": seed,
        "torch": torch.__version__, "point": work.point,
        "knobs": {"network": model["network"], "train": knobs, "seed": seed},
    }  # fmt: skip
    try:
        with saved.on_signal():
            history = train(replicas, data, knobs, threshold=model["evaluate"]["threshold"], seed=seed, device=device,
                            checkpoint=saved, log_every=work.watch["log_every"], processes=processes)  # fmt: skip
        if processes.first:
            # Finds a divergence of the last epoch, or on the validation set alone, before it writes anything.
            write_outcome(outputs, about, replicas, history, knobs)
    except DivergenceError as error:
        if not work.point:
            raise
        if processes.first:
            log.warning("%s; the point stays in the scan's table, without a rank", error)
            write_divergence(outputs, about, replicas, knobs)
    if processes.first:
        saved.remove()
