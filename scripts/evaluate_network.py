"""Evaluate the shipped network on the three sets: loss, accuracy, confusion, and its outputs."""

from pathlib import Path
from typing import Any

from torchship.step import log, step

import torch
from torchship.chosen import with_best
from torchship.datasets import SPLITS, check_target, read_set, write_arrays
from torchship.files import write_json
from torchship.loading import EventDataset
from torchship.metrics import confusion, decide, true_classes
from torchship.networks import load
from torchship.replicas import per_replica


def evaluate_network(
    sets: dict[str, Path], datasheet: Path, network: Path, weights: Path, metrics: Path, predictions: Path,
    *, model: dict[str, Any],
) -> None:  # fmt: skip
    torch.set_num_threads(1)
    module = load(network, model["network"].get("arguments", {}), weights)
    loss, threshold = per_replica(model["train"]["loss"]), model["evaluate"]["threshold"]
    is_classifier = model["train"]["loss"] != "mean_squared_error"
    report: dict[str, Any] = {"loss_function": model["train"]["loss"], "threshold": threshold, "sets": {}}
    outputs = {}
    for split in SPLITS:
        dataset = EventDataset.from_arrays(
            read_set(sets[split], datasheet), list(model["inputs"]), model["data"]["target"]
        )
        with torch.no_grad():
            result = module(*dataset.inputs)
        output = result[0] if isinstance(result, tuple) else result
        outputs[split] = output.numpy()
        check_target(dataset.target.numpy(), model["train"]["loss"], output.shape[-1], f"the {split} set")
        entry: dict[str, Any] = {
            "events": len(dataset), "loss": float(loss(output.unsqueeze(0), dataset.target.unsqueeze(0))[0])
        }  # fmt: skip
        if is_classifier:
            decided, true = decide(outputs[split], threshold), true_classes(dataset.target.numpy())
            entry["accuracy"] = float((decided == true).mean())
            entry["confusion"] = confusion(decided, true, max(2, output.shape[1])).tolist()
        report["sets"][split] = entry
        log.info("%s: %s", split, {key: value for key, value in entry.items() if key != "confusion"})
    write_json(metrics, report)
    write_arrays(predictions, outputs)


if __name__ == "__main__":
    with step():
        evaluate_network(
            {split: Path(snakemake.input[split]) for split in SPLITS},
            Path(snakemake.input.datasheet),
            Path(snakemake.input.network),
            Path(snakemake.input.weights),
            Path(snakemake.output.metrics),
            Path(snakemake.output.predictions),
            model=with_best(snakemake.params.model, snakemake.input.get("best")),
        )
