"""What stops a training before its first step, and what stops its weights from shipping, each in one line."""

import pytest
import torch
from safetensors.torch import load_file
from torchship.core.errors import ConfigError, TrainingError
from torchship.models.module import safetensors_bytes
from torchship.models.seeds import random_network
from torchship.training import shipping
from torchship.training.loop import History
from torchship.training.report import write_history
from torchship.training.tables import QUANTITIES
from trained_networks import NETWORKS, points, rows_of, tracks, trained

TWO = {"y": {"shape": ["batch", 1]}, "energy": {"shape": ["batch", 3]}}
HEAD = "import torch\nfrom torch import nn\n\n\nclass Network(nn.Module):\n    def __init__(self):\n        super().__init__()\n"


def written(folder, init, forward):
    """Write a network; give its file."""
    path = folder / "network.py"
    lines = ["        " + line for line in init], ["        " + line for line in forward]
    path.write_text(HEAD + "\n".join([*lines[0], "", "    def forward(self, x):", *lines[1]]) + "\n")
    return path


def test_parameters_without_a_gradient_are_named(tmp_path):
    with pytest.raises(TrainingError, match=r"two_heads.py: 2 of 6 parameters get no gradient from train/loss, so they "
                       r"would ship as they started: energy.weight, energy.bias; .* name them in train/frozen"):  # fmt: skip
        trained(tmp_path, "two_heads", outputs=TWO)
    assert not (tmp_path / "run.weights").exists()


@pytest.mark.parametrize("frozen", [["energy"], ["energy.*"], ["energy.weight", "energy.bias"]])
@pytest.mark.parametrize("replicas", [1, 5])
def test_frozen_parameters_ship_as_they_started(tmp_path, caplog, frozen, replicas):
    caplog.set_level("INFO")
    outputs, report = trained(tmp_path, "two_heads", outputs=TWO, frozen=frozen, replicas=replicas)
    assert report["engine"]["engine"] == ("eager" if replicas == 1 else "batched")
    assert "not trained, as the network's file or train/frozen says: energy.weight, energy.bias" in caplog.text
    start = random_network(NETWORKS / "two_heads.py", {}, {"distribution": "default"}, report["shipped"]["seed"])
    after = load_file(outputs["weights"])
    for name, tensor in start.state_dict().items():
        assert torch.equal(tensor, after[name]) == name.startswith("energy"), name


def test_a_frozen_name_that_fits_nothing_is_named(tmp_path):
    with pytest.raises(
        ConfigError,
        match=r"train/frozen: no parameter of the network is called 'energy.wieght' \(did you mean energy.weight\?\)",
    ):
        trained(tmp_path, "two_heads", outputs=TWO, frozen=["energy.wieght"])


def test_a_network_with_nothing_to_train_stops(tmp_path):
    with pytest.raises(TrainingError, match="Network has no parameter to train, all are frozen"):
        trained(tmp_path, "two_heads", outputs=TWO, frozen=["*"])


def test_a_parameter_that_only_some_batches_use_is_trained(tmp_path):
    """As those of branching.py: the first batch may take the other way."""
    file = written(tmp_path, ["self.a, self.b = nn.Linear(2, 1), nn.Linear(2, 1)", "self.calls = 0"], [
        "self.calls += 1",
        "return torch.sigmoid(self.a(x) if self.calls % 3 or not self.training else self.b(x))",
    ])  # fmt: skip
    _, report = trained(tmp_path, file, replicas=1)
    assert report["engine"]["engine"] == "eager"


@pytest.mark.parametrize(
    ("init", "forward", "expected"),
    [
        (["self.a = nn.Linear(3, 1)"], ["return self.a(x)"],
         r"network.py, line 11, in layer a \(Linear\): RuntimeError: mat1 and mat2 shapes cannot be multiplied \(8x2 and 3x1\)"),
        (["self.a = nn.Linear(2, 1)"], ["return self.a(x)[:, 3]"], r"network.py, line 11, in Network: IndexError"),
        (["self.a = nn.Linear(2, 1)"], ["return {'y': self.a(x), 'z': x}"],
         r"forward returns a dict with the keys y, z: it must return a tensor, or a tuple of tensors in the order"),
        (["self.a = nn.Linear(2, 3)"], ["return self.a(x)"],
         r"output y of Network.forward has shape \[8, 3\] for 8 events, declared \['batch', 1\]"),
        (["self.a = nn.Linear(2, 1)"], ["return 3 * self.a(x)"], r"the network's output goes from .* takes probabilities: end the network in a sigmoid"),
        (["self.a = nn.Linear(2, 1)", "self.n = nn.BatchNorm1d(2)"], ["return torch.sigmoid(self.a(self.n(x[:1].expand(1, 2))))"],
         r"network.py, line 12, in layer n \(BatchNorm1d\): ValueError: .*choose train/batch_size so that no batch"),
        (["self.a = nn.Linear(2, 1)"], ["h = torch.sigmoid(self.a(x))", "y = h * h", "h += 1.0", "return torch.sigmoid(y + h)"],
         r"network.py:12 \(`y = h \* h`\): the gradient of train/loss cannot be computed: .* modified by an inplace operation"),
        (["self.e, self.a = nn.Embedding(3, 2, sparse=True), nn.Linear(2, 1)"], ["return torch.sigmoid(self.a(self.e(x.sum(1).long())))"],
         r"network.py: the gradient of e.weight is sparse, .* build its layer with sparse=False"),
        (["self.a = nn.Linear(2, 1)"], ["return torch.sigmoid(self.a(x)).double()"],
         r"network.py, line \d+: output y of Network.forward is float64, declared float32: return y.to"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("engine", ["batched", "eager"])
def test_an_error_in_a_network_is_told_as_its_own(tmp_path, init, forward, expected, engine):
    with pytest.raises(TrainingError, match=expected) as raised:
        trained(tmp_path, written(tmp_path, init, forward), engine=engine)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("engine", ["batched", "eager"])
def test_an_error_that_comes_later_is_told_so_too(tmp_path, engine):
    """In the evaluation of the validation set, which has 12 events."""
    file = written(tmp_path, ["self.a = nn.Linear(2, 1)"], [
        "if not self.training and len(x) == 12:",
        "    raise ValueError('too few')",
        "return torch.sigmoid(self.a(x))",
    ])  # fmt: skip
    with pytest.raises(TrainingError, match=r"network.py, line 12, in Network: ValueError: too few"):
        trained(tmp_path, file, engine=engine)


def test_what_a_file_of_weights_does_not_hold_stops_the_weights(tmp_path):
    """A random projection in a plain tensor: who builds the network anew draws another."""
    with pytest.raises(TrainingError, match=r"do not compute what was trained: the eager module of .*unsaved.py has "
                       r"validation loss \S+ and accuracy \S+, logged were \S+ and \S+ .*perhaps projection: make it a "
                       r"persistent buffer"):  # fmt: skip
        trained(tmp_path, "unsaved", replicas=1)
    assert not [path for path in tmp_path.glob(".*") if path.name.endswith(".part")]
    assert not (tmp_path / "run.weights").exists()
    assert not (tmp_path / "run.training").exists()


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        ([], ["x = x + 0.1 * torch.randn_like(x)"]),
        ([], ["x = nn.functional.dropout(x, 0.5)"]),
        (["self.last = 0.0"], ["x = x + self.last", "self.last = x.mean().detach()"]),
        # At its start it draws nothing.
        (["self.s = nn.Parameter(torch.zeros(1))"], ["x = x + self.s * torch.randn_like(x)"]),
    ],
)
@pytest.mark.parametrize("replicas", [1, 9])
def test_outputs_that_change_from_call_to_call_stop(tmp_path, init, forward, replicas):
    """Nothing that is said of them would hold, and the bound would be as wide as they change."""
    file = written(tmp_path, ["self.a = nn.Linear(2, 1)", *init], [*forward, "return torch.sigmoid(self.a(x))"])
    with pytest.raises(TrainingError, match=r"network.py: called twice with the same events, in evaluation mode, "
                       r"Network gives other outputs: y differs by \S+ of \S+; if it draws random numbers"):  # fmt: skip
        trained(tmp_path, file, replicas=replicas)
    assert not (tmp_path / "run.weights").exists()


@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize(
    "init",
    [
        "self.a = nn.utils.weight_norm(nn.Linear(2, 1))",
        "self.a, self.lock = nn.Linear(2, 1), __import__('threading').Lock()",
    ],
)
def test_a_module_that_cannot_be_copied_trains(tmp_path, init):
    file = written(tmp_path, [init], ["return torch.sigmoid(self.a(x))"])
    _, report = trained(tmp_path, file, replicas=1)
    assert report["eager"]["loss"] == pytest.approx(report["shipped"]["validation_loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("init", "expected"),
    [
        (
            "self.a = nn.LazyLinear(1)",
            r"network.py: a.weight has no shape before the first call, .* Linear for LazyLinear",
        ),
        (
            "self.a = nn.Linear(2, 1)",
            r"network.py: the network's state_dict holds _extra_state, a dict: .* tensors only",
        ),
    ],
)
def test_a_state_of_more_than_tensors_stops_before_the_training(tmp_path, init, expected):
    file = written(tmp_path, [init], ["return torch.sigmoid(self.a(x))"])
    if "extra" in expected:
        file.write_text(file.read_text() + "\n    def get_extra_state(self):\n        return {'version': 2}\n")
    with pytest.raises(ConfigError, match=expected):
        trained(tmp_path, file, replicas=1)


def on_a_threshold(generator):
    """Some events on a constant of the network, which is 0.3 in float64 and 0.3 of float32 in float32."""
    data, inputs = points(generator, 3000)
    data["x"][:15, 0] = 0.3
    return data, inputs


def test_an_event_that_rounding_decides_does_not_widen_the_bound_of_others(tmp_path, monkeypatch):
    file = written(tmp_path, ["self.a = nn.Linear(2, 1)"], ["return torch.sigmoid(self.a(x) + 2.0 * (x[:, :1] > 0.3))"])
    knobs = {"made": on_a_threshold, "replicas": 1, "batch_size": 256}
    _, report = trained(tmp_path, file, **knobs)
    assert 1e-3 < report["eager"]["loss_bound"] < 0.05
    assert report["eager"]["accuracy_bound"] < 0.05
    monkeypatch.setattr(
        "torchship.training.report.safetensors_bytes",
        lambda state: safetensors_bytes({n: t * 1.5 for n, t in state.items()}),
    )
    with pytest.raises(TrainingError, match="do not compute what was trained"):
        trained(tmp_path, file, **knobs)


def test_weights_that_are_not_those_that_were_evaluated_stop(tmp_path, monkeypatch):
    """A small change of one weight is enough."""
    monkeypatch.setattr(
        "torchship.training.report.safetensors_bytes",
        lambda state: safetensors_bytes({n: t * 1.001 for n, t in state.items()}),
    )
    with pytest.raises(TrainingError, match="do not compute what was trained"):
        trained(tmp_path, "normalised", replicas=1)


def test_the_bound_is_one_of_rounding(tmp_path):
    _, report = trained(tmp_path, "normalised", replicas=1)
    assert 0 < report["eager"]["loss_bound"] < 3 * shipping.SUMS
    assert report["eager"]["accuracy_bound"] < 0.5 / 12


def test_a_training_leaves_the_data_alone(tmp_path):
    """view_writes.py writes on its own input: each epoch must see the same events."""
    file = written(tmp_path, ["self.a = nn.Linear(2, 1)"], ["x.mul_(0.5)", "return torch.sigmoid(self.a(x))"])
    (tmp_path / "same").mkdir()
    same = written(tmp_path / "same", ["self.a = nn.Linear(2, 1)"], ["x = x * 0.5", "return torch.sigmoid(self.a(x))"])
    losses = set()
    for engine in ("eager", "batched"):
        for place, network in enumerate((file, same)):
            outputs, _ = trained(tmp_path, network, name=f"{engine}{place}", engine=engine)
            losses.add((engine, outputs["replicas"].read_text()))
    assert len(losses) == 2


@pytest.mark.parametrize(
    "forward",
    ["return torch.sigmoid(self.a(x.float().mean(dim=1)))", "return torch.sigmoid(self.a(x.mean(dim=1))).float()"],
)
def test_float32_that_a_network_insists_on_is_no_obstacle(tmp_path, forward):
    """It cannot be evaluated in float64, so that only the module itself is sure to compute what it does."""
    file = written(tmp_path, ["self.a = nn.Linear(3, 1)"], [forward])
    outputs, report = trained(tmp_path, file, tracks, replicas=9)
    assert "cannot be evaluated in float64" in report["engine"]["reason"]
    assert outputs["weights"].exists()


@pytest.mark.parametrize("engine", ["eager", "batched"])
def test_a_frozen_module_stays_in_evaluation_mode(tmp_path, engine):
    """torch would let its BatchNorm follow the data, and its Dropout drop, while its weights stay."""
    file = written(
        tmp_path,
        ["self.encoder = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.9))", "self.head = nn.Linear(4, 1)"],
        ["return torch.sigmoid(self.head(self.encoder(x)))"],
    )  # fmt: skip
    outputs, report = trained(tmp_path, file, engine=engine, frozen=["encoder"], replicas=3)
    after = load_file(outputs["weights"])
    start = random_network(file, {}, {"distribution": "default"}, report["shipped"]["seed"]).state_dict()
    assert after["encoder.1.num_batches_tracked"] == 0
    assert {name for name in start if not torch.equal(start[name], after[name])} == {"head.weight", "head.bias"}


def test_an_event_that_depends_on_the_others_of_its_batch_is_told(tmp_path, caplog):
    file = written(tmp_path, ["self.one = nn.Linear(2, 1)"], ["x = (x - x.mean(0)) / (x.std(0, correction=0) + 1e-6)", "return torch.sigmoid(self.one(x))"])  # fmt: skip
    trained(tmp_path, file)
    assert "in evaluation mode, the outputs of an event depend on the others in its batch: alone, y of" in caplog.text
    caplog.clear()
    trained(tmp_path, "dropout", name="other")
    assert "depend on the others" not in caplog.text


def test_starts_that_are_all_the_same_are_told(tmp_path):
    file = written(tmp_path, ["torch.manual_seed(42)", "self.one = nn.Linear(2, 1)"], ["return torch.sigmoid(self.one(x))"])  # fmt: skip
    with pytest.raises(TrainingError, match=r"the 3 random starts that train/replicas asks for are all the same: take"):
        trained(tmp_path, file, replicas=3)
    trained(tmp_path, file, replicas=1)


def test_what_a_network_draws_from_numpy_and_python_is_drawn_again(tmp_path):
    """As the augmentation of events in many a forward."""
    file = written(tmp_path, ["self.one = nn.Linear(2, 1)"], [
        "import random",
        "import numpy",
        "if self.training:",
        "    x = x + float(numpy.random.normal(0, 0.1)) + random.uniform(-0.1, 0.1)",
        "return torch.sigmoid(self.one(x))",
    ])  # fmt: skip
    one, two = (trained(tmp_path, file, name=name, engine="eager")[0]["weights"] for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("words", ["", "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"])
def test_too_little_memory_is_told_with_what_needs_less(tmp_path, monkeypatch, words):
    def refuse(*_):
        raise RuntimeError(words) if words else torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("torchship.training.eager.EagerTrainer.train_epoch", refuse)
    with pytest.raises(
        TrainingError, match=r"not enough memory: .*; fewer train/replicas \(now 2\) or a smaller train/"
    ):
        trained(tmp_path, "dropout", engine="eager")


def test_a_loss_that_no_replica_has_for_a_while_leaves_empty_percentiles(tmp_path):
    values = torch.full([2, 4, 1], 0.5)
    values[0, 2] = torch.inf
    history = History([1, 2], values, torch.zeros(1, dtype=torch.int64))
    write_history(tmp_path / "history.csv", history, 1, 0, QUANTITIES)
    first, last = (row for row in rows_of(tmp_path / "history.csv") if row["quantity"] == "validation_loss")
    assert (first["shipped"], first["median"], last["median"]) == ("inf", "nan", "0.5")
