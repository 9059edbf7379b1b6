"""What goes wrong on clusters: each fault ends with the same bytes as a run that nothing disturbed."""

import contextlib
import os
import re
import signal
from pathlib import Path

import pytest
from submitting import Submitted, finished_once, training_processes, wait_for
from torchship.core.files import sha256

pytestmark = pytest.mark.cluster

# Long enough to be met in the middle, with a checkpoint each second.
LONG = ["--config", "train={epochs: 2000}", "watch={checkpoint_seconds: 1}"]
WEIGHTS = "results/xor/model/weights.safetensors"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the bytes of the same training, on this machine, undisturbed."""
    workflow = finished_once(tmp_path_factory, "undisturbed", WEIGHTS, *LONG)
    return sha256(workflow.folder / WEIGHTS)


def log_of(workflow):
    return (workflow.folder / "logs" / "xor/candidates/only/train_network.log").read_text()


def require_resumed(workflow, undisturbed):
    """Check that the training went on from a checkpoint, to the same bytes, and left nothing half done."""
    text = log_of(workflow)
    assert "resuming from results/xor/candidates/only/checkpoint.pt after epoch " in text
    assert int(text.partition("after epoch ")[2].split()[0]) > 0
    assert sha256(workflow.folder / WEIGHTS) == undisturbed
    left = {path.name for path in workflow.path("xor/candidates/only").iterdir()}
    assert left == {"weights.safetensors", "history.csv", "replicas.csv", "training.json", ".lock", ".sha256"}


def trainings(workflow):
    return [job for job in workflow.jobs() if job["rule"] == "train_network"]


def test_a_killed_process_is_tried_again_from_its_checkpoint(cluster, tmp_path, undisturbed):
    workflow = Submitted(tmp_path, cluster)
    running = workflow.start(WEIGHTS, *LONG)
    number = workflow.training()["JobId"]
    victims = training_processes(cluster, SLURM_JOB_ID=number)
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    workflow.finish(running)
    require_resumed(workflow, undisturbed)
    assert [job["JobState"] for job in trainings(workflow)] == ["FAILED", "COMPLETED"]


def test_a_cancelled_job_is_tried_again_from_its_checkpoint(cluster, tmp_path, undisturbed):
    workflow = Submitted(tmp_path, cluster)
    running = workflow.start(WEIGHTS, *LONG)
    cluster.cancel(workflow.training()["JobId"])
    workflow.finish(running)
    require_resumed(workflow, undisturbed)
    assert [job["JobState"] for job in trainings(workflow)] == ["CANCELLED", "COMPLETED"]


def test_a_job_whose_time_is_up_is_told_before_and_goes_on_with_more(cluster, tmp_path, undisturbed):
    """Slurm looks at times twice a minute: the training is held until it has been told, however fast it is."""
    workflow = Submitted(tmp_path, cluster)
    # Told after 50 seconds: on a slow machine a training takes half of them to start.
    limits = ["--set-resources", "train_network:runtime=2*attempt", "train_network:slurm_extra='--signal=TERM@70'"]
    running = workflow.start(WEIGHTS, *limits, *LONG)
    number = workflow.training()["JobId"]
    (training,) = training_processes(cluster, SLURM_JOB_ID=number)
    os.kill(training, signal.SIGSTOP)
    wait_for(lambda: is_told(training, signal.SIGTERM), 150, "Slurm's signal")
    with contextlib.suppress(ProcessLookupError):
        os.kill(training, signal.SIGCONT)
    workflow.finish(running)
    require_resumed(workflow, undisturbed)
    words = "".join(path.read_text() for path in (workflow.folder / "logs" / "slurm").rglob(f"{number}.log"))
    assert re.search(r"TrainingError: stopped by a signal after epoch \d+, with a checkpoint", words)
    # On a busy machine the second try may be told as well.
    *told, last = trainings(workflow)
    assert {job["JobState"] for job in told} == {"FAILED"}
    assert last["JobState"] == "COMPLETED"
    assert [job["TimeLimit"] for job in (*told, last)] == ["00:02:00", "00:04:00", "00:06:00"][: len(told) + 1]


def is_told(process, number):
    """Tell whether a signal waits for a process that is held, or has ended it: Slurm may let it go on as well."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True
    return bool(int(re.search(r"^ShdPnd:\s+(\w+)$", status, re.MULTILINE)[1], 16) >> (number - 1) & 1)


def test_a_job_out_of_memory_is_tried_again_with_more(cluster, tmp_path, undisturbed):
    workflow = Submitted(tmp_path, cluster)
    workflow.run(WEIGHTS, "--set-resources", "train_network:mem_mb=450*attempt", *LONG)
    assert sha256(workflow.folder / WEIGHTS) == undisturbed
    first, *_, last = trainings(workflow)
    assert first["JobState"] in ("OUT_OF_MEMORY", "FAILED", "CANCELLED")
    assert last["JobState"] == "COMPLETED"
    assert int(last["MinMemoryNode"].rstrip("M")) > int(first["MinMemoryNode"].rstrip("M"))


def test_a_lost_node_is_left_behind(cluster, tmp_path, undisturbed):
    workflow = Submitted(tmp_path, cluster)
    running = workflow.start(WEIGHTS, *LONG)
    node = workflow.training()["NodeList"]
    cluster.lose_node(node)
    try:
        workflow.finish(running)
    finally:
        cluster.start_node(node)
    require_resumed(workflow, undisturbed)
    assert trainings(workflow)[-1]["JobState"] == "COMPLETED"


def test_a_killed_snakemake_leaves_a_job_that_no_second_one_disturbs(cluster, tmp_path, undisturbed):
    workflow = Submitted(tmp_path, cluster)
    running = workflow.start(WEIGHTS, *LONG)
    first = workflow.training()["JobId"]
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert first in cluster.queue()
    workflow.run("--unlock", WEIGHTS, *LONG)
    text = workflow.run(WEIGHTS, *LONG)
    assert sha256(workflow.folder / WEIGHTS) == undisturbed
    # The second copy waited for the first, or came after it.
    waited = f"Slurm job {first}, or a process that it started, writes here already: waiting" in log_of(workflow) + text
    states = {job["JobId"]: job for job in trainings(workflow)}
    assert len(states) == 2
    # Slurm starts a job before its training has begun to write.
    began = log_of(workflow)[:19].replace(" ", "T")
    assert waited or states[first]["EndTime"] <= began
    wait_for(lambda: not cluster.queue(), 60, "an empty queue")


def test_a_gpu_that_is_asked_for_and_not_there_stops_the_job(cluster, tmp_path):
    workflow = Submitted(tmp_path, cluster)
    workflow.run(WEIGHTS, "--retries", "0", "--config", "device=cuda", check=False)
    assert "TrainingError: device is cuda, but torch" in log_of(workflow)
