"""Several processes train what one trains, end as one does, and nothing of them is left behind."""

import fcntl
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
from safetensors.torch import load_file
from support import PROJECT, make_data, small_model, train_in
from torchship.core.errors import DataError, TrainingError
from torchship.core.files import read_json, sha256
from torchship.data.datasets import SPLITS
from torchship.models.module import load
from torchship.spec.objective import terms
from torchship.spec.tensor import Tensor
from torchship.training.batched import BatchedTrainer
from torchship.training.eager import EagerTrainer
from torchship.training.engine import Starts, Task
from torchship.training.events import EventDataset
from torchship.training.losses import Objective
from torchship.training.parallel.group import Processes
from torchship.training.parallel.launch import ended

# One after another: each starts processes of its own.
pytestmark = pytest.mark.xdist_group("processes")


XOR = PROJECT / "models" / "xor.py"


def sets_of(folder):
    return {split: folder / f"{split}.safetensors" for split in SPLITS}


def two(**changes):
    """Return a small model whose batches of 3 events are shared by two processes: 2 and 1, and then 1 and 0.

    On the CPU, of which there are as many as are wanted.
    """
    return small_model(
        device="cpu",
        train={
            "batch_size": 3,
            "replicas": 4,
            "epochs": 60,
            "record_every": 20,
            "devices": 2,
            "engine": "batched",
            **changes,
        },
    )


def history(outputs):
    rows = [row.split(",") for row in outputs["history"].read_text().splitlines()[1:]]
    return torch.tensor([[float(value) for value in row[2:]] for row in rows])


RUN = """
import sys; sys.path[:0] = {path!r}
from pathlib import Path
from support import train_in
from torchship.spec.tensor import Padding, Tensor
from torchship.core.errors import TorchshipError
folder = Path({folder!r})
sets = {{s: folder / f"{{s}}.safetensors" for s in ("train", "validation", "test")}}
try:
    train_in(folder, {model!r}, sets, {name!r}, {kept!r} and folder / "checkpoint", {point!r}, Path({network!r}))
except TorchshipError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


def started(folder, model, name="run", point=None, network=XOR, kept=False, **environment):
    """Start a training in a process of its own, as a step is one: torchrun leaves things behind.

    Where it is to be ended in the middle and to go on, its checkpoint is `kept` in the folder.
    """
    path = [str(PROJECT / "tests"), str(PROJECT / "scripts")]
    code = RUN.format(
        path=path, folder=str(folder), model=model, name=name, point=point, network=str(network), kept=kept
    )
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})


def trained(folder, model, name="run", **others):
    """Train without a word of complaint; give the outputs, or the words of the error.

    One process trains here: it leaves nothing behind, and to start another takes ten times as long.
    """
    if model["train"]["devices"] == 1:
        return train_in(
            folder, model, sets_of(folder), name, point=others.get("point"), network=others.get("network", XOR)
        )
    with started(folder, model, name, **others) as running:
        words = running.stderr.read()
    if running.returncode:
        return words
    assert "warning" not in words.lower()
    return outputs_of(folder, name)


def outputs_of(folder, name):
    return {key: folder / f"{name}.{key}" for key in ("weights", "history", "replicas", "training")}


def network(folder, text):
    """Write a network that the tests train; give its file."""
    path = folder / "network.py"
    path.write_text("import torch\nfrom torch import nn\n\n\n" + text)
    return path


# An axis that only events can fill, and an output that nothing is trained on.
TWO_HEADS = """
class Network(nn.Module):
    def __init__(self, hidden=2):
        super().__init__()
        self.body, self.head, self.spare = nn.Linear(2, 8), nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        x = torch.tanh(self.body(x)).reshape(len(x), -1)
        return torch.sigmoid(self.head(x)), self.spare(x)
"""


@pytest.mark.parametrize(
    ("engine", "loader", "text"),
    [
        pytest.param("batched", "resident", None, id="batched-resident"),
        pytest.param("batched", "dataloader", TWO_HEADS, id="batched-dataloader", marks=pytest.mark.long),
        pytest.param("eager", "dataloader", TWO_HEADS, id="eager-dataloader", marks=pytest.mark.long),
    ],
)
def test_two_processes_find_the_losses_that_one_finds(tmp_path, engine, loader, text):
    """120 steps at the same global batch; the sums are taken in another order, so the last bits differ.

    A network need not use all of its parameters, nor take a batch of no events; and the folder for temporary files may
    have a space in its name.
    """
    (tmp_path / "a space").mkdir()
    others = {"network": network(tmp_path, text) if text else XOR, "TMPDIR": str(tmp_path / "a space")}
    found = {}
    make_data(tmp_path, two())
    for devices in (1, 2):
        frozen = {"frozen": ["spare"]} if text else {}
        model = two(devices=devices, engine=engine, loader=loader, **frozen)
        if text:
            model["outputs"]["z"] = Tensor(shape=("batch", 3))
        outputs = trained(tmp_path, model, f"on{devices}", **others)
        found[devices] = history(outputs)
        assert read_json(outputs["training"])["processes"] == devices
    torch.testing.assert_close(found[2], found[1], rtol=1e-5, atol=1e-6)
    assert found[1][0, 0] != found[1][-4, 0], "nothing was learned"
    # But for what torch makes when it is imported.
    assert {path.name.partition("_")[0] for path in (tmp_path / "a space").iterdir()} <= {"torchinductor"}


NORMS = """
class Network(nn.Module):
    def __init__(self, hidden=2):
        super().__init__()
        self.norm, self.body, self.head = nn.BatchNorm1d(2), nn.Linear(2, 8), nn.Linear(8, 1)

    def forward(self, x):
        return torch.sigmoid(self.head(torch.tanh(self.body(self.norm(x)))))
"""


@pytest.mark.parametrize("engine", [pytest.param("batched", marks=pytest.mark.long), "eager"])
def test_what_is_recorded_is_what_the_shipped_weights_do(tmp_path, engine):
    """Each process has statistics of its own events, which differ here; those that ship must be those evaluated."""
    model, file = two(batch_size=4, epochs=20, engine=engine), network(tmp_path, NORMS)
    sets = make_data(tmp_path, model)
    outputs = trained(tmp_path, model, network=file)
    module = load(file, {}, outputs["weights"])
    data = load_file(sets["validation"])
    with torch.no_grad():
        output = module(data["x"])
    loss = torch.nn.functional.binary_cross_entropy(output, data[model["data"]["target"]].reshape(output.shape))
    assert read_json(outputs["training"])["shipped"]["validation_loss"] == pytest.approx(float(loss), rel=1e-5)


def test_a_batch_of_one_that_a_network_does_not_take_is_named(tmp_path):
    make_data(tmp_path, two())
    words = trained(tmp_path, two(), network=network(tmp_path, NORMS))
    assert re.search(r"TrainingError: \S+/network.py, line 12, in layer norm \(BatchNorm1d\): ValueError: Expected more than 1 "
                     "value .*; the network cannot be trained on a batch of 1 event: choose train/batch_size", words), words  # fmt: skip
    assert "please report" not in words


# With a wrong step in one process, or in all of them: in the network itself, or in what it has done to the library.
BROKEN = """
import os


class Network(nn.Linear):
    def __init__(self, hidden=2):
        super().__init__(2, 1)

    def forward(self, x):
        if os.environ["RANK"] in "{}":
            one, two, three = x.shape
        return torch.sigmoid(super().forward(x))
"""
BREAKING = """
import functools
import os

import torchship.training.loop

if os.environ["RANK"] in "{}":
    torchship.training.loop.note_divergence = functools.partial(dict, [(1, 2, 3)])


class Network(nn.Linear):
    def __init__(self, hidden=2):
        super().__init__(2, 1)

    def forward(self, x):
        return torch.sigmoid(super().forward(x))
"""


def test_an_error_of_a_network_in_a_process_is_told_as_its_own(tmp_path):
    make_data(tmp_path, two())
    words = trained(tmp_path, two(), network=network(tmp_path, BROKEN.format("01")))
    assert re.search(
        r"TrainingError: \S+/network.py, line 15, in Network: ValueError: not enough values to unpack", words
    )
    assert "please report" not in words


@pytest.mark.parametrize(("ranks", "expected"), [pytest.param("1", "1", marks=pytest.mark.long), ("01", "[01]")])
def test_an_unexpected_error_in_a_process_is_shown_once(tmp_path, ranks, expected):
    make_data(tmp_path, two())
    words = trained(tmp_path, two(), network=network(tmp_path, BREAKING.format(ranks)))
    found = re.findall(rf"please report it with this traceback, of process ({expected}): Traceback", words)
    assert len(found) == words.count("Traceback") == 1, words
    assert words.count("TypeError: dict expected at most 1 argument") == 1
    assert f"TrainingError: process {found[0]} of the training ended with an error; the log above" in words


def test_an_error_in_a_network_is_not_taken_for_one_of_its_batches(tmp_path, monkeypatch):
    """With batches of one event, as by default."""
    monkeypatch.setenv("RANK", "0")
    model = small_model()
    with pytest.raises(TrainingError, match=r"line 15, in Network: ValueError: not enough values to unpack"):
        train_in(tmp_path, model, make_data(tmp_path, model), network=network(tmp_path, BROKEN.format("0")))


def test_a_share_of_a_batch_is_weighed_by_its_events():
    assert float(Processes(0, 2).weigh(torch.tensor([6.0]), 3)) == pytest.approx(8.0)
    assert float(Processes(1, 2).weigh(torch.tensor([6.0]), 3)) == pytest.approx(4.0)
    assert float(Processes(1, 2).weigh(torch.tensor([6.0]), 1)) == 0.0


ALONE = Processes()


def task(model, events, processes=ALONE):
    starts = Starts(PROJECT / "models" / "xor.py", {}, model["train"], 1)
    objective = Objective(terms("binary_cross_entropy", ["y"], "target"), 0.5)
    return Task(starts, {"train": events, "validation": events}, objective, {}, torch.device("cpu"), processes)


@pytest.mark.parametrize("engine", [BatchedTrainer, EagerTrainer])
def test_a_set_may_have_fewer_events_than_there_are_processes(tmp_path, monkeypatch, engine):
    monkeypatch.setattr(Processes, "total", lambda self, tensor: tensor)
    model = two()
    data = load_file(make_data(tmp_path, model)["validation"])
    events = EventDataset((data["x"],), (data[model["data"]["target"]],))
    trainer = engine(task(model, events))
    parts = []
    for rank in range(7):
        trainer.task = task(model, events, Processes(rank, 7))
        parts.append(trainer.evaluate("validation"))
    trainer.task = task(model, events)
    assert len(events) < 7
    for whole, part in zip(trainer.evaluate("validation"), zip(*parts, strict=True), strict=True):
        torch.testing.assert_close(sum(part), whole)


def test_processes_that_go_on_from_different_epochs_stop(monkeypatch):
    monkeypatch.setattr(Processes, "total", lambda self, tensor: tensor + 7)
    Processes(1, 2).require_same(7, torch.device("cpu"))
    with pytest.raises(TrainingError, match="process 1 goes on after epoch 8, another one does not: run again"):
        Processes(1, 2).require_same(8, torch.device("cpu"))


def test_shares_are_the_whole_batch():
    batch = torch.arange(14).reshape(2, 7)
    shares = [Processes(rank, 3).share(batch) for rank in range(3)]
    assert torch.equal(torch.cat(shares, dim=1), batch)
    assert [share.shape[1] for share in shares] == [Processes(rank, 3).events(7) for rank in range(3)] == [3, 2, 2]
    # Of two events the third process has the last one, too, and does not count it.
    shares = [Processes(rank, 3).share(batch[:, :2]) for rank in range(3)]
    assert [share.tolist() for share in shares] == [[[0], [7]], [[1], [8]], [[1], [8]]]
    assert [Processes(rank, 3).events(2) for rank in range(3)] == [1, 1, 0]


def test_an_error_in_a_process_is_the_error_of_the_training(tmp_path):
    sets = make_data(tmp_path, two())
    runaway = two(optimizer="SGD", learning_rate=1e30, loss="mean_squared_error")
    words = trained(tmp_path, runaway, network=network(tmp_path, LINEAR))
    assert "DivergenceError: all 4 replicas have diverged: since epoch" in words
    sets["train"].write_bytes(sets["test"].read_bytes()[:-8] + bytes(8))
    assert re.search(r"DataError: \S+train.safetensors has changed since it was made", trained(tmp_path, two()))


# Without an end to its outputs, so that it can diverge.
LINEAR = """
class Network(nn.Linear):
    def __init__(self, hidden=2):
        super().__init__(2, 1)
"""


@pytest.mark.parametrize(("devices", "epochs"), [(1, 60), (1, 1), (2, 60)])
def test_a_point_of_a_scan_may_diverge(tmp_path, devices, epochs):
    model = two(devices=devices, epochs=epochs, optimizer="SGD", learning_rate=1e30, loss="mean_squared_error")
    make_data(tmp_path, model)
    outputs = trained(tmp_path, model, network=network(tmp_path, LINEAR), point={"a": 1})
    report = read_json(outputs["training"])
    assert (report["shipped"], report["diverged"], report["point"]) == (None, 4, {"a": 1})
    assert report["convergence"]["converged"] == 0
    with pytest.raises(DataError, match="does not fit"):
        load(PROJECT / "models" / "xor.py", {}, outputs["weights"])


@pytest.mark.parametrize(
    ("number", "devices", "engine"),
    [(signal.SIGTERM, 2, "eager"), pytest.param(signal.SIGKILL, 2, "batched", marks=pytest.mark.long)],
)
def test_stopped_processes_leave_a_checkpoint_and_end(tmp_path, number, devices, engine):
    """A batch system says SIGTERM; after SIGKILL the workers notice that nobody waits for them any more."""
    model = two(epochs=300, record_every=100, devices=devices, engine=engine, replicas=2)
    make_data(tmp_path, model)
    with started(tmp_path, model, kept=True) as running:
        wait_for((tmp_path / "checkpoint").exists, running)
        workers = children(running.pid)
        assert len(workers) == devices
        if number == signal.SIGKILL:
            os.kill(workers[0], signal.SIGSTOP)
        running.send_signal(number)
        words = running.stderr.read() if number == signal.SIGTERM else ""
        running.wait()
        if number == signal.SIGKILL:
            # A second copy would wait, for as long as one of them is there.
            try:
                with pytest.raises(BlockingIOError):
                    lock(tmp_path)
            finally:
                os.kill(workers[0], signal.SIGCONT)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    lock(tmp_path)
    epoch = torch.load(tmp_path / "checkpoint", weights_only=True)["epoch"]
    if number == signal.SIGTERM:
        assert re.search(rf"TrainingError: stopped by a signal after epoch {epoch}, with a checkpoint", words)
    assert not (tmp_path / "run.weights").exists()
    resumed = trained(tmp_path, model, kept=True)
    whole = trained(tmp_path, model, "whole")
    assert sha256(resumed["weights"]) == sha256(whole["weights"])
    assert sha256(resumed["history"]) == sha256(whole["history"])


def lock(folder):
    with (folder / ".lock").open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
    with started(tmp_path, model, kept=True) as running:
        wait_for((tmp_path / "checkpoint").exists, running)
        os.kill(max(children(running.pid)), signal.SIGKILL)
        words = running.stderr.read()
    assert re.search(r"process \d of the training ended by signal SIGKILL; started again it goes on", words)
    # The other one failed for want of it.
    assert "please report" not in words
    assert running.returncode == 1


@pytest.mark.parametrize(
    ("codes", "tracebacks", "expected", "shown"),
    [
        # Those that have failed within one look of torchrun: the first traceback is the cause.
        (
            {0: 1, 1: 1},
            {1: "the cause", 0: "what follows"},
            "process 1 of the training ended with an error",
            "the cause",
        ),
        ({0: 1, 1: -9}, {0: "what follows"}, "process 1 of the training ended by signal SIGKILL", None),
        ({0: -15, 1: 1}, {1: "the cause"}, "process 1 of the training ended with an error", "the cause"),
        ({0: -15, 1: -9}, {}, "process 1 of the training ended by signal SIGKILL", None),
    ],
)
def test_the_first_that_failed_is_named(caplog, codes, tracebacks, expected, shown):
    caplog.set_level("DEBUG", "torchship")
    failures = {rank: SimpleNamespace(exitcode=code) for rank, code in codes.items()}
    assert ended(SimpleNamespace(failures=failures), tracebacks).startswith(expected)
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [message.rpartition(": ")[2] for message in errors] == ([shown] if shown else [])
    assert len(caplog.records) == len(tracebacks)
