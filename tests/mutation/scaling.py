"""How long the gate takes, and how that grows with the numbers that it compares.

    make gate-benchmark        writes docs/images/gate-time.png, and prints the table of docs/gate.md

For each size the same file is judged with one largest batch. The peer is what is done without a gate: ONNX Runtime on
the same inputs, at the usual setting, and numpy.allclose against torch.
"""

import sys
import time
from types import SimpleNamespace

import numpy as np
import torch
from building import foreign
from gating import VALIDATE, examined, exported, gated
from support import DEFAULTS, PROJECT, merge
from torchship.config.domain_checks import spelled_out
from torchship.gate.case_inputs import make_inputs
from torchship.gate.cases import Witnesses, witness_cases
from torchship.gate.session import ExportedFile
from torchship.gate.witness.torch_arbiter import TorchArbiter
from torchship.pages.plotting import figure
from torchship.runtimes.local import session
from torchship.spec.axes import read_axes
from torchship.spec.tensor import read_tensors

SIZES = [1_000, 10_000, 100_000, 1_000_000]
NETWORKS = ["xor", "batch_norm"]
# Of tests/foreign, at batches that a person would wait for.
FOREIGN = {"hcr": [64, 1_000, 8_000], "calo_cnn": [64, 500], "particle_net": [64, 500]}
REPEATS = 3


def timed(call):
    """Return the shortest time of some, and what the call gave."""
    best, result = np.inf, None
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - start)
    return best, result


def subject(name):
    """Return a network with its module, its file, its witnesses and its declaration."""
    if name not in FOREIGN:
        return gated(name)
    network, axes = foreign(name), read_axes(foreign(name).entry)
    inputs = read_tensors({key: spelled_out(key, tensor) for key, tensor in network.entry["inputs"].items()})
    outputs = read_tensors(network.entry["outputs"])
    proto = exported(network.module, inputs, outputs, 18, axes)
    witnesses = Witnesses(TorchArbiter(network.module, list(inputs), list(outputs)))
    return SimpleNamespace(module=network.module, inputs=inputs, outputs=outputs, axes=axes,
                           content=proto.SerializeToString(), witnesses=witnesses)  # fmt: skip


def measure(name, size):
    """Return seconds of the witnesses, of the examination with and without the search, and of the peer."""
    network = subject(name)
    axes = getattr(network, "axes", {})
    validate = merge(VALIDATE, {"batch_sizes": [1, 2, 7, size], "search": {"evaluations": 0}})
    witness, (cases, facts) = timed(
        lambda: witness_cases(
            network.witnesses,
            make_inputs(
                network.inputs, None, validate, beyond=7, seed=0, axes=axes, comparer=network.witnesses.arbiter
            ),
        )
    )
    file = ExportedFile(network.content, network.inputs, network.outputs, axes)

    def judge(section):
        return examined(network, file, cases, facts, section)

    alone, done = timed(lambda: judge(validate))
    assert done.failures == []
    evaluations = DEFAULTS["validate"]["search"]["evaluations"]
    searching, _ = timed(lambda: judge(merge(validate, {"search": {"evaluations": evaluations}})))
    running = session(network.content)

    def peer():
        for case in cases:
            found = running.run(None, case.feed)
            with torch.no_grad():
                wanted = network.module(*map(torch.from_numpy, case.feed.values()))
            first = wanted if isinstance(wanted, torch.Tensor) else wanted[0]
            np.allclose(found[0], first.numpy(), rtol=1e-3, atol=1e-5)

    elements = sum(array.size for case in cases for array in case.exact.values())
    return {"elements": elements, "witnesses": witness, "examination": alone, "search": searching - alone,
            "peer": timed(peer)[0]}  # fmt: skip


def main():
    """Measure all, print the table, and draw it."""
    sizes = {**dict.fromkeys(NETWORKS, SIZES), **FOREIGN}
    found = {name: [measure(name, size) for size in sizes[name]] for name in sizes}
    print("| network | numbers compared | witnesses [s] | examination [s] | search [s] | µs a number | of the peer |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name, rows in found.items():
        for row in rows:
            both = row["witnesses"] + row["examination"]
            print(f"| {name} | {row['elements']:,} | {row['witnesses']:.2f} | {row['examination']:.2f} | {row['search']:.2f} "
                  f"| {1e6 * both / row['elements']:.2f} | {both / row['peer']:.0f} × |")  # fmt: skip
    draw(found)


def draw(found):
    """Draw seconds against numbers compared, a colour for each network, its name beside its line."""
    images = PROJECT / "docs" / "images"
    style = {**DEFAULTS["plots"], "dpi": 100}
    # The colours of the plots, and a fifth of the same palette.
    colors = [*style["colors"], "#e69f00"]
    with figure(images / "gate-time.svg", images / "gate-time.png", style) as axes:
        for (name, rows), color in zip(found.items(), colors, strict=True):
            elements, gate = [row["elements"] for row in rows], [row["witnesses"] + row["examination"] for row in rows]
            axes.loglog(elements, gate, "o-", color=color)
            axes.loglog(elements, [row["peer"] for row in rows], "s:", color=color)
            axes.annotate(name, (elements[-1], gate[-1]), (8, -3), textcoords="offset points", color=color)
        reach = np.array([2e3, 2e6])
        axes.loglog(reach, 1e-5 * reach, color="black", linewidth=0.8, linestyle="--")
        for marker, text in (("ko-", "the gate"), ("ks:", "ONNX Runtime and allclose"), ("k--", "10 µs a number")):
            axes.plot([], [], marker, label=text)
        axes.set(xlabel="numbers compared", ylabel="seconds, without the search", xlim=(5e2, 3e7))
        axes.legend(fontsize=8, loc="lower right")
    (images / "gate-time.svg").unlink()


if __name__ == "__main__":
    sys.exit(main())
