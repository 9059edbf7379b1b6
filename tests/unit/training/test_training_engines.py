"""Both engines of training: which is taken, that they train the same, and networks that only one can take."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import PROJECT
from torchship.core.errors import TrainingError
from torchship.core.files import sha256
from torchship.models.module import load
from torchship.models.seeds import derived_seed, random_network
from torchship.training.agreement import Found, differences
from torchship.training.engine_choice import FEW
from trained_networks import NETWORKS, points, tracks, trained

VMAP = "torch.vmap cannot take the network"
# Each with the data that it takes, the engine that auto takes for 9 replicas, and the reason.
TRAITS = {
    "tied": (points, "batched", "computes what the module does"),
    "normalised": (points, "batched", "computes what the module does"),
    "not_on_meta": (points, "batched", "computes what the module does"),
    "dropout": (points, "batched", "computes what the module does"),
    "attention": (
        tracks,
        "eager",
        "torch.vmap has no rule for aten::_scaled_dot_product.* and takes the replicas one by one",
    ),
    "boolean_mask": (tracks, "eager", VMAP),
    "branching": (points, "eager", f"{VMAP}: .*branching.py, line 14: .*data-dependent control flow.$"),
    "recurrent": (tracks, "eager", f"{VMAP}: .*Batching rule not implemented for aten::lstm"),
    "view_writes": (points, "eager", f"{VMAP}: .*inplace"),
}


@pytest.mark.parametrize("name", TRAITS)
def test_any_module_trains_and_ships_as_it_was_trained(tmp_path, name):
    made, engine, reason = TRAITS[name]
    outputs, report = trained(tmp_path, name, made, replicas=9)
    assert report["engine"]["engine"] == engine, report["engine"]
    assert re.search(reason, report["engine"]["reason"])
    # By the weights alone, in a module that knows nothing of the training.
    module = load(NETWORKS / f"{name}.py", {}, outputs["weights"])
    data = load_file(tmp_path / "validation.safetensors")
    target = data.pop("target")
    with torch.no_grad():
        found = module(*data.values())
    loss = float(torch.nn.functional.binary_cross_entropy(found, target))
    assert report["shipped"]["validation_loss"] == pytest.approx(loss, rel=1e-5)
    assert report["eager"]["loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("name", ["tied", "normalised", "boolean_mask", "view_writes"])
def test_training_changes_what_it_should(tmp_path, name):
    outputs, _ = trained(tmp_path, name, TRAITS[name][0], replicas=1)
    start = random_network(NETWORKS / f"{name}.py", {}, {"distribution": "default"}, derived_seed("start", 1, 0))
    before, after = start.state_dict(), load_file(outputs["weights"])
    frozen = {"mean"}
    assert before.keys() == after.keys()
    # Of the shift, one entry has no effect.
    assert all(bool((before[key] != after[key]).any()) != (key in frozen) for key in after)
    if name == "tied":
        assert torch.equal(after["again.weight"], after["mix.weight"])


def test_constants_of_a_file_are_not_drawn_anew(tmp_path, caplog):
    caplog.set_level("INFO")
    outputs, _ = trained(tmp_path, "normalised", weights={"distribution": "normal"})
    assert load_file(outputs["weights"])["mean"].tolist() == pytest.approx(np.array([[0.4, 0.6]]))
    assert "not trained, as the network's file or train/frozen says: mean" in caplog.text


def test_a_bias_that_vmap_leaves_out_is_found_before_the_first_step(tmp_path):
    """`type(self.bias) is nn.Parameter` is false of what stands for the bias under vmap."""
    classes = {"y": {"shape": ["batch", 3]}}
    knobs = {"outputs": classes, "made": three_classes, "loss": "mean_squared_error", "replicas": 9}
    with pytest.raises(TrainingError, match=r"engine is batched, but under torch.vmap the network computes something "
                       r"else in training mode: gradient of first.bias \(none\), .*gradient of last.bias \(none\), .*output 0 "):  # fmt: skip
        trained(tmp_path, "lost_bias", engine="batched", **knobs)
    assert not (tmp_path / "run.weights").exists()
    outputs, report = trained(tmp_path, "lost_bias", **knobs)
    assert report["engine"]["engine"] == "eager"
    assert "gradient of first.bias" in report["engine"]["reason"]
    assert outputs["weights"].exists()


@pytest.mark.parametrize(
    ("wanted", "found", "how"),
    [
        # Of complex numbers both parts count, and what is zero in the module must be so.
        (torch.tensor([1 + 1j]), torch.tensor([1 + 5j]), "by 4 of 1"),
        (torch.zeros(2), torch.ones(2), "by 1 of 0"),
        (torch.tensor([False]), torch.tensor([True]), "by 1 of 0"),
    ],
)
def test_differences_are_found_in_all_kinds_of_numbers(wanted, found, how):
    assert differences(Found({"output 0": found}), Found({"output 0": wanted})) == {"output 0": how}


def three_classes(generator):
    data, inputs = points(generator)
    return {**data, "target": np.eye(3, dtype="float32")[(3 * data["x"][:, 0]).astype("int64")]}, inputs


def test_the_batched_engine_that_cannot_take_a_network_says_so_in_the_same_words(tmp_path):
    with pytest.raises(
        TrainingError, match=r"train/engine is batched, but torch.vmap cannot take the network: .*branching"
    ):
        trained(tmp_path, "branching", engine="batched")


def test_auto_takes_the_module_itself_for_few_replicas(tmp_path):
    few = FEW[0]
    for count, engine in ((1, "eager"), (few, "eager"), (few + 1, "batched")):
        _, report = trained(tmp_path, PROJECT / "models" / "xor.py", name=f"n{count}", replicas=count, epochs=1)
        assert report["engine"]["engine"] == engine
        assert report["engine"]["asked"] == "auto"


@pytest.mark.parametrize("name", ["tied", "normalised", "dropout"])
def test_both_engines_find_the_same_losses(tmp_path, name):
    """From the same starts, in the same orders; rounding apart, where nothing is drawn.

    Not by Adam: of a bias before a normalisation, whose gradient is rounding alone, it would make steps.
    """
    found = {}
    for engine in ("batched", "eager"):
        outputs, _ = trained(tmp_path, without_draws(tmp_path, name), name=engine, engine=engine, epochs=2,
                             optimizer="SGD")  # fmt: skip
        rows = [row.split(",") for row in outputs["replicas"].read_text().splitlines()[1:]]
        found[engine] = torch.tensor([[float(value) for value in row[2:6]] for row in rows])
    torch.testing.assert_close(found["eager"], found["batched"], rtol=1e-4, atol=1e-6)


def without_draws(folder, name):
    path = folder / f"{name}.py"
    path.write_text((NETWORKS / f"{name}.py").read_text().replace("nn.Dropout(0.2)", "nn.Dropout(0.0)"))
    return path


@pytest.mark.parametrize("name", ["dropout", "boolean_mask"])
def test_a_replica_does_not_depend_on_others_beside_it(tmp_path, name):
    """Its draws included."""
    rows = {}
    for first, count in ((0, 3), (0, 1), (2, 1)):
        outputs, _ = trained(tmp_path, name, TRAITS[name][0], name=f"{first}-{count}", engine="eager",
                             first_replica=first, replicas=count)  # fmt: skip
        rows[first, count] = outputs["replicas"].read_text().splitlines()[1:]
    assert rows[0, 3][:1] == rows[0, 1]
    assert rows[0, 3][2:] == rows[2, 1]


@pytest.mark.parametrize("name", ["dropout", "view_writes"])
def test_both_loaders_give_the_eager_engine_the_same_bytes(tmp_path, name):
    hashes = set()
    for loader, workers in (("resident", 0), ("dataloader", 0), ("dataloader", 2)):
        outputs, _ = trained(
            tmp_path, name, name=f"{loader}{workers}", engine="eager", loader=loader, num_workers=workers
        )
        hashes.add((sha256(outputs["weights"]), sha256(outputs["history"])))
    assert len(hashes) == 1


@pytest.mark.parametrize("name", ["dropout", "recurrent"])
def test_the_eager_engine_goes_on_to_the_same_bytes(tmp_path, name, monkeypatch):
    """Stopped by a signal after an epoch, with a checkpoint."""
    made = TRAITS[name][0]
    whole, _ = trained(tmp_path, name, made, name="whole", engine="eager", epochs=6)
    epochs = []

    def stop(self, epoch, *, asked):
        epochs.append(epoch)
        if epoch == 3:
            raise TrainingError("stopped")

    monkeypatch.setattr("torchship.training.checkpoints.Checkpoint.require_time", stop)
    with pytest.raises(TrainingError, match="stopped"):
        trained(tmp_path, name, made, name="again", engine="eager", epochs=6)
    resumed, _ = trained(tmp_path, name, made, name="again", engine="eager", epochs=6)
    assert epochs == [1, 2, 3, 4, 5]
    for key in whole:
        assert sha256(resumed[key]) == sha256(whole[key]), key
