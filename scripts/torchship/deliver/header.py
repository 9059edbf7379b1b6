"""The C++ header as a package of its own: for CMake and for scram, with a test that compares it with golden events."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

from torchship.codegen.common import identifier
from torchship.codegen.layers import Network
from torchship.codegen.run_cpp import WARNINGS, version
from torchship.core.errors import DeliveryError
from torchship.core.files import write_text
from torchship.deliver.golden import Golden
from torchship.deliver.passed import Passed
from torchship.deliver.rendering import render

# What the package is made of beside the header, as outputs of the rule name it: the path in the package, the template.
FILES = {
    "golden": ("test/golden.hpp", "golden.hpp"),
    "test": ("test/test_golden.cpp", "test_golden.cpp"),
    "buildfile": ("test/BuildFile.xml", "BuildFile.xml"),
    "cmake": ("CMakeLists.txt", "CMakeLists.txt"),
    "readme": ("README.md", "README.md"),
}
HEADER = "interface/network.hpp"
# Seconds that the golden test may take; it takes a millisecond.
PATIENCE = 60


class Tried(TypedDict):
    """What was tried of a package: with which compiler, and the largest error of each type in units of the limit."""

    compiler: str
    events: int
    largest: Mapping[str, float]


def package(
    network: Network, header: str, golden: Golden, passed: Mapping[str, Passed], fingerprint: str
) -> dict[str, str]:
    """Return the text of each file of a package by its path.

    Args:
        network: whose names are said in the page.
        header: the text of the generated header.
        golden: events of the network's one input and one output.
        passed: the verdict of each target of the run.
        fingerprint: the SHA-256 of the header.
    """
    ((_, inputs),), ((output, exact),) = golden.inputs.items(), golden.exact.items()
    count = len(golden)
    values = {
        "name": network.name,
        "identifier": identifier(network.name),
        "network": network,
        "fingerprint": fingerprint,
        "passed": passed,
        "origins": golden.origins,
        "inputs": inputs.reshape(count, -1).tolist(),
        "exact": exact.reshape(count, -1).tolist(),
        "limit": golden.limit[output].reshape(count, -1).tolist(),
    }
    made = {path: render(__file__, template, **values) for path, template in FILES.values()}
    return {HEADER: header, **made}


def try_package(files: Mapping[str, str], executable: str) -> Tried:
    """Compile a package's test with all warnings, run it, and return how it went.

    Raises:
        DeliveryError: it does not compile, or the header is beyond the limit of a golden event.
    """
    with TemporaryDirectory() as folder:
        for path, text in files.items():
            write_text(Path(folder) / path, text)
        test, program = FILES["test"][0], Path(folder) / "test_golden"
        command = [executable, "-std=c++17", "-O2", *WARNINGS, test, "-o", str(program)]
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
        if built.returncode:
            complaint = next((line for line in built.stderr.splitlines() if "error" in line), built.stderr.strip())
            raise DeliveryError(f"{test} does not compile with {executable}: {complaint}")
        done = subprocess.run(  # noqa: S603
            [program], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    if done.returncode:
        first, *rest = done.stderr.splitlines() or [f"it ended with status {done.returncode}"]
        raise DeliveryError(f"the golden test of the header: {first}" + (f" (and {len(rest)} more)" if rest else ""))
    said = json.loads(done.stdout)
    return {"compiler": version(executable), "events": said["events"], "largest": said["largest"]}
