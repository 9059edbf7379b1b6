"""The basic facts hold here, and a fact that did not hold would stop the step."""

import pytest
from torchship.basics.facts import Fact, autograd_facts, device_facts, tensor_facts
from torchship.core.errors import TorchshipError

from check_basics import require


@pytest.mark.parametrize("facts", [tensor_facts, device_facts, autograd_facts])
def test_facts_hold(facts):
    assert [fact for fact in facts() if not fact.holds] == []
    require(facts())


def test_the_seeds_gradients():
    by_code = {fact.code: fact.found for fact in autograd_facts()}
    assert by_code["f.item()"] == -2.25
    assert by_code["a.grad"] == [-1.5, -1.5]
    assert by_code["b.grad"] == [1.5, 1.5]


def test_a_false_fact_stops():
    with pytest.raises(TorchshipError, match=r"one is two: 1 gives 1, expected 2"):
        require([Fact("one is two", "1", 2, 1)])
