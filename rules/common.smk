"""What all rules share: the checked configuration, paths into the project, and functions of wildcards."""

import os
import shlex
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

# Snakemake 9.27 writes the interpreter into shell commands without quotes, which fails on a path with a space in it.
sys.executable = shlex.quote(sys.executable)

BASE = Path(workflow.basedir)
sys.path.insert(0, str(BASE / "scripts"))

from torchship.config import resolve
from torchship.errors import ConfigError
from torchship.imports import library_modules
from torchship.provenance import commit
from torchship.targets import pins_of, runtimes_of


def project(path):
    """Give a file of the project as seen from the working directory, wherever that is."""
    return os.path.relpath(BASE / path)


def resolved_runs():
    """Check the configuration and give a complete section for each run; stop with one line if it is wrong."""
    schema = yaml.safe_load((BASE / "schemas" / "config.schema.yaml").read_text())
    try:
        return resolve(config, schema, BASE)
    except ConfigError as error:
        raise WorkflowError(f"ConfigError: {error}")


RUNS = resolved_runs()


wildcard_constraints:
    run="|".join(RUNS),
    target="|".join(config["targets"]),


def source_code(script):
    """Give a script and the library modules that it imports: inputs, so that a change of their text reruns the step.

    Snakemake itself looks at the script alone and at its date, not at its text; profiles/default turns that off.
    """
    path = BASE / "scripts" / f"{script}.py"
    return [project(file) for file in [path, *library_modules(path)]]


def network_file(wildcards):
    """Give the file of a run's network."""
    return project(f"models/{RUNS[wildcards.run]['network']['file']}.py")


def data_file(wildcards):
    """Give the file that a run's data come from, none if they are made."""
    return RUNS[wildcards.run]["data"]["path"] or []


def knobs(*places):
    """Give a function that picks knobs of a run by their places: a step is given what it uses, and no more."""

    def picked(wildcards):
        section = {}
        for place in places:
            *parents, last = place.split("/")
            inner, source = section, RUNS[wildcards.run]
            for key in parents:
                inner, source = inner.setdefault(key, {}), source[key]
            inner[last] = source[last]
        return section

    return picked


def gpus(wildcards):
    """Give the GPUs to ask for: with `device: auto` one, which a site without GPUs sets to 0 in its profile."""
    return 0 if config["device"] == "cpu" else 1


def runtime_pins(wildcards):
    """Give the environment file of the ONNX Runtime that a target ships."""
    return project(f"envs/{pins_of(config['targets'], wildcards.target)}")


def runtime_environment(wildcards):
    """Give the same file as `conda:` wants it."""
    return str(BASE / runtime_pins(wildcards))


def handcoded(wildcards):
    """Give the extracted weights and the generated code, where the generator covers the network."""
    if not RUNS[wildcards.run]["extract"]["handcode"]:
        return {}
    folder = f"<results>/{wildcards.run}/extract"
    # Checked before it is a witness.
    names = {
        "weights": "weights.json",
        "python": "reference.py",
        "check": "check.json",
    }
    return {key: f"{folder}/{name}" for key, name in names.items()}


def runtimes_for(wildcards):
    """Give the runtimes that a target's file is run in."""
    names = runtimes_of(config["targets"], wildcards.target)
    return [f"<results>/runtimes/{name}.json" for name in names]


def targets_of(run):
    """Give the targets that a run is exported to."""
    return RUNS[run]["export"]["targets"]


def for_targets(path):
    """Give a function that gives a path for each target of a run."""

    def paths(wildcards):
        return expand(path, target=targets_of(wildcards.run), allow_missing=True)

    return paths


def timed_file(wildcards):
    """Give the exported file that is timed: today's runtime takes the files of all targets."""
    targets = targets_of(wildcards.run)
    target = "latest" if "latest" in targets else targets[0]
    return f"<results>/{wildcards.run}/export/{target}/model.onnx"


def training_threads(wildcards):
    """Give the threads of a training: its own, and one for each worker that loads data."""
    section = RUNS[wildcards.run]["train"]
    return section["threads"] + section["num_workers"]


def runs_with_surface():
    """Give the runs whose output is plotted over a plane."""
    return [run for run, section in RUNS.items() if section["evaluate"]["surface"]]


def collected(paths):
    """Give the files of all runs, and of all their targets, for a list of paths with these wildcards."""
    return [
        file
        for path in paths
        for run in RUNS
        for file in expand(
            path, run=run, target=targets_of(run) if "{target}" in path else [""]
        )
    ]
