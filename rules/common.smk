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
# Those that train a network; those whose network the generator covers; those whose ONNX file is from elsewhere.
TRAINED = [run for run, section in RUNS.items() if "network" in section]
COVERED = [run for run in TRAINED if RUNS[run]["extract"]["handcode"]]
GIVEN = [run for run in RUNS if run not in TRAINED]


def any_of(names):
    """Give a pattern that matches one of some names, or nothing if there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    run=any_of(RUNS),
    target=any_of(config["targets"]),


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
            # A run with a file from elsewhere has no network.
            if last in source:
                inner[last] = source[last]
        return section

    return picked


def growing(amount):
    """Give a resource that grows with each try: what ran out of memory or time gets more of it."""

    def grown(wildcards, attempt):
        return attempt * amount

    return grown


def training_memory(wildcards, attempt):
    """Give the megabytes of a training: torch's own, and of each replica its weights, records and events' order."""
    return attempt * (3000 + RUNS[wildcards.run]["train"]["replicas"] // 2)


def gpus(wildcards):
    """Give the GPUs to ask for: with `device: auto` one, which a site without GPUs sets to 0 in its profile."""
    return 0 if config["device"] == "cpu" else 1


def runtime_pins(wildcards):
    """Give the environment file of the ONNX Runtime that a target ships."""
    return project(f"envs/{pins_of(config['targets'], wildcards.target)}")


def runtime_environment(wildcards):
    """Give the same file as `conda:` wants it, whose relative paths are seen from the rules."""
    return str(BASE / "envs" / pins_of(config["targets"], wildcards.target))


def given_files(wildcards):
    """Give the ONNX file of a run that was made elsewhere, and its reference outputs, if there are any."""
    files = {
        "onnx": RUNS[wildcards.run]["onnx"]["file"],
        "reference": RUNS[wildcards.run]["onnx"].get("reference"),
    }
    return {key: path for key, path in files.items() if path is not None}


def handcoded(wildcards):
    """Give the extracted weights and the generated code, where the generator covers the network."""
    if wildcards.run not in COVERED:
        return {}
    folder = f"<results>/{wildcards.run}/extract"
    names = {
        "weights": "weights.json",
        "python": "reference.py",
        "header": "reference.hpp",
        # Checked before it is a witness.
        "check": "check.json",
    }
    return {key: f"{folder}/{name}" for key, name in names.items()}


def witnesses(wildcards):
    """Give the files that say what a run's exported file must compute."""
    if wildcards.run in GIVEN:
        return given_files(wildcards)
    return {
        "network": network_file(wildcards),
        "trained": f"<results>/{wildcards.run}/train/weights.safetensors",
        **handcoded(wildcards),
    }


def test_set(wildcards):
    """Give the test set of a run and its datasheet, where it has one."""
    names = {"test": "test.safetensors", "datasheet": "datasheet.json"}
    return {
        key: f"<results>/{wildcards.run}/data/{name}"
        for key, name in names.items()
        if wildcards.run in TRAINED
    }


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


def claims(wildcards, output):
    """Give what says of a run that all is well, which a failing gate takes away."""
    results = Path(output.validation).parents[3]
    return [
        str(results / wildcards.run / "validate" / "gate.html"),
        str(results / wildcards.run / "summary.html"),
        str(results / "archive" / "verified.json"),
    ]


def timed_target(wildcards):
    """Give the target whose file is timed: today's runtime takes the files of all."""
    targets = targets_of(wildcards.run)
    return "latest" if "latest" in targets else targets[0]


def timed_file(wildcards):
    """Give the exported file that is timed."""
    return f"<results>/{wildcards.run}/export/{timed_target(wildcards)}/model.onnx"


def timed_validation(wildcards):
    """Give what the gate said of it."""
    target = timed_target(wildcards)
    return f"<results>/{wildcards.run}/validate/{target}/validation.json"


def training_threads(wildcards):
    """Give the threads of a training: its own, and one for each worker that loads data."""
    section = RUNS[wildcards.run]["train"]
    return section["threads"] + section["num_workers"]


def runs_with_surface():
    """Give the runs whose output is plotted over a plane."""
    return [run for run in TRAINED if RUNS[run]["evaluate"]["surface"]]


def collected(paths, runs=RUNS):
    """Give the files of some runs, and of all their targets, for a list of paths with these wildcards."""
    return [
        file
        for path in paths
        for run in runs
        for file in expand(
            path, run=run, target=targets_of(run) if "{target}" in path else [""]
        )
    ]
