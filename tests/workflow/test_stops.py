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

pytestmark = pytest.mark.workflow
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
    assert "ArchiveError: results/archive/torchship.tar.gz" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config", "train={epochs: -1}"], "ConfigError: train/epochs is -1: must be an integer >= 1"),
        (["--config", "train={epcohs: 1}"], "unknown key train/epcohs (did you mean epochs?)"),
        (["--config", "export={targets: [cmssw]}"], "unknown target 'cmssw'"),
    ],
)
def test_a_wrong_configuration_stops_before_any_job(tmp_path, arguments, message):
    text = Workflow(tmp_path).run("all", *arguments, check=False)
    assert message in text
    assert "Finished jobid" not in text
    assert not (tmp_path / "results").exists()


@FINISHED
def test_wrong_versions_stop_a_step(copy_of_finished):
    path = copy_of_finished.project / "envs" / "numpy.yaml"
    path.write_text(path.read_text().replace("safetensors==", "safetensors==9"))
    text = stopped(copy_of_finished, "data")
    assert "PinError: envs/numpy.yaml does not match what is installed: safetensors" in text


def test_cuda_without_a_gpu_stops_the_training(tmp_path):
    text = stopped(Workflow(tmp_path), "train", "--config", "device=cuda")
    assert "TrainingError: device is cuda, but torch" in text
    assert not (tmp_path / "results/xor/candidates/only/weights.safetensors").exists()


@pytest.mark.parametrize(
    ("number", "devices"),
    [(signal.SIGKILL, 1), (signal.SIGINT, 1), (signal.SIGINT, 2)],
    ids=["killed", "ctrl-c", "two"],
)
def test_a_run_that_is_ended_goes_on_to_the_same_bytes(tmp_path, number, devices):
    """SIGKILL for Snakemake and its job together, as a crash of the machine would do; SIGINT as Ctrl-C does."""
    workflow = Workflow(tmp_path)
    # Long enough to be met in the middle; what is compared is one whole run with the same knobs.
    epochs = 3000 if devices == 1 else 600
    # On the CPU, whose bytes are the same each time, and of which there are two.
    knobs = ["--config", f"train={{epochs: {epochs}, devices: {devices}, batch_size: 2}}", "device=cpu"]
    target = "results/xor/model/weights.safetensors"
    words = tmp_path / "words"
    with words.open("w") as stream:
        running = subprocess.Popen(
            workflow.command(target, *knobs), cwd=workflow.folder, env=workflow.environment(),
            stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    checkpoint = tmp_path / "results/xor/candidates/only/checkpoint.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert running.poll() is None, "the run ended before it wrote a checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, number)
    running.wait(timeout=60)
    assert not (tmp_path / target).exists()
    if number == signal.SIGKILL:
        workflow.run(target, "--unlock", *knobs)
    else:
        told = words.read_text()
        assert re.search(r"TrainingError: stopped by a signal after epoch \d+, with a checkpoint; started again", told)
        # Nor what torchrun has to say of it.
        assert not re.search("Traceback|death signal|Closing process", told)
    text = workflow.run(target, "--rerun-incomplete", *knobs)
    assert "resuming from results/xor/candidates/only/checkpoint.pt after epoch" in text
    whole = Workflow(tmp_path / "whole")
    whole.run(target, *knobs)
    assert sha256(tmp_path / target) == sha256(whole.folder / target)


def test_two_calls_at_once_share_a_folder_without_meeting(tmp_path):
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
    for seed in (1, 2):
        alone = Workflow(tmp_path / f"alone{seed}")
        alone.run("train", "--config", f"seed={seed}")
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
    example = PROJECT / "docs" / "example"
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
    assert left in ([], [".lock"])
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
