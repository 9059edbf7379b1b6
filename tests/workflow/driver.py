"""Running Snakemake for real, in folders of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
from onnx import numpy_helper
from torchship.core.chain import record

PROJECT = Path(__file__).resolve().parents[2]
# What a copy of the project needs to run.
COPIED = [
    *["Snakefile", "Makefile", "config.yaml", "targets.yaml", "pyproject.toml", "LICENSE", "CITATION.cff", "README.md"],
    *["requirements.txt", "requirements-dev.txt"],
    *["rules", "scripts", "models", "envs", "schemas", "report", "profiles", "tools", "docs", "examples", "tests"],
]


class Workflow:
    """A working folder, and the project that runs in it."""

    def __init__(self, folder, project=PROJECT, configs=(), snakefile=None):
        self.folder, self.project, self.snakefile = folder, project, snakefile or project / "Snakefile"
        self.configs = [project / "tests" / "config.yaml", *configs]
        folder.mkdir(parents=True, exist_ok=True)

    def command(self, *arguments, cores=1, python=sys.executable):
        """Return the command line: targets and options first, since --configfile takes all words that follow."""
        options = {
            "--snakefile": self.snakefile,
            "--directory": self.folder,
            "--cores": cores,
        }
        return [
            str(python),
            "-m",
            "snakemake",
            *arguments,
            *(str(word) for pair in options.items() for word in pair),
            "--configfile",
            *map(str, self.configs),
        ]

    def environment(self):
        # Each with a cache of its own: two Snakemakes at once must not meet.
        return {**os.environ, "XDG_CACHE_HOME": str(self.folder / ".cache"), "SOURCE_DATE_EPOCH": "1700000000"}

    def run(self, *arguments, check=True, cores=1):
        """Run Snakemake; give what it printed."""
        done = subprocess.run(
            self.command(*arguments, cores=cores), cwd=self.folder, env=self.environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        text = done.stdout + done.stderr
        assert (done.returncode == 0) == check, text[-6000:]
        return text

    def planned(self, *arguments):
        """Return the rules that a dry run would run, milestones apart."""
        return set(rules_in(self.run("--dry-run", *arguments))) - {"all"}

    def path(self, name):
        return self.folder / "results" / name


def rules_in(text):
    """Return the rule of each job that Snakemake has printed; those of a group stand a little to the right."""
    return re.findall(r"^ *(?:local)?rule (\w+):", text, re.MULTILINE)


def copied(folder):
    """Copy the project."""
    for name in COPIED:
        source, target = PROJECT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    # The runtimes of the targets are not built again.
    (folder / ".runtimes").symlink_to(PROJECT / ".runtimes")
    return folder


def spoil(path):
    """Change one number of an ONNX file a little, and record it as if a step had written it: the gate has to find it."""
    model = onnx.load(path)
    values = numpy_helper.to_array(model.graph.initializer[0]).copy()
    values.flat[0] += 1e-3
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, model.graph.initializer[0].name))
    path.write_bytes(model.SerializeToString())
    record([path])
