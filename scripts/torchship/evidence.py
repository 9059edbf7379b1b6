"""The evidence of the gate: written, checked against its schema, and said in one line."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import yaml
from numpy.typing import NDArray
from torchship.cases import Case
from torchship.contract import violations
from torchship.datasets import write_arrays
from torchship.files import plain, write_json
from torchship.gate import Failure
from torchship.limits import ratios
from torchship.provenance import PROJECT
from torchship.texts import is_text

Array = NDArray[Any]

# Events of the errors that are kept for the plots.
MOST_EVENTS = 20000
MOST_FEATURES = 16


def static_failures(
    content: bytes, report: Mapping[str, Any], target: Mapping[str, Any], version: str, model: Mapping[str, Any]
) -> list[Failure]:
    """Say what is wrong with a file without running it, and with what it ran in.

    Args:
        content: the file that ships.
        report: of its export.
        target: its entry of targets.yaml.
        version: of the ONNX Runtime that the file ran in.
        model: with `inputs`, `outputs` and `export/input_shapes`.
    """
    lines = []
    found = hashlib.sha256(content).hexdigest()
    if found != report["sha256"]:
        lines.append(f"the file has changed since it was exported: sha256 {found[:12]}…, was {report['sha256'][:12]}…")
    if target["wheel"] and version != target["onnxruntime"]:
        lines.append(f"ran in ONNX Runtime {version}, the target ships {target['onnxruntime']}")
    lines += violations(
        content, target, inputs=model["inputs"], outputs=model["outputs"], metadata=report["metadata"],
        input_shapes=model["export"]["input_shapes"],
    )  # fmt: skip
    return [Failure("static", "", line) for line in lines]


@cache
def schema() -> Any:
    """Give the schema of validation.json."""
    return yaml.safe_load((PROJECT / "schemas" / "validation.schema.yaml").read_text(encoding="utf-8"))


def write_evidence(path: Path, document: Mapping[str, Any]) -> None:
    """Write the evidence if it is as its schema says.

    Raises:
        jsonschema.ValidationError: it is not, which is a defect of the gate itself.
    """
    spelled = plain(dict(document))
    jsonschema.validate(spelled, schema())
    write_json(path, spelled)


def write_errors(path: Path, cases: Sequence[Case], results: Sequence[dict[str, Array] | str]) -> None:
    """Write what the plots show: of each event its inputs and its error in units of the limit, and of each output.

    Arrays `input` [events, features], the first features of `shown_input`; `ratio` [events], signed, of the output
    that is furthest off; `output` and `signed` [outputs], float64's value and (found - expected) / limit of each.
    """
    shown = shown_input(cases[0].feed) if cases else None
    kept: dict[str, list[Array]] = {"input": [], "ratio": [], "output": [], "signed": []}
    for case, found in zip(cases, results, strict=True):
        first = case.feed[shown] if shown is not None else np.zeros((1, 0))
        events = len(first)
        if isinstance(found, str) or not events:
            continue
        largest = np.zeros(events)
        for name, exact in case.exact.items():
            if not exact.size or exact.dtype.kind != "f":
                continue
            with np.errstate(all="ignore"):
                sign = np.sign(found[name].astype(np.float64) - exact)
            signed = sign * ratios(found[name], exact, case.limit[name])
            kept["output"].append(exact.ravel())
            kept["signed"].append(signed.ravel())
            if exact.ndim and len(exact) == events:
                rows = signed.reshape(events, -1)
                worst = rows[np.arange(events), np.abs(rows).argmax(axis=1)]
                largest = np.where(np.abs(worst) > np.abs(largest), worst, largest)
        kept["input"].append(first.reshape(events, -1)[:, :MOST_FEATURES].astype(np.float64))
        kept["ratio"].append(largest)
    width = min((array.shape[1] for array in kept["input"]), default=0)
    kept["input"] = [array[:, :width] for array in kept["input"]]
    arrays = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in kept.items()}
    write_arrays(path, {name: thinned(array) for name, array in arrays.items()})


def shown_input(feed: Mapping[str, Array]) -> str | None:
    """Return the first input that can be plotted event by event: numbers, and no scalar; None if there is none."""
    return next((name for name, array in feed.items() if array.ndim and not is_text(array)), None)


def thinned(array: Array) -> Array:
    """Give evenly chosen rows, not more than a plot can show."""
    return array[:: max(1, -(-len(array) // MOST_EVENTS))]
