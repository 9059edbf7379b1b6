"""The page that tells what the mutation suite found."""

from collections import Counter

import numpy as np
from mutants import KINDS

HEAD = """# Mutants

Written by `make mutants`: correct files, broken on purpose, and who noticed. A mutant counts as broken if it does not
load, does not run at a declared shape, has another signature, is not what its target takes, or is beyond the limit
anywhere on {fresh:,} fresh events, which the gate has not seen. All others are harmless: they change nothing beyond what
rounding may.

{mutants} mutants of {networks} networks ({names}),
{broken} of them broken, and {correct} correct files. The gate's search tries {evaluations:,} inputs here.

The others: **verify** is `torch.onnx.export(…, verify=True)` with torch's own thresholds (it warns, and writes the file
all the same); **one input** is `numpy.allclose(rtol=1e-3, atol=1e-5)` on one random event; **400 inputs** compares 400
random events within 1e-4. Given are the broken mutants that each noticed.
"""
CHECKS = """
## Which check of the gate

Of a file that fails several, the first that is said.
"""
MISSED = """
## Broken, and not caught by the gate

The limit itself is estimated from 32 samples, and so varies by an eighth; what is just beyond it on fresh events may be
just within it on those of the gate.

"""
MORE = """
## Caught by the gate, within the limit on the fresh events

The gate found an input beyond the limit, or a place where the file is not what it must be, that the fresh events do not
show.

"""
ALARMS = """
## False alarms

{count} in {correct} correct files: every network with several weights, each as exported and in forms that mean the same
(weights as constants, Gemm split in two, other names, identities, exact factors, optimized by ONNX Runtime).

{others} in {networks:,} random networks of one to six layers with nine activations, 100 events each; the largest error
among them is {largest:.2f} of the limit, half of them stay below {median:.2f}.
"""
LOST = """
## A bias that got lost while torch traced the module

`tests/networks/lost_bias.py` as torch exports it. The gate: {check}. {peers}.
What compares the file with the exported program, or with anything else that was traced, agrees with the mistake.
"""


def page(results, lost, correct, alarms, others, *, fresh, evaluations):
    """Write the page of all results, of the lost bias, and of the correct files that were tried."""
    broken = [result for result in results if result.broken]
    networks = list(dict.fromkeys(result.network for result in results))
    facts = {"fresh": fresh, "evaluations": evaluations, "mutants": len(results), "broken": len(broken),
             "networks": len(networks), "names": ", ".join(networks), "correct": correct}  # fmt: skip
    missed = [result for result in broken if not result.check]
    more = [result for result in results if result.check and not result.broken]
    noticed = ", ".join(f"{name}: {'noticed' if flag else 'not noticed'}" for name, flag in lost.peers.items())
    return "".join([
        HEAD.format(**facts), "\n", by_kind(results, broken),
        CHECKS, "\n", table(["check", "broken mutants"], Counter(r.check for r in broken if r.check).most_common()),
        MISSED, listed(missed), MORE, listed(more),
        ALARMS.format(count=len(alarms), correct=correct, others=int((others > 1.0).sum()), networks=len(others),
                      largest=others.max(), median=np.median(others)), *(f"\n- {alarm}\n" for alarm in alarms),
        LOST.format(check=lost.check, peers=noticed[0].upper() + noticed[1:]),
    ])  # fmt: skip


def by_kind(results, broken):
    """Return the table of who noticed what."""
    names = list(results[0].peers)
    rows = []
    for kind in KINDS:
        bad = [result for result in broken if result.mutant.kind == kind]
        rows.append([kind, sum(result.mutant.kind == kind for result in results), len(bad), *counts(bad, names)])
    shares = [f"{count} ({100 * count / len(broken):.1f} %)" for count in counts(broken, names)]
    rows.append(["**all**", len(results), len(broken), *shares])
    return table(["kind", "mutants", "broken", "gate", *names], rows)


def counts(results, names):
    """Return how many of some results the gate noticed, and each of the others."""
    return [sum(bool(r.check) for r in results), *(sum(r.peers[name] for r in results) for name in names)]


def listed(results):
    """Return single mutants."""
    if not results:
        return "None.\n"
    rows = [[r.network, f"{r.mutant.kind}: {r.mutant.what}", r.check or "–", f"{r.ratio:.3g}"] for r in results]
    return table(["network", "mutant", "check", "of the limit, on fresh events"], rows)


def table(header, rows):
    """Return a table; all columns but text are set right."""
    lines = [
        header,
        ["---" if place == 0 or "mutant" in name or name == "check" else "--:" for place, name in enumerate(header)],
        *rows,
    ]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)
