"""The declared domain: of each feature, with padding that follows a mask, and what is drawn from it."""

import re
import textwrap

import numpy as np
import pytest
import yaml
from support import DEFAULTS, PROJECT, SCHEMA, merge
from torchship.config.domain_checks import spelled_out
from torchship.config.resolve import resolve
from torchship.config.tensor_checks import check_tensors
from torchship.core.errors import ConfigError, DataError
from torchship.data.checks import check_domain, check_inputs
from torchship.data.domain import corners, draw, edge_draws, grid, near, on_values, rows, uniform
from torchship.data.padding import hidden
from torchship.gate import bad_input
from torchship.gate.search import Breeding
from torchship.gate.witness.thresholds import Comparisons, flips
from torchship.spec.axes import read_axes
from torchship.spec.tensor import Padding, Tensor, read_tensors

# Lists of particles as experiments have them: features of very different sizes, and padding to the longest list that no
# feature's domain holds.
FEATURES = ["pt", "eta", "phi", "d0"]
LOW, HIGH = [0.5, -2.4, -3.2, -1e-4], [1e5, 2.4, 3.2, 1e-4]
DECLARED = {
    "particles": {"shape": ["batch", "particles", 4], "features": FEATURES, "low": LOW, "high": HIGH,
                  "padded": {"mask": "present", "value": -99.0}},
    "charge": {"shape": ["batch", "particles"], "values": [-1.0, 1.0], "padded": {"mask": "present"}},
    "present": {"shape": ["batch", "particles"], "values": [0.0, 1.0]},
}  # fmt: skip
PARTICLES = read_tensors(DECLARED)
# The same with features first, as ParticleNet takes them, and a mask that is True where nothing is.
CHANNELS = read_tensors({
    "points": {"shape": ["batch", 2, "particles"], "low": [[-2.4], [-3.2]], "high": [[2.4], [3.2]],
               "padded": {"mask": "absent", "value": 0.0, "where": 1}},
    "absent": {"shape": ["batch", 1, "particles"], "dtype": "bool", "values": [0, 1]},
})  # fmt: skip
COUNTS = read_tensors({"jets": {"shape": ["batch", 3], "dtype": "int32", "low": [0, -5, 2], "high": [12, 5, 3]}})
SIZES = {"batch": 200, "particles": 9}


def require_in_domain(feed, inputs=PARTICLES):
    """Check by hand, not by the functions that draw."""
    x, present = feed["particles"], feed["present"] == 1
    for place in range(4):
        real = x[..., place][present]
        assert (real >= np.float32(LOW[place])).all()
        assert (real <= np.float32(HIGH[place])).all()
    assert (x[~present] == np.float32(-99.0)).all()
    assert (feed["charge"][~present] == 0.0).all()
    assert set(np.unique(feed["charge"][present])) <= {-1.0, 1.0}
    assert set(np.unique(feed["present"])) <= {0.0, 1.0}
    assert {name: array.dtype for name, array in feed.items()} == dict.fromkeys(PARTICLES, np.dtype("float32"))


@pytest.mark.parametrize("number", range(len(edge_draws(PARTICLES))))
def test_every_draw_has_each_features_domain_and_is_padded(number):
    feed = draw(PARTICLES, edge_draws(PARTICLES)[number][1], SIZES, np.random.default_rng(0))
    require_in_domain(feed)


class Above:
    """Compares every number of some inputs."""

    def __init__(self, **constants):
        self._constants = constants

    def comparisons(self, feed, *, disturbed=0):
        outcomes = [feed[name] > constant for name, constant in self._constants.items()]
        return Comparisons(outcomes, tuple(self._constants.values()))


@pytest.mark.parametrize(
    "constants", [{"particles": 0.0}, {"present": 0.5}, {"charge": 0.0}, {"charge": 0.0, "particles": 1.0}]
)
def test_events_on_both_sides_of_a_comparison_lie_in_the_domain_and_are_padded(constants):
    generator = np.random.default_rng(0)
    events = draw(PARTICLES, dict.fromkeys(PARTICLES, uniform), SIZES, generator)
    found = flips(Above(**constants), PARTICLES, events, generator)
    assert len(found["present"]) > 20
    require_in_domain(found)


def test_there_is_nothing_between_two_categories():
    inputs = {
        "category": Tensor(("batch", 2), dtype="int64", values=(3, 50, 8)),
        "x": Tensor(("batch", 1), low=0.0, high=1.0),
    }
    generator = np.random.default_rng(0)
    events = draw(inputs, dict.fromkeys(inputs, uniform), SIZES, generator)
    found = flips(Above(category=20, x=0.5), inputs, events, generator)
    assert set(np.unique(found["category"])) == {3, 50, 8}
    # The pairs that differ in the number are next to each other.
    low, high = np.split(found["x"], 2)
    assert (np.abs(high - low) == np.spacing(np.float32(0.5))).any()


def test_draws_fill_each_features_domain():
    feed = draw(PARTICLES, dict.fromkeys(PARTICLES, uniform), SIZES, np.random.default_rng(0))
    real = feed["particles"][feed["present"] == 1]
    assert (np.ptp(real, axis=0) > 0.9 * (np.array(HIGH) - LOW)).all()
    ends = draw(PARTICLES, dict.fromkeys(PARTICLES, corners), SIZES, np.random.default_rng(0))
    real = ends["particles"][ends["present"] == 1]
    for place in range(4):
        assert set(np.unique(real[:, place])) == {np.float32(LOW[place]), np.float32(HIGH[place])}


def test_masks_are_drawn_with_padding_at_the_end_and_scattered():
    present = draw(PARTICLES, dict.fromkeys(PARTICLES, uniform), SIZES, np.random.default_rng(0))["present"]
    trailing = (np.diff(present, axis=1) <= 0).all(axis=1)
    assert 0.4 < trailing.mean() < 0.7
    assert set(present[trailing].sum(axis=1)) == set(range(10))


def test_features_that_come_first_and_masks_of_absence():
    feed = draw(CHANNELS, dict.fromkeys(CHANNELS, uniform), SIZES, np.random.default_rng(0))
    assert feed["absent"].shape == (200, 1, 9)
    assert feed["absent"].dtype == bool
    absent = np.broadcast_to(feed["absent"], (200, 2, 9))
    assert (feed["points"][absent] == 0.0).all()
    assert (feed["points"][~absent] != 0.0).all()
    assert 2.4 < np.abs(feed["points"][:, 1]).max() <= np.float32(3.2)
    assert np.abs(feed["points"][:, 0]).max() <= np.float32(2.4)


def test_integers_have_a_domain_by_feature():
    jets = draw(COUNTS, dict.fromkeys(COUNTS, uniform), SIZES, np.random.default_rng(0))["jets"]
    assert jets.dtype == np.int32
    assert jets.min(axis=0).tolist() == [0, -5, 2]
    assert jets.max(axis=0).tolist() == [12, 5, 3]


def test_a_grid_has_each_features_ends():
    tensor = Tensor(("batch", 2), low=(-1.0, 10.0), high=(1.0, 20.0))
    points = grid(tensor, 3, 100, np.random.default_rng(0))
    assert points.shape == (9, 2)
    assert np.unique(points[:, 0]).tolist() == [-1.0, 0.0, 1.0]
    assert np.unique(points[:, 1]).tolist() == [10.0, 15.0, 20.0]
    many = grid(tensor, 11, 100, np.random.default_rng(0))
    assert many.shape == (100, 2)
    assert many.min(axis=0)[1] > 10.0


def test_the_search_keeps_to_each_features_domain_and_to_the_masks():
    """Over many generations: masks change, and what they reveal is drawn, not left at the padding's value."""
    generator, sizes = np.random.default_rng(0), {"batch": 256, "particles": 5}
    breeding = Breeding(PARTICLES, sizes, generator, (), together=True)
    population = breeding.first([])
    for _ in range(20):
        require_in_domain(population)
        parents = [rows(population, slice(event, event + 1)) for event in range(32)]
        population = breeding.next(parents)
    single = Breeding(PARTICLES, {"batch": 4, "particles": 5}, generator, (), together=False)
    alone = single.first([])
    for _ in range(20):
        alone = single.next([alone])
        require_in_domain(alone)


def test_steps_of_the_search_are_as_wide_as_each_feature():
    generator, sizes = np.random.default_rng(0), {"batch": 256, "particles": 5}
    middle = {"particles": np.full((1, 5, 4), 0.0, np.float32) + (np.array(LOW) + HIGH).astype(np.float32) / 2,
              "charge": np.ones((1, 5), np.float32), "present": np.ones((1, 5), np.float32)}  # fmt: skip
    child = Breeding(PARTICLES, sizes, generator, (), together=True).next([middle])
    moved = (child["particles"] != middle["particles"]) & (child["present"] == 1)[..., None]
    far = np.abs(child["particles"] - middle["particles"]) / (np.array(HIGH) - LOW)
    for place in range(4):
        steps = far[..., place][moved[..., place]]
        assert len(steps) > 50
        assert 1e-6 < np.median(steps) < 0.1


def test_bad_input_lies_outside_of_the_features_own_domain():
    inputs = {"x": Tensor(("batch", 2), low=(-1.0, 0.0), high=(1.0, 1e4))}
    outside = {what for promise, what, _ in bad_input.bad_numbers(inputs, {"x": np.zeros((3, 2), np.float32)}, {})
               if promise == "outside"}  # fmt: skip
    assert outside == {"21 in x[0]", "-21 in x[0]"}


def test_bad_input_spoils_a_number_that_counts():
    feed = draw(PARTICLES, dict.fromkeys(PARTICLES, uniform), SIZES, np.random.default_rng(0))
    feed["present"][0] = [0, 0, 1, 0, 0, 0, 0, 0, 1]
    for _, what, spoilt in bad_input.bad_numbers(PARTICLES, feed, SIZES):
        if what.endswith("particles[0]"):
            changed = np.argwhere((spoilt["particles"] != feed["particles"]) | np.isnan(spoilt["particles"]))
            assert changed.tolist() == [[0, 2, 0]]


def data(**changes):
    feed = draw(PARTICLES, dict.fromkeys(PARTICLES, uniform), SIZES, np.random.default_rng(1))
    return {**feed, "target": np.zeros((200, 1), np.float32), **changes}


def test_data_as_declared_pass():
    check_inputs(data(), PARTICLES, ["target"], "mine.npz")
    check_domain(data(), PARTICLES, "mine.npz")


def test_a_feature_outside_of_its_domain_is_named():
    """The largest of all features would do for each, if they had one domain."""
    arrays = data()
    arrays["present"][17, 2] = 1.0
    arrays["particles"][17, 2] = [30.0, 2.5, 0.0, 0.0]
    arrays["charge"][17, 2] = 1.0
    message = r"mine.npz: 'particles' \(eta\) goes from -2.38922 to 2.5, outside of the declared domain, -2.4 to 2.4, that the validation covers \(first in event 17\)"
    with pytest.raises(DataError, match=message):
        check_domain(arrays, PARTICLES, "mine.npz")


def test_padding_that_is_not_as_declared_is_named():
    arrays = data()
    arrays["present"][17, 2] = 0.0
    arrays["particles"][17, 2] = [30.0, -99.0, -99.0, -99.0]
    arrays["charge"][17, 2] = 0.0
    message = r"mine.npz: 'particles' holds 30.0 in event 17 at \[2, 0\] \(pt\), which the mask 'present' hides: padding must be -99.0"
    with pytest.raises(DataError, match=message):
        check_domain(arrays, PARTICLES, "mine.npz")


def test_a_mask_with_other_values_is_named():
    arrays = data()
    arrays["present"][5, 1] = 0.5
    arrays["charge"][5, 1] = 1.0
    arrays["particles"][5, 1] = [30.0, 0.0, 0.0, 0.0]
    with pytest.raises(
        DataError, match=r"'present' holds 0.5 in event 5, outside of the declared domain: `values` are"
    ):
        check_domain(arrays, PARTICLES, "mine.npz")


def test_sizes_of_the_data_must_be_those_that_an_axis_may_have():
    axes = read_axes({"axes": {"particles": {"least": 12}}})
    with pytest.raises(DataError, match=r"mine.npz: axis 'particles' has size 9 in 'particles'; `axes` says least 12"):
        check_inputs(data(), PARTICLES, ["target"], "mine.npz", axes)
    other = data(present=np.ones((200, 7), np.float32))
    with pytest.raises(DataError, match=r"axis 'particles' has size 7 in 'present', 9 in another input"):
        check_inputs(other, PARTICLES, ["target"], "mine.npz")


def test_events_near_data_are_in_the_domain_and_near():
    events = draw(PARTICLES, dict.fromkeys(PARTICLES, uniform), SIZES, np.random.default_rng(1))
    found = near(events, PARTICLES, np.random.default_rng(2))
    require_in_domain(found)
    both = (found["present"] == 1) & (events["present"] == 1)
    assert (found["present"] <= events["present"]).all()
    assert 1 <= (found["present"] != events["present"]).sum() < 60
    same = found["particles"][both] == events["particles"][both]
    changed = (~same).sum() / 200
    assert 0.5 < changed < 4
    # Steps of the last places, steps of a millionth to a tenth of the domain, and values of other events.
    delta = np.abs(found["particles"].astype(float) - events["particles"])[both][~same]
    ulps = delta / np.spacing(np.abs(events["particles"][both][~same]))
    assert (ulps <= 4.5).sum() > 20
    wide = np.broadcast_to(np.array(HIGH) - LOW, events["particles"].shape)[both][~same]
    assert ((delta / wide > 1e-6) & (delta / wide < 0.1)).sum() > 20
    assert np.isin(found["particles"][both][~same], events["particles"]).sum() > 20
    again = near(events, PARTICLES, np.random.default_rng(2))
    assert all(np.array_equal(found[name], again[name]) for name in found)


def test_near_takes_integers_graphs_and_scalars():
    inputs = {**COUNTS, "flags": Tensor(("batch",), dtype="bool", values=(0, 1))}
    events = draw(inputs, dict.fromkeys(inputs, uniform), SIZES, np.random.default_rng(1))
    found = near(events, inputs, np.random.default_rng(2))
    assert (found["jets"] >= [0, -5, 2]).all()
    assert (found["jets"] <= [12, 5, 3]).all()
    assert 20 < (found["jets"] != events["jets"]).sum() < 400
    assert found["flags"].dtype == bool
    graph = {
        "hits": Tensor(("hits", 3), low=-1.0, high=1.0),
        "edges": Tensor((2, "edges"), dtype="int64", indexes="hits"),
        "scale": Tensor((), low=0.0, high=1.0),
    }
    events = draw(graph, dict.fromkeys(graph, uniform), {"hits": 30, "edges": 50}, np.random.default_rng(1))
    found = near(events, graph, np.random.default_rng(2))
    assert np.array_equal(found["edges"], events["edges"])
    assert found["scale"].shape == ()
    assert (found["hits"] != events["hits"]).any()
    none = {"hits": np.zeros((0, 3), np.float32), "edges": np.zeros((2, 0), np.int64), "scale": np.float32(0.5)}
    assert near(none, graph, np.random.default_rng(0))["hits"].shape == (0, 3)


def test_draws_on_special_values_hit_thresholds_and_their_neighbours():
    """A cut at 0.1 in |d0| and at 30 in pt: each on the number that float32 has for it, and one unit beside."""
    feed = on_values(PARTICLES, SIZES, {"particles": [30.0, 5e-5, 1e30, np.nan]}, np.random.default_rng(0))
    require_in_domain(feed)
    pt, d0 = (feed["particles"][..., place][feed["present"] == 1] for place in (0, 3))
    for cut, found in ((np.float32(30.0), pt), (np.float32(5e-5), d0)):
        beside = [cut, np.nextafter(cut, np.float32(0)), np.nextafter(cut, np.float32(1e9))]
        assert all((found == value).sum() > 20 for value in beside)
    assert (d0 == 0.0).sum() > 20
    assert (d0 == np.float32(1e-4)).sum() > 20
    assert (pt == 7.0).sum() > 1
    assert (pt == np.float32(1e5)).sum() > 20
    uniform_ones = ~np.isin(pt, np.concatenate([[30.0, 0.5, 1e5], np.arange(1e5)]).astype(np.float32))
    assert uniform_ones.mean() > 0.2


def test_draws_on_special_values_of_integers():
    feed = on_values({**COUNTS, **CHANNELS}, SIZES, {"jets": [4.5, 1e12]}, np.random.default_rng(0))
    assert feed["jets"].dtype == np.int32
    assert (feed["jets"] >= [0, -5, 2]).all()
    assert (feed["jets"] <= [12, 5, 3]).all()
    absent = np.broadcast_to(feed["absent"], feed["points"].shape)
    assert (feed["points"][absent] == 0.0).all()


def test_ends_by_the_names_of_features_become_lists():
    tensor = {"shape": ["batch", 2], "features": ["pt", "eta"], "low": {"eta": -2.4, "pt": 0.0}, "high": 5.0}
    assert spelled_out("here", tensor) == {**tensor, "low": [0.0, -2.4]}


def test_what_a_file_says_itself_may_be_left_out():
    assert spelled_out("here", {"low": [0.0, 1.0], "high": 2.0}) == {"low": [0.0, 1.0], "high": 2.0}
    with pytest.raises(ConfigError, match=r"here: low 3.0 of \[1\] must be below high 2.0"):
        spelled_out("here", {"low": [0.0, 3.0], "high": 2.0})
    with pytest.raises(
        ConfigError, match="here/low holds 1 numbers, but a scalar has no axis: give one number for all"
    ):
        spelled_out("here", {"shape": [], "low": [0.0], "high": 2.0})


def test_scalars_are_drawn_as_arrays():
    inputs = {
        "x": Tensor((), low=0.0, high=1.0),
        "n": Tensor((), dtype="int64", low=1, high=9),
        "flag": Tensor((), dtype="bool", values=(0, 1)),
    }
    ways = [*(way for _, way in edge_draws(inputs))]
    generator = np.random.default_rng(0)
    drawn = [*(draw(inputs, way, {}, generator) for way in ways), on_values(inputs, {}, {"x": [0.5]}, generator)]
    for feed in [*drawn, near(drawn[0], inputs, generator)]:
        assert {name: (type(array), array.shape, str(array.dtype)) for name, array in feed.items()} == {
            "x": (np.ndarray, (), "float32"), "n": (np.ndarray, (), "int64"), "flag": (np.ndarray, (), "bool"),
        }  # fmt: skip


def configured(config, inputs, **changes):
    entry = {**config["models"]["xor"], "inputs": inputs, "evaluate": {"surface": None}, **changes}
    config["models"] = {"xor": entry}
    return resolve(config, SCHEMA, PROJECT)["xor"]


def test_a_configuration_gives_steps_lists_alone(config):
    given = {"shape": ["batch", 2], "features": ["pt", "eta"], "low": {"eta": -2.4, "pt": "1e-4"}, "high": ["1e5", 2.4]}
    section = configured(config, {"x": given})
    assert section["inputs"]["x"]["low"] == [1e-4, -2.4]
    assert section["inputs"]["x"]["high"] == [1e5, 2.4]
    assert section["axes"] == {}


def test_the_example_of_the_page_is_a_configuration(config):
    page = (PROJECT / "docs" / "gate.md").read_text()
    block = textwrap.dedent(re.search(r"(?m)(?:^    .*\n|^\n)+", page[page.index("    inputs:\n") :]).group())
    given = yaml.safe_load(block)
    section = configured(config, given["inputs"], axes=given["axes"])
    assert section["inputs"]["particles"]["high"] == [1e5, 2.4, 3.15, 1e-4]
    inputs = read_tensors(section["inputs"])
    feed = draw(inputs, dict.fromkeys(inputs, uniform), SIZES, np.random.default_rng(0))
    check_domain(feed, inputs, "drawn")


def changed(**changes):
    return merge(DECLARED, changes)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (changed(particles={"low": {"pt": 0.5, "eta": -2.4, "phi": -3.2}}), "inputs/particles/low has nothing for d0: give a number for each of pt, eta, phi, d0"),
        (changed(particles={"low": {"pt": 0.5, "eat": -2.4}}), "inputs/particles/low: unknown feature 'eat' (did you mean eta?); known: d0, eta, phi, pt"),
        (changed(particles={"low": [0.5, -2.4, -3.2]}), "inputs/particles/low holds 3 numbers, but the last axis of ['batch', 'particles', 4] has 4 entries"),
        (changed(particles={"low": [0.5, -2.4, 3.2, -1e-4]}), "inputs/particles: low 3.2 of phi must be below high 3.2"),
        (changed(particles={"low": [[0.5], [1.0, 2.0]]}), "inputs/particles/low holds lists of unequal lengths"),
        (changed(particles={"low": [0.5, "b", 3.2, -1e-4]}), "inputs/particles/low/1 is 'b': must be of type number or array, finite"),
        ({"x": {"shape": ["batch", "n"], "low": [0.0, 1.0], "high": 2.0}}, "inputs/x/low holds 2 numbers, but the last axis of ['batch', 'n'] has any number of entries: give one number for all"),
        ({"x": {"shape": ["batch", 2], "low": {"a": 0.0}, "high": 2.0}}, "inputs/x/low goes by the names of features, but the input has none"),
        ({"x": {"shape": ["batch", 2], "dtype": "int64", "low": [0, 0.5], "high": 2}}, "inputs/x is of dtype int64, but its domain holds [[0, 0.5], 2]"),
        (changed(particles={"padded": {"mask": "presnet"}}), "inputs/particles/padded/mask: unknown input 'presnet' (did you mean present?)"),
        (changed(particles={"padded": {"mask": "charge"}}), "inputs/particles/padded/mask is 'charge', which is padded itself"),
        (changed(present={"values": [1.0, 2.0]}), "padded/mask is 'present': a mask must declare `values: [0, 1]`"),
        (changed(present={"shape": ["batch", 4]}), "padded/mask is 'present' of shape ['batch', 4]: its axes must be the first ones of ['batch', 'particles', 4]"),
        (changed(particles={"padded": {"vale": 1.0}}), "unknown key models/xor/inputs/particles/padded/vale (did you mean value?)"),
        (changed(charge={"dtype": "int64", "values": [-1, 1], "padded": {"value": 0.5}}), "inputs/charge is of dtype int64, but its padding holds 0.5"),
        (changed(charge={"dtype": "uint8", "values": [0, 1], "padded": {"value": 300}}), "inputs/charge is of dtype uint8, but its padding holds 300"),
        ({"x": {"shape": ["batch", 2], "low": 0, "high": 1e39}}, "inputs/x is of dtype float32, but its domain holds [0, 1e+39]"),
        ({"x": {"shape": ["batch", 2], "dtype": "int64", "low": 0, "high": 10**19}}, "inputs/x is of dtype int64, but its domain holds [0, 10000000000000000000]"),
    ],
)  # fmt: skip
def test_a_wrong_domain_is_found_while_planning(config, inputs, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        configured(config, inputs)


def test_text_cannot_be_padded_by_a_number():
    kind = {"shape": ["batch", "n"], "dtype": "string", "values": ["a", "b"], "padded": {"mask": "m"}}
    inputs = {"kind": kind, "m": {"shape": ["batch", "n"], "values": [0, 1]}}
    with pytest.raises(ConfigError, match=r"inputs/kind/padded: the input is of dtype string, and padding is a number"):
        check_tensors("models/mine", {"inputs": inputs, "outputs": {}})


def test_an_axis_that_is_never_empty_must_be_there(config):
    with pytest.raises(
        ConfigError, match=r"never_empty: unknown dynamic axis of an input 'partikels' \(did you mean particles\?"
    ):
        configured(config, DECLARED, validate={"never_empty": ["partikels"]})


def test_hidden_entries_of_what_has_no_mask():
    assert not hidden(Tensor(("batch", 2)), {}, 2).any()
    assert DEFAULTS["models"]["xor"]["inputs"]["x"]["low"] == 0.0


def test_a_mask_that_is_never_empty_shows_an_entry_in_every_draw():
    inputs = {
        "jets": Tensor(("batch", "jets", 2), low=1.0, high=2.0, padded=Padding("pad", where=1, shown=2)),
        "pad": Tensor(("batch", "jets"), dtype="bool"),
    }
    sizes, generator = {"batch": 500, "jets": 4}, np.random.default_rng(0)
    feeds = [draw(inputs, way, sizes, generator) for _, way in edge_draws(inputs)]
    feeds += [on_values(inputs, sizes, {}, generator), near(feeds[0], inputs, generator)]
    for feed in feeds:
        shown = ~feed["pad"]
        assert shown.sum(axis=1).min() >= 2
        assert (feed["jets"][shown] >= 1.0).all()
        assert (feed["jets"][~shown] == 0.0).all()
    assert len({int(count) for count in (~feeds[0]["pad"]).sum(axis=1)}) == 3
    arrays = {name: array.copy() for name, array in feeds[0].items()}
    arrays["pad"][7] = True
    arrays["jets"][7] = 0.0
    with pytest.raises(DataError, match=r"the mask 'pad' shows 0 entries in event 7, `padded/shown` says at least 2"):
        check_domain(arrays, inputs, "the file")
