"""What the page of the gate says of how files were tried: limits, cases, settings, shapes, bad input."""

from collections.abc import Mapping

from torchship.gate.documents import BadInputRow, CaseEntry, Evidence
from torchship.pages.html import Verdict, heading, paragraph, table

# The evidence of a run, by target.
Documents = Mapping[str, Evidence]

# Lines of a kind that are spelled out; validation.json has all.
MOST = 30


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
    found: dict[str, dict[str, list[CaseEntry]]] = {}
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


def bad_input(validations: Documents) -> list[str]:
    """Return what each runtime does with bad input."""
    tried: dict[tuple[str, str], dict[str, BadInputRow]] = {}
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


def outcome(row: BadInputRow) -> str:
    """Say what a runtime did with bad input."""
    if row["outcome"] == "refused":
        return "refused"
    if "kind" not in row:
        return "taken"
    return str(row["kind"]) if row.get("as_torch") else f"{row['kind']}, not the arbiter's"
