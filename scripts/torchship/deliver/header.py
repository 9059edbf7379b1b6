"""The C++ header as a package of its own: for CMake and for scram, with a test that compares it with golden events."""

import logging
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from torchship.codegen.common import identifier
from torchship.codegen.layers import Network
from torchship.codegen.run_cpp import WARNINGS, version
from torchship.core.files import write_text
from torchship.deliver.building import build, run_golden
from torchship.deliver.golden import Golden
from torchship.deliver.passed import Passed
from torchship.deliver.rendering import render

log = logging.getLogger(__name__)

# What the package is made of beside the header, as outputs of the rule name it: the path in the package, the template.
FILES = {
    "golden": ("test/golden.hpp", "golden.hpp"),
    "test": ("test/test_golden.cpp", "test_golden.cpp"),
    "buildfile": ("test/BuildFile.xml", "BuildFile.xml"),
    "cmake": ("CMakeLists.txt", "CMakeLists.txt"),
    "readme": ("README.md", "README.md"),
}
HEADER = "interface/network.hpp"


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


def try_package(files: Mapping[str, str], executable: str) -> int:
    """Compile a package's test with all warnings, run it, and return how many golden events it compared.

    Raises:
        DeliveryError: it does not compile, or the header is beyond the limit of a golden event.
    """
    with TemporaryDirectory() as folder:
        for path, text in files.items():
            write_text(Path(folder) / path, text)
        test, program = Path(folder) / FILES["test"][0], Path(folder) / "test_golden"
        build([executable, "-std=c++17", "-O2", *WARNINGS, str(test), "-o", str(program)], FILES["test"][0])
        said = run_golden([str(program)], "of the header")
    log.info("compiled with %s; the largest errors are %s of the limit", version(executable), said["largest"])
    return int(said["events"])
