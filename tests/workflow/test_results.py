"""The archive of a commit is the same whatever came before it, checks itself, and can be run again."""

import json
import re
import shutil
import subprocess
import sys
import tarfile

import pytest
from driver import Workflow, copied, rules_in
from support import want
from torchship.core.files import sha256

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("finished")]


ARCHIVE = "results/archive/torchship.tar.gz"
# The archive of one target, made three times.
QUICK = ["--config", "validate={search: {evaluations: 64}}", "export={targets: [latest]}"]


class Committed(Workflow):
    """A checkout, whose files have the date of its commit."""

    def environment(self):
        return {name: value for name, value in super().environment().items() if name != "SOURCE_DATE_EPOCH"}

    def git(self, *arguments):
        identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)

    def ignore_what_is_made(self):
        (self.folder / ".git" / "info" / "exclude").write_text("__pycache__/\n.runtimes\n")

    def packed(self):
        """Make the archive; return its SHA-256 and the commit that stands in it."""
        self.run(ARCHIVE, *QUICK, cores=2)
        with tarfile.open(self.folder / ARCHIVE) as tar:
            commit = json.load(tar.extractfile("torchship/provenance.json"))["commit"]
        return sha256(self.folder / ARCHIVE), commit


@pytest.mark.long
def test_a_commit_has_one_archive_whatever_came_before_it(tmp_path):
    """Edit, run, commit, run; and a fresh clone of the commit, in another folder."""
    folder = copied(tmp_path / "a project")
    edited = Committed(folder, folder)
    edited.git("init", "--quiet")
    edited.ignore_what_is_made()
    edited.git("add", "--all")
    edited.git("commit", "--quiet", "--message", "The project")
    network = folder / "models" / "xor.py"
    network.write_text(network.read_text() + "\n# Edited.\n")
    before, commit = edited.packed()
    assert commit.endswith("-dirty")
    edited.git("commit", "--quiet", "--all", "--message", "Edit the network")
    found, commit = edited.packed()
    assert found != before
    edited.git("clone", "--quiet", str(folder), str(tmp_path / "clone"))
    clone = Committed(tmp_path / "clone", tmp_path / "clone")
    clone.ignore_what_is_made()
    (tmp_path / "clone" / ".runtimes").symlink_to(folder / ".runtimes")
    assert clone.packed() == (found, commit)
    assert re.fullmatch("[0-9a-f]{40}", commit)


def test_the_archive_checks_itself_and_knows_no_path_of_the_machine(finished, tmp_path):
    shutil.copy(finished.path("archive/torchship.tar.gz"), tmp_path)
    script = finished.project / "scripts" / "verify_archive.py"
    command = [sys.executable, "-S", script, tmp_path / "torchship.tar.gz", "--extract", tmp_path / "out"]
    subprocess.run(command, check=True, capture_output=True)
    root = tmp_path / "out" / "torchship"
    subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "MANIFEST.sha256"], cwd=root, check=True)
    crate = json.loads((root / "ro-crate-metadata.json").read_text())
    described = {entry["@id"] for entry in crate["@graph"]}
    present = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert present - {"MANIFEST.sha256"} <= described
    assert json.loads((root / "config.resolved.json").read_text())["train"]["epochs"] == 300
    for path in root.rglob("*"):
        if path.is_file():
            assert str(finished.folder).encode() not in path.read_bytes(), path


@pytest.mark.long
def test_the_archive_can_be_run_again(finished, tmp_path):
    with tarfile.open(finished.path("archive/torchship.tar.gz")) as tar:
        tar.extractall(tmp_path, filter="data")
    root = tmp_path / "torchship"
    subprocess.run(["make", "-n", "all", "test", "lint", "report"], cwd=root, check=True, capture_output=True)
    # The runtimes of the targets are not built again.
    (root / ".runtimes").symlink_to(finished.project / ".runtimes")
    again = Workflow(root, root)
    # What it holds is there and as it was packed, so that only what it leaves out is made.
    assert "train_network" not in again.planned("all")
    text = again.run("all", "--forceall", cores=2)
    assert {"train_network", "validate_target", "pack_archive"} <= set(rules_in(text))
    # The commit is not known there.
    told = {"MANIFEST.sha256", "provenance.json", "ro-crate-metadata.json"}
    first, second = (contents(one.path("archive/torchship.tar.gz")) for one in (finished, again))
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] != second[name]} <= told


def contents(archive):
    """Return the bytes of each file of an archive by its path."""
    with tarfile.open(archive) as tar:
        return {one.name.partition("/")[2]: tar.extractfile(one).read() for one in tar if one.isfile()}


def test_the_report_is_made_and_shown_by_a_browser(finished, tmp_path):
    report = finished.folder / "report.html"
    finished.run("all", "--report", "report.html")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    browser = want(found, "there is no Chromium to show the report in")
    text = report.read_text()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    command = [
        browser,
        *flags,
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=5000",
        "--dump-dom",
        report.as_uri(),
    ]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    for word in ("Basics", "Begin with the", "Workflow", "train_network"):
        assert word in shown
    assert "summary.html" in text
