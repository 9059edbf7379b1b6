"""The page that tells a reviewer what a run found: verdicts first, then the numbers behind them."""

from collections.abc import Mapping
from typing import TypeVar

from torchship.core.files import Json
from torchship.data.documents import Datasheet
from torchship.export.documents import ExportDocument
from torchship.pages.html import Verdict, code, heading, page, paragraph, table
from torchship.spec.model import Model
from torchship.spec.report import Metrics, Report

Entry = TypeVar("Entry")

NO_DATA = "There are no data: the weights came trained, and the gate drew its cases from the declared domain."
NOT_COVERED = "There is no hand-coded network: extract/handcode is off."


def write(
    model: Model,
    training: Report,
    exports: Mapping[str, ExportDocument],
    validations: Mapping[str, Json],
    datasheet: Datasheet | None = None,
    metrics: Metrics | None = None,
    check: Json | None = None,
    source: str = "",
) -> str:
    """Write the page of one run from the documents of its stages; it may have no data, hand-coded network."""
    body = [
        *verdicts(validations),
        *trained(training),
        *shipped(model),
        *(evaluated(metrics) if metrics else []),
        *(handcoded(check, source) if check else [paragraph(NOT_COVERED, "note")]),
        *exported(exports),
        *(data(datasheet) if datasheet else [paragraph(NO_DATA, "note")]),
    ]
    return page(f"Run {model.run}", body)


def in_order(sets: Mapping[str, Entry]) -> list[tuple[str, Entry]]:
    """Return the sets in the order in which they are used, where JSON has them by name."""
    return [(name, sets[name]) for name in ("train", "validation", "test")]


def verdicts(validations: Mapping[str, Json]) -> list[str]:
    """Return what the gate says of each target."""
    body = [heading("The gate")]
    rows = []
    for target, document in validations.items():
        worst = document["worst"]
        sizes = "".join(f", {axis} {size}" for axis, size in worst["sizes"].items())
        place = f"{worst['origin']}{sizes}, event {worst['event']}"
        verdict = Verdict(document["verdict"])
        runtime = document["runtime"]["onnxruntime"]
        rows.append([target, runtime, verdict, document["elements"], worst["largest"], worst["ratio"], place])
    header = ["Target", "ONNX Runtime", "Verdict", "Outputs compared", "Largest |Δ|", "Of the limit", "Where"]
    body.append(table(header, rows))
    body.append(
        paragraph(
            "Each output of the saved file, run in the target's own ONNX Runtime or, where that cannot be installed, "
            "in a newer one, was compared with the eager torch module in float64. The limit is what rounding to "
            "float32 may do to that output, found by disturbing every operation; where the layers are covered, the "
            "lesser of that and a running error analysis (docs/gate.md).",
            "note",
        )
    )
    return body


def trained(training: Report) -> list[str]:
    """Say how the training went, here or elsewhere, or that of each fold."""
    if "members" in training:
        return [line for member in training["members"] for line in [*converged(member, f", {member['candidate']}")]]
    return taken(training) if training.get("trained") == "elsewhere" else converged(training)


def converged(training: Report, of: str = "") -> list[str]:
    """Return the convergence rate, but for a regression, and the replica that ships."""
    shipped, epochs = training["shipped"] or {}, training["epochs"]
    text = f"{training['section']['train']['replicas']} random starts were trained for {epochs} epochs."
    if "convergence" in training:
        rate = training["convergence"]
        low, high = rate["interval"]
        text = (
            f"{rate['converged']} of {rate['replicas']} random starts converged ({rate['criterion']}) in {epochs} "
            f"epochs: {100 * rate['rate']:.1f} %, {100 * rate['confidence']:g} % interval {100 * low:.1f} to "
            f"{100 * high:.1f} % ({rate['method']})."
        )
    text += (
        f" {training['diverged']} diverged. Replica {shipped['replica']} has the smallest validation loss, "
        f"{shipped['validation_loss']:.4f}, and ships."
    )
    return [heading(f"Training{of}"), paragraph(text)]


def taken(training: Report) -> list[str]:
    """Say where the weights came from."""
    source = training["source"]
    text = f"Trained elsewhere: {training['parameters']} parameters from {source['file']}, sha256 {source['sha256']}."
    if source["prefix"]:
        text += f" The names of all tensors began with {source['prefix']!r}, which was taken away."
    lines = [paragraph(text)]
    if source["rounded"]:
        lines.append(paragraph(f"Rounded to the network's own types: {', '.join(source['rounded'])}.", "fair"))
    return [heading("Training"), *lines]


def shipped(model: Model) -> list[str]:
    """Say which of several candidates this is, and which weights all of this page is about."""
    lines, selection = [f"Weights: sha256 {model.files['weights.safetensors']}."], model.selection
    if model.members:
        lines.append(
            f"They are of {len(model.members)} networks, one for each fold of the training and validation set: what "
            "ships is the mean of their outputs."
        )
    if selection is None or selection["candidates"] == 1:
        return [paragraph(line) for line in lines]
    if "best" in selection:
        lines.append(
            f"This is {model.candidate}, which scan/ship names, although {selection['best']} is better: by "
            f"{selection['metric'].replace('_', ' ')}, {selection['value']:.4g}, it is number {selection['rank']} of "
            f"{selection['candidates']} points. The others are in train/candidates.csv."
        )
    else:
        diverged = f", of which {selection['diverged']} diverged" if selection["diverged"] else ""
        lines.append(
            f"This is {model.candidate}, the best of {selection['candidates']} points of a scan{diverged}: it has the "
            f"{selection['best_is']} {selection['metric'].replace('_', ' ')}, {selection['value']:.4g}. "
            "The others are in train/candidates.csv."
        )
    return [paragraph(line) for line in lines]


def evaluated(metrics: Metrics) -> list[str]:
    """Return the metrics of the three sets."""
    header = ["Set", "Events", "Loss", "Accuracy", "Confusion (rows: true class)"]
    rows = [
        [name, entry["events"], entry["loss"], entry.get("accuracy", "–"), entry.get("confusion", "–")]
        for name, entry in in_order(metrics["sets"])
    ]
    return [heading("Evaluation"), table(header, rows), paragraph(f"Loss: {metrics['loss_function']}.", "note")]


def handcoded(check: Json, source: str) -> list[str]:
    """Return the hand-coded outputs, how the implementations agree, and the code itself."""
    shown = [
        [", ".join(f"{value:.4g}" for value in entry["input"]), ", ".join(f"{value:.4f}" for value in entry["output"])]
        for entry in check["shown"]
    ]
    decided = check.get("decisions", {}).get("decided")
    header = ["Input", "Output"]
    if decided:
        header.append("Class")
        shown = [[*row, str(decision)] for row, decision in zip(shown, decided, strict=False)]
    agreement = [
        [points, other, found["elements"], found["largest"], found["ratio"]]
        for points, others in check["comparisons"].items()
        for other, found in others.items()
    ]
    body = [heading("Hand-coded network"), table(header, shown)]
    if not check["cpp"]["checked"]:
        body.append(paragraph("The C++ header was NOT checked: there was no C++ compiler.", "bad"))
    columns = ["Points", "Against the hand-coded Python", "Outputs", "Largest |Δ|", "Of the bound"]
    return [*body, table(columns, agreement), code(source)]


def exported(exports: Mapping[str, ExportDocument]) -> list[str]:
    """Return the files."""
    rows = [
        [target, document["opset"], document["ir_version"], document["bytes"], document["sha256"]]
        for target, document in exports.items()
    ]
    return [heading("ONNX files"), table(["Target", "Opset", "IR version", "Bytes", "SHA-256"], rows)]


def data(datasheet: Datasheet) -> list[str]:
    """Return what the data are."""
    rows = [[name, entry["events"], entry["sha256"]] for name, entry in in_order(datasheet["sets"])]
    note = f"Source: {datasheet['source']}, seed {datasheet['seed']}; {datasheet['note']}."
    return [heading("Data"), table(["Set", "Events", "SHA-256"], rows), paragraph(note, "note")]
