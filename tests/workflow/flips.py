"""Which step reads which file of a finished run, and what a step says of a file in which one byte was flipped."""

import csv
import io
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

from torchship.core.step import step


@dataclass(frozen=True)
class Job:
    """A job of a finished run, with paths as Snakemake has them."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def jobs_of(workflow, target="all"):
    """Return the jobs that made a finished run: Snakemake's own word, by its summary of each output."""
    done = subprocess.run(
        workflow.command(target, "--detailed-summary"), cwd=workflow.folder, env=workflow.environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {}
    for row in csv.DictReader(io.StringIO(done.stdout), delimiter="\t", quoting=csv.QUOTE_NONE):
        key = (row["rule"], row["log-file(s)"], row["input-file(s)"])
        found.setdefault(key, []).append(row["output_file"])
    return [Job(rule, tuple(inputs.split(",")), tuple(outputs)) for (rule, _, inputs), outputs in found.items()]


def consumers(jobs):
    """Return each output that a later job reads, with that job, and the outputs that none reads."""
    read = [(output, job) for made in jobs for output in made.outputs for job in jobs if output in job.inputs]
    every = {output for made in jobs for output in made.outputs}
    return read, every - {output for output, _ in read}


def flip(path):
    """Flip one bit of the byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def started(job, monkeypatch, caplog):
    """Start a job's step as its script does, in the folder of the run, and return the line that it ends with.

    Returns:
        the error, or None where it went on to its work.
    """
    told = SimpleNamespace(input=job.inputs, output=(), params={}, config={"pathvars": {"results": "results"}})
    caplog.clear()
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["__main__"], "snakemake", told, raising=False)
        try:
            with step():
                return None
        except SystemExit:
            return caplog.messages[-1]
