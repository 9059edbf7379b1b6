"""The environment files: which versions they pin, and whether this interpreter has them."""

import re
import sys
from importlib import metadata
from pathlib import Path

from torchship.core.errors import PinError
from torchship.core.project import PROJECT

PIN = re.compile(r"^\s*-\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s#]+)")


def read_pins(path: Path) -> dict[str, str]:
    """Read the `name==version` lines of an environment file.

    A regular expression and not a YAML parser, because each step's environment holds only what the step needs.
    """
    matches = map(PIN.match, path.read_text(encoding="utf-8").splitlines())
    return {match["name"]: match["version"] for match in matches if match}


def mismatches(pins: dict[str, str]) -> dict[str, str]:
    """Return the installed version ('missing' if none) of every package that is not installed as pinned.

    A local version label is ignored: torch 2.13.0+cpu satisfies torch==2.13.0.
    """
    wrong = {}
    for name, version in pins.items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "missing"
        if installed.partition("+")[0] != version:
            wrong[name] = installed
    return wrong


def require_pins(path: Path) -> dict[str, str]:
    """Check that this interpreter has every version that `path` pins, and return the pins.

    Raises:
        PinError: some version differs; the message names each with what is installed.
    """
    wrong = differences(path)
    if wrong:
        raise PinError(f"{path} does not match what {sys.executable} has installed: {wrong}; {remedy()}")
    return read_pins(path)


def differences(path: Path) -> str:
    """Return in words which packages are not installed as `path` pins them; an empty text where all are."""
    pins = read_pins(path)
    wrong = sorted(mismatches(pins).items())
    return ", ".join(f"{name} {installed} (pinned {pins[name]})" for name, installed in wrong)


def remedy() -> str:
    """Say how this interpreter comes to have what is pinned, or another one is taken that has."""
    folder, own = Path(sys.executable).parent.resolve(), (PROJECT / ".venv" / "bin").resolve()
    # What is up to date by its date is made again.
    mend = "run `make -B install`" if folder == own else "run `make install`, then .venv/bin/snakemake"
    return f"{mend}, or add `--sdm conda` to snakemake"
