"""The verdict in words; `examine` decides it. Standard library only."""

from torchship.gate.documents import Evidence, Located, Place, Worst

# The verdict on a file that nothing is wrong with, but that could not run in the runtime of its target.
STATIC_ONLY = "static only"


# Arbiters that nothing needs to be said of; others are told in the verdict, since it rests on them.
UNSAID = ("torch eager", "ONNX reference evaluator")


def verdict_line(document: Evidence) -> str:
    """Say in one line how a file did."""
    arbiter = document.get("arbiter", UNSAID[0])
    rests = "" if arbiter in UNSAID else f"; rests on the {arbiter}"
    if document["failures"]:
        first, *rest = document["failures"]
        text = f"{first['place']}: {first['message']}" if first["place"] else str(first["message"])
        located = document.get("located")
        if located:
            text += f"; {told_location(located)}"
        others = sorted({failure["check"] for failure in rest} - {first["check"]})
        if rest:
            text += f" (and {len(rest)} more" + (f", also of: {', '.join(others)}" if others else "") + ")"
        return text + rests
    text = f"{document['elements']} outputs within the limit, the largest {in_words(document['worst'])}{rests}"
    if document["verdict"] == STATIC_ONLY:
        stand_in, own = document["runtime"]["onnxruntime"], document["target"]["onnxruntime"]
        return f"static only, ONNX Runtime {own} cannot be had here: nothing wrong found; in {stand_in} instead, {text}"
    return f"passed: {text}"


def told_location(located: Located) -> str:
    """Say where in the graph a file first differs, what it lacks, and whether the file or the runtime is to blame."""
    after = f", after {located['after']!r}" if located["after"] else ""
    text = f"first differs at node {located['node']!r} ({located['operator']}){in_code(located)}{after}"
    lacks = located.get("lacks")
    if lacks:
        text += f"; the file has nothing that is torch's {lacks['operation']!r}{in_code(lacks)}"
    match located["fault"]:
        case "file":
            return f"{text}; the file itself says so, whatever runs it"
        case "runtime":
            return f"{text}; the file is right, the runtime computes something else"
        case "alone":
            return (
                f"{text}; the reference evaluator and all runtimes disagree on {located['operator']}, and the file "
                "alone cannot tell who is right: give reference outputs, as its maker computed them (onnx: reference)"
            )
        case _:
            return text


def in_code(place: Located | Place) -> str:
    """Say which torch module and line of code something is from, as far as that is known."""
    module = f" of torch module {place['module']!r}" if place.get("module") else ""
    return f"{module} at {place['line']}" if place.get("line") else module


def in_words(worst: Worst | None) -> str:
    """Say how large the largest error is and where."""
    if worst is None:
        return "of none"
    case = ", ".join([worst["origin"], *(f"{axis} {size}" for axis, size in worst["sizes"].items())])
    ratio = float(worst["ratio"])
    return f"{ratio:.2g} of the limit ({float(worst['ulp']):.2g} ulp), in case '{case}', event {worst['event']}"
