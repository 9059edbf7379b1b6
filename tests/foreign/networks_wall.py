"""One network of the wall, from its declaration to the verdicts on its file and on its broken twin."""

import tempfile
from pathlib import Path

from building import foreign
from independent import float64, numbers, truth
from library import TARGETS, Bench, Stages, edit
from torchship.gate.witness.witnesses import read_witnesses
from twins import TWINS, broken
from verdicts import Broken, Result, verdict

TWIN_FILE = '''"""The broken twin of a network."""

import sys

sys.path[:0] = {path!r}
import torch
from building import HERE
from torchship.models.module import network_class
from twins import TWINS

Right = network_class(HERE / "networks" / "{name}.py")


class Network(Right):
    def __init__(self):
        super().__init__()
        with torch.no_grad():
            TWINS["{name}"].module(self)
'''


def examine(name: str, targets=TARGETS, train=True, **validate) -> Result:
    """Take one network and its twin all the way."""
    stages = Stages()
    network = foreign(name)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), name, network.entry, stages, **validate)
        bench.declare()
        bench.data(network.module)
        if train and "train" in bench.files:
            bench.train(network.file)
        weights = bench.weights(network.file, network.module)
        found = {"network": network.file, "trained": weights}
        cases = bench.cases(found) if weights.exists() else None
        result = Result(name, stages)
        for target in targets:
            file = bench.export(target, network.file, weights) if weights.exists() else None
            if file is not None and target == targets[0]:
                result.truth = checked(network, file)
            if file is not None and cases is not None:
                evidence = bench.gate(target, file, lambda section: read_witnesses(section, found))
                result.verdicts[target] = verdict(evidence)
        if name in TWINS and cases is not None:
            examine_twin(result, bench, network, found, targets[0])
    return result


def checked(network, file):
    """Say independently whether a file is right."""
    return truth(
        file.read_bytes(), network.entry,
        lambda feed: float64(network.module, feed), lambda feed: numbers(network.module, feed),
    )  # fmt: skip


def examine_twin(result, bench, network, found, target):
    """Export the twin for one target, and judge it by the right network's cases."""
    twin = TWINS[network.name]
    result.twin = Broken(twin.what, twin.where)
    changed, file, weights = network.module, network.file, found["trained"]
    if twin.module is not None:
        changed = broken(network.module, twin)
        file = bench.folder / f"{network.name}_twin.py"
        here = Path(__file__).parent
        path = [str(here), str(here.parent), str(here.parents[1] / "scripts")]
        file.write_text(TWIN_FILE.format(path=path, name=network.name))
        weights = bench.weights(file, changed)
    exported = bench.export(target, file, weights, "_twin")
    if exported is None:
        return
    if twin.graph is not None:
        edit(exported, twin.graph)
    result.twin_truth = checked(network, exported)
    evidence = bench.gate(target, exported, lambda section: read_witnesses(section, found), "_twin")
    result.twin_verdict = verdict(evidence)
