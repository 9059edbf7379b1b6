"""HTCondor: what its plugin asks for, of each step; the queue is a stand-in, the description and the event log are HTCondor's own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import PROJECT, want
from torchship.core.pins import read_pins

STANDIN = Path(__file__).parent / "standin"
SPACES = " " in f"{PROJECT}{sys.executable}"
pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("htcondor")]


@pytest.fixture(scope="session")
def plugin(tmp_path_factory):
    """A folder with HTCondor's plugin and bindings, as its environment pins them."""
    folder = tmp_path_factory.mktemp("plugin")
    pins = [f"{name}=={version}" for name, version in read_pins(PROJECT / "envs" / "htcondor.yaml").items()]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *pins]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    want(done.returncode == 0, f"HTCondor's plugin cannot be installed: {done.stderr[-300:]}")
    return folder


def submitted(plugin, folder, *arguments, runs=True):
    """Submit to the stand-in; return the descriptions by the name of their batch, and what was printed."""
    queue = folder / "queue.jsonl"
    command = [
        *[sys.executable, "-m", "snakemake", *arguments, "--workflow-profile", PROJECT / "profiles" / "htcondor"],
        *["--snakefile", PROJECT / "Snakefile", "--directory", folder, "--latency-wait", "5"],
        *["--seconds-between-status-checks", "1", "--configfile", PROJECT / "tests" / "config.yaml"],
    ]
    environment = {
        **os.environ,
        "XDG_CACHE_HOME": str(folder / ".cache"),
        "PYTHONPATH": os.pathsep.join(map(str, (STANDIN, plugin))),
        "TORCHSHIP_QUEUE": str(queue),
        "TORCHSHIP_QUEUE_RUNS": "yes" if runs else "no",
    }
    done = subprocess.run(
        list(map(str, command)), cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=400, check=False
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-4000:]
    return [json.loads(line) for line in queue.read_text().splitlines()], text


def test_a_folder_with_a_space_is_refused_before_anything_is_submitted(plugin, tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    with pytest.raises(AssertionError, match="has a space in it, which HTCondor's plugin loses: move the project"):
        submitted(plugin, folder, "train", runs=False)
    assert not (folder / "queue.jsonl").exists()


@pytest.fixture(scope="module")
def described(plugin, tmp_path_factory):
    """What each step of `all` asks for, by its rule; nothing is run."""
    if SPACES:
        pytest.skip("HTCondor's plugin loses the spaces of a path")
    folder = tmp_path_factory.mktemp("queue")
    config = "models={xor: {train: {devices: 2, num_workers: 1, threads: 3, batch_size: 2}}}"
    found, _ = submitted(plugin, folder, "all", "--config", config, runs=False)
    return {one["batch_name"].rpartition("-")[0]: one for one in found}


# Cores, megabytes, minutes.
ASKED = {
    "generate_data": ("1", "1000MB", 10),
    "validate_target": ("2", "3000MB", 30),
    "benchmark_engines": ("8", "4000MB", 60),
    "deliver_cmssw": ("1", "2000MB", 10),
}


@pytest.mark.parametrize("rule", ASKED)
def test_a_step_asks_for_cores_memory_and_time(described, rule):
    cores, memory, minutes = ASKED[rule]
    found = described[rule]
    assert (found["request_cpus"], found["request_memory"]) == (cores, memory)
    # In seconds, and by the name that CERN knows it by.
    assert found["allowed_execute_duration"] == found["MY.MaxRuntime"] == str(60 * minutes)
    assert "request_gpus" not in found


def test_a_training_asks_for_gpus_as_far_as_a_slot_has_them(described):
    found = described["train_network"]
    # Two processes of three threads and a worker each; a slot has one GPU in this profile.
    assert (found["request_cpus"], found["request_gpus"]) == ("8", "1")
    assert int(found["request_memory"].removesuffix("MB")) > 6000


def test_every_step_asks(described):
    assert len(described) > 25
    for found in described.values():
        assert {"request_cpus", "request_memory", "allowed_execute_duration", "getenv"} <= set(found)


def test_where_another_executor_runs_the_jobs_nothing_of_it_is_said(tmp_path):
    command = [sys.executable, "-m", "snakemake", "all", "--dry-run", "--cores", "1", "--directory", tmp_path]
    done = subprocess.run(
        [*map(str, command), "--snakefile", str(PROJECT / "Snakefile")], cwd=PROJECT, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert "mem_mb=" in done.stdout
    for name in ("htcondor_request", "request_gpus", "allowed_execute_duration", "classad_MaxRuntime"):
        assert name not in done.stdout


@pytest.mark.long
@pytest.mark.skipif(SPACES, reason="HTCondor's plugin loses the spaces of a path")
def test_a_training_runs_by_what_was_described(plugin, tmp_path):
    found, text = submitted(plugin, tmp_path, "train")
    assert (tmp_path / "results" / "xor" / "model" / "model.json").exists()
    assert "5 of 6 steps" in text
    assert len(found) == 5
