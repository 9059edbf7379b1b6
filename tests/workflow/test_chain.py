"""A flipped byte in any file that a later stage reads stops that stage, with the file's name."""

import re

import pytest
from driver import rules_in
from flips import consumers, flip, jobs_of, started
from torchship.core.errors import DataError
from torchship.core.files import read_json, sha256

from select_model import select_model

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("finished")]

# What no job declares to read. Of a candidate select_model reads the files that its training.json names.
CANDIDATE = "results/xor/candidates/only"
BY_TRAINING = {f"{CANDIDATE}/{name}" for name in ("weights.safetensors", "history.csv", "replicas.csv")}
READ_BY_PEOPLE = {"results/archive/verified.json"}


def test_a_flipped_byte_anywhere_stops_whoever_reads_it(copy_of_finished, monkeypatch, caplog):
    """Every output of every rule with every job that reads it, one at a time; the step's own beginning is run."""
    read, unread = consumers(jobs_of(copy_of_finished))
    assert unread == BY_TRAINING | READ_BY_PEOPLE
    monkeypatch.chdir(copy_of_finished.folder)
    for job in {job for _, job in read}:
        assert started(job, monkeypatch, caplog) is None, job
    rows = []
    for name, job in read:
        path = copy_of_finished.folder / name
        content = path.read_bytes()
        flip(path)
        said = started(job, monkeypatch, caplog)
        path.write_bytes(content)
        assert said, f"{job.rule} takes {name} with a flipped byte"
        assert said.startswith(f"DataError: {name} has changed since it was made: sha256 ")
        rows.append((name, job.rule))
    # The table, with `pytest -s`.
    print(*(f"| `{name}` | {rule} | stopped, names it |" for name, rule in sorted(rows)), sep="\n")  # noqa: T201
    # No fewer than there are: a table that came out empty would prove nothing.
    assert len(rows) > 100
    assert {rule for _, rule in rows} >= {"train_network", "select_model", "validate_target", "pack_archive"}


@pytest.mark.parametrize("name", sorted(BY_TRAINING))
def test_a_flipped_byte_in_a_candidate_stops_its_selection(copy_of_finished, tmp_path, name):
    folder, project = copy_of_finished.folder, copy_of_finished.project
    files = [
        "candidates.csv",
        "model.json",
        "network.py",
        "weights.safetensors",
        "training.json",
        "history.csv",
        "replicas.csv",
    ]
    kinds = ["table", "shipped", "network", "weights", "training", "history", "replicas"]
    outputs = {kind: tmp_path / file for kind, file in zip(kinds, files, strict=True)}
    arguments = [{"only": folder / CANDIDATE / "training.json"}, [project / "models" / "xor.py"],
                 folder / "results/xor/data/datasheet.json", outputs]  # fmt: skip
    select_model(*arguments, points={"only": "only"}, run="xor", metric="validation_loss")
    made = sha256(outputs["shipped"])
    assert made == sha256(copy_of_finished.path("xor/model/model.json"))
    flip(folder / name)
    with pytest.raises(DataError, match=rf"{re.escape(name)}: the \w+ is changed since only was trained: sha256"):
        select_model(*arguments, points={"only": "only"}, run="xor", metric="validation_loss")
    assert sha256(outputs["shipped"]) == made


REAL = {
    "results/xor/data/train.safetensors": "results/xor/candidates/only/training.json",
    f"{CANDIDATE}/weights.safetensors": "results/xor/model/model.json",
    "results/xor/model/model.json": "results/xor/export/translated.zip",
    "results/xor/model/weights.safetensors": "all",
    "results/xor/extract/reference.py": "results/xor/extract/check.json",
    "results/xor/export/latest/model.onnx": "results/xor/validate/latest/validation.json",
    "results/xor/validate/cases.safetensors": "results/xor/validate/latest/validation.json",
}
# Of these the advice of the message is followed, too.
REMADE = {"results/xor/model/weights.safetensors", "results/xor/export/latest/model.onnx"}


@pytest.mark.parametrize(("name", "target"), REAL.items())
def test_a_flipped_byte_ends_a_run_with_the_files_name_or_the_right_bytes(copy_of_finished, name, target):
    """As a user meets it: flip, and run again."""
    path, kept = copy_of_finished.folder / name, copy_of_finished.path("archive/torchship.tar.gz")
    right, archive = path.read_bytes(), sha256(kept)
    flip(path)
    # A candidate's weights are no declared input of what reads them.
    forced = ["--forcerun", "select_model"] if name in BY_TRAINING else []
    text = copy_of_finished.run(target, *forced, check=False, cores=2)
    stopped = re.search(rf"DataError: {re.escape(name)}\b.* (has|is) changed since", text)
    assert stopped or path.read_bytes() == right, text[-3000:]
    assert rules_in(text), "nothing ran"
    if stopped:
        assert "steps (100%) done" not in text
        assert sha256(kept) == archive
    if name in REMADE:
        assert stopped
        path.unlink()
        # Itself, beside what was stopped: Snakemake makes no file anew that only finished jobs have read.
        copy_of_finished.run(name, "results/xor/extract/weights.json" if target == "all" else target, cores=2)
        assert path.read_bytes() == right


def test_pages_name_the_bytes_that_they_speak_of(finished):
    summary, gate = (finished.path(f"xor/{page}").read_text() for page in ("summary.html", "validate/gate.html"))
    assert sha256(finished.path("xor/model/weights.safetensors")) in summary
    files = list(finished.path("xor/export").glob("*/model.onnx"))
    assert len(files) == 3
    for file in files:
        assert sha256(file) in summary
        assert sha256(file) in gate
    verified = read_json(finished.path("archive/verified.json"))["archives"]
    assert len(verified) == 2
    for name, entry in verified.items():
        assert entry["sha256"] == sha256(finished.path(f"archive/{name}"))
