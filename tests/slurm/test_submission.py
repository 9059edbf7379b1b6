"""The whole road through Slurm: the controller's own record says what ran where."""

import re

import pytest
from submitting import Submitted

pytestmark = pytest.mark.cluster


def test_the_whole_road_goes_through_slurm(cluster, tmp_path):
    workflow = Submitted(tmp_path / "a folder", cluster)
    one = ["--config", "export={targets: [latest]}"]
    workflow.run("all", *one)
    jobs = {job["rule"]: job for job in workflow.jobs()}
    assert len(workflow.jobs()) > 25
    assert {"train_network", "benchmark_device", "validate_target", "pack_archive"} <= set(jobs)
    assert {job["JobState"] for job in jobs.values()} == {"COMPLETED"}
    for rule, job in jobs.items():
        on_gpu = rule in ("train_network", "benchmark_device", "check_basics")
        assert job["Partition"] == ("gpu" if on_gpu else "cpu"), rule
        assert job["NodeList"] in (("g1", "g2") if on_gpu else ("c1", "c2")), rule
        assert ("gpu" in job.get("TresPerJob", "")) == on_gpu, rule
    training = (workflow.folder / "logs" / "xor/candidates/only/train_network.log").read_text()
    assert "(asked for auto)" in training
    assert re.search(r"1 threads, CUDA_VISIBLE_DEVICES [01]$", training, re.MULTILINE)
    assert workflow.path("archive/verified.json").exists()
    # Logs of Slurm itself are kept, those of jobs that went well, too.
    assert list((workflow.folder / "logs" / "slurm").rglob("*.log"))
    assert "Nothing to be done" in workflow.run("all", *one)
