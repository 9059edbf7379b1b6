"""How long Snakemake plans and schedules a scan of thousands of points, beside workflows without a purpose.

Writes the table in docs/scale.md and its picture: `make scale`, a quarter of an hour. The jobs do nothing (see
snakemake_executor_plugin_nothing); what is timed is all that happens before and between them.
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
from torchship.plotting import drawing

HERE = Path(__file__).resolve().parent
PICTURE = PROJECT / "docs" / "images" / "scale.png"
PAGE = PROJECT / "docs" / "scale.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->"
KINDS = {"scan": "a scan", "many": "bare, same declarations", "one": "bare, one file a job"}


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
    """Give the arguments for as many jobs and rules: source, join, `all` and a chain of the others."""
    chain = jobs - points - 3
    return [
        *["--snakefile", str(HERE / "bare.smk"), "--config", f"points={points}", f"declares={declares}"],
        *[f"chain={chain}", f"spare={rules - chain - 4}"],
    ]


def how(scheduled):
    """Give the options for a dry run, or for a run on a cluster whose jobs do nothing."""
    if not scheduled:
        return ["--dry-run", "--cores", "2"]
    return ["--executor", "nothing", "--jobs", "100", "--scheduler", "greedy", "--resources", "gpu=100000"]


def measure(points, *, scheduled):
    """Give seconds and MB of each kind of workflow."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="torchship-scale-") as name:
        folders = {kind: Path(name) / kind for kind in KINDS}
        for folder in folders.values():
            folder.mkdir()
        rules = (
            sum(len(re.findall(r"^rule ", path.read_text(), re.MULTILINE)) for path in PROJECT.glob("rules/*.smk")) + 1
        )
        scan = scan_arguments(points, folders["scan"])
        text, *found["scan"] = call([*how(scheduled), *scan], folders["scan"])
        jobs = int(re.search(r"^total +(\d+)$", text, re.MULTILINE)[1])
        for kind in ("many", "one"):
            bare = bare_arguments(points, kind, jobs, rules)
            text, *found[kind] = call([*how(scheduled), *bare], folders[kind])
            assert int(re.search(r"^total +(\d+)$", text, re.MULTILINE)[1]) == jobs
    print(points, "scheduled" if scheduled else "planned", jobs, rules, found, flush=True)
    return found


def table(planned, scheduled):
    lines = [
        "| | points | "
        + " | ".join(KINDS.values())
        + " | scan / same declarations | scan / one file | memory of the scan |",
        "|---|---" + "|---:" * (len(KINDS) + 3) + "|",
    ]
    for word, rows in (("dry run", planned), ("schedule", scheduled)):
        for points, found in rows.items():
            seconds = [f"{found[kind][0]:.1f} s" for kind in KINDS]
            ratios = [f"{found['scan'][0] / found[kind][0]:.2f}" for kind in ("many", "one")]
            lines.append(f"| {word} | {points:,} | {' | '.join([*seconds, *ratios])} | {found['scan'][1]:.0f} MB |")
    return "\n".join(lines) + "\n"


def plot(planned, scheduled):
    style = yaml.safe_load((PROJECT / "config.yaml").read_text())["plots"]
    with tempfile.TemporaryDirectory() as name, drawing(Path(name) / "a.svg", PICTURE, style, (9.6, 4.2)) as drawn:
        panels = drawn.subplots(1, 2)
        for axes, rows, title in zip(panels, (planned, scheduled), ("a dry run", "a schedule"), strict=True):
            for kind, marker in zip(KINDS, "os^", strict=True):
                axes.plot(list(rows), [found[kind][0] for found in rows.values()], marker=marker, label=KINDS[kind])
            first, last = min(rows), max(rows)
            slope = rows[last]["scan"][0] / last
            axes.plot([first, last], [slope * first, slope * last], ":", color="grey", label="proportional")
            axes.set(xscale="log", yscale="log", xlabel="points of the scan", title=title)
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.set_xticks(list(rows), [f"{points:,}" for points in rows])
            axes.minorticks_off()
        panels[0].set_ylabel("time [s]")
        panels[0].legend(fontsize=8)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=int, nargs="+", default=[100, 1000, 3000, 10000])
    parser.add_argument("--schedule", type=int, nargs="+", default=[100, 1000, 3000, 10000])
    arguments = parser.parse_args()
    mpl.use("agg")
    planned = {points: measure(points, scheduled=False) for points in arguments.plan}
    scheduled = {points: measure(points, scheduled=True) for points in arguments.schedule}
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(planned, scheduled) + END + rest.partition(END)[2])
    plot(planned, scheduled)


if __name__ == "__main__":
    main()
