"""One file of the wall, from its declaration and its reference to the verdicts on it and on its broken twin."""

import copy
import importlib.util
import tempfile
from pathlib import Path

import numpy as np
import onnx
import yaml
from independent import draw_points, truth
from library import TARGETS, TEST_EVENTS, Bench, Stages
from torchship.gate.witness.witnesses import read_witnesses
from verdicts import Broken, Result, verdict

HERE = Path(__file__).parent
FILES = yaml.safe_load((HERE / "files.yaml").read_text())


def maker(name):
    """Import what makes a file and knows what it must give."""
    spec = importlib.util.spec_from_file_location(f"foreign_file_{name}", HERE / "files" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def examine(name: str, targets=TARGETS, **validate) -> Result:
    """Take one file and its twin all the way, with a reference of its maker's."""
    made_by, entry, stages = maker(name), copy.deepcopy(FILES[name]), Stages()
    result = Result(name, stages)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = made_by.make()
        onnx.checker.check_model(made)
        right = written(folder / "right.onnx", made)
        entry["onnx"] = {"file": str(right), "reference": str(folder / "reference.npz")}
        write_reference(folder / "reference.npz", entry, made_by.reference)
        bench = Bench(folder, name, entry, stages, **validate)
        bench.declare()
        result.truth = checked(entry, made_by, right)
        judge_file(result.verdicts, bench, right, folder / "reference.npz", targets)
        if made_by.BROKEN is not None:
            made_by.broken(made)
            wrong = written(folder / "wrong.onnx", made)
            result.twin, result.twin_truth = Broken(made_by.BROKEN), checked(entry, made_by, wrong)
            found = {}
            judge_file(found, bench, wrong, folder / "reference.npz", targets[:1], "_twin")
            result.twin_verdict = found.get(targets[0])
    return result


def written(path, made):
    path.write_bytes(made.SerializeToString())
    return path


def write_reference(path, entry, reference):
    """Write inputs from the domain, and what the file's maker says that they give, in float64."""
    batched = all(tensor["shape"][:1] == ["batch"] for tensor in entry["inputs"].values())
    feed = draw_points(entry, np.random.default_rng(5), TEST_EVENTS if batched else 5)
    np.savez(path, **feed, **reference(feed))


def checked(entry, made_by, file):
    """Say independently whether a file is right."""

    def exact(feed):
        return [made_by.reference(feed)[name] for name in entry["outputs"]]

    def single(feed):
        return [
            np.asarray(array).astype(np.float32) if np.asarray(array).dtype.kind == "f" else array
            for array in exact(feed)
        ]

    return truth(file.read_bytes(), entry, exact, single)


def judge_file(verdicts, bench, file, reference, targets, tag=""):
    """Take a file as the workflow does: its cases, against the reference, then the gate for each target."""
    (bench.folder / "cases.safetensors").unlink(missing_ok=True)
    placed = {target: bench.adopt(target, file, tag) for target in targets}
    witnesses = {"onnx": file}
    cases = bench.cases({**witnesses, "reference": reference}, tag)
    for target, adopted in placed.items():
        if cases is not None and adopted is not None:
            evidence = bench.gate(target, adopted, lambda section: read_witnesses(section, witnesses), tag)
            verdicts[target] = verdict(evidence)
