"""Derive requirement files from envs/, and build the runtimes that cannot share an environment with today's.

    python tools/environments.py requirements [--check]
    python tools/environments.py runtimes

`envs/*.yaml` is the only place with pins; everything here follows from it.
"""

import argparse
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "scripts"))

import yaml  # noqa: E402 -- after the path is set, like the library below
from torchship.core.errors import PinError, TargetError  # noqa: E402
from torchship.core.pins import read_pins  # noqa: E402
from torchship.runtimes.interpreters import RUNTIMES, interpreter  # noqa: E402

ENVIRONMENTS = PROJECT / "envs"
DEVELOPMENT = "development"
# The oldest runtime, 1.17.1, has no wheel for a newer Python; Torchship is written for none that is older.
PYTHONS = ((3, 11), (3, 12))
HEADER = "# Derived from envs/ by `make requirements`; don't edit.\n"


def merged_pins(files: list[Path]) -> dict[str, str]:
    """Return the pins of several environment files together.

    Raises:
        PinError: two files pin one package differently.
    """
    merged: dict[str, str] = {}
    for path in files:
        for name, version in read_pins(path).items():
            if merged.setdefault(name, version) != version:
                raise PinError(f"{path.name} pins {name} {version}, another file {merged[name]}: make them agree")
    return merged


def requirement_files() -> dict[Path, str]:
    """Return the text of each requirement file: what runs the workflow, and what develops it."""
    files = sorted(ENVIRONMENTS.glob("*.yaml"))
    development = ENVIRONMENTS / f"{DEVELOPMENT}.yaml"
    # Runtimes have environments of their own, and HTCondor's bindings are for those who submit to it.
    apart = ("onnxruntime-", "htcondor")
    running = [path for path in files if path != development and not path.stem.startswith(apart)]
    merged_pins([*running, development])
    return {
        PROJECT / "requirements.txt": spell(merged_pins(running)),
        PROJECT / "requirements-dev.txt": spell(merged_pins([development])),
    }


def spell(pins: dict[str, str]) -> str:
    """Return a requirement file's text."""
    return HEADER + "".join(
        f"{name}=={version}\n" for name, version in sorted(pins.items(), key=lambda pin: pin[0].lower())
    )


def write_requirements(*, check: bool) -> int:
    """Write the requirement files, or only tell whether they are in step."""
    stale = [path for path, text in requirement_files().items() if not path.exists() or path.read_text() != text]
    if check:
        for path in stale:
            print(f"{path.name} is not in step with envs/: run `make requirements`", file=sys.stderr)
        return int(bool(stale))
    for path, text in requirement_files().items():
        path.write_text(text)
    return 0


def build_runtimes() -> int:
    """Build an environment for each target's ONNX Runtime that .venv does not have."""
    if sys.version_info[:2] not in PYTHONS:
        wanted = " or ".join(".".join(map(str, version)) for version in PYTHONS)
        print(
            f"{sys.executable} is Python {'.'.join(map(str, sys.version_info[:3]))}: the oldest runtime has wheels for "
            f"{wanted} only; run `make -B install PYTHON=python3.12`",
            file=sys.stderr,
        )
        return 1
    targets = yaml.safe_load((PROJECT / "targets.yaml").read_text())["targets"]
    versions = sorted({target["onnxruntime"] for target in targets.values() if target["wheel"]})
    with ThreadPoolExecutor() as pool:
        # Asked for one by one, or an error would be lost.
        for done in [pool.submit(build_runtime, version) for version in versions]:
            print(done.result())
    return 0


def build_runtime(version: str) -> str:
    """Build the environment of one ONNX Runtime, unless it is there; say where it is."""
    pins = ENVIRONMENTS / f"onnxruntime-{version}.yaml"
    try:
        return f"ONNX Runtime {version}: {interpreter(pins)}"
    except TargetError:
        folder = RUNTIMES / pins.stem
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        requirements = [f"{name}=={number}" for name, number in read_pins(pins).items()]
        subprocess.run([*pip, *requirements], check=True)  # noqa: S603
        interpreter(pins)
        return f"ONNX Runtime {version}: built in {folder.relative_to(PROJECT)}"


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    requirements = commands.add_parser("requirements", help="derive requirements.txt and requirements-dev.txt")
    requirements.add_argument("--check", action="store_true", help="write nothing, fail if they are not in step")
    commands.add_parser("runtimes", help="build .runtimes/ for the targets of targets.yaml")
    arguments = parser.parse_args()
    if arguments.command == "requirements":
        return write_requirements(check=arguments.check)
    return build_runtimes()


if __name__ == "__main__":
    sys.exit(main())
