"""Decisions that rounding seldom takes otherwise are no errors of a file; 32 disturbances may have missed them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchship.gate.case import Case
from torchship.gate.cases import Witnesses
from torchship.gate.judge import MOST_AGAIN, Judge
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.spec.tensor import Tensor

HITS = 40
# Of the limits, in spreads.
FACTOR = 12.0


class Nearest(torch.nn.Module):
    """Gives what the nearest hit carries; equal distances are in any order."""

    def forward(self, distances, charges):
        return charges.gather(1, distances.topk(1, largest=False)[1])


@pytest.fixture(scope="module")
def missed():
    return one_of_many(HITS)


def one_of_many(hits):
    """An event whose distances are all equal, of which one hit has a charge, and a seed whose disturbances miss it."""
    distances = np.full((1, hits), 0.5, np.float32)
    charges = np.zeros((1, hits), np.float32)
    first = int(torch.from_numpy(distances).topk(1, largest=False)[1])
    charges[0, (first + 7) % hits] = 1.0
    feed = {"distances": distances, "charges": charges}
    for seed in range(50):
        arbiter = TorchArbiter(Nearest(), list(feed), ["y"], seed)
        output = arbiter.witness(feed)["y"]
        if output.scale.max() < 1e-3:
            break
    limit = FACTOR * output.scale
    assert output.exact.item() == 0.0
    assert limit.max() < 1.0
    judge = Judge(Witnesses(arbiter), {"y": FACTOR}, {"y": Tensor(("batch", 1))})
    about = {"number": 0, "origin": "test set", "sizes": {"batch": 1}}
    return judge, Case(about, feed, {"y": output.exact}, {"y": output.single}, {"y": limit})


def fails(judge, case, value):
    found = {"y": np.full_like(case.exact["y"], value, dtype=np.float32)}
    (settled,) = judge.settled([case], [found], separate=True)
    return bool(judge.case(settled, found)[1])


def test_an_order_that_is_seldom_taken_is_no_error(missed):
    judge, case = missed
    found = {"y": np.ones((1, 1), np.float32)}
    assert judge.case(case, found)[1]
    assert not fails(judge, case, 1.0)
    # Where events are not independent, none can be looked at alone.
    assert judge.look_again(case, found, separate=False) is case


def test_one_in_two_hundred_is_seen_for_as_far_as_it_goes():
    """The mean of its squares over 512 disturbances is a fifteenth of that, twelve times which is not enough."""
    judge, case = one_of_many(5 * HITS)
    assert not fails(judge, case, 1.0)
    assert fails(judge, case, 3.5)


@pytest.mark.parametrize("value", [3.5, -3.5, np.nan, np.inf])
def test_what_rounding_never_gives_fails_all_the_same(missed, value):
    assert fails(*missed, value)


def test_what_no_decision_explains_keeps_its_limit(missed):
    """The charge is nowhere: nothing but rounding is allowed, however often it is disturbed."""
    judge, case = missed
    none = {**case.feed, "charges": np.zeros_like(case.feed["charges"])}
    assert fails(judge, replace(case, feed=none), 1e-3)


def test_many_failing_events_are_not_looked_at_again(missed):
    judge, case = missed
    many = {
        part: {name: np.repeat(array, MOST_AGAIN + 1, axis=0) for name, array in getattr(case, part).items()}
        for part in ("feed", "exact", "single", "limit")
    }
    case = replace(case, **many)
    assert judge.look_again(case, {"y": np.ones((MOST_AGAIN + 1, 1), np.float32)}, separate=True) is case
