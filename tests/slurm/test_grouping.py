"""Scans and data parallel training on a cluster: small runs share a job, large ones get the GPUs that they need."""

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from submitting import Submitted, finished_once, training_processes, wait_for
from torchship.core.files import sha256

pytestmark = pytest.mark.cluster

SCAN = "scan={grid: {train/learning_rate: [0.02, 0.05, 0.1], train/first_replica: [0, 8]}}"
# The tests' nodes are small; the times of a group's layers are added, and the partition has an end.
NODE = ["--resources", "mem_mb=12000", "gpu=2", "scan_points=1", "--set-resources", "train_network:runtime=5"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The same scan on this machine, without a cluster."""
    return finished_once(tmp_path_factory, "alone", "scan", "--config", SCAN)


def same(workflow, alone):
    for name in ("train/candidates.csv", "model/weights.safetensors", "model/network.py"):
        assert sha256(workflow.path(f"xor/{name}")) == sha256(alone.path(f"xor/{name}"))
    trained = list(alone.path("xor/candidates").glob("*/weights.safetensors"))
    assert len(trained) == 6
    for path in trained:
        assert sha256(workflow.folder / path.relative_to(alone.folder)) == sha256(path)


def test_points_share_jobs_and_end_as_without_a_cluster(cluster, tmp_path, alone):
    workflow = Submitted(tmp_path, cluster)
    workflow.run("scan", "--group-components", "scan=3", *NODE, "--config", SCAN)
    same(workflow, alone)
    groups = [job for job in workflow.jobs() if job["rule"] == "scan_train_network"]
    assert len(groups) == 2
    for job in groups:
        # One after another: what one needs, for the time of three.
        assert (job["JobState"], job["Partition"], job["TimeLimit"]) == ("COMPLETED", "gpu", "00:15:00")
        assert re.search(r"gpu:1\b", job["TresPerJob"])
    # A new point is one more training, and what compares it with the others.
    more = SCAN.replace("[0.02,", "[0.01, 0.02,").replace("[0, 8]", "[0]")
    workflow.run("scan", "--group-components", "scan=3", *NODE, "--config", more)
    assert len([job for job in workflow.jobs() if job["rule"] == "scan_train_network"]) == 3
    assert (workflow.path("xor/train/candidates.csv").read_text()).count("\n") == 5


def test_a_point_that_is_killed_takes_its_group_along_and_all_come_back(cluster, tmp_path, alone):
    workflow = Submitted(tmp_path, cluster)
    often = [SCAN, "watch={checkpoint_seconds: 0}"]
    running = workflow.start("scan", "--group-components", "scan=6", *NODE, "--config", *often)
    victim, folder = wait_for(lambda: second_of_its_group(workflow, cluster), 180, "a second point with a checkpoint")
    finished = {path: path.stat().st_mtime_ns for path in workflow.path("xor/candidates").glob("*/training.json")}
    os.kill(victim, signal.SIGKILL)
    workflow.finish(running)
    same(workflow, alone)
    states = [job["JobState"] for job in workflow.jobs() if job["rule"] == "scan_train_network"]
    assert sorted(states) == ["COMPLETED", "FAILED"]
    log = workflow.folder / "logs" / folder.relative_to(workflow.path("")) / "train_network.log"
    assert re.search(r"resuming from \S+checkpoint.pt after epoch \d+", log.read_text())
    # Snakemake tries all of a group again, what it had finished as well, as docs/cluster.md says.
    assert not any(path.stat().st_mtime_ns == time for path, time in finished.items())


def second_of_its_group(workflow, cluster):
    """Return a process that trains, with its folder, once it has a checkpoint and another point is finished."""
    if not list(workflow.path("xor/candidates").glob("*/training.json")):
        return None
    for pid in training_processes(cluster):
        for opened in Path(f"/proc/{pid}/fd").glob("*"):
            with suppress(OSError):
                held = opened.readlink()
                if held.name == ".lock" and held.with_name("checkpoint.pt").exists():
                    return pid, held.parent
    return None


def test_the_limit_of_gpus_is_one_for_each_job(cluster, tmp_path):
    """As in the profile, by set-resource-scopes: together, jobs may have more."""
    workflow = Submitted(tmp_path, cluster)
    two = ["--config", "scan={grid: {train/first_replica: [0, 8]}}"]
    workflow.run("data", *two)
    workflow.run("results/xor/model/model.json", "--group-components", "scan=1", "--resources", "gpu=1", *two)
    first, second = [job for job in workflow.jobs() if job["rule"] == "scan_train_network"]
    assert all(re.search(r"gpu:1\b", job["TresPerJob"]) for job in (first, second))
    assert second["StartTime"] < first["EndTime"], "one after the other"


def test_a_training_on_two_devices_gets_two_gpus(cluster, tmp_path):
    """The GPUs are none, so that the two processes compute on the CPU; what the job is given is Slurm's own word."""
    workflow = Submitted(tmp_path, cluster)
    target = "results/xor/model/weights.safetensors"
    workflow.run(target, "--config", "train={devices: 2, batch_size: 4, epochs: 60, record_every: 20}")
    job = next(job for job in workflow.jobs() if job["rule"] == "train_network")
    assert (job["JobState"], job["NodeList"], job["Partition"]) == ("COMPLETED", "g2", "gpu")
    assert re.search(r"gpu:2\b", job["TresPerJob"])
    log = (workflow.folder / "logs" / "xor/candidates/only/train_network.log").read_text()
    assert re.search(r"device: .*, 2 processes\n", log)
    assert "1 threads, CUDA_VISIBLE_DEVICES 0,1" in log
    assert "epoch 60/60" in log
