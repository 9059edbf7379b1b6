"""Bring the translated network to one deployment target: its canonical ONNX file."""

from collections import Counter
from pathlib import Path
from typing import Any

from torchship.core.step import log, step

from torchship.config.targets import file_opset, native
from torchship.core import provenance
from torchship.core.errors import ExportError
from torchship.core.files import read_json, sha256, write_json
from torchship.export.canonical import canonicalize, save
from torchship.export.contract import expected_metadata, notes, violations
from torchship.export.opsets import bring
from torchship.export.signature import check_graph
from torchship.export.translations import read_translation
from torchship.select.shipped import with_best


def export_onnx(
    program: Path, translated: Path, output: Path, report: Path,
    *, run: str, target: dict[str, Any], model: dict[str, Any], name: str,
) -> None:  # fmt: skip
    opset, made = file_opset(model["export"]["opset"], target), read_json(translated)
    proto = bring(read_translation(program, translated, native(opset)), opset)
    check_graph(proto, model["inputs"], model["outputs"])
    about = {
        "network": run,
        "target": name,
        **expected_metadata(model["inputs"], model["outputs"], model["evaluate"]["threshold"]),
        "weights_sha256": made["weights_sha256"],
        "workflow_commit": provenance.commit(),
    }
    origins = canonicalize(proto, graph=run, opset=opset, ir=target["ir"], about=about)
    content, declared = proto.SerializeToString(), {key: model[key] for key in ("inputs", "outputs")}
    broken = violations(content, target, **declared, metadata=about, input_shapes=model["export"]["input_shapes"])
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
        "notes": notes(content, target, **declared),
        "exporter": made["exporter"],
    }
    write_json(report, document)
    log.info("opset %d, IR %d, %d bytes, sha256 %s", opset, proto.ir_version, document["bytes"], document["sha256"])


if __name__ == "__main__":
    with step():
        export_onnx(
            Path(snakemake.input.program),
            Path(snakemake.input.translated),
            Path(snakemake.output.model),
            Path(snakemake.output.report),
            run=snakemake.wildcards.run,
            target=snakemake.params.target,
            model=with_best(snakemake.params.model, snakemake.input.get("best")),
            name=snakemake.wildcards.target,
        )
