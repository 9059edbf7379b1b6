"""The arbiter of torch modules on what the field writes: in-place operations, constants, state, casts, discontinuities."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torchship.core.errors import ParityError
from torchship.gate.witness.limits import LEAST, ratios
from torchship.gate.witness.torch_arbiter import TorchArbiter

EVENTS = np.random.default_rng(0).uniform(-2, 2, (40, 6)).astype(np.float32)


class Layer(nn.Module):
    """A layer, something that is done to its output, and another layer."""

    def __init__(self, change):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last, self.change = nn.Linear(6, 6), nn.Linear(6, 2), change

    def forward(self, x):
        return self.last(self.change(torch.relu(self.first(x)), x))


def mask(x):
    return x > 0.5


def set_masked(h, x):
    h[mask(x)] = 0
    return h


def set_columns(h, x):
    h[:, (0, 3)] = torch.log1p(h[:, (0, 3)].abs())
    return h


def fill_masked(h, x):
    return torch.softmax(h.masked_fill_(mask(x), -1e4), dim=1)


def add_by_index(h, x):
    h.index_add_(1, torch.tensor([0, 0, 1]), x[:, :3])
    return h


def put_accumulated(h, x):
    h.index_put_((torch.arange(len(h)), torch.zeros(len(h), dtype=torch.int64)), x[:, 0], accumulate=True)
    return h


def scattered(h, x):
    return torch.zeros(len(h), 6).scatter_add_(1, torch.tensor([[0, 0, 1, 1, 2, 5]]).expand(len(h), -1), h * x)


def scatter_reduced(h, x):
    return torch.ones_like(h).scatter_reduce_(1, torch.tensor([[0, 0, 1, 1, 2, 5]]).expand(len(h), -1), h, "sum")


def view_of_view(h, x):
    h.view(-1, 3, 2).transpose(1, 2)[:, 0].mul_(x[:, :3])
    return h


def into_out(h, x):
    return torch.add(h, x, out=torch.empty_like(h))


# Each in place, and the same function out of place.
FORMS = {
    "h[m] = 0": (set_masked, lambda h, x: torch.where(mask(x), 0.0, h)),
    "h[:, (0, 3)] = f": (set_columns, lambda h, x: torch.cat(
        [torch.log1p(h[:, :1].abs()), h[:, 1:3], torch.log1p(h[:, 3:4].abs()), h[:, 4:]], dim=1)),
    "masked_fill_": (fill_masked, lambda h, x: torch.softmax(torch.where(mask(x), -1e4, h), dim=1)),
    "index_add_": (add_by_index, lambda h, x: torch.cat([h[:, :1] + x[:, :1] + x[:, 1:2], h[:, 1:2] + x[:, 2:3], h[:, 2:]], dim=1)),
    "index_put_": (put_accumulated, lambda h, x: torch.cat([h[:, :1] + x[:, :1], h[:, 1:]], dim=1)),
    "zeros().scatter_add_()": (scattered, lambda h, x: (h * x) @ torch.eye(6)[[0, 0, 1, 1, 2, 5]]),
    "scatter_reduce_": (scatter_reduced, lambda h, x: 1.0 + h @ torch.eye(6)[[0, 0, 1, 1, 2, 5]]),
    "views of views": (view_of_view, lambda h, x: torch.stack([h[:, 0::2] * x[:, :3], h[:, 1::2]], dim=2).flatten(1)),
    "out=": (into_out, lambda h, x: h + x),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_in_place_and_out_of_place_have_the_same_limit(name):
    """Once an operation in place changed a copy that was thrown away, and the limit was the size of the lost term."""
    in_place, out_of_place = (
        TorchArbiter(Layer(form), ["x"], ["y"]).witness({"x": EVENTS})["y"] for form in FORMS[name]
    )
    np.testing.assert_allclose(in_place.exact, out_of_place.exact, rtol=1e-12, atol=1e-12)
    assert 0.5 < np.median(in_place.scale / out_of_place.scale) < 2.0
    assert LEAST * in_place.scale.max() < 1e-4
    assert 0.02 < ratios(in_place.single, in_place.exact, LEAST * in_place.scale).max() < 1.0


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.gru, self.last = nn.GRU(3, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, x):
        return self.last(self.gru(x)[0][:, -1]).unsqueeze_(2)


def test_operations_that_change_a_shape_in_place_are_taken():
    x = np.random.default_rng(0).uniform(-1, 1, (5, 7, 3)).astype(np.float32)
    output = TorchArbiter(Recurrent(), ["x"], ["y"]).witness({"x": x})["y"]
    assert output.exact.shape == (5, 1, 1)
    assert 0.01 < ratios(output.single, output.exact, LEAST * output.scale).max() < 1.0


def test_what_a_module_writes_to_is_as_before():
    class Writing(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))
            self.register_buffer("cache", torch.zeros(6))

        def forward(self, x):
            self.calls += 1
            self.cache.add_(x[0])
            x[:, 0] *= 2.0
            return x + self.cache

    feed = {"x": EVENTS.copy()}
    arbiter = TorchArbiter(Writing(), ["x"], ["y"])
    once, twice = arbiter.evaluate(feed)["y"], arbiter.evaluate(feed)["y"]
    assert np.array_equal(once, twice)
    assert np.array_equal(feed["x"], EVENTS)
    arbiter.evaluate(feed, torch.float32)
    assert np.array_equal(feed["x"], EVENTS)


def test_a_module_that_is_another_each_time_is_not_understood():
    class Drawing(nn.Module):
        def forward(self, x):
            return nn.functional.dropout(x, 0.5)

    class Counting(nn.Module):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return x * self.calls

    with pytest.raises(
        ParityError, match=r"does not understand operation 'bernoulli' at gate/test_torch_arbiter.py:\d+: it draws"
    ):
        TorchArbiter(Drawing(), ["x"], ["y"]).witness({"x": EVENTS})
    with pytest.raises(ParityError, match=r"does not understand operation 'mul' at .*: disturbed by nothing"):
        TorchArbiter(Counting(), ["x"], ["y"]).witness({"x": EVENTS})


def test_an_arbiter_that_loses_a_result_is_found_out(monkeypatch):
    """The defect that once let wrong files pass: an operation in place is given a copy."""
    monkeypatch.setattr("torchship.gate.witness.torch_rounding.rule_of", lambda done, args, kwargs: done.rule)
    monkeypatch.setattr(
        "torchship.gate.witness.torch_rounding.Rounding.compute",
        lambda self, func, done, args, kwargs: func(
            *(a.clone() if isinstance(a, torch.Tensor) else a for a in args), **kwargs
        ),
    )
    for form in (set_masked, scattered, view_of_view):
        with pytest.raises(ParityError, match="the arbiter does not understand"):
            TorchArbiter(Layer(form), ["x"], ["y"]).witness({"x": EVENTS})


def test_constants_are_those_of_float32():
    """A threshold of 0.1 is another number in float32, and so is what a module asks of its type."""

    class Constants(nn.Module):
        def forward(self, x):
            bins = torch.tensor([0.1, 0.7])
            counted = torch.bucketize(x, bins).to(x.dtype)
            hidden = x.masked_fill(x > 0.1, torch.finfo(x.dtype).min)
            return torch.stack(
                [counted, (x > 0.1).to(x.dtype), torch.softmax(hidden, dim=1), x / (x.abs() + torch.finfo(x.dtype).eps)]
            )

    x = np.array([[0.1, np.nextafter(np.float32(0.1), np.float32(1)), 0.7, 0.05]], dtype=np.float32)
    output = TorchArbiter(Constants(), ["x"], ["y"]).witness({"x": x})["y"]
    assert ratios(output.single, output.exact, LEAST * output.scale).max() < 1.0
    assert output.exact[1].tolist() == [[0.0, 1.0, 1.0, 0.0]]


def test_a_saturated_softmax_keeps_a_tight_limit():
    class Sharp(nn.Module):
        def forward(self, x):
            return torch.softmax(100.0 * x, dim=1)

    output = TorchArbiter(Sharp(), ["x"], ["y"]).witness({"x": EVENTS})["y"]
    assert ratios(output.single, output.exact, LEAST * output.scale).max() < 1.0
    assert (LEAST * output.scale).max() < 5e-4
    assert np.median(LEAST * output.scale) < 1e-6


def test_one_nan_among_the_samples_is_counted_and_placed():
    class Angle(nn.Module):
        def forward(self, x):
            unit = x / x.norm(dim=1, keepdim=True)
            return torch.acos((unit * unit).sum(dim=1, keepdim=True))

    arbiter = TorchArbiter(Angle(), ["x"], ["y"])
    feed = {"x": EVENTS}
    output = arbiter.witness(feed)["y"]
    # The cosine is 1 or beside it: every second disturbance of it is beyond.
    assert 0.2 < output.lost.max() < 1.0
    step, given = arbiter.first_not_finite(feed)
    assert (step.operation, step.line.rpartition(":")[0]) == ("acos", "gate/test_torch_arbiter.py")
    assert float(given) > 1.0


def test_samples_of_one_batch_are_those_of_many():
    """Independent events are evaluated several times in one batch; graphs and batches that know of each other are not."""

    class Alone(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 2))

        def forward(self, x):
            return self.layers(x)

    class Together(Alone):
        def forward(self, x):
            return self.layers(x) - self.layers(x).mean(dim=0)

    calls = []
    for module in (Alone(), Together()):
        arbiter = TorchArbiter(module, ["x"], ["y"])
        count = []
        module_forward = arbiter._modules[torch.float64].forward
        arbiter._modules[torch.float64].forward = lambda x, forward=module_forward, count=count: (
            count.append(len(x)) or forward(x)
        )
        output = arbiter.witness({"x": EVENTS})["y"]
        calls.append(len([size for size in count if size == 8 * len(EVENTS)]))
        assert ratios(output.single, output.exact, LEAST * output.scale).max() < 1.0
    assert calls == [4, 0]


def test_the_order_of_equal_numbers_is_not_judged():
    """torch says of sort and topk that the order of ties is undefined; jets of equal pt are such."""

    class Leading(nn.Module):
        def forward(self, jets):
            order = torch.argsort(jets[:, :, 0], dim=1, descending=True)
            best = torch.topk(jets[:, :, 0], 2, dim=1).indices
            return torch.gather(jets[:, :, 1], 1, order), best

    jets = np.random.default_rng(0).uniform(0, 1, (20, 4, 2)).astype(np.float32)
    jets[:10, 1:3, 0] = 2.0
    found = TorchArbiter(Leading(), ["jets"], ["eta", "best"]).witness({"jets": jets})
    swapped = found["eta"].exact[:, [1, 0, 2, 3]]
    off = ratios(swapped, found["eta"].exact, LEAST * found["eta"].scale)
    assert off[:10].max() < 1.0 < off[10:, :2].min()
    exchanged = found["best"].exact[:, ::-1]
    off = ratios(exchanged, found["best"].exact, LEAST * found["best"].scale)
    assert off[:10].max() < 1.0 < off[10:].min()


def test_weights_larger_than_the_pool_of_noise_are_disturbed(monkeypatch):
    torch.manual_seed(0)
    module, x = nn.Linear(64, 64), np.random.default_rng(0).uniform(-1, 1, (3, 64)).astype(np.float32)
    usual = TorchArbiter(module, ["x"], ["y"]).witness({"x": x})["y"]
    monkeypatch.setattr("torchship.gate.witness.noise.POOL", 1000)
    small = TorchArbiter(module, ["x"], ["y"]).witness({"x": x})["y"]
    assert 0.8 < np.median(small.scale / usual.scale) < 1.25


class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize("form", [
    lambda x: torch.remainder(x, 2 * np.pi),
    lambda x: torch.remainder(100.0, x.abs() + 0.1),
    lambda x: x.clone().remainder_(0.7),
])  # fmt: skip
def test_a_remainder_may_be_computed_from_the_quotient(form, monkeypatch):
    """As torch's exporter writes it: a right file was once stopped, and the runtime blamed."""
    given = [0.0, 0.7, 1.4, 2.8, 55.0, 99.3, -3.3, 0.1]
    x = np.concatenate(
        [np.array([given], np.float32), np.random.default_rng(0).uniform(-100, 100, (50, 8)).astype(np.float32)]
    )
    output = TorchArbiter(Applied(form), ["x"], ["y"]).witness({"x": x})["y"]
    by_quotient = lambda x, y: x - torch.floor(torch.as_tensor(x) / y) * y  # noqa: E731
    monkeypatch.setattr("torch.remainder", by_quotient)
    monkeypatch.setattr("torch.Tensor.remainder_", by_quotient)
    found = form(torch.from_numpy(x)).numpy()
    assert ratios(found, output.exact, LEAST * output.scale).max() < 1.0
    assert np.median(output.scale) < 1e-5


def test_a_quotient_that_is_whole_is_no_matter_of_rounding():
    x = np.arange(-8, 8, dtype=np.float32).reshape(2, 8)
    for form in (lambda x: x // 2, lambda x: torch.remainder(x, 2), lambda x: torch.div(x, 4, rounding_mode="trunc")):
        output = TorchArbiter(Applied(form), ["x"], ["y"]).witness({"x": x})["y"]
        assert (LEAST * output.scale)[x % 4 == 0].max() < 1e-5
    # Beside it there is rounding: of 0.3 by 0.1 either 2 or 3 may be the whole of it.
    output = TorchArbiter(Applied(lambda x: x // 0.1), ["x"], ["y"]).witness({"x": np.full((1, 1), 0.3, np.float32)})
    assert output["y"].scale.max() > 0.1


def test_infinities_are_replaced_by_the_ends_of_float32():
    x = np.array([[np.inf, -np.inf, np.nan, 1.0]], dtype=np.float32)
    for form in (torch.nan_to_num, lambda x: x.clone().nan_to_num_(0.5), lambda x: torch.nan_to_num(x, posinf=7.0)):
        output = TorchArbiter(Applied(form), ["x"], ["y"]).witness({"x": x})["y"]
        assert ratios(output.single, output.exact, LEAST * output.scale).max() == 0.0


def test_distances_of_many_points_round_as_torch_computes_them():
    """By products, so that a point is some 1e-4 away from itself: a network of neighbours was once not to be judged."""

    def near(x):
        points = x.view(len(x), 40, 3)
        return torch.exp(-torch.topk(torch.cdist(points, points), 4, largest=False).values).mean(dim=2)

    x = np.random.default_rng(0).uniform(-2, 2, (8, 120)).astype(np.float32)
    output = TorchArbiter(Applied(near), ["x"], ["y"]).witness({"x": x})["y"]
    assert 0.05 < ratios(output.single, output.exact, LEAST * output.scale).max() < 1.0


@pytest.mark.parametrize(("raised", "told"), [
    (ZeroDivisionError("float division by zero"), "ZeroDivisionError: float division by zero"),
    (AssertionError(), "AssertionError"),
    (KeyError("none"), "KeyError: 'none'"),
])  # fmt: skip
def test_whatever_a_module_raises_is_told_with_its_line(raised, told):
    def refusing(x):
        raise raised

    with pytest.raises(
        ParityError,
        match=rf"does not take x \[40, 6\]: {told} at gate/test_torch_arbiter.py:\d+ \(`raise raised`\)",
    ):
        TorchArbiter(Applied(refusing), ["x"], ["y"]).evaluate({"x": EVENTS})


def only_float32(x):
    assert x.dtype == torch.float32
    return x


def test_a_module_that_asks_for_float32_is_told_that_the_gate_evaluates_it_in_float64():
    with pytest.raises(
        ParityError,
        match=r"does not take x \[40, 6\] in float64, in which the gate evaluates it beside float32: AssertionError.* at ",
    ):
        TorchArbiter(Applied(only_float32), ["x"], ["y"]).witness({"x": EVENTS})


def test_outputs_that_are_no_tensors_are_told_so():
    arbiter = TorchArbiter(Applied(lambda x: {"y": x}), ["x"], ["y"])
    with pytest.raises(ParityError, match=r"returns a dict with the keys y: it must return a tensor, or a tuple"):
        arbiter.witness({"x": EVENTS})


def normed():
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Linear(6, 6))


@pytest.mark.parametrize("module", [
    Applied(lambda x: x.clamp(max=torch.finfo(type=x.dtype).max).sqrt()),
    Applied(lambda x: (x.bfloat16() * 2).float()),
    Applied(lambda x: (x * 2).bfloat16()),
    normed(),
])  # fmt: skip
def test_what_torch_allows_is_evaluated(module):
    """finfo by its argument's name, a type that NumPy has not, and a weight that is computed in each call."""
    arbiter = TorchArbiter(module, ["x"], ["y"])
    output = arbiter.witness({"x": np.abs(EVENTS)})["y"]
    assert ratios(output.single, output.exact, LEAST * output.scale).max() < 1.0
    assert arbiter.record({"x": EVENTS})
    arbiter.comparisons({"x": EVENTS})


@pytest.mark.parametrize("form", [
    lambda x, double: ((x.to(double) + 1e6) - 1e6).float(),
    lambda x, double: torch.cumsum(x.to(double) * 1e6, dim=1).diff(dim=1).float() / 1e6,
    lambda x, double: torch.add(x, torch.full((1,), 1e6, dtype=double)).sub_(1e6).type(torch.float32),
    lambda x, double: (x.to(double).pow(2).sum(1, keepdim=True) + 1e8 - 1e8).type_as(x) + x,
])  # fmt: skip
def test_what_a_module_computes_in_float64_is_not_disturbed(form):
    """Where float64 is there to survive a cancellation, a file without the cast to it is wrong, and the right one right."""
    output = TorchArbiter(Applied(lambda x: form(x, torch.float64)), ["x"], ["y"]).witness({"x": EVENTS})["y"]
    x = torch.from_numpy(EVENTS)
    for double, right in ((torch.float64, True), (torch.float32, False)):
        worst = ratios(form(x, double).numpy(), output.exact, LEAST * output.scale).max()
        assert (worst < 1.0) == right, worst
    assert (LEAST * output.scale).max() < 1e-4


def test_a_branch_on_numbers_ends_what_is_known_of_float64():
    """There the limit is that of float32, which is too wide and no wrong alarm."""

    def form(x):
        y = x.double() + 1e6
        return ((y if x.dtype == torch.float32 else y * 1.0) - 1e6).float()

    output = TorchArbiter(Applied(form), ["x"], ["y"]).witness({"x": EVENTS})["y"]
    assert ratios(output.single, output.exact, LEAST * output.scale).max() < 1.0
    assert output.scale.max() > 1e-3


class Histogram(torch.nn.Module):
    """Bins whose edges are made in forward, as in many a network with a soft or hard histogram."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, x):
        return (x[:, :, None] > self.make()).float().mean(1)


@pytest.mark.parametrize(
    "make", [lambda: torch.linspace(-3, 3, 50), lambda: torch.arange(0, 1, 0.1), lambda: torch.logspace(-2, 1, 20)]
)
def test_steps_of_a_factory_function_are_those_of_float32(make):
    """Rounded from float64, 16 of 50 edges of linspace are one unit in the last place beside float32's own."""
    edges = make().numpy()
    near = [edges, np.nextafter(edges, np.float32(np.inf)), np.nextafter(edges, np.float32(-np.inf))]
    feed = {"x": np.concatenate(near)[:, None].astype(np.float32)}
    output = TorchArbiter(Histogram(make), ["x"], ["y"], 1).witness(feed)["y"]
    assert np.array_equal(output.exact, output.single)


class Elapsed(torch.nn.Module):
    """Takes seconds since 1970, which float32 has no digits for."""

    def forward(self, t):
        return (t - 1.7e9).float() * 0.5


def test_an_input_that_is_declared_float64_stays_such():
    feed = {"t": 1.7e9 + np.linspace(0, 100, 20)[:, None]}
    output = TorchArbiter(Elapsed(), ["t"], ["y"], 1).witness(feed)["y"]
    assert np.abs(output.exact - (feed["t"] - 1.7e9) * 0.5).max() < 1e-6
    assert (np.abs(output.single - output.exact) <= output.scale).all()
