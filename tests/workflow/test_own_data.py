"""Data of one's own: a touched file of any size reruns nothing, a wrong one ends with the line that says so."""

import os

import numpy as np
import pytest
from own_data import arrays, workflow_of

pytestmark = pytest.mark.workflow

TARGET = "results/{}/model/model.json"


@pytest.mark.long
def test_touching_a_large_file_reruns_nothing(tmp_path):
    workflow = workflow_of(tmp_path, mine=arrays(250_000))
    target, data = TARGET.format("mine"), tmp_path / "mine.npz"
    workflow.run(target)
    made = workflow.path("mine/data/train.safetensors")
    assert data.stat().st_size > 3_000_000
    assert made.stat().st_size > 1_000_000
    os.utime(data)
    assert workflow.planned(target) == set()
    os.utime(made)
    assert workflow.planned(target) == set()
    np.savez(data, **arrays(250_001))
    assert {"generate_data", "train_network", "select_model"} <= workflow.planned(target)


def test_a_run_that_fails_ends_with_a_line_for_each_failed_job(tmp_path):
    nothing, unnamed = arrays(20), arrays(20)
    nothing["x"][3, 1] = np.nan
    unnamed["labels"] = unnamed.pop("target")
    workflow = workflow_of(tmp_path, good=arrays(20), nothing=nothing, unnamed=unnamed)
    text = workflow.run("data", "--keep-going", check=False)
    *before, head, first, second = text.rstrip().splitlines()
    assert head == "What failed, and why:"
    assert first.startswith("generate_data/nothing: DataError: nothing.npz")
    assert "x" in first
    assert second.startswith("generate_data/unnamed: DataError: no array 'target' in the data")
    # Else each stands there once only, where its step has said it.
    for line in (first, second):
        words = line.partition(": ")[2]
        assert [other for other in before if words in other] == [f"[{line.partition(': ')[0]}] {words}"]
    assert not workflow.run("results/good/data/datasheet.json").count("What failed")
