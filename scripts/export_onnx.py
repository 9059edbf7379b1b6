"""Export the shipped network to a canonical ONNX file for one deployment target."""

from collections import Counter
from pathlib import Path
from typing import Any

from torchship.step import log, step

import onnx
import torch
from torchship import provenance
from torchship.axis_sizes import read_axes
from torchship.canonical import canonicalize, save
from torchship.chosen import with_best
from torchship.contract import expected_metadata, violations
from torchship.errors import ExportError
from torchship.exporting import export
from torchship.files import sha256, write_json
from torchship.networks import load


def export_onnx(
    network: Path, weights: Path, output: Path, report: Path,
    *, run: str, target: dict[str, Any], model: dict[str, Any], name: str,
) -> None:  # fmt: skip
    module = load(network, model["network"].get("arguments", {}), weights)
    opset = min(model["export"]["opset"], target["opset"])
    proto = export(module, model["inputs"], model["outputs"], opset, read_axes(model))
    about = {
        "network": run,
        "target": name,
        **expected_metadata(model["inputs"], model["outputs"], model["evaluate"]["threshold"]),
        "weights_sha256": sha256(weights),
        "workflow_commit": provenance.commit(),
    }
    origins = canonicalize(proto, graph=run, opset=opset, ir=target["ir"], about=about)
    broken = violations(
        proto.SerializeToString(), target, inputs=model["inputs"], outputs=model["outputs"], metadata=about,
        input_shapes=model["export"]["input_shapes"],
    )  # fmt: skip
    if broken:
        raise ExportError(f"{run}/{name}: {broken[0]}" + (f" (and {len(broken) - 1} more)" if broken[1:] else ""))
    save(proto, output)
    document = {
        "file": output.name,
        "sha256": sha256(output),
        "bytes": output.stat().st_size,
        "opset": opset,
        "ir_version": proto.ir_version,
        "target": {"name": name, **target},
        "operators": dict(Counter(node.op_type for node in proto.graph.node)),
        "modules": origins,
        "metadata": about,
        "exporter": {"torch": torch.__version__, "onnx": onnx.__version__},
    }
    write_json(report, document)
    log.info("opset %d, IR %d, %d bytes, sha256 %s", opset, proto.ir_version, document["bytes"], document["sha256"])


if __name__ == "__main__":
    with step():
        export_onnx(
            Path(snakemake.input.network),
            Path(snakemake.input.weights),
            Path(snakemake.output.model),
            Path(snakemake.output.report),
            run=snakemake.wildcards.run,
            target=snakemake.params.target,
            model=with_best(snakemake.params.model, snakemake.input.get("best")),
            name=snakemake.wildcards.target,
        )
