"""Several processes train what one trains, end as one does, and nothing of them is left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from support import PROJECT, make_data, small_model
from torchship import networks
from torchship.errors import DataError, TrainingError
from torchship.files import read_json, sha256
from torchship.gpus import claimed
from torchship.processes import Processes

# One after another: each starts processes of its own.
pytestmark = pytest.mark.xdist_group("processes")


def two(**changes):
    """Give a small model whose batches of 3 events are shared by two processes: 2 and 1, and then 1 and 0."""
    return small_model(
        train={"batch_size": 3, "replicas": 4, "epochs": 60, "record_every": 20, "devices": 2, **changes}
    )


def history(outputs):
    rows = [row.split(",") for row in outputs["history"].read_text().splitlines()[1:]]
    return torch.tensor([[float(value) for value in row[2:]] for row in rows])


RUN = """
import sys; sys.path[:0] = {path!r}
from pathlib import Path
from support import train_in
from torchship.errors import TorchshipError
folder = Path({folder!r})
sets = {{s: folder / f"{{s}}.safetensors" for s in ("train", "validation", "test")}}
try:
    train_in(folder, {model!r}, sets, {name!r}, folder / "checkpoint", {point!r}, Path({network!r}))
except TorchshipError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


def started(folder, model, name="run", point=None, network=PROJECT / "models" / "xor.py"):
    """Start a training in a process of its own, as a step is one: torchrun leaves things behind."""
    path = [str(PROJECT / "tests"), str(PROJECT / "scripts")]
    code = RUN.format(path=path, folder=str(folder), model=model, name=name, point=point, network=str(network))
    return subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)


def trained(folder, model, name="run", **others):
    """Train; give the outputs, or the words of the error."""
    with started(folder, model, name, **others) as running:
        words = running.stderr.read()
    return words if running.returncode else outputs_of(folder, name)


def outputs_of(folder, name):
    return {key: folder / f"{name}.{key}" for key in ("weights", "history", "replicas", "training")}


@pytest.mark.parametrize("loader", ["resident", "dataloader"])
def test_two_processes_find_the_losses_that_one_finds(tmp_path, loader):
    """120 steps at the same global batch; the sums are taken in another order, so the last bits differ."""
    found = {}
    make_data(tmp_path, two())
    for devices in (1, 2):
        outputs = trained(tmp_path, two(devices=devices, loader=loader), f"on{devices}")
        found[devices] = history(outputs)
        assert read_json(outputs["training"])["processes"] == devices
    torch.testing.assert_close(found[2], found[1], rtol=1e-5, atol=1e-6)
    assert found[1][0, 0] != found[1][-4, 0], "nothing was learned"


def test_a_share_of_a_batch_is_weighed_by_its_events():
    losses, output = torch.tensor([6.0]), torch.ones(1, 2, 1, requires_grad=True)
    assert float(Processes(0, 2).weigh(losses, output, 2, 3)) == pytest.approx(8.0)
    nothing = Processes(1, 2).weigh(torch.tensor([torch.nan]), output[:, :0], 0, 3)
    assert float(nothing.detach()) == 0.0
    nothing.sum().backward()
    assert torch.equal(output.grad, torch.zeros_like(output))


def test_processes_that_go_on_from_different_epochs_stop(monkeypatch):
    monkeypatch.setattr(Processes, "total", lambda self, tensor: tensor + 7)
    Processes(1, 2).require_same(7, torch.device("cpu"))
    with pytest.raises(TrainingError, match="process 1 goes on after epoch 8, another after another: run again"):
        Processes(1, 2).require_same(8, torch.device("cpu"))


def test_shares_are_the_whole_batch():
    batch = torch.arange(14).reshape(2, 7)
    shares = [Processes(rank, 3).share(batch) for rank in range(3)]
    assert torch.equal(torch.cat(shares, dim=1), batch)


def test_an_error_in_a_process_is_the_error_of_the_training(tmp_path):
    sets = make_data(tmp_path, two())
    runaway = two(optimizer="SGD", learning_rate=1e30, loss="mean_squared_error")
    words = trained(tmp_path, runaway, network=linear(tmp_path))
    assert "DivergenceError: all 4 replicas have diverged: since epoch" in words
    sets["train"].write_bytes(sets["test"].read_bytes()[:-8] + bytes(8))
    assert re.search(r"DataError: \S+train.safetensors has changed since it was made", trained(tmp_path, two()))


def linear(folder):
    """A network without an end to its outputs, which can diverge."""
    path = folder / "linear.py"
    path.write_text(
        "from torch import nn\n\n\nclass Network(nn.Linear):\n"
        "    def __init__(self, hidden=2):\n        super().__init__(2, 1)\n"
    )
    return path


@pytest.mark.parametrize(("devices", "epochs"), [(1, 60), (1, 1), (2, 60)])
def test_a_point_of_a_scan_may_diverge(tmp_path, devices, epochs):
    model = two(devices=devices, epochs=epochs, optimizer="SGD", learning_rate=1e30, loss="mean_squared_error")
    make_data(tmp_path, model)
    outputs = trained(tmp_path, model, network=linear(tmp_path), point={"a": 1})
    report = read_json(outputs["training"])
    assert (report["shipped"], report["diverged"], report["point"]) == (None, 4, {"a": 1})
    assert report["convergence"]["converged"] == 0
    with pytest.raises(DataError, match="does not fit"):
        networks.load(PROJECT / "models" / "xor.py", {}, outputs["weights"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_stopped_processes_leave_a_checkpoint_and_end(tmp_path, number):
    """A batch system says SIGTERM; after SIGKILL the workers notice that nobody waits for them any more."""
    model = two(epochs=500, record_every=100)
    make_data(tmp_path, model)
    with started(tmp_path, model) as running:
        wait_for((tmp_path / "checkpoint").exists, running)
        workers = children(running.pid)
        assert len(workers) == 2
        running.send_signal(number)
        words = running.stderr.read()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    epoch = torch.load(tmp_path / "checkpoint", weights_only=True)["epoch"]
    if number == signal.SIGTERM:
        assert re.search(rf"TrainingError: stopped by a signal after epoch {epoch}, with a checkpoint", words)
    assert not (tmp_path / "run.weights").exists()
    resumed = trained(tmp_path, model)
    whole = trained(tmp_path, model, "whole")
    assert sha256(resumed["weights"]) == sha256(whole["weights"])
    assert sha256(resumed["history"]) == sha256(whole["history"])


def children(parent):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_for(look, running=None):
    deadline = time.monotonic() + 60
    while not look():
        assert running is None or running.poll() is None, "it ended too soon"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_worker_is_named(tmp_path):
    model = two(epochs=500, record_every=100)
    make_data(tmp_path, model)
    with started(tmp_path, model) as running:
        wait_for((tmp_path / "checkpoint").exists, running)
        os.kill(max(children(running.pid)), signal.SIGKILL)
        assert re.search(r"process \d of the training ended by signal SIGKILL", running.stderr.read())
    assert running.returncode == 1


CLAIM = """
import sys, time; sys.path.insert(0, {path!r})
from pathlib import Path
from torchship.gpus import claimed
with claimed(["0", "1", "GPU-a/b"], 1, Path({folder!r})) as places:
    print(places, flush=True)
    sys.stdin.read()
"""


def test_each_process_takes_a_gpu_of_its_own(tmp_path, caplog):
    code = CLAIM.format(path=str(PROJECT / "scripts"), folder=str(tmp_path))
    held = []
    for expected in ("[0]", "[1]"):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        held.append(process)
        assert process.stdout.readline().strip() == expected
    names = ["0", "1", "GPU-a/b"]
    with claimed(names, 1, tmp_path) as places:
        assert places == [2]
    with claimed(names, 2, tmp_path) as places:
        assert places == [0, 1]
    assert "of 3 GPUs only 1 are free, 2 are wanted" in caplog.text
    held[0].communicate()
    with claimed(names, 2, tmp_path) as places:
        assert places == [0, 2]
    held[1].communicate()
    with claimed([], 2, tmp_path) as places:
        assert places == []


def test_too_few_gpus_stop_the_training(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainingError, match=r"train/devices is 2, but torch sees 1 GPUs"):
        networks.choose_device("auto", count=2)
    assert networks.choose_device("cpu", count=2) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda place: SimpleNamespace(uuid=f"GPU-{place}"))
    assert networks.gpu_identities(2) == ["GPU-0", "GPU-1"]
    assert networks.choose_device("auto", 1, 2) == torch.device("cuda", 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert networks.visible_gpus("auto") == ["4", "7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert networks.visible_gpus("cuda") == ["0", "1"]
    assert networks.visible_gpus("cpu") == []
