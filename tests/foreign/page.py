"""The page about the wall of foreign networks."""

import re
from collections import defaultdict

HEAD = """# Foreign networks

Written by `make foreign`. {networks} networks in the styles of the field and {files} ONNX files as other frameworks write
them, none of them shaped to suit the workflow (`tests/foreign/`). Each is declared as its owner would, trained for two
epochs by the workflow, given weights, exported, and judged by the gate for {targets}; and so is a broken twin of each,
with one error that really happens.

Whether a file is right is found apart from the gate: the eager module in float64, or NumPy by hand for the files, against
plain ONNX Runtime on some 3,000 points of the domain. It is wrong if it does not run there, or if more than two events in
a thousand are off by more than a thousandth of an output's standard deviation.

| | |
|---|--:|
| right files | {right} |
| of them stopped by the gate: false alarms | {alarms} |
| wrong files, twins and what the exporter made wrong by itself | {wrong} |
| of them let through: misses | {missed} |
| twins whose place was named, of those that have a module to name | {placed} of {places} |
"""
LEGEND = """
*exports*: targets for which there is a file. *gate*: of the files of all targets; "contract" is what CMSSW's class does not
take, such as integers, or an axis that varies. *of the limit*: the largest error of the right file. *twin*: what is wrong
with it; *stopped by*: the check that found it, and the node and module that the gate named (✓: the right one).
"""


def page(results, died, styles, files, targets):
    """Return the page of all results."""
    networks = {name: result for name, result in results.items() if name not in files}
    others = {name: result for name, result in results.items() if name in files}
    text = "".join([
        HEAD.format(**counted(results), networks=len(networks), files=len(others), targets=", ".join(targets)),
        "\n## Networks\n", LEGEND, "\n", table(networks, styles, targets, trained=True),
        "\n## Files from elsewhere\n\n", table(others, styles, targets, trained=False),
        "\n## False alarms and misses\n\n", wrong_words(results),
        "\n## What is refused, and why\n\n", refusals(results, died),
        "\n## What cannot be trained here, and why\n\n", listed({n: r.stages.said.get("train") for n, r in networks.items()}),
        "\n## How long each stage takes\n\n", times(results),
    ])  # fmt: skip
    return without_places(text)


def without_places(text):
    """Return a text without where things lie on this machine: the project's files from its root, and no others."""
    text = re.sub(r"; the whole story is in /\S+", "", text)
    return re.sub(r"/\S*/(tests/foreign/)", r"\1", text)


def counted(results):
    """Return the numbers at the top."""
    truths = [(r, r.truth) for r in results.values() if r.truth] + [
        (r, r.twin_truth) for r in results.values() if r.twin_truth
    ]
    placed = [r.placed for r in results.values() if r.placed is not None]
    return {
        "right": sum(t.wrong is None for _, t in truths), "wrong": sum(t.wrong is not None for _, t in truths),
        "alarms": sum(r.false_alarm for r in results.values()), "missed": sum(r.missed for r in results.values()),
        "placed": sum(placed), "places": len(placed),
    }  # fmt: skip


def table(results, styles, targets, *, trained):
    """Return a row for each."""
    header = [
        "network" if trained else "file",
        "style",
        *["trains"] * trained,
        "exports",
        "gate",
        "of the limit",
        "twin",
        "stopped by",
    ]
    rows = [header, ["---"] * len(header)]
    for name, result in results.items():
        exported = [t for t in targets if not result.stages.said.get(f"export/{t}", "not tried")]
        rows.append([
            f"`{name}`", styles[name].rstrip("."), *[trains(result)] * trained, f"{len(exported)} of {len(targets)}",
            gate(result, targets), ratio(result), broken(result), stopped(result),
        ])  # fmt: skip
    return "".join(f"| {' | '.join(escape(cell) for cell in row)} |\n" for row in rows)


def escape(text):
    return str(text).replace("|", "\\|")


def trains(result):
    if "train" not in result.stages.said:
        return "–"
    return "no" if result.stages.said["train"] else "yes"


def gate(result, targets):
    words = defaultdict(list)
    for target in targets:
        verdict = result.verdicts.get(target)
        word = (
            "no verdict"
            if verdict is None
            else "passed"
            if verdict.passed
            else "contract"
            if verdict.contract
            else "failed"
        )
        words[word].append(target)
    text = ", ".join(word if len(words) == 1 else f"{word}: {' '.join(where)}" for word, where in words.items())
    wrong = "" if result.truth is None or result.right else "; the file is wrong"
    return f"{text}{wrong}" + (" **(false alarm)**" if result.false_alarm else "")


def ratio(result):
    found = [verdict.ratio for verdict in result.verdicts.values() if verdict]
    return f"{max(found):.2g}" if found else "–"


def broken(result):
    if result.twin is None:
        return "–"
    harmless = result.twin_truth is not None and result.twin_truth.wrong is None
    return result.twin.what + (" (harmless here)" if harmless else "")


def stopped(result):
    if result.twin is None:
        return "–"
    if not result.twin_judged:
        return "no verdict"
    if result.twin_stopped is None:
        return "**missed**" if result.missed else "passed"
    verdict = result.twin_verdict
    where = (
        f" at {verdict.node} of {verdict.module or 'the network itself'}{lacking(verdict)}"
        if verdict and verdict.module is not None
        else ""
    )
    return result.twin_stopped + where + {True: " ✓", False: " ✗", None: ""}[result.placed]


def lacking(verdict):
    """Return what the file has nothing of, where that was named."""
    lacks = verdict.lacks
    return f", no `{lacks['operation']}` of {lacks['line']}" if lacks else ""


def wrong_words(results):
    lines = {}
    for name, result in results.items():
        if result.false_alarm:
            lines[f"{name}, a right file"] = result.stopped
        if result.missed and result.twin_truth is not None:
            lines[f"{name}, twin"] = f"let through, though {result.twin_truth.wrong}"
        elif result.missed:
            lines[name] = f"let through, though {result.truth.wrong}"
    return listed(lines)


def refusals(results, died):
    """Return every stage that did not get through, but for the verdicts on files."""
    lines = {f"{name}": text for name, text in died.items()}
    for name, result in results.items():
        for stage, said in result.stages.said.items():
            if said and not stage.startswith(("train", "gate")) and "_twin" not in stage:
                lines[f"{name}, {stage}"] = said
        for target, verdict in result.verdicts.items():
            if verdict is not None and (verdict.contract or not result.right) and not verdict.passed:
                lines[f"{name}, {target}"] = verdict.words
    return listed(lines)


def listed(lines):
    lines = {name: text for name, text in lines.items() if text}
    return "".join(f"- `{name}`: {text}\n" for name, text in lines.items()) or "None.\n"


def times(results):
    """Return seconds of each stage, over all networks: the median, the largest, and whose it is."""
    stages = defaultdict(dict)
    for name, result in results.items():
        for stage, seconds in result.stages.seconds.items():
            stages[stage.partition("/")[0]].setdefault(name, 0.0)
            stages[stage.partition("/")[0]][name] += seconds
    rows = [["stage", "median [s]", "largest [s]", "of"], ["---", "--:", "--:", "---"]]
    for stage, named in stages.items():
        ordered, slowest = sorted(named.values()), max(named, key=named.get)
        rows.append([stage, f"{ordered[len(ordered) // 2]:.1f}", f"{named[slowest]:.1f}", f"`{slowest}`"])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
