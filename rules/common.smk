"""What all rules share: the checked runs and their candidates, and functions of wildcards."""

import json
from functools import cache
from hashlib import sha256

from torchship.codegen.compilers import compiler
from torchship.config.resolve import resolve
from torchship.core.errors import ConfigError
from torchship.training.parallel.gpu_locks import any_here
from torchship.core.sources import digest, library_modules
from torchship.config.naming import suggest
from torchship.models.neighbours import neighbours_digest
from torchship.spec.objective import targets_of as training_targets
from torchship.spec.objective import wanted_of
from torchship.core.chain import tries
from torchship.core.provenance import commit, project_files
from torchship.config.checks import has_data
from torchship.scan.points import expand as expand_scan
from torchship.spec.candidate import candidates_of
from torchship.spec.target import CMSSW
from torchship.config.targets import file_opset, natives, pins_of, runtimes_of


def resolved_runs():
    """Check the configuration; return a complete section for each run, and its candidates."""
    schema = read_yaml("schemas/config.schema.yaml")
    try:
        runs = resolve(config, schema, BASE)
        points = {run: expand_scan(run, runs[run], schema, BASE) for run in runs}
        candidates = {run: candidates_of(runs[run], points[run]) for run in runs}
    except ConfigError as error:
        raise WorkflowError(f"ConfigError: {error}")
    return runs, candidates, [run for run in runs if points[run]]


RUNS, CANDIDATES, SCANS = resolved_runs()
# Runs of a network.
NETWORKS = [run for run, section in RUNS.items() if "network" in section]
# Of these: the network is trained here.
TRAINED = [run for run in NETWORKS if "weights" not in RUNS[run]["network"]]
# It was trained elsewhere.
WEIGHTED = [run for run in NETWORKS if run not in TRAINED]
# There are data.
WITH_DATA = [run for run in NETWORKS if has_data(RUNS[run])]
# The generator writes the network in Python and C++, too.
COVERED = [run for run in NETWORKS if RUNS[run]["extract"]["handcode"]]
# Runs of an ONNX file from elsewhere.
GIVEN = [run for run in RUNS if run not in NETWORKS]
# Targets that are series of CMSSW.
CMSSW_TARGETS = [
    name for name, entry in config["targets"].items() if entry["contract"] == CMSSW
]
# Those that ask for the facts of tensors, devices and gradients.
BASICS = [run for run in RUNS if RUNS[run].get("basics", False)]


def any_of(names):
    """Return a pattern that matches one of some names, or nothing if there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    run=any_of(RUNS),
    # By its form: there may be thousands.
    candidate="[^/]+",
    target=any_of(config["targets"]),


def candidate_of(wildcards):
    """Return a candidate; stop where there is none of that name."""
    candidates = CANDIDATES[wildcards.run]
    if wildcards.candidate not in candidates:
        raise WorkflowError(
            f"ConfigError: {wildcards.run} has no candidate {wildcards.candidate}"
            f"{suggest(wildcards.candidate, candidates)}"
        )
    return candidates[wildcards.candidate]


def network_key(section):
    """Return what stands for what a candidate's network is built with and trained for."""
    picked = picked_from(section, ("network", "train/loss"))
    return sha256(json.dumps(picked, sort_keys=True).encode()).hexdigest()[:16]


@cache
def distinct_networks(run):
    """Return a candidate's section for each network of a run, by its key: most points of a scan share one."""
    sections = [candidate.section for candidate in CANDIDATES[run].values()]
    return {network_key(section): section for section in sections}


def all_sections(run):
    """Return the complete section of a run, and those of its candidates."""
    candidates = CANDIDATES[run].values()
    return [RUNS[run], *(candidate.section for candidate in candidates)]


def targets_of(run):
    """Return the targets that a run is exported to."""
    return RUNS[run]["export"]["targets"]


def cmssw_targets_of(run):
    """Return those of them that are series of CMSSW."""
    return [name for name in targets_of(run) if name in CMSSW_TARGETS]


def for_targets(path):
    """Return a function that returns a path for each target of a run."""

    def paths(wildcards):
        return expand(path, target=targets_of(wildcards.run), allow_missing=True)

    return paths


def runs_with_surface():
    """Return the runs whose output is plotted over a plane, with the events of their test set."""
    return [run for run in WITH_DATA if RUNS[run]["evaluate"]["surface"]]


def collected(paths, runs=RUNS, targets_of=targets_of):
    """Return the files of some runs, and of their targets, for a list of paths with these wildcards."""
    return [
        file
        for path in paths
        for run in runs
        for file in expand(
            path, run=run, target=targets_of(run) if "{target}" in path else [""]
        )
    ]
