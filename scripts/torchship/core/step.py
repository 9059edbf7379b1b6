"""What every step does around its work: logs, version checks, and errors in one line."""

import logging
import platform
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol, cast

from torchship.core.chain import end_try, note_try, record, require_recorded
from torchship.core.errors import TorchshipError
from torchship.core.files import Json
from torchship.core.pins import require_pins

log = logging.getLogger("torchship")


class Named(Protocol):
    """What a rule's job has of one kind, such as its inputs: one after another, by name, by attribute or by place."""

    def __iter__(self) -> Iterator[str]: ...
    def __getattr__(self, name: str) -> Any: ...
    def __getitem__(self, key: str | int) -> Any: ...
    def get(self, name: str) -> Any:
        """Return what has that name, None where nothing has."""
        ...

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return what has names, with these: paths, or lists of paths."""
        ...


class Job(Protocol):
    """What Snakemake tells the script of a job; see its documentation of external scripts."""

    rule: str
    input: Named
    output: Named
    params: Named
    wildcards: Named
    log: Named
    threads: int
    config: Json


# The step's name and the path of its log, once it has started.
started: list[str] = []


def check_environment() -> None:
    """Check the pins of the step that is starting, end with one line if they don't hold, and start its logs.

    Runs when this module is imported, which scripts do before any third-party package: where one is missing or broken,
    the reason should be said before the import fails. Does nothing where no step is starting, as in tests.
    """
    snakemake = job()
    if snakemake is None:
        return
    start_logging("/".join([snakemake.rule, *snakemake.wildcards]), Path(snakemake.log[0]))
    try:
        pins = require_pins(Path(snakemake.input.pins))
    except TorchshipError as error:
        stop(error)
    log.debug("python %s on %s, %s", platform.python_version(), platform.machine(), pins or "standard library only")


def job() -> Job | None:
    """Return the job whose script runs; None where no step is starting, as in tests."""
    return cast("Job | None", getattr(sys.modules["__main__"], "snakemake", None))


@contextmanager
def step() -> Iterator[Job]:
    """Run the body of a step with its job, and end on an error with one line, in the rule's log and on stderr.

    Before, what other steps made is checked against the SHA-256 that they recorded; after, that of the outputs is
    recorded. A `TorchshipError` is printed as one line, anything else with its traceback; both end the process with
    status 1, which makes Snakemake delete the declared outputs.
    """
    try:
        snakemake = job()
        if snakemake is not None:
            begin(snakemake)
        # In tests there is none, and nothing asks for it.
        yield cast("Job", snakemake)
        if snakemake is not None:
            end(snakemake)
    except TorchshipError as error:
        stop(error)
    except KeyboardInterrupt:
        log.error("interrupted")
        sys.exit(128 + signal.SIGINT)
    except Exception:
        log.exception("unexpected error, please report it with this traceback")
        sys.exit(1)
    finally:
        logging.shutdown()


def begin(job: Job) -> None:
    """Note that a step tries, and check what it reads of other steps.

    Raises:
        DataError: a file is not the one that was made.
    """
    tried = job.params.get("tries")
    if tried is not None:
        note_try(Path(job.output[0]), tried)
    results = Path(job.config["pathvars"]["results"])
    require_recorded(path for path in map(Path, job.input) if path.is_relative_to(results))


def end(job: Job) -> None:
    """Record what a step has written, and that it did not fail."""
    record(map(Path, job.output))
    tried = job.params.get("tries")
    if tried is not None:
        end_try(Path(job.output[0]), tried)


def stop(error: TorchshipError) -> NoReturn:
    """End the process with an error's line."""
    log.error("%s: %s", type(error).__name__, error)
    sys.exit(1)


def logs() -> list[str]:
    """Return the name of the step and the path of its log, for processes that it starts; none where no step runs."""
    return started


def start_logging(name: str, path: Path, *, append: bool = False) -> None:
    """Send log records and warnings to `path` (all) and to stderr (from INFO), each line led by the step's name.

    Args:
        append: whether the log is another process's, which this one writes to as well.
    """
    started[:] = [name, str(path)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if not append:
        path.write_text("")
    logfile = logging.FileHandler(path, mode="a", encoding="utf-8")
    logfile.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.INFO)
    terminal.setFormatter(logging.Formatter(f"[{name}] %(message)s"))
    # Third-party libraries speak from WARNING on; their INFO would drown a long training's progress.
    logging.basicConfig(level=logging.WARNING, handlers=[logfile, terminal], force=True)
    log.setLevel(logging.DEBUG)
    logging.captureWarnings(capture=True)


check_environment()
