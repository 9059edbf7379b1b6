"""The page of the gate: one verdict for each target, in words and pictures, and the tables behind them."""

from collections.abc import Mapping
from typing import Any

from torchship.gate.verdict import STATIC_ONLY, told_location, verdict_line
from torchship.pages.html import Verdict, graphic, heading, page, paragraph, table

Document = Mapping[str, Any]
Documents = Mapping[str, Document]

KINDS = {"passed": "good", STATIC_ONLY: "fair", "failed": "bad"}
# Failures that are spelled out; validation.json has all.
MOST = 30

ABOUT = (
    "Each output of the saved file, run in the target's own ONNX Runtime, is compared with float64. The limit is what "
    "rounding to float32 may do to that output in any correct implementation: every operation is disturbed at random "
    "by one unit roundoff, several times over, and the spread of the output is its unit. Where all layers are covered, "
    "the limit is the lesser of that and a rigorous bound."
)
ALONE = (
    "Each output of the saved file, run in the target's own ONNX Runtime, is compared with the given reference, since "
    "nobody evaluates this file in float64. Nothing is known of inputs that are not in the reference: there is no "
    "search, and bad input is tried without a word on what is right."
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


def failures(target: str, document: Document) -> list[str]:
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


def sizes_of(about: Document) -> str:
    """Name the sizes of a case."""
    return ", ".join(f"{axis} {size}" for axis, size in about["sizes"].items())


def witnesses(validations: Documents) -> list[str]:
    """Say what the files were held against, and how strictly."""
    document = next(iter(validations.values()))
    needed, factor, within = float(document["needed"]), float(document["factor"]), document.get("within")
    text = (
        f"Arbiter: {document['arbiter']} in float64. Its own float32 needs {needed:.2g} spreads of rounding; the "
        f"limit is {factor:.3g} spreads."
    )
    if within is not None:
        stated = "".join(f", {float(allowed):g} for {name}" for name, allowed in within.items())
        text = f"The verdict rests on the {document['arbiter']}. The limit is stated in onnx/within{stated}."
    for key, what in (("handcoded", "The hand-coded network"), ("reference", "The reference from elsewhere")):
        for output, ratio in document.get(key, {}).items():
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


def limits(validations: Documents) -> list[str]:
    """Say how wide the limits are, beside each output's range and beside the errors that were seen."""
    rows, notes = [], []
    for target, document in validations.items():
        for output, width in document.get("widths", {}).items():
            seen = float(document.get("largest", {}).get(output, 0.0))
            rows.append(
                [
                    target,
                    output,
                    float(width["range"]),
                    float(width["median"]),
                    float(width["largest"]),
                    f"{width['wide']:,} of {width['numbers']:,}",
                    1.0 / seen if seen else "no error",
                ]
            )
        notes += [
            f"{target}: in case {one['case']}, output {one['output']}, event {one['event']}, rounding makes "
            f"{float(one['share']):.0%} of the evaluations NaN or infinite: {one['operation']}."
            for one in document.get("not_finite", [])[:MOST]
        ]
    if not rows:
        return []
    header = [
        "Target",
        "Output",
        "Its range",
        "Limit, median [range]",
        "Limit, largest [range]",
        "Wide limits",
        "Limit / largest error seen",
    ]
    note = (
        "The range is that of the output over the cases, but for one number in a thousand at either end. A limit is "
        "wide above validate/widest_limit of it: there, right and wrong cannot be told apart. The last column is over "
        "all runtimes and settings."
    )
    body = [heading("How far a correct file may be off"), table(header, rows), paragraph(note, "note")]
    return [*body, *(paragraph(line, "fair") for line in dict.fromkeys(notes))]


def drawn(validations: Documents) -> list[str]:
    """Say how many cases lie where, and the largest error among them in each target."""
    found: dict[str, dict[str, list[Document]]] = {}
    for target, document in validations.items():
        for case in document.get("cases", []):
            found.setdefault(case["origin"], {}).setdefault(target, []).append(case)
    rows = []
    for origin, by_target in found.items():
        cases = max(by_target.values(), key=len)
        numbers = ", ".join(str(case["number"]) for case in cases[:MOST]) + (", …" if cases[MOST:] else "")
        elements = sum(difference["elements"] for case in cases for difference in case["outputs"].values())
        largest = [
            max(
                (
                    float(difference["ratio"])
                    for case in by_target.get(target, [])
                    for difference in case["outputs"].values()
                ),
                default="–",
            )
            for target in validations
        ]
        rows.append([origin, numbers, sum(case["sizes"].get("batch", 1) for case in cases), elements, *largest])
    header = [
        "Where inputs lie",
        "Cases",
        "Events",
        "Numbers compared",
        *(f"{target} [limit]" for target in validations),
    ]
    note = "The last columns have the largest error of each target in units of the limit."
    return [heading("What was tried"), table(header, rows), paragraph(note, "note")] if rows else []


def settings(validations: Documents) -> list[str]:
    """Return what differs bit by bit between settings and versions."""
    rows = [
        [
            target,
            row["setting"],
            *(
                [f"refused: {row['refused']}", "", "", ""]
                if row["refused"] is not None
                else [row["elements"], row["different"], float(row["ulp"]), float(row["ratio"])]
            ),
        ]
        for target, document in validations.items()
        for row in document.get("runtimes", [])
    ]
    header = [
        "Target",
        "Against its usual setting",
        "Outputs",
        "With other bits",
        "By at most (ulp)",
        "Of the limit",
    ]
    note = "The usual setting is that of the target: all optimizations, one thread."
    return [heading("Settings and versions"), table(header, rows), paragraph(note, "note")] if rows else []


def shapes(validations: Documents) -> list[str]:
    """Return the sizes that each axis was tried at."""
    rows = []
    for target, document in validations.items():
        ran: dict[str, dict[int, bool]] = {}
        for case in document.get("cases", []):
            for axis, size in case["sizes"].items():
                ran.setdefault(axis, {})[size] = ran.get(axis, {}).get(size, False) or case["refused"] is None
        for axis, found in ran.items():
            refused = [size for size in sorted(found) if not found[size]]
            ran_at = ", ".join(str(size) for size in sorted(found) if found[size])
            rows.append([target, axis, ran_at, Verdict(f"not {', '.join(map(str, refused))}" if refused else "yes")])
    return [heading("Shapes"), table(["Target", "Axis", "Ran at", "All taken"], rows)] if rows else []


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


def bad_input(validations: Documents) -> list[str]:
    """Return what each runtime does with bad input."""
    tried: dict[tuple[str, str], dict[str, Document]] = {}
    for target, document in validations.items():
        for row in document.get("bad_input", []):
            tried.setdefault((row["condition"], row["what"]), {})[target] = row
    rows = []
    for (condition, what), found in tried.items():
        first = next(iter(found.values()))
        outcomes = [outcome(found[target]) if target in found else "–" for target in validations]
        rows.append([condition, what, first["promise"] or "–", first.get("torch", "–"), *outcomes])
    header = ["Bad input", "What", "Promised", "Arbiter", *validations]
    return [heading("Bad input"), table(header, rows)] if rows else []


def outcome(row: Document) -> str:
    """Say what a runtime did with bad input."""
    if row["outcome"] == "refused":
        return "refused"
    if "kind" not in row:
        return "taken"
    return str(row["kind"]) if row.get("as_torch") else f"{row['kind']}, not the arbiter's"
