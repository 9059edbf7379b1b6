"""Bring what ships to one deployment target: the translated network as a canonical ONNX file, or the adopted file."""

from pathlib import Path

from torchship.core.step import log, step

import onnx
from torchship.config.targets import file_opset, native
from torchship.core.claims import withdraw
from torchship.core.errors import ExportError
from torchship.core.files import read_json, replacing, write_json
from torchship.export.canonical import canonicalize, save
from torchship.export.contract import expected_metadata, notes, unchecked, versions, violations
from torchship.export.opsets import bring
from torchship.export.report import Origin, export_document
from torchship.export.signature import check_graph
from torchship.export.translations import read_translation
from torchship.spec.model import Model, read_model
from torchship.spec.section import Section
from torchship.spec.target import Target, read_target


def export_onnx(
    program: Path,
    translated: Path,
    output: Path,
    report: Path,
    *,
    run: str,
    target: Target,
    model: Section,
    name: str,
) -> None:
    opset, made = file_opset(model["export"]["opset"], target.document()), read_json(translated)
    proto = bring(read_translation(program, translated, native(opset)), opset)
    check_graph(proto, model["inputs"], model["outputs"])
    about = {
        "network": run,
        "target": name,
        **expected_metadata(model["inputs"], model["outputs"], model["evaluate"]["threshold"]),
        "weights_sha256": made["weights_sha256"],
    }
    origins = canonicalize(proto, graph=run, opset=opset, ir=target.ir, about=about)
    content, declared = proto.SerializeToString(), {key: model[key] for key in ("inputs", "outputs")}
    broken = violations(content, target, **declared, metadata=about, input_shapes=model["export"]["input_shapes"])
    if broken:
        raise ExportError(f"{run}/{name}: {broken[0]}" + (f" (and {len(broken) - 1} more)" if broken[1:] else ""))
    save(proto, output)
    origin = Origin(made["exporter"], origins, about, notes(content, target, **declared))
    document = export_document(output, name, target, origin)
    write_json(report, document)
    log.info("opset %d, IR %d, %d bytes, sha256 %s", opset, proto.ir_version, document["bytes"], document["sha256"])


def place_onnx(file: Path, shipped: Model, output: Path, report: Path, *, name: str, target: Target) -> None:
    """Place a file that was made elsewhere where a target's exported file is, and say what it is."""
    content = file.read_bytes()
    proto = onnx.load_from_string(content)
    newer = versions(proto, target)
    if newer:
        given = shipped.source["file"] if shipped.source is not None else file
        raise ExportError(f"{given} for {name}: {'; and '.join(newer)}")
    with replacing(output) as part:
        part.write_bytes(content)
    told = (*shipped.notes, *unchecked(proto, target))
    origin = Origin({proto.producer_name or "unknown": proto.producer_version}, notes=told)
    document = export_document(output, name, target, origin)
    write_json(report, document)
    log.info("%s: opset %d, IR %d, %d bytes", file, document["opset"], proto.ir_version, len(content))


if __name__ == "__main__":
    with step() as snakemake:
        # Whatever comes of this one, the file before is no longer what pages speak of.
        withdraw(map(Path, snakemake.params.claims), snakemake.wildcards.run)
        shipped, given = read_model(Path(snakemake.input.shipped)), snakemake.input
        outputs, name = (Path(snakemake.output.file), Path(snakemake.output.report)), snakemake.wildcards.target
        target = read_target(snakemake.params.target)
        if given.get("onnx"):
            place_onnx(Path(given.onnx), shipped, *outputs, name=name, target=target)
        else:
            export_onnx(
                Path(given.program),
                Path(given.translated),
                *outputs,
                run=shipped.run,
                target=target,
                model=shipped.with_knobs(snakemake.params.knobs),
                name=name,
            )
