"""Data: the truth table, files of arrays, and every way in which they can be wrong."""

import numpy as np
import pytest
import torch
from support import make_data, small_model
from torchship.core.errors import DataError
from torchship.core.files import read_json
from torchship.data.datasets import SPLITS, read_arrays, read_set, split_events, write_arrays
from torchship.data.sources import SOURCES, Found
from torchship.data.targets import suit_all, suited
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
    arrays = {name: torch.from_numpy(array) for name, array in read_arrays(trained.sets["train"]).items()}
    dataset = EventDataset((arrays["x"],), (arrays["target"],))
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


def from_file(tmp_path, arrays, fractions=None, wanted=()):
    np.savez(tmp_path / "mine.npz", **arrays)
    changes = {"source": "file", "path": str(tmp_path / "mine.npz")} | ({"fractions": fractions} if fractions else {})
    model = small_model(models={"xor": {"data": changes}})
    outputs = {split: tmp_path / f"{split}.safetensors" for split in ("train", "validation", "test")}
    generate_data(
        outputs, tmp_path / "datasheet.json", data=model["data"], model=model, targets=["target"], seed=3, wanted=wanted
    )
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
        ({"x": np.zeros((0, 2)), "target": np.zeros(0)}, r"'x' has no events, its shape is \[0, 2\]"),
        (
            {"x": np.full((9, 2), 0.5), "target": np.where(np.arange(9) == 4, 1e300, 0.0)},
            r"'target' holds 1e\+300 in event 4, which float32 cannot hold: its largest number is 3.40282e\+38",
        ),
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
    ("target", "loss", "shape", "words"),
    [
        (np.full((4, 1), 2.0, np.float32), "binary_cross_entropy", [1], "wrong in 4 of 4 events, first in event 0, which has 2.0"),
        (np.array([0, 1, 7, 1]), "binary_cross_entropy", [1], "wrong in 1 of 4 events, first in event 2, which has 7"),
        (np.array([-1, 1, 1]), "binary_cross_entropy_with_logits", [1], r"of labels -1 and 1, \(target \+ 1\) / 2 makes that"),
        (np.zeros((4, 2), np.float32), "mean_squared_error", [1], ""),
        (np.zeros((4, 1), np.float32), "mean_squared_error", [2], ""),
        (np.array([0, 2**24 + 1]), "mean_squared_error", [1], "first in event 1, which has 16777217"),
        (np.array([0.0, 1.0, 1.5, 0.5], np.float32), "cross_entropy", [3], "wrong in 2 of 4 events, first in event 2, which has 1.5"),
        (np.array([0, 1, 2, 3]), "cross_entropy", [3], "first in event 3, which has 3"),
        (np.array([0, -1]), "cross_entropy", [3], "first in event 1, which has -1"),
        (np.zeros((4, 3), np.int64), "cross_entropy", [3], r"numpy.argmax\(target, axis=1\) makes that"),
        (np.zeros((4, 5, 3), np.int64), "cross_entropy", ["time", 3], r"numpy.argmax\(target, axis=2\) makes that"),
        (np.zeros((4, 7), np.int64), "cross_entropy", [6, 3], ""),
        (np.zeros((4, 7, 2), np.float32), "mean_squared_error", ["time", 1], ""),
        (np.zeros((4, 7), np.float32), "mean_squared_error", [6, 1], ""),
        (np.zeros(4, np.float32), "mean_squared_error", ["time", 1], ""),
    ],
)  # fmt: skip
def test_a_target_that_the_loss_does_not_take_is_named(target, loss, shape, words):
    message = rf"the train set: {loss} takes .*, the target is {target.dtype} of shape .*{words}"
    with pytest.raises(DataError, match=message) as raised:
        suited(target, loss, shape, "the train set")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("target", "loss", "output", "dtype", "shape"),
    [
        (np.zeros((4, 1), np.float32), "binary_cross_entropy", [1], "float32", (4, 1)),
        (np.array([0, 1, 1, 0]), "binary_cross_entropy", [1], "float32", (4, 1)),
        (np.array([[0], [1]], np.uint8), "binary_cross_entropy", [1], "float32", (2, 1)),
        (np.array([True, False]), "binary_cross_entropy_with_logits", [1], "float32", (2, 1)),
        (np.array([[True, False]]), "binary_cross_entropy", [2], "float32", (1, 2)),
        (np.zeros(4, np.float32), "mean_squared_error", [1], "float32", (4, 1)),
        (np.array([0, 2**24]), "mean_squared_error", [1], "float32", (2, 1)),
        (np.zeros((4, 2), np.float32), "mean_squared_error", [2], "float32", (4, 2)),
        (np.arange(3), "cross_entropy", [3], "int64", (3,)),
        (np.arange(3, dtype=np.int32), "cross_entropy", [3], "int64", (3,)),
        (np.arange(3)[:, None], "cross_entropy", [3], "int64", (3,)),
        (np.array([0.0, 2.0], np.float32), "cross_entropy", [3], "int64", (2,)),
        (np.array([[False], [True]]), "cross_entropy", [2], "int64", (2,)),
        (np.zeros((4, 7, 1), np.float32), "mean_squared_error", ["time", 1], "float32", (4, 7, 1)),
        (np.zeros((4, 7), np.float32), "mean_squared_error", [7, 1], "float32", (4, 7, 1)),
        (np.zeros((4, 7, 2), bool), "binary_cross_entropy", [7, "labels"], "float32", (4, 7, 2)),
        (np.ones((4, 7), np.int16), "cross_entropy", ["time", 3], "int64", (4, 7)),
        (np.ones((4, 7, 1), np.int16), "cross_entropy", [7, 3], "int64", (4, 7)),
    ],
)
def test_a_target_in_another_form_is_converted(target, loss, output, dtype, shape):
    found, words = suited(target, loss, output, "")
    assert (found.dtype, found.shape) == (dtype, shape)
    assert np.array_equal(found.ravel(), target.ravel())
    same = (target.dtype, target.shape) == (dtype, shape)
    assert words == (
        "" if same else f"{target.dtype} {list(target.shape)} to {dtype} {list(shape)}, which loses nothing"
    )
    assert not same or found is target


def test_the_datasheet_says_what_was_converted(tmp_path):
    wanted = [{"target": "target", "function": "binary_cross_entropy", "shape": [1]}]
    labels = np.arange(50) % 2 == 1
    sets = from_file(tmp_path, {"x": np.zeros((50, 2)), "target": labels}, wanted=wanted)
    assert read_arrays(sets["train"])["target"].shape == (30, 1)
    words = read_json(tmp_path / "datasheet.json")["converted"]
    assert words == {"target": "bool [50] to float32 [50, 1], which loses nothing"}


def test_what_losses_take_in_two_forms_stays_as_it_is():
    wanted = [{"target": "t", "function": name, "shape": [1]} for name in ("cross_entropy", "mean_squared_error")]
    arrays = {"t": np.zeros(4, np.uint8)}
    found, words = suit_all(arrays, wanted, "")
    assert found["t"] is arrays["t"]
    assert words == {}


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("x", np.nan, r"mine.npz: 1 events of 'x' are not finite, the first is event 37"),
        ("x", 7.0, r"mine.npz: 'x'.* goes from .* to 7, outside of the declared domain, .*first in event 37"),
        ("target", 3.0, r"mine.npz: 'target': binary_cross_entropy takes labels from 0 to 1, .*first in event 37, which has 3"),
    ],
)  # fmt: skip
def test_a_bad_event_is_called_by_its_row_in_the_file(tmp_path, place, value, message):
    """Whatever set it would be shuffled into."""
    arrays = {"x": np.full((50, 2), 0.5), "target": np.ones((50, 1))}
    arrays[place][37, 0] = value
    wanted = [{"target": "target", "function": "binary_cross_entropy", "shape": [1]}]
    with pytest.raises(DataError, match=message):
        from_file(tmp_path, arrays, wanted=wanted)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("x", np.nan, r"the generator: 1 events of 'x' are not finite, the first is event 37"),
        ("x", 7.0, r"the generator: 'x'.* goes from .* to 7, outside of the declared domain, .*first in event 37"),
        ("target", 3.0, r"the generator: 'target': binary_cross_entropy takes labels .*first in event 37, which has 3"),
    ],
)
def test_every_source_is_checked_though_it_checks_nothing_itself(tmp_path, monkeypatch, place, value, message):
    arrays = {"x": np.full((50, 2), 0.5), "target": np.ones((50, 1))}
    found = Found(arrays, "the generator", lambda events: {split: dict(events) for split in SPLITS})
    monkeypatch.setitem(SOURCES, "generator", lambda wanted: found)
    model = {**small_model(), "data": {"source": "generator"}}
    outputs = {split: tmp_path / f"{split}.safetensors" for split in SPLITS}
    wanted = [{"target": "target", "function": "binary_cross_entropy", "shape": [1]}]

    def generate():
        generate_data(
            outputs,
            tmp_path / "datasheet.json",
            data=model["data"],
            model=model,
            targets=["target"],
            seed=3,
            wanted=wanted,
        )

    generate()
    assert len(read_arrays(outputs["train"])["x"]) == 50
    arrays[place][37, 0] = value
    with pytest.raises(DataError, match=message):
        generate()


def test_an_array_that_nothing_uses_is_named(tmp_path, caplog):
    x = np.zeros((50, 2))
    from_file(tmp_path, {"x": x, "target": x[:, :1]})
    assert "nothing uses" not in caplog.text
    from_file(tmp_path, {"x": x, "target": x[:, :1], "weight": x, "run": x})
    assert "mine.npz: nothing uses run, weight; used are x, target" in caplog.text
