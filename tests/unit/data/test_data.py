"""Data: the truth table, files of arrays, and every way in which they can be wrong."""

import numpy as np
import pytest
import torch
from support import make_data, small_model
from torchship.core.errors import DataError
from torchship.core.files import read_json
from torchship.data.datasets import check_target, read_arrays, read_set, split_events, write_arrays
from torchship.training.events import EventDataset

from generate_data import generate_data


def test_the_truth_table(trained):
    arrays = read_set(trained.sets["train"], trained.datasheet)
    assert arrays["x"].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert arrays["target"].ravel().tolist() == [0, 1, 1, 0]
    sheet = read_json(trained.datasheet)
    assert sheet["sets"]["test"]["events"] == 4
    assert "nothing is held out" in sheet["note"]


def test_a_dataset_gives_one_event_and_many(trained):
    dataset = EventDataset.from_arrays(read_arrays(trained.sets["train"]), ["x"], ["target"])
    (x,), (target,) = dataset[2]
    assert len(dataset) == 4
    assert (x.tolist(), target.tolist()) == ([1, 0], [1])
    (many,), _ = dataset[torch.tensor([2, 0])]
    assert many.tolist() == dataset[torch.tensor([[2, 0]])][0][0][0].tolist() == [[1, 0], [0, 0]]


def test_a_flipped_label_is_noticed(tmp_path):
    sets = make_data(tmp_path, small_model())
    arrays = read_arrays(sets["train"])
    arrays["target"][0] = 1.0
    write_arrays(sets["train"], arrays)
    with pytest.raises(DataError, match=r"train.safetensors has changed since it was made: sha256"):
        read_set(sets["train"], tmp_path / "datasheet.json")


def from_file(tmp_path, arrays, fractions=None):
    np.savez(tmp_path / "mine.npz", **arrays)
    changes = {"source": "file", "path": str(tmp_path / "mine.npz")} | ({"fractions": fractions} if fractions else {})
    model = small_model(models={"xor": {"data": changes}})
    outputs = {split: tmp_path / f"{split}.safetensors" for split in ("train", "validation", "test")}
    generate_data(outputs, tmp_path / "datasheet.json", data=model["data"], model=model, targets=["target"], seed=3)
    return outputs


def test_a_file_of_arrays_is_split_without_loss(tmp_path):
    x = np.random.default_rng(0).uniform(size=(50, 2))
    sets = from_file(tmp_path, {"x": x, "target": x[:, :1], "other": x})
    parts = [read_arrays(path) for path in sets.values()]
    assert [len(part["x"]) for part in parts] == [30, 10, 10]
    assert all(set(part) == {"x", "target"} for part in parts)
    together = np.concatenate([part["x"] for part in parts])
    assert np.array_equal(np.sort(together, axis=0), np.sort(x.astype(np.float32), axis=0))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((9, 2))}, r"no array 'target' in the data, only x"),
        ({"x": np.zeros((9, 3)), "target": np.zeros(9)}, r"'x' has shape \(9, 3\), declared \['batch', 2\]"),
        ({"x": np.zeros((9, 2)), "target": np.zeros(8)}, r"unequal numbers of events"),
        (
            {"x": np.full((9, 2), np.nan), "target": np.zeros(9)},
            r"9 events of 'x' are not finite, the first is event 0",
        ),
        ({"x": np.zeros((9, 2), dtype=int), "target": np.zeros(9)}, r"'x' is int64, declared float32"),
        (
            {"x": np.full((9, 2), 1.5), "target": np.zeros(9)},
            r"'x' goes from 1.5 to 1.5, outside of the declared domain, 0 to 1",
        ),
        ({"x": np.zeros((9, 2)), "target": np.array(["a"] * 9)}, r"'target' is text of shape \(9,\), not numbers"),
        ({"x": np.zeros((9, 2)), "target": np.array(1.0)}, r"unequal numbers of events"),
        ({"x": np.zeros((2, 2)), "target": np.zeros(2)}, r"2 events leave none for the .* set"),
    ],
)
def test_wrong_files_are_named(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        from_file(tmp_path, arrays)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent.npz: no such file"):
        read_arrays(tmp_path / "absent.npz")


def test_splits_depend_on_the_seed_alone():
    arrays = {"x": np.arange(20)}
    fractions = {"train": 0.5, "validation": 0.25, "test": 0.25}
    one, again, other = (split_events(arrays, fractions, seed)["train"]["x"].tolist() for seed in (1, 1, 2))
    assert one == again
    assert one != other


@pytest.mark.parametrize(
    ("target", "loss", "classes"),
    [
        (np.zeros(4, np.float32), "binary_cross_entropy", 1),
        (np.zeros((4, 1), np.int64), "binary_cross_entropy", 1),
        (np.full((4, 1), 2.0, np.float32), "binary_cross_entropy", 1),
        (np.zeros((4, 2), np.float32), "mean_squared_error", 1),
        (np.zeros(4, np.float32), "cross_entropy", 3),
        (np.full(4, 3), "cross_entropy", 3),
        (np.zeros((4, 3), np.int64), "cross_entropy", 3),
    ],
)
def test_a_target_that_the_loss_does_not_take_is_named(target, loss, classes):
    with pytest.raises(DataError, match=rf"the train set: {loss} takes .*, the target is {target.dtype} of shape"):
        check_target(target, loss, classes, "the train set")


def test_targets_that_fit_pass():
    check_target(np.zeros((4, 1), np.float32), "binary_cross_entropy", 1, "")
    check_target(np.arange(3), "cross_entropy", 3, "")
    check_target(np.zeros((4, 2), np.float32), "mean_squared_error", 2, "")
