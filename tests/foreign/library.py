"""The library as the workflow calls it, step by step: data, cases, export and gate for a network or file of the wall.

All calls into torchship that a change of the library may touch are here.
"""

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

import numpy as np
import onnx
import torch
from building import EVENTS, called
from independent import draw_points
from support import DEFAULTS, PROJECT, SCHEMA, case_outputs
from support import TARGETS as ALL_TARGETS
from torchship.config.domain_checks import spelled_out
from torchship.config.resolve import check, merge
from torchship.config.targets import file_opset, natives
from torchship.core.errors import TorchshipError
from torchship.core.files import sha256
from torchship.models.module import save_weights
from torchship.spec.model import read_model
from torchship.spec.objective import terms_of
from torchship.spec.section import read_section

from adopt_onnx import adopt_onnx
from export_onnx import export_onnx, place_onnx
from generate_data import generate_data
from make_cases import make_cases
from train_network import train_network
from translate_network import translate_network
from validate_target import validate_target

TARGETS = ("latest", "cmssw_14_2", "cmssw_15_0")
SECTIONS = ("data", "train", "scan", "evaluate", "extract", "export", "validate", "benchmark")
SMALL = {
    "batch_sizes": [1, 2, 7, 64],
    "axis_sizes": [1, 2, 7, 20],
    "search": {"evaluations": 512, "seconds": 60},
    "threads": [1],
}
TEST_EVENTS = 600
# What an entry says to the independent check alone.
CHECKED_BY = ("data_like", "coarse")


@dataclass
class Stages:
    """Seconds of each stage, and what each said: None where all was well."""

    seconds: dict[str, float] = field(default_factory=dict)
    said: dict[str, str | None] = field(default_factory=dict)

    def run(self, name, function, /, *arguments, **named):
        """Run one stage; return what it gives, None if it raised one of the library's errors or any other."""
        start, result = perf_counter(), None
        self.said[name] = None
        try:
            result = function(*arguments, **named)
        except TorchshipError as error:
            self.said[name] = one_line(str(error))
        except Exception as error:
            # What is not told in one line of the library's own is a defect, and is shown as one.
            self.said[name] = f"TRACEBACK {type(error).__name__}: {one_line(str(error))}"
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start
        return result


def apart(function, /, *arguments, **named):
    """Call a function in a new process, as every job of the workflow is: what torch traced before may change a trace."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


def one_line(text):
    return " ".join(text.split())[:400]


def section(name: str, entry: Mapping, **validate) -> dict:
    """Return the section of a run, as the workflow makes it of the defaults and an entry; not yet checked."""
    own = {key: value for key, value in entry.items() if key not in CHECKED_BY}
    merged = {part: merge(DEFAULTS[part], own.get(part, {})) for part in SECTIONS}
    # Whatever the first output is, a number can be learned from a number.
    merged["train"] = {**merged["train"], "loss": own.get("train", {}).get("loss", "mean_squared_error")}
    merged["validate"] = merge(merge(merge(DEFAULTS["validate"], SMALL), validate), own.get("validate", {}))
    axes = {axis for tensor in entry["inputs"].values() for axis in tensor["shape"] if isinstance(axis, str)}
    merged["export"] = {**merged["export"], "targets": list(TARGETS), "input_shapes": len(axes) > 1}
    tensors = {
        kind: {key: spelled_out(f"{kind}/{key}", tensor) for key, tensor in entry[kind].items()}
        for kind in ("inputs", "outputs")
    }
    section = {"network": {"file": name}, "axes": {}, **own, **tensors, **merged, "seed": 1, "device": "cpu"}
    # Of a file its adoption says the rest.
    return section if "onnx" in own else read_section(section)


def check_declaration(name: str, entry: Mapping) -> None:
    """Check an entry against the schema of the configuration."""
    own = {key: value for key, value in entry.items() if key not in CHECKED_BY}
    kind = {} if "onnx" in own else {"network": {"file": name}}
    check({**kind, **own}, {"$defs": SCHEMA["$defs"], "$ref": "#/$defs/model"}, at=f"models/{name}/")


class Bench:
    """A folder with the files of one network or file of the wall, and the steps on them."""

    def __init__(self, folder: Path, name: str, entry: Mapping, stages: Stages, **validate) -> None:
        self.folder, self.name, self.entry, self.stages = folder, name, entry, stages
        self.section = section(name, entry, **validate)
        self.files: dict[str, Path] = {}

    def declare(self):
        self.stages.run("declaration", check_declaration, self.name, self.entry)

    def data(self, module):
        """Make the sets of a run from points of the domain, as a user's data would be, with outputs as targets."""
        self.stages.run("data", self._data, module)

    def _data(self, module):
        generator = np.random.default_rng(5)
        # Smooth: what lies on a threshold, the gate has to find by itself.
        feed = draw_points(self.entry, generator, TEST_EVENTS, coarse=False)
        if any(tensor["shape"][0] != "batch" for tensor in self.entry["inputs"].values()):
            return
        with torch.no_grad():
            outputs = called(module, feed)
        targets = {term.target: outputs[term.place].numpy().astype(np.float32) for term in terms_of(self.section)}
        np.savez(self.folder / "data.npz", **feed, **targets)
        self.section["data"] = {**self.section["data"], "source": "file", "path": str(self.folder / "data.npz")}
        sets = {split: self.folder / f"{split}.safetensors" for split in ("train", "validation", "test")}
        generate_data(
            sets,
            self.folder / "datasheet.json",
            data=self.section["data"],
            model=self.section,
            targets=sorted(targets),
            seed=1,
        )
        self.files |= {**sets, "datasheet": self.folder / "datasheet.json"}

    def weights(self, network: Path, module):
        """Save a module's weights as those that were trained."""
        path = self.folder / f"{network.stem}.safetensors"
        self.stages.run("weights", save_weights, path, module.state_dict())
        return path

    def train(self, network: Path):
        """Train for two epochs as the workflow does, on the first output, or on those that the entry names."""
        self.stages.run("train", self._train, network)

    def _train(self, network):
        knobs = {"replicas": 2, "epochs": 2, "batch_size": EVENTS, "record_every": 1,
                 "learning_rate": 0.001, "weights": {**DEFAULTS["train"]["weights"], "distribution": "default"}}  # fmt: skip
        model = {**self.section, "train": {**self.section["train"], **knobs}}
        outputs = {key: self.folder / f"trained.{key}" for key in ("weights", "history", "replicas", "training")}
        train_network(
            {split: self.files[split] for split in ("train", "validation")}, self.files["datasheet"], network, outputs,
            self.folder / "checkpoint", "this code", section=model, watch={"log_every": 100, "checkpoint_seconds": 1000},
            point={},
        )  # fmt: skip

    def cases(self, witnesses: Mapping[str, Path], tag: str = ""):
        """Make the cases that all targets are judged on."""
        path = self.folder / "cases.safetensors"
        data = {key: self.files[key] for key in ("test", "train", "datasheet") if key in self.files}
        # The workflow names the weights so; a file of its own has neither.
        self.stages.run(
            f"cases{tag}", make_cases, {**witnesses, **data}, case_outputs(path), run=self.name, model=self.section
        )
        return path if path.exists() else None

    def export(self, target: str, network: Path, weights: Path, tag: str = ""):
        """Export for a target; return the file, None where that failed."""
        path = self.folder / f"{target}{tag}.onnx"
        program, translated = (self.folder / f"translated{tag}.{kind}" for kind in ("zip", "json"))
        if f"translation{tag}" not in self.stages.said:
            opsets = natives(file_opset(self.section["export"]["opset"], DEFAULTS["targets"][name]) for name in TARGETS)
            self.stages.run(
                f"translation{tag}", apart, translate_network, network, weights, program, translated,
                model=self.section, opsets=opsets,
            )  # fmt: skip
        if program.exists():
            self.stages.run(
                f"export{tag}/{target}", export_onnx, program, translated, path, path.with_suffix(".json"), run=self.name,
                target=ALL_TARGETS[target], model=self.section, name=target,
            )  # fmt: skip
        return path if path.exists() else None

    def adopt(self, target: str, file: Path, tag: str = ""):
        """Take a file from elsewhere for a target."""
        path = self.folder / f"{target}{tag}.onnx"
        adopted, shipped = (self.folder / f"adopted{tag}.{kind}" for kind in ("onnx", "json"))
        if f"adoption{tag}" not in self.stages.said:
            reference = Path(self.section["onnx"]["reference"])
            self.stages.run(
                f"adoption{tag}",
                adopt_onnx,
                file,
                reference,
                adopted,
                shipped,
                run=self.name,
                section={kind: self.section[kind] for kind in ("inputs", "outputs")},
            )
            if shipped.exists():
                self.section = read_model(shipped).with_knobs(self.section)
        if shipped.exists():
            self.stages.run(
                f"export{tag}/{target}", place_onnx, adopted, read_model(shipped), path, path.with_suffix(".json"), name=target,
                target=ALL_TARGETS[target],
            )  # fmt: skip
        return path if path.exists() else None

    def gate(self, target: str, file: Path, witnesses, tag: str = ""):
        """Judge a file as the workflow does; return the evidence, None where the gate itself failed."""
        outputs = {
            name: self.folder / f"{target}{tag}.{name}"
            for name in ("validation", "errors", "evidence", "worst", "page")
        }
        cases = self.folder / "cases.safetensors"
        runtimes = [self._runtime(name) for name in dict.fromkeys([target, "latest"])]
        self.stages.run(
            f"gate{tag}/{target}", validate_target, file, file.with_suffix(".json"), cases, witnesses(self.section),
            runtimes, outputs, what=f"{self.name}/{target}", target=ALL_TARGETS[target], model=self.section,
        )  # fmt: skip
        return json.loads(outputs["evidence"].read_text()) if outputs["evidence"].exists() else None

    def _runtime(self, target):
        version = ALL_TARGETS[target].onnxruntime
        there = PROJECT / ".runtimes" / f"onnxruntime-{version}" / "bin" / "python"
        path = self.folder / f"{version}.runtime.json"
        path.write_text(json.dumps({"python": str(there if there.exists() else sys.executable)}))
        return path


def edit(path: Path, change) -> None:
    """Change an exported file, and its report with it, as if it had been exported so."""
    model = onnx.load(str(path))
    change(model)
    path.write_bytes(model.SerializeToString())
    report = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**report, "sha256": sha256(path)}))
