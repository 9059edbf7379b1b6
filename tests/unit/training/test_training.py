"""Training: reproducible to the byte, whatever runs beside it, however often it is killed."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from support import PROJECT, make_data, small_model, train_in
from torch import nn
from torchship.core.errors import ConfigError, DataError, TrainingError
from torchship.core.files import read_json, sha256
from torchship.models.devices import choose_device
from torchship.models.module import build, load
from torchship.models.seeds import derived_seed, random_network
from torchship.spec.objective import terms
from torchship.training.batched import BatchedTrainer
from torchship.training.checkpoints import Checkpoint
from torchship.training.eager import EagerTrainer
from torchship.training.engine import Starts, Task
from torchship.training.events import EventDataset
from torchship.training.interval import binomial_interval
from torchship.training.losses import Objective
from torchship.training.orders import epoch_orders, event_order
from torchship.training.parallel.group import Processes

CPU = torch.device("cpu")
XOR = PROJECT / "models" / "xor.py"


def trained_states(tmp_path, count, **changes):
    """Train `count` replicas at once, however few they are; give the outputs."""
    model = small_model(train={"engine": "batched", "replicas": count, "epochs": 40, "record_every": 20, **changes})
    sets = make_data(tmp_path, model)
    return train_in(tmp_path, model, sets, name=f"n{count}")


def losses(outputs):
    return outputs["replicas"].read_text().splitlines()[1:]


def test_a_start_does_not_depend_on_how_many_are_trained_beside_it(tmp_path):
    few, many = (losses(trained_states(tmp_path, count)) for count in (3, 150))
    assert few == many[:3]
    assert len(set(many)) == 150


def test_blocks_of_starts_are_one_long_series(tmp_path):
    """As the points of a scan of train/first_replica train them."""

    def rows(name, first, count):
        train = {"replicas": count, "first_replica": first, "epochs": 40, "engine": "batched"}
        outputs = train_in(tmp_path, small_model(train=train), sets, name)
        return outputs["replicas"].read_text().splitlines()[1:]

    sets = make_data(tmp_path, small_model())
    blocks = [row for first in (0, 4, 8) for row in rows(f"from{first}", first, 4)]
    assert blocks == rows("whole", 0, 12)


def test_both_loaders_give_the_same_bytes(tmp_path):
    hashes = set()
    for loader, workers in (("resident", 0), ("dataloader", 0), ("dataloader", 2)):
        outputs = trained_states(tmp_path, 4, loader=loader, num_workers=workers, batch_size=3)
        hashes.add((sha256(outputs["weights"]), sha256(outputs["history"])))
    assert len(hashes) == 1


def test_a_seed_changes_the_result(tmp_path):
    one, two = (small_model(seed=seed, train={"epochs": 20}) for seed in (1, 2))
    sets = make_data(tmp_path, one)
    assert sha256(train_in(tmp_path, one, sets, "a")["weights"]) != sha256(
        train_in(tmp_path, two, sets, "b")["weights"]
    )


@pytest.mark.parametrize("engine", [BatchedTrainer, EagerTrainer])
def test_replicas_learn_what_the_plain_loop_learns(engine):
    """The seed's loop, one network, one event at a time, in the order that the replica has."""
    epochs, rate, seed = 30, 0.025, 5
    x, y = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1.0]]), torch.tensor([[0], [1], [1], [0.0]])
    dataset = EventDataset((x,), (y,))
    starts = Starts(XOR, {}, small_model(train={"replicas": 2})["train"], seed)
    objective = Objective(terms("binary_cross_entropy", ["y"], "target"), 0.5)
    trainer = engine(Task(starts, {"train": dataset, "validation": dataset}, objective, {}, CPU, Processes()))
    model = build(XOR, {})
    model.load_state_dict(trainer.state(1))
    plain = torch.optim.Adam(model.parameters(), lr=rate)
    for epoch in range(1, epochs + 1):
        order, total = event_order(seed, 2, epoch, 4, CPU)[1], 0.0
        for event in order:
            plain.zero_grad()
            loss = nn.functional.binary_cross_entropy(model(x[event]), y[event])
            loss.backward()
            plain.step()
            total += loss.item() / 4
        assert float(trainer.train_epoch(epoch)[1]) == pytest.approx(total, rel=1e-5)
    for name, tensor in trainer.state(1).items():
        torch.testing.assert_close(tensor, model.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_orders_of_coming_epochs_are_those_of_each_epoch():
    ahead = epoch_orders(7, 12, range(3, 20), 50, CPU)
    for place, epoch in enumerate(range(3, 20)):
        assert torch.equal(ahead[place], event_order(7, 2, epoch, 50, CPU, first=11)[1])


def test_every_order_is_a_permutation_and_all_are_equally_likely():
    order = event_order(1, 24000, 3, 4, CPU)
    assert torch.equal(order.sort(dim=1).values, torch.arange(4).expand(24000, -1))
    codes = (order * torch.tensor([64, 16, 4, 1])).sum(dim=1)
    counts = codes.bincount()[codes.unique()]
    assert len(counts) == 24
    # 1000 expected of each, with a standard deviation of 31.
    assert counts.min() > 850
    assert counts.max() < 1150


def test_normal_starts_are_normal():
    weights = {"distribution": "normal", "mean": 0.5, "std": 2.0}
    values = torch.cat(
        [random_network(XOR, {}, weights, seed).state_dict()["l1.weight"].ravel() for seed in range(500)]
    )
    assert abs(float(values.mean()) - 0.5) < 0.2
    assert abs(float(values.std()) - 2.0) < 0.15


def test_a_start_comes_from_its_seed_whatever_a_file_draws_it_with(tmp_path):
    (tmp_path / "network.py").write_text(
        "import random\n\nimport numpy as np\nimport torch\nfrom torch import nn\n\n\nclass Network(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.w = nn.Parameter(random.random() * torch.from_numpy(np.random.normal(size=2)))\n"
    )
    before = np.random.get_state()[1].copy(), random.getstate()
    one, same, other = (
        random_network(tmp_path / "network.py", {}, {"distribution": "default"}, seed).w for seed in (5, 5, 6)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert (np.random.get_state()[1] == before[0]).all()
    assert random.getstate() == before[1]


RUN = """
import sys; sys.path[:0] = {path!r}
from pathlib import Path
from support import small_model, train_in
model = small_model(device="cpu", train={{"epochs": 400, "replicas": 4, "engine": {engine!r}}})
folder = Path({folder!r})
sets = {{s: folder / f"{{s}}.safetensors" for s in ("train", "validation", "test")}}
train_in(folder, model, sets, {name!r}, checkpoint=folder / "shared.checkpoint")
"""


@pytest.mark.parametrize("engine", ["batched", "eager"])
def test_a_run_killed_in_the_middle_goes_on_to_the_same_bytes(tmp_path, engine):
    # On the CPU, whose bytes are the same each time.
    model = small_model(device="cpu", train={"epochs": 400, "replicas": 4, "engine": engine})
    sets = make_data(tmp_path, model)
    undisturbed = train_in(tmp_path, model, sets, "undisturbed")
    path = [str(PROJECT / "tests"), str(PROJECT / "scripts")]
    code = RUN.format(path=path, folder=str(tmp_path), name="killed", engine=engine)
    checkpoint = tmp_path / "shared.checkpoint"
    running = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not checkpoint.exists():
        assert running.poll() is None, "the run ended before it wrote a checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed.weights").exists()
    epoch = torch.load(checkpoint, weights_only=True)["epoch"]
    assert 1 <= epoch < 400
    resumed = train_in(tmp_path, model, sets, "killed", checkpoint=checkpoint)
    for key in ("weights", "history", "replicas", "training"):
        assert sha256(resumed[key]) == sha256(undisturbed[key]), key
    assert not checkpoint.exists()


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_not_used(tmp_path, caplog):
    Checkpoint(tmp_path / "c", "one", 0).save(3, {})
    assert Checkpoint(tmp_path / "c", "one", 0).load() == (3, {})
    assert Checkpoint(tmp_path / "c", "two", 0).load() is None
    assert "other settings" in caplog.text
    (tmp_path / "c").write_bytes(b"half")
    assert Checkpoint(tmp_path / "c", "one", 0).load() is None
    assert "damaged" in caplog.text


def test_divergence_of_all_stops_and_names_the_epoch(tmp_path):
    with pytest.raises(
        TrainingError, match=r"all 3 replicas have diverged: since epoch 1 .*train/learning_rate, now 0.025"
    ):
        trained_states(tmp_path, 3, weights={"mean": 1e39})


def test_cuda_without_a_gpu_stops(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(TrainingError, match=r"device is cuda, but torch .* sees no GPU"):
        choose_device("cuda")
    assert choose_device("auto") == CPU


def test_the_outcome_is_reported(trained):
    report = read_json(trained.outputs["training"])
    rows = losses(trained.outputs)
    assert report["convergence"]["replicas"] == len(rows) == 8
    assert report["convergence"]["converged"] == sum(row.split(",")[-2] == "1" for row in rows)
    assert (
        0.0
        < report["convergence"]["interval"][0]
        < report["convergence"]["rate"]
        < report["convergence"]["interval"][1]
    )
    best = min(float(row.split(",")[4]) for row in rows)
    assert report["shipped"]["validation_loss"] == pytest.approx(best)


def test_wilson_interval():
    # E. B. Wilson's interval for 57 of 100, 95 %, from his formula.
    low, high = binomial_interval(57, 100, 0.95)
    assert (low, high) == pytest.approx((0.4721, 0.6627), abs=1e-4)


def test_wrong_networks_and_weights_are_named(tmp_path, trained):
    with pytest.raises(ConfigError, match=r"does not take network/arguments"):
        build(XOR, {"width": 3})
    with pytest.raises(ConfigError, match=r"cannot be made with network/arguments {'hidden': -1}: .*negative"):
        build(XOR, {"hidden": -1})
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(ConfigError, match=r"empty.py defines no class Network"):
        build(tmp_path / "empty.py", {})
    with pytest.raises(DataError, match=r"size mismatch for l2.weight"):
        load(XOR, {"hidden": 3}, trained.trained)


@pytest.mark.parametrize("engine", ["batched", "eager"])
def test_one_diverged_replica_does_not_disturb_the_others(tmp_path, monkeypatch, engine):
    undisturbed = losses(trained_states(tmp_path, 3, engine=engine))
    monkeypatch.setattr("torchship.training.engine.random_network", poison_second(random_network))
    outputs = trained_states(tmp_path, 3, engine=engine)
    rows = losses(outputs)
    assert (rows[0], rows[2]) == (undisturbed[0], undisturbed[2])
    assert rows[1].endswith(",0,1")
    assert read_json(outputs["training"])["diverged"] == 1


def poison_second(random_network):
    def start(file, arguments, weights, seed, frozen):
        module = random_network(file, arguments, weights, seed, frozen)
        if seed == derived_seed("start", 1, 1):
            with torch.no_grad():
                module.l1.bias.fill_(torch.nan)
        return module

    return start


def test_a_signal_ends_a_training_with_a_checkpoint(tmp_path):
    """Batch systems send SIGTERM some time before they kill a job."""
    saved = Checkpoint(tmp_path / "c", "one", seconds=1e9)
    with saved.on_signal():
        assert not saved.due()
        os.kill(os.getpid(), signal.SIGTERM)
        assert saved.due()
        with pytest.raises(
            TrainingError, match="stopped by a signal after epoch 7, with a checkpoint; started again it goes on"
        ):
            saved.require_time(7, asked=saved.asked)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_interrupt_ends_a_training_at_once(tmp_path):
    saved = Checkpoint(tmp_path / "c", "one", seconds=1e9)
    before = signal.getsignal(signal.SIGINT)
    with saved.on_signal():
        os.kill(os.getpid(), signal.SIGINT)
        assert saved.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
