"""Trace the shipped network and translate it to ONNX, once for all targets."""

from collections.abc import Sequence
from pathlib import Path

from torchship.core.step import log, step

import onnx
import onnxscript
import torch
from torchship.core.claims import withdraw
from torchship.core.files import sha256, write_json
from torchship.export.torch_export import translate
from torchship.export.translations import write_translations
from torchship.models.module import load
from torchship.spec.axes import read_axes, traced_sizes
from torchship.spec.model import read_model
from torchship.spec.section import Section


def translate_network(
    network: Path, weights: Path, output: Path, report: Path, *, model: Section, opsets: Sequence[int]
) -> None:
    module = load(network, model["network"].get("arguments", {}), weights)
    axes = read_axes(model)
    models = translate(module, model["inputs"], model["outputs"], opsets, axes)
    write_translations(output, models)
    document = {
        "sha256": sha256(output),
        "weights_sha256": sha256(weights),
        "opsets": sorted(models),
        "traced": traced_sizes(model["inputs"], axes),
        "exporter": {package.__name__: package.__version__ for package in (torch, onnx, onnxscript)},
    }
    write_json(report, document)
    nodes = ", ".join(f"opset {opset}: {len(proto.graph.node)} nodes" for opset, proto in sorted(models.items()))
    log.info("traced with %s; %s", document["traced"], nodes)


if __name__ == "__main__":
    with step() as snakemake:
        # Whatever comes of this one, the file before is no longer what pages speak of.
        withdraw(map(Path, snakemake.params.claims), snakemake.wildcards.run)
        translate_network(
            Path(snakemake.input.network),
            Path(snakemake.input.trained),
            Path(snakemake.output.program),
            Path(snakemake.output.report),
            model=read_model(Path(snakemake.input.shipped)).with_knobs(snakemake.params.knobs),
            opsets=snakemake.params.opsets,
        )
