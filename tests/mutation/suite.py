"""Break correct files on purpose, and count who notices: the gate, and what is done elsewhere.

    make mutants                       all of it, into docs/mutants.md
    make mutants ARGS="--most 2"       fewer of each kind

The truth about a mutant is found apart from the gate: it is broken if it does not load, does not run at a declared
shape, has another signature, is not what its target takes, or is beyond the limit anywhere on 20,000 fresh events.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import correct
import numpy as np
import peers
from gating import NETWORKS, VALIDATE, gated
from mutants import Mutant, mutants
from outcome_page import page
from random_networks import largest_ratio
from torchship.data.domain import corners, draw, uniform
from torchship.gate.case import Case
from torchship.gate.judge import Judge, check_signature
from torchship.gate.session import ExportedFile, Session
from torchship.runtimes.frames import RefusedError
from torchship.runtimes.local import LocalRuntime
from torchship.spec.axes import BATCH, USUAL_SIZE, dynamic_axes, shape_matrix

FRESH = 20_000
# Of one run of a network, so that a graph is no larger than those that networks see.
AT_ONCE = 2_000
# Inputs that the gate's search may try on a file; the default of the configuration is 5,120.
EVALUATIONS = 1024
MODELS = [name for name in NETWORKS if name not in ("lost_bias", "double_mass")]


@dataclass(frozen=True)
class Result:
    """What was found of one file: why it is broken, how far beyond the limit it is, and who noticed."""

    network: str
    mutant: Mutant
    broken: str | None
    ratio: float
    check: str | None
    peers: dict[str, bool]


def fresh_cases(network, count=FRESH, seed=99):
    """Return inputs that no check has seen: uniform, some at the corners, and every shape once."""
    generator = np.random.default_rng(seed)
    axes = dynamic_axes(network.inputs)
    size = min(count, AT_ONCE) if BATCH in axes else min(count, 200)
    feeds = []
    for number in range(max(1, count // size)):
        way = dict.fromkeys(network.inputs, corners if number % 5 == 4 else uniform)
        sizes = dict.fromkeys(axes, USUAL_SIZE) | {axes[0]: size}
        feeds.append((sizes, draw(network.inputs, way, sizes, generator)))
    way = dict.fromkeys(network.inputs, uniform)
    shapes = shape_matrix(network.inputs, VALIDATE, 64)
    feeds += [(sizes, draw(network.inputs, way, sizes, generator)) for sizes in shapes]
    cases = []
    for sizes, feed in feeds:
        output = network.witnesses.arbiter.witness(feed)
        limits = network.witnesses.limits(feed, output, network.facts["factors"])
        exact = {name: value.exact for name, value in output.items()}
        cases.append(Case({"origin": "fresh", "sizes": sizes}, feed, exact, {}, limits))
    return cases


def truth(network, mutant, cases):
    """Say why a file is broken, None if it is not, and the largest ratio to the limit."""
    if mutant.static:
        return "its target does not take it, or it lies", np.inf
    runtime, file = LocalRuntime(), ExportedFile(mutant.content, network.inputs, network.outputs)
    judge = Judge(network.witnesses, network.facts["factors"], network.outputs)
    try:
        session = Session(file, runtime, runtime.open(mutant.content))
    except RefusedError:
        return "does not load", np.inf
    if check_signature(runtime.signature(session.number), file):
        return "another signature", np.inf
    largest = 0.0
    for case in cases:
        differences, failures = judge.case(case, session.run(case.feed))
        if any(failure.check != "parity" for failure in failures):
            return f"{failures[0].check} at {case.about['sizes']}", np.inf
        largest = max([largest, *(difference.ratio for difference in differences.values())])
    return ("beyond the limit", largest) if not largest <= 1.0 else (None, largest)


def examine(name, most, seed=0, evaluations=EVALUATIONS, batches=(1, 2, 7, 1000), axes=(1, 2, 7, 64), fresh=FRESH):
    """Try all mutants of one network's file; give the results."""
    network = gated(name, seed, batches=batches, axes=axes)
    cases = fresh_cases(network, fresh)
    others = peers.peers(network)
    results = []
    for mutant in mutants(network.proto, seed, most):
        broken, ratio = truth(network, mutant, cases)
        evidence = network.judge(mutant.content, search={"evaluations": evaluations})
        check = evidence["failures"][0]["check"] if evidence["failures"] else None
        noticed = {peer: flags(mutant.content) for peer, flags in others.items()}
        results.append(Result(name, mutant, broken, ratio, check, noticed))
    return results


def false_alarms(name, seeds, evaluations=EVALUATIONS, batches=(1, 2, 7, 64)):
    """Judge correct files of one network with several weights; give how many, and what was said of any refused."""
    count, alarms = 0, []
    for seed in seeds:
        network = gated(name, seed, batches=batches)
        for what, content in correct.variants(network.proto):
            evidence = network.judge(content, search={"evaluations": evaluations})
            count += 1
            if evidence["failures"]:
                alarms.append(f"{name} {seed}, {what}: {evidence['failures'][0]}")
    return count, alarms


def random_files(count):
    """Judge the files of random networks; give the largest error of each in units of the limit."""
    return np.array([largest_ratio(seed) for seed in range(count)])


def lost_bias():
    """Judge what torch makes of a module whose bias it loses."""
    network = gated("lost_bias")
    mutant = Mutant("exporter", "a bias is lost", network.content)
    broken, ratio = truth(network, mutant, fresh_cases(network, 2000))
    check = network.judge()["failures"][0]["check"]
    noticed = {name: flags(network.content) for name, flags in peers.peers(network).items()}
    return Result("lost_bias", mutant, broken, ratio, check, noticed)


def main():
    """Run the whole suite, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--most", type=int, default=8, help="mutants of a kind and network")
    parser.add_argument("--weights", type=int, default=10, help="weights that correct files are tried with")
    parser.add_argument("--random", type=int, default=3000, help="random networks whose correct files are judged")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    start = time.perf_counter()
    results, correct_files, alarms = [], 0, []
    for name in arguments.networks:
        results += examine(name, arguments.most)
        count, said = false_alarms(name, range(arguments.weights))
        correct_files, alarms = correct_files + count, alarms + said
        print(
            f"{name}: {len(results)} mutants, {correct_files} correct files, {time.perf_counter() - start:.0f} s",
            file=sys.stderr,
        )
    others = random_files(arguments.random)
    text = page(results, lost_bias(), correct_files, alarms, others, fresh=FRESH, evaluations=EVALUATIONS)
    if arguments.output:
        arguments.output.write_text(text)
    else:
        sys.stdout.write(text)
    survivors = [result for result in results if result.broken and not result.check]
    return int(bool(alarms) or bool((others > 1.0).any()) or any(result.ratio > SURVIVES for result in survivors))


# A mutant that is less beyond the limit than this on 20,000 events may be missed.
SURVIVES = 2.0


if __name__ == "__main__":
    sys.exit(main())
