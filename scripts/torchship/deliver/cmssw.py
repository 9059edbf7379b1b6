"""A package for CMSSW: a validated file with a producer and a golden test, compiled against stand-ins."""

import json
import logging
import subprocess
import sysconfig
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

import numpy as np
from torchship.codegen.common import identifier
from torchship.codegen.run_cpp import WARNINGS, version
from torchship.core.files import write_text
from torchship.deliver.building import build, run_golden
from torchship.deliver.cmssw_names import axis_names, ports
from torchship.deliver.golden import Golden
from torchship.deliver.passed import Passed
from torchship.deliver.rendering import render
from torchship.export.documents import ExportDocument
from torchship.runtimes.libraries import Library
from torchship.spec.arrays import Array
from torchship.spec.axes import ANY_SIZE, BATCH, Axes, AxisRange
from torchship.spec.target import Target
from torchship.spec.tensor import Tensors

log = logging.getLogger(__name__)

# What a package is made of beside the file, as outputs of the rule name it: the path in the package, the template.
FILES = {
    "model_file": ("interface/ModelFile.h", "ModelFile.h"),
    "interface": ("interface/Model.h", "Model.h"),
    "producer": ("plugins/ScoreProducer.cc", "ScoreProducer.cc"),
    "plugins_buildfile": ("plugins/BuildFile.xml", "plugins_BuildFile.xml"),
    "buildfile": ("BuildFile.xml", "BuildFile.xml"),
    "golden": ("test/golden.h", "golden.h"),
    "test": ("test/testGolden.cc", "testGolden.cc"),
    "test_buildfile": ("test/BuildFile.xml", "test_BuildFile.xml"),
    "configuration": ("test/scores_cfg.py", "scores_cfg.py"),
}
README = ("README.md", "README.md")
MODEL = "data/model.onnx"
WHAT = "the package for CMSSW"
STANDINS = Path(__file__).parent / "standins" / "cmssw"
# The style of CMSSW, as `scram b code-format` writes it.
STYLE = (
    "{BasedOnStyle: Google, ColumnLimit: 120, NamespaceIndentation: All, AccessModifierOffset: -2, "
    "SortIncludes: Never, BinPackArguments: false, BinPackParameters: false, AlwaysBreakTemplateDeclarations: Yes, "
    "DerivePointerAlignment: false, AllowShortIfStatementsOnASingleLine: Never, AllowShortLoopsOnASingleLine: false}"
)


class Tried(TypedDict):
    """What was tried of a package: in which ONNX Runtime, and how many golden events."""

    runtime: str
    events: int


@dataclass(frozen=True)
class Delivery:
    """What a package is of.

    Attributes:
        run: its name.
        package: subsystem and package.
        inputs, outputs: the declared tensors.
        working_point: where an output counts as yes.
        target: the deployment target.
        exported: what export.json says of the file.
        content: the file.
        golden: events.
        passed: the gate's verdict on it.
        axes: which sizes dynamic axes may have.
    """

    run: str
    package: str
    inputs: Tensors
    outputs: Tensors
    working_point: float
    target: Target
    exported: ExportDocument
    content: bytes
    golden: Golden
    passed: Passed
    axes: Axes = field(default_factory=dict)

    @property
    def further(self) -> list[str]:
        """Return the dynamic axes beside the batch, in the order in which the inputs name them."""
        named = (axis for tensor in self.inputs.values() for axis in tensor.shape if isinstance(axis, str))
        return list(dict.fromkeys(axis for axis in named if axis != BATCH))

    @property
    def plugin(self) -> str:
        """Return the name of the plugin, which all of CMSSW shares."""
        return "_".join(part[:1].upper() + part[1:] for part in identifier(self.run).split("_")) + "_ScoreProducer"


def package(made: Delivery) -> dict[str, str]:
    """Return the text of each file of a package but the file itself and the page, by its path."""
    given = values(made)
    texts = {path: render(__file__, template, **given) for path, template in FILES.values()}
    return {path: formatted(text) if path.endswith((".h", ".cc")) else text for path, text in texts.items()}


def formatted(text: str) -> str:
    """Return C++ in CMSSW's style: how long lines are depends on a user's names."""
    command = [str(Path(sysconfig.get_path("scripts")) / "clang-format"), f"--style={STYLE}"]
    # It comes with the environment, and takes whatever it is given.
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603


def page(made: Delivery, tried: Tried | None, lacking: str = "") -> str:
    """Return the page of a package.

    Args:
        made: what it is of.
        tried: what was tried; None where something was missing.
        lacking: what that was.
    """
    series = f"CMSSW_{', '.join(f'{name}_X' for name in made.target.series)}" if made.target.series else "CMSSW"
    more = {"series": series, "target": made.target, "tried": tried, "verdict": made.passed, "lacking": lacking}
    return render(__file__, README[1], **values(made), **more)


def values(made: Delivery) -> dict[str, object]:
    """Return what templates are filled in with."""
    axes, stem = made.further, identifier(made.run)
    inputs = ports(made.inputs, axes)
    batch = next(iter(made.inputs.values())).shape[0]
    return {
        "run": made.run,
        "package": made.package,
        "namespace": f"torchship_{stem}",
        "guard": made.package.replace("/", "_"),
        "plugin": made.plugin,
        "inputs": inputs,
        "outputs": ports(made.outputs, axes),
        "axes": axis_names(axes, {port.instance for port in inputs}),
        "batch": batch if isinstance(batch, int) else None,
        **allowed(made.axes.get(BATCH, ANY_SIZE)),
        # Events that know nothing of one another, or whole batches of a file that takes no other.
        "together": isinstance(batch, int) or set(made.golden.calls) == {1},
        "working_point": made.working_point,
        # As `export.canonical` spells it.
        "metadata": {
            key: json.dumps(value, sort_keys=True) for key, value in sorted(made.exported["metadata"].items())
        },
        "bytes": len(made.content),
        "sha256": made.exported["sha256"],
        "checksum": zlib.crc32(made.content),
        "notes": made.exported["notes"],
        "count": len(made.golden),
        "golden": {
            "calls": made.golden.calls,
            "origins": made.golden.origins,
            "sizes": golden_sizes(made, axes),
            **{part: [rows(array) for array in arrays.values()] for part, arrays in parts(made.golden).items()},
        },
    }


def allowed(sizes: AxisRange) -> dict[str, str]:
    """Return the condition of C++ that a batch is none that the network takes, and which ones it takes; '' if all."""
    conditions, words = [], []
    if sizes.smallest > 1:
        conditions.append(f"events < {sizes.smallest}")
        words.append(f"at least {sizes.smallest}")
    if sizes.largest is not None:
        conditions.append(f"events > {sizes.largest}")
        words.append(f"at most {sizes.largest}")
    if sizes.multiple > 1:
        conditions.append(f"events % {sizes.multiple} != 0")
        words.append(f"multiples of {sizes.multiple}")
    return {"allowed": " || ".join(conditions), "allowed_words": ", ".join(words)}


def parts(golden: Golden) -> dict[str, Mapping[str, Array]]:
    """Return the arrays of golden events by part."""
    return {"inputs": golden.inputs, "exact": golden.exact, "limit": golden.limit}


def rows(array: Array) -> list[list[float]]:
    """Return events as flat lists; float32 as the float64 that it is."""
    found: list[list[float]] = array.reshape(len(array), -1).astype(np.float64).tolist()
    return found


def golden_sizes(made: Delivery, axes: Sequence[str]) -> list[int]:
    """Return the sizes of the further axes in the golden events."""
    places = {
        axis: (name, place)
        for name, tensor in made.inputs.items()
        for place, axis in enumerate(tensor.shape)
        if axis in axes
    }
    return [made.golden.inputs[name].shape[place] for name, place in (places[str(axis)] for axis in axes)]


def try_package(made: Delivery, files: Mapping[str, str], executable: str, library: Library) -> Tried:
    """Compile a package against stand-ins, run its golden test, and return how that went.

    Args:
        executable: the compiler.
        library: ONNX Runtime's.

    Raises:
        DeliveryError: something does not compile, or the test fails.
    """
    with TemporaryDirectory() as folder:
        root = Path(folder) / made.package
        for path, text in files.items():
            write_text(root / path, text)
        (root / MODEL).parent.mkdir()
        (root / MODEL).write_bytes(made.content)
        command = [executable, *compile_flags(Path(folder), made.target.generation or "")]
        build([*command, "-fsyntax-only", str(root / FILES["producer"][0])], WHAT)
        program = Path(folder) / "test_golden"
        # By the name under which it is looked for.
        (Path(folder) / "libonnxruntime.so.1").symlink_to(library.path)
        link = [f"{folder}/libonnxruntime.so.1", f"-Wl,-rpath,{folder}", "-o", str(program)]
        build([*command, str(root / FILES["test"][0]), *link], WHAT)
        said = run_golden([str(program), str(root / MODEL)], "for CMSSW")
    log.info("compiled with %s; the largest error is %.3g of the limit", version(executable), said["largest"])
    return {"runtime": library.version, "events": said["events"]}


def compile_flags(folder: Path, generation: str) -> list[str]:
    """Return how a package below a folder is compiled against the stand-ins of a generation of the class."""
    places = [folder, STANDINS / "common", STANDINS / generation]
    return ["-std=c++17", "-O1", *WARNINGS, *(f"-I{place}" for place in places)]
