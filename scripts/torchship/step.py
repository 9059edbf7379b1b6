"""What every step does around its work: logs, version checks, and errors in one line."""

import logging
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torchship.errors import TorchshipError
from torchship.pins import require_pins

log = logging.getLogger("torchship")


@contextmanager
def step(snakemake: Any) -> Iterator[None]:
    """Run the body of a step: log to the rule's file and to stderr, check the pins, end on an error with one line.

    The rule's input `pins` names its environment file. A `TorchshipError` is printed as one line, anything else with
    its traceback; both end the process with status 1, which makes Snakemake delete the declared outputs.
    """
    name = "/".join([snakemake.rule, *snakemake.wildcards])
    start_logging(name, Path(snakemake.log[0]))
    try:
        pins = require_pins(Path(snakemake.input.pins))
        log.debug("python %s on %s, %s", platform.python_version(), platform.machine(), pins or "standard library only")
        yield
    except TorchshipError as error:
        log.error("%s: %s", type(error).__name__, error)
        sys.exit(1)
    except Exception:
        log.exception("unexpected error, please report it with this traceback")
        sys.exit(1)
    finally:
        logging.shutdown()


def start_logging(name: str, path: Path) -> None:
    """Send log records and warnings to `path` (all) and to stderr (from INFO), each line led by the step's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logfile = logging.FileHandler(path, mode="w", encoding="utf-8")
    logfile.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.INFO)
    terminal.setFormatter(logging.Formatter(f"[{name}] %(message)s"))
    # Third-party libraries speak from WARNING on; their INFO would drown a long training's progress.
    logging.basicConfig(level=logging.WARNING, handlers=[logfile, terminal], force=True)
    log.setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)
