"""Snakemake on the tests' cluster."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

from driver import PROJECT, Workflow

# What the tests change of the profile, beside the poll: there is no account, and files are seen at once.
OPTIONS = ["--slurm-no-account", "--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"]


class Submitted(Workflow):
    """A workflow whose jobs go through Slurm."""

    def __init__(self, folder, cluster, project=PROJECT, configs=()):
        super().__init__(folder, project, configs)
        self.cluster = cluster

    def environment(self):
        return {**super().environment(), **self.cluster.environment, "XDG_CACHE_HOME": str(self.folder / ".cache")}

    def command(self, *arguments, cores=1, python=sys.executable):
        profile = self.project / "profiles" / "slurm"
        partitions = ["--slurm-partition-config", str(profile / "partitions.yaml")]
        command = super().command(*arguments, "--workflow-profile", str(profile), *partitions, *OPTIONS, python=python)
        place = command.index("--cores")
        del command[place : place + 2]
        quick = Path(__file__).parent / "quick.py"
        return [command[0], str(quick), *command[3:]]

    def start(self, *arguments):
        """Start Snakemake in the background, in a group of its own; its words go to snakemake.txt."""
        with (self.folder / "snakemake.txt").open("w") as words:
            return subprocess.Popen(
                self.command(*arguments), cwd=self.folder, env=self.environment(), stdout=words,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def words(self):
        return (self.folder / "snakemake.txt").read_text()

    def finish(self, process, seconds=300, status=0):
        """Wait for the end of what `start` has started; give its words."""
        found = process.wait(timeout=seconds)
        text = self.words()
        assert (found == 0) == (status == 0), text[-6000:]
        return text

    def jobs(self):
        """Return what the controller recorded of this folder's jobs, oldest first, each with its `rule`."""
        mine = [job for _, job in sorted(self.cluster.jobs().items()) if job["WorkDir"] == str(self.folder)]
        return [{**job, "rule": job["Comment"].removeprefix("rule_").partition("_wildcards")[0]} for job in mine]

    def training(self, seconds=120):
        """Wait until a training has written a checkpoint; give its job."""
        wait_for(self.path("xor/candidates/only/checkpoint.pt").exists, seconds, "a checkpoint")
        return next(
            job for job in reversed(self.jobs()) if job["rule"] == "train_network" and job["JobState"] == "RUNNING"
        )


def finished_once(factory, name, *arguments):
    """Run a workflow without the cluster, once for all processes of the tests; return it, finished.

    Args:
        factory: pytest's `tmp_path_factory`.
    """
    # With pytest-xdist each process has a folder of its own in one that all have.
    shared = factory.getbasetemp() if "PYTEST_XDIST_WORKER" not in os.environ else factory.getbasetemp().parent
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        workflow = Workflow(shared / name)
        if not (shared / f"{name}.done").exists():
            workflow.run(*arguments, cores=2)
            (shared / f"{name}.done").touch()
    return workflow


def wait_for(look, seconds, what):
    """Look until there is something; give it."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.2)


def training_processes(cluster, **variables):
    """Return the processes that train on the cluster, those with some environment variables."""
    found = []
    for pid in cluster.processes("", **variables):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if len(command) > 1 and command[1].endswith(b"train_network.py"):
            found.append(pid)
    return found
