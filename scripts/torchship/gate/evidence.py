"""The evidence of the gate beside what was examined: the file itself, the circumstances; checked and written."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jsonschema
import yaml
from torchship.core.files import Json, plain, write_json
from torchship.core.project import PROJECT
from torchship.export.contract import expected_metadata, violations
from torchship.export.documents import ExportDocument
from torchship.gate.documents import Circumstances, Facts
from torchship.gate.judge import Failure
from torchship.spec.section import Section, Validate
from torchship.spec.target import Target


def static_failures(
    content: bytes, report: ExportDocument, target: Target, version: str, model: Section
) -> list[Failure]:
    """Say what is wrong with a file without running it, and with what it ran in.

    Args:
        content: the file that ships.
        report: of its export.
        target: what it goes to.
        version: of the ONNX Runtime that the file ran in.
        model: with `inputs`, `outputs`, `evaluate/threshold` and `export/input_shapes`.
    """
    inputs, outputs = model["inputs"], model["outputs"]
    lines, changed = [], []
    found = hashlib.sha256(content).hexdigest()
    if found != report["sha256"]:
        words = f"the file has changed since it was exported: sha256 {found[:12]}…, was {report['sha256'][:12]}…"
        changed.append(Failure("changed", "", f"{words}; export it anew"))
    if target.wheel and version != target.onnxruntime:
        lines.append(f"ran in ONNX Runtime {version}, the target ships {target.onnxruntime}")
    # What the export said of itself, and over it what the configuration says; a file from elsewhere says nothing.
    metadata = dict(report["metadata"])
    if metadata:
        metadata |= expected_metadata(inputs, outputs, model["evaluate"]["threshold"])
    lines += violations(
        content,
        target,
        inputs=inputs,
        outputs=outputs,
        metadata=metadata,
        input_shapes=model["export"]["input_shapes"],
    )
    return [*changed, *(Failure("static", "", line) for line in lines)]


def circumstances(
    facts: Facts, report: ExportDocument, target: Target, version: str, validate: Validate
) -> Circumstances:
    """Return what stands in the evidence beside the verdict: witnesses, strictness, the file, its target and runtime.

    Args:
        facts: of the cases.
        report: of the file's export.
        version: of the ONNX Runtime that the file ran in.
    """
    return {
        **facts,
        "tolerance": validate["tolerance"],
        "reason": validate["reason"],
        "sha256": report["sha256"],
        "notes": report.get("notes", []),
        "target": target.document(),
        "runtime": {"onnxruntime": version, "provider": "CPUExecutionProvider", "static_only": not target.wheel},
    }


@cache
def schema() -> Json:
    """Return the schema of validation.json."""
    document: Json = yaml.safe_load((PROJECT / "schemas" / "validation.schema.yaml").read_text(encoding="utf-8"))
    return document


def write_evidence(path: Path, document: Mapping[str, object]) -> None:
    """Write the evidence if it is as its schema says.

    Raises:
        jsonschema.ValidationError: it is not, which is a defect of the gate itself.
    """
    spelled = plain(dict(document))
    jsonschema.validate(spelled, schema())
    write_json(path, spelled)
