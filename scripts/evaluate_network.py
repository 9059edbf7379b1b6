"""Evaluate the shipped network on the three sets: loss, accuracy, confusion, and its outputs."""

from pathlib import Path

from torchship.core.step import log, step

import torch
from torchship.core.files import write_json
from torchship.data.datasets import SPLITS, Arrays, write_arrays
from torchship.models.errors import told_as_theirs
from torchship.models.module import load
from torchship.spec.model import read_model
from torchship.spec.objective import terms_of
from torchship.spec.report import Measured, Metrics
from torchship.spec.section import Section
from torchship.training.evaluation import measured
from torchship.training.events import read_events
from torchship.training.losses import Objective
from torchship.training.passes import answers, parts


def evaluate_network(
    sets: dict[str, Path],
    datasheet: Path,
    network: Path,
    weights: Path,
    metrics: Path,
    predictions: Path,
    *,
    model: Section,
) -> None:
    torch.set_num_threads(1)
    module = load(network, model["network"].get("arguments", {}), weights)
    threshold = model["evaluate"]["threshold"]
    objective = Objective(terms_of(model), threshold)
    found: dict[str, Measured] = {}
    predicted: Arrays = {}
    for split in SPLITS:
        dataset = read_events(sets[split], datasheet, model, split)
        with told_as_theirs(module, network):
            outputs = answers(module, parts(dataset))
        # torch itself names no outputs; those that are not declared are the exporter's to complain of.
        several = {f"{split}/{name}": output.numpy() for name, output in zip(model["outputs"], outputs, strict=False)}
        predicted |= several if len(several) > 1 else {split: outputs[0].numpy()}
        found[split] = measured(objective, outputs, dataset.targets)
        log.info("%s: %s", split, {key: value for key, value in found[split].items() if key != "confusion"})
    report: Metrics = {"loss_function": model["train"]["loss"], "threshold": threshold, "sets": found}
    write_json(metrics, report)
    write_arrays(predictions, predicted)


if __name__ == "__main__":
    with step() as snakemake:
        evaluate_network(
            {split: Path(snakemake.input[split]) for split in SPLITS},
            Path(snakemake.input.datasheet),
            Path(snakemake.input.network),
            Path(snakemake.input.trained),
            Path(snakemake.output.metrics),
            Path(snakemake.output.predictions),
            model=read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs),
        )
