"""Side-by-side timing: every engine in every round, in random order, and what may be said of the samples."""

import math
import random
import time
from collections.abc import Callable, Mapping
from typing import TypedDict

import numpy as np
from scipy.stats import bootstrap

# A way to time: the seconds that this many calls take.
Timer = Callable[[int], float]

QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99}
# A quantile needs samples beyond it, or it is but the largest sample.
BEYOND = 2
BOOTSTRAP_RESAMPLES = 999
# Allocators, caches and a first call's one-time work settle in that many samples.
WARM_UP = 20


def calls_per_sample(timer: Timer, sample_seconds: float) -> int:
    """Return how many calls make a sample last long enough, after a warm-up of `WARM_UP` samples' time."""
    start = time.perf_counter()
    timer(1)
    while time.perf_counter() - start < WARM_UP * sample_seconds:
        timer(1)
    calls = 1
    while (seconds := timer(calls)) < sample_seconds:
        calls = max(2 * calls, min(64 * calls, math.ceil(calls * sample_seconds / max(seconds, 1e-9))))
    return calls


def rounds(
    engines: Mapping[str, Timer], *, count: int, seconds: float, sample_seconds: float, seed: int
) -> dict[str, tuple[int, list[float]]]:
    """Time all engines in turns, each round in a new random order, so that a slow moment of the machine hits all alike.

    Args:
        count: rounds, if the time suffices; at least one is made.
        seconds: most time for the rounds.

    Returns:
        for each engine the calls in a sample, and the seconds a call of each sample.
    """
    order = sorted(engines)
    calls = {name: calls_per_sample(engines[name], sample_seconds) for name in order}
    samples: dict[str, list[float]] = {name: [] for name in order}
    shuffler = random.Random(seed)  # noqa: S311 -- not for secrets
    start = time.perf_counter()
    for _ in range(count):
        shuffler.shuffle(order)
        for name in order:
            samples[name].append(engines[name](calls[name]) / calls[name])
        if time.perf_counter() - start > seconds:
            break
    return {name: (calls[name], samples[name]) for name in samples}


def python_timer(call: Callable[[], object]) -> Timer:
    """Time a Python callable on the performance counter, the loop's own cost of about 20 ns a call included."""

    def timer(calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        return time.perf_counter() - start

    return timer


class Quantile(TypedDict):
    """A quantile of samples in seconds, with the ends of its interval, or a note that says why there is none."""

    seconds: float
    low: float | None
    high: float | None
    note: str


def summarize(samples: list[float], confidence: float, seed: int) -> dict[str, Quantile]:
    """Return median, p90 and p99 of samples, each with its percentile bootstrap interval (scipy.stats.bootstrap).

    A quantile with fewer than `BEYOND` samples beyond it has no interval, and the note 'too few samples'.
    """
    data = np.array(samples)
    result: dict[str, Quantile] = {}
    for name, level in QUANTILES.items():
        entry: Quantile = {"seconds": float(np.quantile(data, level)), "low": None, "high": None, "note": ""}
        if len(data) * (1.0 - level) < BEYOND:
            entry["note"] = "too few samples"
        else:
            interval = bootstrap(
                (data,),
                lambda values, axis, level=level: np.quantile(values, level, axis=axis),
                confidence_level=confidence,
                n_resamples=BOOTSTRAP_RESAMPLES,
                method="percentile",
                rng=np.random.default_rng(seed),
            ).confidence_interval
            entry |= {"low": float(interval.low), "high": float(interval.high)}
        result[name] = entry
    return result
