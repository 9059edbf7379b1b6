"""Place a file that was made elsewhere where a target's exported file would be, and say what it is."""

from collections import Counter
from pathlib import Path
from typing import Any

from torchship.core.step import log, step

import onnx
from torchship.adopt.description import read_description
from torchship.core.errors import ExportError
from torchship.core.files import replacing, sha256, write_json
from torchship.export.contract import operator_set, versions


def place_onnx(file: Path, description: Path, output: Path, report: Path, *, name: str, target: dict[str, Any]) -> None:
    adopted, content = read_description(description), file.read_bytes()
    proto = onnx.load_from_string(content)
    newer = versions(proto, target)
    if newer:
        raise ExportError(f"{adopted.source['file']} for {name}: {newer[0]}")
    with replacing(output) as part:
        part.write_bytes(content)
    document = {
        "file": output.name,
        "sha256": sha256(output),
        "bytes": len(content),
        "opset": operator_set(proto),
        "ir_version": proto.ir_version,
        "target": {"name": name, **target},
        "operators": dict(Counter(node.op_type for node in proto.graph.node)),
        "modules": {},
        # What a file from elsewhere says of itself is its own affair.
        "metadata": {},
        "notes": list(adopted.notes),
        "exporter": {proto.producer_name or "unknown": proto.producer_version},
    }
    write_json(report, document)
    log.info("%s: opset %d, IR %d, %d bytes", file, document["opset"], proto.ir_version, len(content))


if __name__ == "__main__":
    with step():
        place_onnx(
            Path(snakemake.input.model),
            Path(snakemake.input.description),
            Path(snakemake.output.model),
            Path(snakemake.output.report),
            name=snakemake.wildcards.target,
            target=snakemake.params.target,
        )
