"""The archive of two runs in different folders is the same, and it checks itself."""

import json
import shutil
import subprocess
import sys
import tarfile

import pytest
from driver import Workflow, copied
from support import want
from torchship.core.files import sha256

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("finished")]


def test_two_runs_give_the_same_archive(finished, tmp_path):
    folder = copied(tmp_path / "elsewhere")
    other = Workflow(folder, folder)
    other.run("results/archive/torchship.tar.gz", cores=2)
    assert sha256(other.path("archive/torchship.tar.gz")) == sha256(finished.path("archive/torchship.tar.gz"))


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


def test_the_archive_can_be_run_again(finished, tmp_path):
    with tarfile.open(finished.path("archive/torchship.tar.gz")) as tar:
        tar.extractall(tmp_path, filter="data")
    root = tmp_path / "torchship"
    subprocess.run(["make", "-n", "all", "test", "lint", "report"], cwd=root, check=True, capture_output=True)
    assert "train_network" in Workflow(root, root).run("all", "--dry-run", "--forceall")


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
