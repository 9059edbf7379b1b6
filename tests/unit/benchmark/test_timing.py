"""Timing: all engines in turns, and nothing said that the samples don't carry."""

import numpy as np
import pytest
from torchship.benchmark.timing import BEYOND, calls_per_sample, rounds, summarize


def test_every_engine_is_timed_in_every_round_in_changing_order():
    seen = []

    def engine(name):
        def timer(calls):
            seen.append(name)
            return calls * 1e-3

        return timer

    timed = rounds({name: engine(name) for name in "abc"}, count=20, seconds=60.0, sample_seconds=1e-4, seed=1)
    assert all(len(samples) == 20 for _, samples in timed.values())
    turns = [tuple(seen[-60:][start : start + 3]) for start in range(0, 60, 3)]
    assert all(sorted(turn) == ["a", "b", "c"] for turn in turns)
    assert len(set(turns)) > 3


def test_short_calls_are_repeated():
    assert calls_per_sample(lambda calls: calls * 1e-6, 1e-3) >= 1000
    assert calls_per_sample(lambda calls: calls * 1.0, 1e-3) == 1


def test_time_is_bounded_but_one_round_is_made():
    timed = rounds({"a": lambda calls: calls * 1.0}, count=10**6, seconds=0.0, sample_seconds=1e-9, seed=1)
    assert len(timed["a"][1]) == 1


def test_too_few_samples_are_said_to_be_too_few():
    samples = list(np.random.default_rng(0).normal(1.0, 0.1, size=50))
    found = summarize(samples, 0.95, 1)
    assert found["median"]["low"] < found["median"]["seconds"] < found["median"]["high"]
    assert found["p99"] == {
        "seconds": pytest.approx(np.quantile(samples, 0.99)),
        "low": None,
        "high": None,
        "note": "too few samples",
    }
    assert summarize(samples * (BEYOND * 4), 0.95, 1)["p99"]["note"] == ""
