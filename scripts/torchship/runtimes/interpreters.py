"""Which Python runs a target's ONNX Runtime: this one, or that of an environment beside .venv."""

import os
import subprocess
import sys
from pathlib import Path

from torchship.core.errors import TargetError
from torchship.core.pins import mismatches, read_pins
from torchship.core.project import PROJECT

# Where `make` builds the runtimes that cannot share an environment with today's.
RUNTIMES = PROJECT / ".runtimes"
LIBRARY = Path(__file__).resolve().parents[2]


def interpreter(pins: Path) -> Path:
    """Return the interpreter whose installed packages are those that `pins` names.

    Raises:
        TargetError: neither this interpreter nor the environment beside .venv has them; the message has the command.
    """
    if not mismatches(read_pins(pins)):
        return Path(sys.executable)
    python = RUNTIMES / pins.stem / "bin" / "python"
    if not python.exists():
        raise TargetError(f"the environment of {pins} is not installed; run `make runtimes`, or add `--sdm conda`")
    imports = "import sys; from pathlib import Path; from torchship.core.pins import differences"
    check = f"{imports}; sys.exit(differences(Path(sys.argv[1])) or 0)"
    done = subprocess.run(  # noqa: S603
        [str(python), "-c", check, str(pins.resolve())], env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TargetError(f"{python} is not as {pins} pins it; run `make runtimes`: {last_line(done.stderr)}")
    return python


def recorded(python: Path) -> str:
    """Return an interpreter as a result has it: within the project by its path there, or a renamed folder had none."""
    return str(python.relative_to(PROJECT) if python.is_relative_to(PROJECT) else python)


def located(python: Path) -> Path:
    """Return where an interpreter is that was recorded."""
    return PROJECT / python


def environment() -> dict[str, str]:
    """Return the environment of another interpreter: this library, and nothing else of this process, on its path."""
    return {**os.environ, "PYTHONPATH": str(LIBRARY)}


def last_line(text: str) -> str:
    """Return the last line of a traceback: the error itself."""
    return text.strip().splitlines()[-1] if text.strip() else "no message"
