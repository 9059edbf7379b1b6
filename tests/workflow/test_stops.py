"""Each check of the pipeline stops the right stage, with a message, and leaves no half result."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv

import numpy as np
import pytest
from driver import PROJECT, Workflow, copied, spoil
from torchship.core.chain import record
from torchship.core.files import sha256
from torchship.data.datasets import read_arrays, write_arrays

pytestmark = [pytest.mark.workflow, pytest.mark.long]
# On one worker, so that the run is made once.
FINISHED = pytest.mark.xdist_group("finished")


def stopped(workflow, target, *arguments):
    """Run a stage that must fail; give what was printed."""
    return workflow.run(target, *arguments, check=False)


def only(rule, workflow, target):
    """Run one rule again on inputs that were changed by hand, without repairing them first."""
    return stopped(workflow, target, "--forcerun", rule, "--rerun-triggers", "mtime", "--allowed-rules", rule)


@FINISHED
def test_a_corrupt_weight_stops_the_extraction(copy_of_finished):
    path = copy_of_finished.path("xor/extract/reference.py")
    text = path.read_text()
    number = text.split("L2_BIAS = (")[1].split(",")[0]
    path.write_text(text.replace(number, repr(float(number) + 1e-5)))
    # As if the generator had written it.
    record([path])
    text = only("check_code", copy_of_finished, "results/xor/extract/check.json")
    assert "ParityError: xor: torch float64 against the hand-coded Python on the test set: |Δ| = " in text
    assert not copy_of_finished.path("xor/extract/check.json").exists()


@FINISHED
def test_a_corrupt_initializer_stops_the_gate(copy_of_finished):
    spoil(copy_of_finished.path("xor/export/latest/model.onnx"))
    arguments = ["--forcerun", "validate_target", "--rerun-triggers", "mtime", "--allowed-rules", "validate_target"]
    text = stopped(copy_of_finished, "results/xor/validate/latest/validation.json", *arguments)
    assert "ParityError: xor/latest: " in text
    evidence = json.loads((copy_of_finished.folder / "logs/xor/latest/validation.json").read_text())
    assert any("|Δ| = " in failure["message"] for failure in evidence["failures"])
    assert not copy_of_finished.path("xor/validate/latest/validation.json").exists()
    assert "What is wrong with latest" in (copy_of_finished.folder / "logs/xor/latest/gate.html").read_text()
    # Nothing is left that says all is well.
    for claim in ("xor/summary.html", "xor/validate/gate.html", "archive/verified.json"):
        assert not copy_of_finished.path(claim).exists()


@FINISHED
def test_a_flipped_label_stops_the_training(copy_of_finished):
    path = copy_of_finished.path("xor/data/train.safetensors")
    arrays = read_arrays(path)
    arrays["target"][0] = 1.0 - arrays["target"][0]
    write_arrays(path, arrays)
    text = only("train_network", copy_of_finished, "results/xor/candidates/only/weights.safetensors")
    assert "DataError: results/xor/data/train.safetensors has changed since it was made" in text


@FINISHED
def test_a_flipped_byte_stops_the_verification(copy_of_finished):
    path = copy_of_finished.path("archive/torchship.tar.gz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    text = only("check_archives", copy_of_finished, "results/archive/verified.json")
    assert "DataError: results/archive/torchship.tar.gz has changed since it was made" in text


def test_a_wrong_configuration_stops_before_any_job(tmp_path):
    text = Workflow(tmp_path).run("all", "--config", "train={epochs: -1}", check=False)
    assert "ConfigError: train/epochs is -1: must be an integer >= 1" in text
    assert "Finished jobid" not in text
    assert not (tmp_path / "results").exists()


@FINISHED
def test_wrong_versions_stop_a_step(copy_of_finished):
    path = copy_of_finished.project / "envs" / "numpy.yaml"
    path.write_text(path.read_text().replace("safetensors==", "safetensors==9"))
    text = stopped(copy_of_finished, "data")
    assert re.search(r"PinError: envs/numpy.yaml does not match what .+ has installed: safetensors", text)


WEIGHTS = "results/xor/model/weights.safetensors"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The digest of the weights of a run that nobody ends."""
    workflow = Workflow(tmp_path_factory.mktemp("undisturbed"))
    workflow.run(WEIGHTS, *LONG)
    return sha256(workflow.folder / WEIGHTS)


def ended(workflow, number, *knobs):
    """End a training with a signal once it has a checkpoint, and Snakemake with it; give what was printed."""
    words = workflow.folder / "words"
    with words.open("w") as stream:
        running = subprocess.Popen(
            workflow.command(WEIGHTS, *knobs), cwd=workflow.folder, env=workflow.environment(),
            stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + 120
    while not workflow.path("xor/candidates/only/checkpoint.pt").exists():
        assert running.poll() is None, "the run ended before it wrote a checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, number)
    running.wait(timeout=60)
    assert not (workflow.folder / WEIGHTS).exists()
    return words.read_text()


# Long enough to be met in the middle. A checkpoint after each epoch would take ten times as long as the epoch.
# On the CPU, whose bytes are the same each time.
LONG = ["--config", "device=cpu", "train={epochs: 800, batch_size: 2}", "watch={checkpoint_seconds: 0.2}"]
STOPPED = r"TrainingError: stopped by a signal after epoch \d+, with a checkpoint; started again"


# On one worker, so that the undisturbed run is made once.
@pytest.mark.xdist_group("ended")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_a_run_that_is_ended_goes_on_to_the_same_bytes(tmp_path, undisturbed, number):
    """SIGKILL for Snakemake and its job together, as a crash of the machine would do; SIGINT as Ctrl-C does."""
    workflow = Workflow(tmp_path)
    told = ended(workflow, number, *LONG)
    if number == signal.SIGKILL:
        workflow.run(WEIGHTS, "--unlock", *LONG)
    else:
        assert re.search(STOPPED, told)
        assert "Traceback" not in told
    text = workflow.run(WEIGHTS, "--rerun-incomplete", *LONG)
    assert "resuming from results/xor/candidates/only/checkpoint.pt after epoch" in text
    assert sha256(tmp_path / WEIGHTS) == undisturbed


def test_ctrl_c_ends_all_processes_of_a_training_with_one_line(tmp_path):
    """Without what torchrun has to say of it; that they go on to the same bytes is a test of the training's own."""
    told = ended(Workflow(tmp_path), signal.SIGINT, *LONG, "train={devices: 2}")
    assert re.search(STOPPED, told)
    assert not re.search("Traceback|death signal|Closing process", told)


@FINISHED
def test_two_calls_at_once_share_a_folder_without_meeting(finished, tmp_path):
    workflow = Workflow(tmp_path / "shared")
    running, words = [], []
    for seed in (1, 2):
        folders = f"pathvars={{results: of{seed}/results, logs: of{seed}/logs, benchmarks: of{seed}/benchmarks}}"
        words.append(tmp_path / f"words{seed}")
        with words[-1].open("w") as stream:
            running.append(
                subprocess.Popen(
                    workflow.command("train", "--config", f"seed={seed}", folders), cwd=workflow.folder,
                    env=workflow.environment(), stdout=stream, stderr=subprocess.STDOUT,
                )
            )  # fmt: skip
    for process, path in zip(running, words, strict=True):
        assert process.wait(timeout=300) == 0, path.read_text()[-4000:]
    assert not (workflow.folder / "results").exists()
    other = Workflow(tmp_path / "alone")
    other.run("train", "--config", "seed=2")
    for seed, alone in ((1, finished), (2, other)):
        for name in ("data/datasheet.json", "model/weights.safetensors", "train/training.json"):
            assert sha256(workflow.folder / f"of{seed}/results/xor/{name}") == sha256(alone.path(f"xor/{name}"))


def test_an_interpreter_on_a_path_with_a_space(tmp_path):
    folder = tmp_path / "an environment"
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "packages.pth").write_text(sysconfig.get_path("purelib"))
    workflow = Workflow(tmp_path / "work")
    command = workflow.command("data", python=folder / "bin" / "python")
    done = subprocess.run(
        command, cwd=workflow.folder, env=workflow.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_a_users_own_network_takes_the_same_road(tmp_path):
    """The example of docs/first-model.md, as it stands there: three classes, BatchNorm, data from a file."""
    example = PROJECT / "examples" / "blobs"
    folder = copied(tmp_path / "copy")
    shutil.copy(example / "blobs.py", folder / "models")
    for name in ("blobs.yaml", "make_blobs.py"):
        shutil.copy(example / name, folder)
    subprocess.run([sys.executable, "make_blobs.py"], cwd=folder, check=True)
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "2",
        "--configfile",
        "blobs.yaml",
        "--",
        "validate",
        "evaluate",
    ]
    workflow = Workflow(folder, folder)
    done = subprocess.run(command, cwd=folder, env=workflow.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    metrics = json.loads(workflow.path("blobs/evaluate/metrics.json").read_text())
    assert metrics["sets"]["test"]["accuracy"] > 0.9
    assert np.array(metrics["sets"]["test"]["confusion"]).shape == (3, 3)


@pytest.fixture
def small_disk():
    """Return a disk of its own for a folder, of a size that a test chooses."""
    mounted = []

    def make(folder, size):
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False, capture_output=True
        )
        if done.returncode:
            pytest.skip("no file system can be mounted here: it takes root, and the right to")
        mounted.append(folder)
        return folder

    yield make
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


FOLDERS = "pathvars={{results: {0}/results, logs: logs, benchmarks: benchmarks}}"


def test_a_full_disk_during_the_training_is_said_and_leaves_nothing(tmp_path, small_disk):
    workflow = Workflow(tmp_path)
    disk = small_disk(tmp_path / "disk", "48k")
    text = workflow.run("train", "--config", FOLDERS.format(disk), "train={replicas: 400}", check=False)
    assert re.search(
        r"StorageError: .*/results/xor/candidates/only/\S+ cannot be written: its disk is full \([\d,]+ bytes free\)",
        text,
    )
    left = [path.name for path in (disk / "results/xor/candidates/only").glob("*")]
    # No part of a result; that it was tried is known.
    assert set(left) <= {".lock", ".sha256"}
    # With room it goes on.
    subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
    workflow.run("train", "--config", FOLDERS.format(disk), "train={replicas: 400}")
    assert (disk / "results/xor/model/weights.safetensors").exists()


@FINISHED
def test_a_full_disk_during_the_archive_leaves_no_half_archive(copy_of_finished, small_disk):
    """All is there but the archive, which finds no room."""
    shutil.rmtree(copy_of_finished.path("archive"))
    disk = small_disk(copy_of_finished.path("archive"), "64k")
    (disk / "another").write_text("so that the folder is not deleted with the files in it")
    text = stopped(copy_of_finished, "results/archive/torchship.tar.gz")
    assert re.search(r"StorageError: results/archive/torchship.tar.gz cannot be written: its disk is full", text)
    assert [path.name for path in disk.iterdir()] == ["another"]
