"""How long Snakemake plans and schedules a scan of thousands of points, beside workflows without a purpose.

Writes the table in docs/scale.md and its picture, and fails where a scan takes longer than it may: `make scale`, twenty
minutes. The jobs do nothing (see snakemake_executor_plugin_nothing); what is timed is all that happens before and between
them.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import yaml
from matplotlib.ticker import ScalarFormatter
from support import PROJECT
from torchship.pages.plotting import drawing

HERE = Path(__file__).resolve().parent
PICTURE = PROJECT / "docs" / "images" / "scale.png"
PAGE = PROJECT / "docs" / "scale.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->"
KINDS = {"scan": "a scan", "many": "bare, same declarations", "one": "bare, one file a job"}
WAYS = {"planned": "dry run", "scheduled": "schedule", "grouped": "schedule, 20 points a job"}

# How much longer than the bare workflow with the same declarations a scan may take, from how many points on: what a
# smaller one takes is mostly Snakemake's own start and the workflow's.
LIMIT, FROM = 1.5, 1000
# By how much the time of a point may grow between FROM and the most points, beyond what it grows in the bare workflow.
GROWTH = 1.2


def call(arguments, folder):
    """Run Snakemake; give what it printed, its seconds and its largest memory in MB, itself alone."""
    command = [sys.executable, str(HERE / "measured.py"), "all", "--directory", str(folder), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(HERE), "XDG_CACHE_HOME": str(folder / ".cache")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    text = done.stdout + done.stderr
    found = re.search(r"^measured ([\d.]+) s ([\d.]+) MB$", text, re.MULTILINE)
    if done.returncode or not found:
        sys.exit(text[-4000:])
    return text, float(found[1]), float(found[2])


def scan_arguments(points, folder):
    settings = {"scan": {"grid": {"train/first_replica": [8 * number for number in range(points)]}}}
    (folder / "scan.yaml").write_text(yaml.safe_dump(settings))
    config = ["--configfile", str(PROJECT / "tests" / "config.yaml"), str(folder / "scan.yaml")]
    return ["--snakefile", str(PROJECT / "Snakefile"), *config]


def bare_arguments(points, declares, jobs, rules):
    """Return the arguments for as many jobs and rules: source, join, `all` and a chain of the others."""
    chain = jobs - points - 3
    return [
        *["--snakefile", str(HERE / "bare.smk"), "--config", f"points={points}", f"declares={declares}"],
        *[f"chain={chain}", f"spare={rules - chain - 4}"],
    ]


def how(way):
    """Return the options for a dry run, or for a run on a cluster whose jobs do nothing."""
    if way == "planned":
        return ["--dry-run", "--cores", "2"]
    scheduled = ["--executor", "nothing", "--jobs", "100", "--scheduler", "greedy", "--resources", "gpu=100000"]
    return [*scheduled, *(["--group-components", "scan=20"] if way == "grouped" else [])]


def measure(points, way):
    """Return seconds and MB of each kind of workflow."""
    found: dict[str, tuple[float, float]] = {}
    # The shorter of two: the machine does other things, too. A schedule is long enough.
    for _ in range(2 if way == "planned" else 1):
        for kind, (seconds, memory) in once(points, way).items():
            found[kind] = min(found.get(kind, (seconds, memory)), (seconds, memory))
    print(points, way, found, flush=True)
    return found


def once(points, way):
    found = {}
    with tempfile.TemporaryDirectory(prefix="torchship-scale-") as name:
        folders = {kind: Path(name) / kind for kind in KINDS}
        for folder in folders.values():
            folder.mkdir()
        rules = (
            sum(len(re.findall(r"^rule ", path.read_text(), re.MULTILINE)) for path in PROJECT.glob("rules/*.smk")) + 1
        )
        scan = scan_arguments(points, folders["scan"])
        text, *found["scan"] = call([*how(way), *scan], folders["scan"])
        jobs = int(re.search(r"^total +(\d+)$", text, re.MULTILINE)[1])
        for kind in ("many", "one"):
            bare = bare_arguments(points, kind, jobs, rules)
            text, *found[kind] = call([*how(way), *bare], folders[kind])
            assert int(re.search(r"^total +(\d+)$", text, re.MULTILINE)[1]) == jobs
    return found


def ratio(found, kind):
    return found["scan"][0] / found[kind][0]


def table(measured):
    lines = [
        "| | points | "
        + " | ".join(KINDS.values())
        + " | scan / same declarations | scan / one file | memory of the scan |",
        "|---|---" + "|---:" * (len(KINDS) + 3) + "|",
    ]
    for way, rows in measured.items():
        for points, found in rows.items():
            seconds = [f"{found[kind][0]:.1f} s" for kind in KINDS]
            ratios = [f"{ratio(found, kind):.2f}" for kind in ("many", "one")]
            cells = [WAYS[way], f"{points:,}", *seconds, *ratios, f"{found['scan'][1]:.0f} MB"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot(measured):
    style = yaml.safe_load((PROJECT / "config.yaml").read_text())["plots"]
    with tempfile.TemporaryDirectory() as name, drawing(Path(name) / "a.svg", PICTURE, style, (12.6, 4.2)) as drawn:
        panels = drawn.subplots(1, len(measured))
        for axes, (way, rows) in zip(panels, measured.items(), strict=True):
            for kind, marker in zip(KINDS, "os^", strict=True):
                axes.plot(list(rows), [found[kind][0] for found in rows.values()], marker=marker, label=KINDS[kind])
            first, last = min(rows), max(rows)
            slope = rows[last]["scan"][0] / last
            axes.plot([first, last], [slope * first, slope * last], ":", color="grey", label="proportional")
            axes.set(xscale="log", yscale="log", xlabel="points of the scan", title=WAYS[way])
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.set_xticks(list(rows), [f"{points:,}" for points in rows])
            axes.minorticks_off()
        panels[0].set_ylabel("time [s]")
        panels[0].legend(fontsize=8)


def too_long(measured):
    """Return a line for each measurement that is beyond its limit."""
    lines = []
    for way, rows in measured.items():
        large = {points: found for points, found in rows.items() if points >= FROM}
        for points, found in large.items():
            if ratio(found, "many") > LIMIT:
                lines.append(
                    f"{WAYS[way]}, {points:,} points: {ratio(found, 'many'):.2f} times the bare one, > {LIMIT}"
                )
        if len(large) > 1:
            first, last = (large[end(large)] for end in (min, max))
            growth = ratio(last, "many") / ratio(first, "many")
            if growth > GROWTH:
                lines.append(f"{WAYS[way]}: grows {growth:.2f} times as much as the bare one, > {GROWTH}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for way in WAYS:
        parser.add_argument(f"--{way}", type=int, nargs="+", default=[100, 1000, 3000, 10000], help="numbers of points")
    arguments = parser.parse_args()
    mpl.use("agg")
    measured = {way: {points: measure(points, way) for points in getattr(arguments, way)} for way in WAYS}
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(measured) + END + rest.partition(END)[2])
    plot(measured)
    sys.exit("\n".join(too_long(measured)) or None)


if __name__ == "__main__":
    main()
