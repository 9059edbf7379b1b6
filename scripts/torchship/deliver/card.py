"""The card of a model: what it is, how good, within which domain, what the gate says, and how it is loaded.

Markdown with the header in YAML that model hubs read (https://huggingface.co/docs/hub/model-cards), and a page of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml
from markdown_it import MarkdownIt
from torchship.data.documents import Datasheet
from torchship.deliver.passed import Passed
from torchship.deliver.rendering import render
from torchship.export.documents import ExportDocument
from torchship.pages.html import page
from torchship.spec.axes import Axes, usual_sizes
from torchship.spec.model import Model
from torchship.spec.report import Metrics, Report
from torchship.spec.tensor import Tensor, Tensors, thawed
from torchship.training.interval import binomial_interval

# Level of the intervals.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Documents:
    """What a card is made of.

    Attributes:
        exports, passed: what was exported, and the verdict on it, by target.
        training, datasheet, metrics: as far as there are any: not of a file from elsewhere.
        handcoded: whether there is a C++ header.
        cmssw: the targets that there is a package for.
        subsystem: of those packages.
        license: the SPDX name of the licence that results are given under.
        axes: which sizes dynamic axes may have.
    """

    exports: Mapping[str, ExportDocument]
    passed: Mapping[str, Passed]
    training: Report | None
    datasheet: Datasheet | None
    metrics: Metrics | None
    handcoded: bool
    cmssw: Sequence[str]
    subsystem: str
    license: str
    axes: Axes


def card(model: Model, given: Documents) -> str:
    """Return the card in Markdown."""
    section = model.section
    values = {
        "model": model,
        "given": given,
        "header": yaml.safe_dump(header(model, given), sort_keys=False, allow_unicode=True),
        "inputs": [described(name, tensor) for name, tensor in section["inputs"].items()],
        "outputs": [described(name, tensor) for name, tensor in section["outputs"].items()],
        "sets": measured(given.metrics) if given.metrics else [],
        "latest": "latest" if "latest" in given.exports else next(iter(given.exports)),
        "feed": feed(section["inputs"], given.axes),
        "arguments": section["network"].get("arguments", {}) if "network" in section else None,
    }
    return render(__file__, "README.md", **values)


def html(text: str, title: str) -> str:
    """Return a card as a page; its header stands in front as it is."""
    head, _, body = text.removeprefix("---\n").partition("---\n")
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    # The page has the title itself.
    return page(title, [made.render(body.partition("\n# ")[2].partition("\n")[2]), made.render(f"```yaml\n{head}```")])


def header(model: Model, given: Documents) -> dict[str, object]:
    """Return what model hubs read: licence, tags, and the metrics on the test set."""
    found: dict[str, object] = {
        "license": given.license.lower(),
        "library_name": "onnx",
        "tags": ["onnx", "torchship", *sorted(given.exports)],
    }
    if given.metrics is None:
        return found
    test = given.metrics["sets"]["test"]
    numbers = [{"type": kind, "value": test[kind]} for kind in ("accuracy", "loss") if kind in test]
    source = given.datasheet["source"] if given.datasheet else "unknown"
    result = {
        "task": {"type": "tabular-classification" if "accuracy" in test else "tabular-regression"},
        "dataset": {"name": f"{source}, test set", "type": source},
        "metrics": numbers,
    }
    return {**found, "model-index": [{"name": model.run, "results": [result]}]}


def described(name: str, tensor: Tensor) -> dict[str, str]:
    """Return what a card says of an input or output."""
    domain = ""
    if tensor.values is not None:
        domain = f"one of {', '.join(map(str, tensor.values))}"
    elif tensor.indexes is not None:
        domain = f"places along {tensor.indexes}"
    elif tensor.low is not None and tensor.high is not None:
        domain = f"{spelled(tensor.low)} to {spelled(tensor.high)}"
    return {
        "name": name,
        "shape": " × ".join(map(str, tensor.shape)) or "a scalar",
        "dtype": tensor.dtype,
        "domain": domain,
        "unit": tensor.unit or "",
        "features": ", ".join(tensor.features or ()),
    }


def spelled(ends: object) -> str:
    """Return one end of a domain as a card has it: a number, or those of the features."""
    if isinstance(ends, tuple):
        return f"({', '.join(map(spelled, ends))})"
    return f"{ends:g}" if isinstance(ends, float | int) else str(ends)


def measured(metrics: Metrics) -> list[dict[str, str]]:
    """Return a row of each set, with Wilson's interval of its accuracy."""
    rows = []
    for name in ("train", "validation", "test"):
        entry = metrics["sets"][name]
        row = {"name": name, "events": f"{entry['events']:,}", "loss": f"{entry['loss']:.4g}", "accuracy": "–"}
        if "accuracy" in entry:
            decisions = sum(map(sum, entry["confusion"])) if "confusion" in entry else entry["events"]
            low, high = binomial_interval(round(entry["accuracy"] * decisions), decisions, CONFIDENCE)
            row["accuracy"] = f"{entry['accuracy']:.4g} ({low:.3g} to {high:.3g})"
        rows.append(row)
    return rows


def feed(inputs: Tensors, axes: Axes) -> list[tuple[str, str]]:
    """Return for each input Python's words for an array that the network takes: of usual sizes, one event if it may."""
    sizes = usual_sizes(inputs, axes, batch=1)
    found = []
    for name, tensor in inputs.items():
        shape = [sizes[axis] if isinstance(axis, str) else axis for axis in tensor.shape]
        # The lower ends, which broadcast as they are declared; places along an axis begin with 0.
        low = tensor.values[0] if tensor.values else 0 if tensor.low is None else thawed(tensor.low)
        found.append((name, f"np.full({shape}, {low!r}, dtype={numpy_type(tensor.dtype)})"))
    return found


def numpy_type(dtype: str) -> str:
    """Return how a type of elements is spelled for NumPy."""
    return {"bool": "np.bool_", "string": "object"}.get(dtype, f"np.{dtype}")
