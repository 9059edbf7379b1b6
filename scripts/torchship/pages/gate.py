"""The page of the gate: one verdict for each target, in words and pictures, and the tables behind them."""

from collections.abc import Mapping

from torchship.gate.about import About
from torchship.gate.documents import Evidence, NotTaken
from torchship.gate.verdict import STATIC_ONLY, told_location, verdict_line
from torchship.pages.gate_trials import MOST, Documents, bad_input, drawn, limits, settings, shapes
from torchship.pages.html import Verdict, graphic, heading, page, paragraph, table

KINDS = {"passed": "good", STATIC_ONLY: "fair", "failed": "bad"}

ABOUT = (
    "Each output of the saved file, run in the target's own ONNX Runtime or, where that cannot be installed, in a "
    "newer one, is compared with float64. The limit is what rounding to float32 may do to that output in any correct "
    "implementation: every operation is disturbed at random by one unit roundoff, several times over, and the spread "
    "of the output is its unit. Where all layers are covered, the limit is the lesser of that and a rigorous bound."
)
ALONE = (
    "Each output of the saved file, run in the target's own ONNX Runtime or, where that cannot be installed, in a "
    "newer one, is compared with the given reference, since nobody evaluates this file in float64. Nothing is known "
    "of inputs that are not in the reference: there is no search, and bad input is tried without a word on what is "
    "right."
)
OWN_WORD = (
    "There are no reference outputs: the file was compared with what it says itself, evaluated in float64. Whether it "
    "says what its maker meant is not known; onnx/reference in the configuration takes inputs and outputs from there."
)


def write(title: str, validations: Documents, picture: str | None = None) -> str:
    """Write the page.

    Args:
        title: of the page.
        validations: the evidence by target.
        picture: the plot of the errors as SVG; none of a file that failed.
    """
    body = []
    for target, document in validations.items():
        word = "failed: " if document["failures"] else ""
        body.append(paragraph(f"{target}: {word}{verdict_line(document)}", KINDS[document["verdict"]]))
    for target, document in validations.items():
        body += failures(target, document)
    if picture:
        body += [heading("Errors"), graphic(picture)]
    about = ALONE if any("within" in document for document in validations.values()) else ABOUT
    body += [paragraph(about, "note"), heading("Targets"), largest(validations), spoken_of(validations)]
    body += [*witnesses(validations), *limits(validations), *drawn(validations), *settings(validations)]
    body += [*shapes(validations), *decided(validations), *searched(validations), *bad_input(validations)]
    return page(title, body)


def failures(target: str, document: Evidence) -> list[str]:
    """Return what is wrong with one file."""
    found = document["failures"]
    if not found:
        return []
    body = [heading(f"What is wrong with {target}")]
    located = document.get("located")
    if located:
        sentence = told_location(located)
        body.append(paragraph(f"{sentence[0].upper()}{sentence[1:]}.", "bad"))
    rows = [[failure["check"], failure["place"], failure["message"]] for failure in found[:MOST]]
    body.append(table(["Check", "Where", "What"], rows))
    if found[MOST:]:
        body.append(paragraph(f"And {len(found) - MOST} more, in validation.json.", "note"))
    return body


def largest(validations: Documents) -> str:
    """Return the largest difference of each target."""
    rows = []
    for target, document in validations.items():
        worst, runtime = document.get("worst"), document["runtime"]["onnxruntime"]
        verdict = Verdict(document["verdict"])
        if worst is None:
            rows.append([target, runtime, verdict, document["elements"], "–", "–", "–", "–"])
            continue
        where = f"{worst['origin']}, {sizes_of(worst)}, event {worst['event']}, {worst['output']}[{worst['index']}]"
        rows.append(
            [
                target,
                runtime,
                verdict,
                document["elements"],
                *(float(worst[key]) for key in ("largest", "ratio", "ulp")),
                where,
            ]
        )
    header = ["Target", "ONNX Runtime", "Verdict", "Outputs", "Largest |Δ|", "Of the limit", "In ulp", "Where"]
    return table(header, rows)


def spoken_of(validations: Documents) -> str:
    """Return the SHA-256 of each file that the page speaks of: it speaks for no other."""
    return table(["Target", "SHA-256 of the file"], [[target, one["sha256"]] for target, one in validations.items()])


def sizes_of(about: About | NotTaken) -> str:
    """Name the sizes of a case."""
    return ", ".join(f"{axis} {size}" for axis, size in about["sizes"].items())


def by_output(numbers: Mapping[str, float], form: str) -> str:
    """Return one number for all outputs where it is the same, else each with its output."""
    told = {name: format(float(number), form) for name, number in numbers.items()}
    several = len(set(told.values())) > 1
    return ", ".join(f"{text} for {name}" for name, text in told.items()) if several else next(iter(told.values()))


def witnesses(validations: Documents) -> list[str]:
    """Say what the files were held against, and how strictly."""
    document = next(iter(validations.values()))
    needed, factors, within = document["needed"], document["factors"], document.get("within")
    text = (
        f"Arbiter: {document['arbiter']} in float64. Its own float32 needs {by_output(needed, '.2g')} spreads of "
        f"rounding; the limit is {by_output(factors, '.3g')} spreads."
    )
    if within is not None:
        stated = "".join(f", {float(allowed):g} for {name}" for name, allowed in within.items())
        text = f"The verdict rests on the {document['arbiter']}. The limit is stated in onnx/within{stated}."
    agreed = {
        "The hand-coded network": document.get("handcoded", {}),
        "The reference from elsewhere": document.get("reference", {}),
    }
    for what, ratios in agreed.items():
        for output, ratio in ratios.items():
            text += f" {what} agrees on {output} within {float(ratio):.2g} of what it may differ by."
    body = [heading("The witnesses"), paragraph(text)]
    body += [paragraph(line, "fair") for line in noted(validations)]
    if document["arbiter"] != "torch eager" and not document.get("reference") and within is None:
        body.append(paragraph(OWN_WORD, "fair"))
    if document["tolerance"] > 1.0:
        body.append(
            paragraph(
                f"The gate was loosened to {document['tolerance']:g} times the limit: {document['reason']}", "bad"
            )
        )
    elif document["tolerance"] < 1.0:
        body.append(paragraph(f"Passed is what is within {document['tolerance']:g} of the limit."))
    skipped = [f"The network itself does not take {sizes_of(one)}: {one['reason']}" for one in document["not_taken"]]
    return [*body, *(paragraph(line, "fair") for line in skipped)]


def noted(validations: Documents) -> list[str]:
    """Return a line for each note on the files; what does not hold for all targets names those that it holds for."""
    of = {
        note: [target for target, document in validations.items() if note in document.get("notes", [])]
        for document in validations.values()
        for note in document.get("notes", [])
    }
    return [
        f"{note[0].upper()}{note[1:]}." if len(targets) == len(validations) else f"{', '.join(targets)}: {note}."
        for note, targets in of.items()
    ]


def decided(validations: Documents) -> list[str]:
    """Say what the differences mean for decisions."""
    body = []
    for target, document in validations.items():
        found = document.get("decisions")
        if not found:
            continue
        nearest = found["nearest"]
        text = (
            f"{target}: of {found['events']:,} events of the test set {found['changed']} change side of the working "
            f"point. The nearest is event {nearest['event']}, {float(nearest['margin']):.3g} away, "
            f"{float(nearest['limits']):.3g} times what a correct file may move it."
        )
        body.append(paragraph(text, "bad" if found["changed"] else ""))
    return [heading("Decisions"), *body] if body else []


def searched(validations: Documents) -> list[str]:
    """Say what the search for the worst input found."""
    rows = []
    for target, document in validations.items():
        found = document.get("search")
        if not found or "worst" not in found:
            continue
        worst = found["worst"]
        at = "; ".join(f"{name} = {values}" for name, values in (worst["input"] or {}).items())
        rows.append(
            [
                target,
                found["evaluations"],
                float(worst["ratio"]),
                float(worst["ulp"]),
                at or "in .worst.safetensors, beside validation.json",
            ]
        )
    header = ["Target", "Inputs tried", "Of the limit", "In ulp", "At"]
    return [heading("The worst input that a search found"), table(header, rows)] if rows else []
