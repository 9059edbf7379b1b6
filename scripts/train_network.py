"""Train all replicas of a network and ship the best by validation loss."""

import os
from pathlib import Path
from typing import Any

from torchship.step import log, step

import torch
from torchship.checkpoints import Checkpoint, fingerprint
from torchship.datasets import check_target, read_set
from torchship.files import exclusive, sha256, write_json
from torchship.loading import EventDataset
from torchship.networks import choose_device, describe_device, save_weights
from torchship.outcome import choose, convergence, last, write_history, write_replicas
from torchship.replicas import Replicas
from torchship.training import QUANTITIES, train


def train_network(
    sets: dict[str, Path], datasheet: Path, network: Path, outputs: dict[str, Path], checkpoint: Path, code: list[Path],
    *, model: dict[str, Any], watch: dict[str, Any],
) -> None:  # fmt: skip
    knobs, seed, arguments = model["train"], model["seed"], model["network"].get("arguments", {})
    torch.set_num_threads(knobs["threads"])
    device = choose_device(model["device"])
    log.info("device: %s (asked for %s), %d threads, CUDA_VISIBLE_DEVICES %s", describe_device(device),
             model["device"], knobs["threads"], os.environ.get("CUDA_VISIBLE_DEVICES", "not set"))  # fmt: skip
    arrays = {split: read_set(path, datasheet) for split, path in sets.items()}
    data = {
        split: EventDataset.from_arrays(named, list(model["inputs"]), model["data"]["target"])
        for split, named in arrays.items()
    }
    classes = next(iter(model["outputs"].values()))["shape"][-1]
    for split, named in arrays.items():
        check_target(named[model["data"]["target"]], knobs["loss"], classes, f"the {split} set")
    replicas = Replicas(network, arguments, knobs["weights"], knobs["replicas"], seed, device)
    files = [datasheet, network, *code]
    identity = fingerprint([model, device.type, torch.__version__, *map(sha256, files)])
    saved = Checkpoint(checkpoint, identity, watch["checkpoint_seconds"])
    threshold = model["evaluate"]["threshold"]
    with saved.on_signal():
        history = train(replicas, data, knobs, threshold=threshold, seed=seed, device=device, checkpoint=saved,
                        log_every=watch["log_every"])  # fmt: skip

    shipped = choose(history, replicas.count)
    rate = convergence(history, replicas.count, knobs)
    save_weights(outputs["weights"], replicas.state(shipped))
    write_history(outputs["history"], history, replicas.count, shipped)
    write_replicas(outputs["replicas"], history, replicas.seeds, replicas.count, knobs["converged_accuracy"])
    final = {quantity: float(last(history, quantity, replicas.count)[shipped]) for quantity in QUANTITIES}
    diverged = int((history.diverged[: replicas.count] > 0).sum())
    report = {
        "device": describe_device(device), "epochs": knobs["epochs"], "seed": seed, "torch": torch.__version__,
        "shipped": {"replica": shipped, "seed": replicas.seeds[shipped], **final},
        "convergence": rate, "diverged": diverged,
    }  # fmt: skip
    write_json(outputs["training"], report)
    saved.remove()
    log.info("%d of %d replicas converged: %.3f (%g %% interval %.3f to %.3f); replica %d ships with loss %.4f",
             rate["converged"], rate["replicas"], rate["rate"], 100 * rate["confidence"], *rate["interval"],
             shipped, final["validation_loss"])  # fmt: skip


if __name__ == "__main__":
    # Not declared, or Snakemake would delete it with the failed job that it is for.
    checkpoint = Path(snakemake.output.weights).with_name("checkpoint.pt")
    # A copy may still run that a killed Snakemake has left on a cluster.
    with step(), exclusive(checkpoint.with_name(".lock")):
        train_network(
            {split: Path(snakemake.input[split]) for split in ("train", "validation")},
            Path(snakemake.input.datasheet),
            Path(snakemake.input.network),
            {name: Path(path) for name, path in snakemake.output.items()},
            checkpoint,
            [Path(path) for path in snakemake.input.code],
            model=snakemake.params.model,
            # Not a parameter: how one watches changes nothing.
            watch=snakemake.config["watch"],
        )
