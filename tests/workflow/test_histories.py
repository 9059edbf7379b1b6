"""What is left when a run fails, is interrupted or is killed: the last good model, and no word on one that is gone."""

import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import torch
import yaml
from driver import Workflow, copied
from elsewhere import affine
from gating import DECLARED, gated, network_file
from torchship.core.files import read_json, sha256

pytestmark = [pytest.mark.workflow, pytest.mark.long, pytest.mark.xdist_group("finished")]

PAGES = ["xor/summary.html", "xor/validate/gate.html", "archive/verified.json"]
TENSORS = ("inputs", "outputs")
MODEL = "results/xor/model/model.json"


def state(workflow):
    """Return the SHA-256 of every result, by path, records of SHA-256 included.

    What a training leaves for the next one is no result: its checkpoint, of which it may have been writing another, and
    that it was tried; nor is the word on a network, which is of a file in models/.
    """
    folder = workflow.folder / "results"
    kept = (
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in (".lock", "tries")
        and "checkpoint" not in path.name
        and "networks" not in path.parts
    )
    return {str(path.relative_to(folder)): sha256(path) for path in kept}


def words_of_what_is_gone(workflow):
    """Return the pages that speak of other weights or files than are there, and archives that are not as verified."""
    files = [*workflow.path("xor/export").glob("*/model.onnx")]
    spoken_of = {PAGES[0]: [workflow.path("xor/model/weights.safetensors"), *files], PAGES[1]: files}
    gone = []
    for page, paths in spoken_of.items():
        if workflow.path(page).exists():
            text = workflow.path(page).read_text()
            gone += [f"{page}, {path}" for path in paths if not path.exists() or sha256(path) not in text]
    if workflow.path(PAGES[2]).exists():
        archives = read_json(workflow.path(PAGES[2]))["archives"]
        gone += [name for name, one in archives.items() if sha256(workflow.path(f"archive/{name}")) != one["sha256"]]
    return gone


def ended(workflow, number, look, *arguments):
    """Start Snakemake in a group of its own, and end all of it with a signal once there is something to see."""
    with (workflow.folder / "words").open("w") as words:
        running = subprocess.Popen(
            workflow.command(*arguments, cores=2), cwd=workflow.folder, env=workflow.environment(), stdout=words,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 300
        while not look():
            assert running.poll() is None, "it ended too soon"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(running.pid, number)
        running.wait(timeout=60)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def test_a_failed_retraining_keeps_the_last_good_model_and_its_pages(copy_of_finished):
    before = state(copy_of_finished)
    text = copy_of_finished.run("all", "--config", "train={weights: {mean: 1.0e+39}}", check=False, cores=2)
    assert "DivergenceError: all 8 replicas have diverged" in text
    assert state(copy_of_finished) == before
    assert words_of_what_is_gone(copy_of_finished) == []
    # With knobs that work it trains.
    text = copy_of_finished.run(MODEL, "--config", "train={epochs: 301}")
    assert "rule train_network" in text
    weights = "xor/model/weights.safetensors"
    assert sha256(copy_of_finished.path(weights)) != before[weights]
    # And back: the same bytes.
    copy_of_finished.run(MODEL)
    assert sha256(copy_of_finished.path(weights)) == before[weights]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_a_retraining_that_is_ended_keeps_the_last_good_model_and_its_pages(copy_of_finished, number):
    before = state(copy_of_finished)
    knobs = ["--config", "train={epochs: 600}", "device=cpu", "watch={checkpoint_seconds: 0}"]
    checkpoint = copy_of_finished.path("xor/candidates/only/checkpoint.pt")
    ended(copy_of_finished, number, checkpoint.exists, "all", *knobs)
    assert checkpoint.exists()
    assert state(copy_of_finished) == before
    assert words_of_what_is_gone(copy_of_finished) == []
    if number == signal.SIGKILL:
        copy_of_finished.run(MODEL, "--unlock", *knobs)
    text = copy_of_finished.run(MODEL, "--rerun-incomplete", *knobs)
    assert "resuming from results/xor/candidates/only/checkpoint.pt" in text
    weights = "xor/model/weights.safetensors"
    assert sha256(copy_of_finished.path(weights)) != before[weights]
    # Another model: what was said of the first is taken back.
    assert not any(copy_of_finished.path(page).exists() for page in PAGES)


def test_a_broken_network_keeps_the_last_good_model_and_its_pages(copy_of_finished):
    before, network = state(copy_of_finished), copy_of_finished.project / "models" / "xor.py"
    text = network.read_text()
    network.write_text(text.replace("def forward(self, x", "def forward(self, x, another"))
    assert network.read_text() != text
    copy_of_finished.run("all", check=False, cores=2)
    assert state(copy_of_finished) == before
    assert words_of_what_is_gone(copy_of_finished) == []


def test_bad_data_keep_the_last_good_model_and_its_pages(copy_of_finished):
    """The data themselves are made anew each time and go; what was trained on them stays."""
    before = state(copy_of_finished)
    x = np.full((40, 2), np.nan, dtype=np.float32)
    np.savez(copy_of_finished.folder / "bad.npz", x=x, target=np.zeros((40, 1), dtype=np.float32))
    bad = "models={xor: {data: {source: file, path: bad.npz}}}"
    text = copy_of_finished.run("all", "--config", bad, check=False, cores=2)
    assert re.search(r"DataError: .*bad\.npz", text)
    after = state(copy_of_finished)
    assert {name: digest for name, digest in after.items() if "xor/data/" not in name} == {
        name: digest for name, digest in before.items() if "xor/data/" not in name
    }


def test_ctrl_c_after_another_model_was_selected_leaves_no_page_of_the_first(copy_of_finished):
    """In the translation, the first step of the export."""
    weights, log = copy_of_finished.path("xor/model/weights.safetensors"), "logs/xor/translate_network.log"
    first, log = sha256(weights), copy_of_finished.folder / log
    log.unlink()
    ended(copy_of_finished, signal.SIGINT, log.exists, "all", "--config", "seed=2")
    assert sha256(weights) != first
    assert not any(copy_of_finished.path(page).exists() for page in PAGES)
    assert words_of_what_is_gone(copy_of_finished) == []
    # The archive is still the first one's, whole, and nothing calls it verified.
    assert copy_of_finished.path("archive/torchship.tar.gz").exists()


def test_a_failing_gate_takes_away_only_what_speaks_for_its_run(copy_of_finished, tmp_path):
    """Two configurations in one results folder: the second one's file loses a bias on export."""
    before = state(copy_of_finished)
    project = copied(tmp_path / "second")
    torch.save(gated("lost_bias").module.state_dict(), tmp_path / "mine.pt")
    shutil.copy(network_file("lost_bias"), project / "models" / "lost_bias.py")
    model = {
        "network": {"file": "lost_bias", "weights": str(tmp_path / "mine.pt")},
        **dict(zip(TENSORS, DECLARED["lost_bias"], strict=True)),
        "extract": {"handcode": False},
        "export": {"targets": ["latest"]},
        "validate": {"search": {"evaluations": 64}, "batch_sizes": [1, 2, 64]},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"runs": ["mine"], "models": {"mine": model}}, sort_keys=False))
    second = Workflow(copy_of_finished.folder, project, configs=[tmp_path / "mine.yaml"])
    page = second.path("mine/validate/gate.html")
    page.parent.mkdir(parents=True)
    page.write_text("what an earlier run said")
    assert "ParityError: mine/latest: " in second.run("all", check=False, cores=2)
    assert not page.exists()
    # The runtimes are those of the machine, not of a run.
    after, kept = state(copy_of_finished), [name for name in before if not name.startswith("runtimes/")]
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
    assert all(copy_of_finished.path(page).exists() for page in PAGES)


def test_witnesses_that_fail_leave_no_word_that_all_is_well(copy_of_finished):
    text = copy_of_finished.run("all", "--config", "validate={widest_limit: 1.0e-9}", check=False, cores=2)
    assert "WitnessError: xor: " in text
    assert not any(copy_of_finished.path(page).exists() for page in PAGES)


def test_a_step_that_makes_the_same_again_costs_no_page(copy_of_finished):
    """The archive has them and is as it was: nothing but `all` itself misses them."""
    before = state(copy_of_finished)
    copy_of_finished.run("export", "--forcerun", "export_onnx")
    assert not any(copy_of_finished.path(page).exists() for page in PAGES)
    copy_of_finished.run("all", cores=2)
    assert state(copy_of_finished) == before


def test_an_adoption_that_fails_leaves_no_word_on_the_file_before(tmp_path):
    """Snakemake deletes that file before the step starts: it can be adopted again."""
    (tmp_path / "mine.onnx").write_bytes(affine().SerializeToString())
    tensors = {"inputs": {"x": {"dtype": "float32", "shape": ["batch", 4], "low": -2.0, "high": 2.0}}}
    models = {"mine": {"onnx": {"file": "mine.onnx"}, **tensors}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"runs": list(models), "models": models}, sort_keys=False))
    workflow, target = Workflow(tmp_path, configs=[tmp_path / "mine.yaml"]), "results/mine/model/model.json"
    workflow.run(target)
    page, other = (workflow.path(f"{run}/validate/gate.html") for run in ("mine", "other"))
    for path in (page, other):
        path.parent.mkdir(parents=True)
        path.write_text("what a run before said")
    (tmp_path / "mine.onnx").write_bytes(b"half of it")
    # As often as it is tried.
    for _ in range(2):
        assert "Error: " in workflow.run(target, check=False)
        assert not page.exists()
        assert other.exists()


def test_a_training_that_failed_is_tried_again_with_the_same_knobs(tmp_path):
    """Snakemake records the knobs of a failed job as those of the files that it gives back."""
    workflow, target, good = Workflow(tmp_path), MODEL, ["--config", "train={epochs: 20, replicas: 2}"]
    workflow.run(target, *good)
    before = state(workflow)
    diverging = "train={epochs: 20, replicas: 2, weights: {mean: 1.0e+39}}"
    assert "have diverged" in workflow.run(target, "--config", diverging, check=False)
    assert {name: digest for name, digest in state(workflow).items() if name in before} == before
    assert "rule train_network" in workflow.run(target, "--dry-run", "--config", diverging)
    workflow.run(target, *good)
    assert state(workflow)["xor/model/weights.safetensors"] == before["xor/model/weights.safetensors"]
    assert "Nothing to be done" in workflow.run(target, "--dry-run", *good)
