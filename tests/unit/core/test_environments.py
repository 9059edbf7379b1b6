"""Environments: pinned in one place, derived files in step, and each step with what it imports."""

import os
import re
import subprocess
import sys

import environments
import pytest
from support import PROJECT, want
from torchship.core import pins, sources
from torchship.core.errors import PinError

SCRIPTS = sorted(PROJECT.glob("scripts/*.py"))
RULES = "\n".join(path.read_text() for path in sorted(PROJECT.glob("rules/*.smk")))
# Packages that are imported by another name than they are installed by.
INSTALLED_AS = {
    "cyclonedx": "cyclonedx-python-lib",
    "google": "protobuf",
    "markdown_it": "markdown-it-py",
    "packageurl": "packageurl-python",
    "yaml": "PyYAML",
}


def rules():
    """Return the text of each rule by its name."""
    parts = re.split(r"^rule (\w+):$", RULES, flags=re.MULTILINE)[1:]
    return {name: text for name, text in zip(parts[::2], parts[1::2], strict=True) if "script:" in text}


@pytest.mark.xdist_group("together")
def test_tests_of_a_group_stay_together(request):
    """With pytest 9.2, pytest-xdist 3.8 takes no notice of groups, without a word."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("one process runs all tests")
    assert request.node.nodeid.endswith("@together")


@pytest.mark.parametrize(("tools", "outcome"), [("installed", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_tool_that_is_missing_fails_where_all_are_installed(monkeypatch, tools, outcome):
    monkeypatch.setenv("TORCHSHIP_TOOLS", tools)
    assert want("/usr/bin/c++", "there is no compiler") == "/usr/bin/c++"
    with pytest.raises(outcome, match="there is no compiler"):
        want(None, "there is no compiler")


def test_requirements_are_in_step():
    assert environments.write_requirements(check=True) == 0


def test_requirements_out_of_step_are_noticed(monkeypatch, capsys):
    monkeypatch.setattr(environments, "requirement_files", lambda: {PROJECT / "requirements.txt": "other"})
    assert environments.write_requirements(check=True) == 1
    assert "make requirements" in capsys.readouterr().err


def test_conflicting_pins_are_named(tmp_path):
    for name, version in (("a", "1"), ("b", "2")):
        (tmp_path / f"{name}.yaml").write_text(f"      - torch=={version}\n")
    with pytest.raises(PinError, match=r"b.yaml pins torch 2, another file 1"):
        environments.merged_pins([tmp_path / "a.yaml", tmp_path / "b.yaml"])


@pytest.mark.parametrize("path", sorted(PROJECT.glob("envs/*.yaml")), ids=lambda path: path.stem)
def test_pins_are_exact_and_only_python_and_pip_come_from_conda(path):
    text = path.read_text()
    assert "channels: [conda-forge, nodefaults]" in text
    conda, _, pip = text.partition("- pip:")
    assert re.findall(r"^  - (\w+)=[\d.]+$", conda, re.MULTILINE) == ["python", "pip"]
    assert all(pins.PIN.match(line) for line in pip.splitlines() if line.strip().startswith("- "))


def test_every_step_has_a_rule_and_every_rule_names_its_own_script_and_environment():
    found = rules()
    assert set(found) == {path.stem for path in SCRIPTS} - {"verify_archive"}
    for name, text in found.items():
        assert f'source_code("{name}")' in text, name
        assert f'"../scripts/{name}.py"' in text, name
        environment = re.search(r'project\("envs/(\w+)\.yaml"\)', text)[1]
        if name != "find_runtime":
            assert f'"../envs/{environment}.yaml"' in text, name


@pytest.mark.parametrize(
    "script", [path for path in SCRIPTS if path.stem != "verify_archive"], ids=lambda path: path.stem
)
def test_a_step_imports_only_what_its_environment_pins(script):
    environment = re.search(r'project\("envs/(\w+)\.yaml"\)', rules()[script.stem])[1]
    pinned = {name.lower() for name in pins.read_pins(PROJECT / "envs" / f"{environment}.yaml")}
    imported = {INSTALLED_AS.get(name, name).lower() for name in sources.third_party(script)}
    assert imported <= pinned


def test_the_runtime_module_needs_only_the_runtimes_environment():
    for path in PROJECT.glob("envs/onnxruntime-*.yaml"):
        assert sources.third_party(PROJECT / "scripts" / "torchship" / "runtimes" / "local.py") <= set(
            pins.read_pins(path)
        )


def test_library_modules_are_found_through_one_another():
    modules = {path.stem for path in sources.library_modules(PROJECT / "scripts" / "train_network.py")}
    assert {"loop", "batched", "module", "files", "errors", "step", "pins"} <= modules
    assert not modules & {"pack", "plotting", "torch_export", "local"}


def test_wrong_versions_are_named(tmp_path):
    path = tmp_path / "env.yaml"
    path.write_text(
        "  - pip:\n      - numpy==0.0.1\n      - absent-package==1.0\n      - pytest==" + pytest.__version__
    )
    with pytest.raises(
        PinError, match=r"absent-package missing \(pinned 1.0\), numpy [\d.]+ \(pinned 0.0.1\); run `make "
    ):
        pins.require_pins(path)


@pytest.mark.parametrize(
    ("python", "remedy"),
    [
        (".venv/bin/python", "run `make -B install`, or add"),
        ("/usr/bin/python3", r"run `make install`, then \.venv/bin/snakemake, or add"),
    ],
)
def test_it_is_said_whose_versions_are_wrong_and_what_helps_there(tmp_path, monkeypatch, python, remedy):
    monkeypatch.setattr(pins, "PROJECT", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / python))
    (tmp_path / "env.yaml").write_text("  - pip:\n      - absent-package==1.0\n")
    with pytest.raises(PinError, match=rf"what \S*{python} has installed: absent-package missing .*; {remedy}"):
        pins.require_pins(tmp_path / "env.yaml")


def test_a_local_version_label_satisfies_the_pin(monkeypatch):
    monkeypatch.setattr(pins.metadata, "version", lambda name: "2.13.0+cpu")
    assert pins.mismatches({"torch": "2.13.0"}) == {}
    assert pins.mismatches({"torch": "2.12.0"}) == {"torch": "2.13.0+cpu"}


def test_this_python_has_wheels_of_every_runtime():
    assert sys.version_info[:2] in environments.PYTHONS


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 13, 0)])
def test_a_python_without_wheels_of_the_oldest_runtime_is_refused(tmp_path, monkeypatch, capsys, version):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = {version}; $2"\n')
    python.chmod(0o755)
    for name in ("requirements.txt", "requirements-dev.txt", "targets.yaml"):
        (tmp_path / name).touch()
    command = ["make", "-f", PROJECT / "Makefile", "install", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode
    assert f"needs Python 3.11 or 3.12, {python} is another: the oldest ONNX Runtime" in done.stdout
    monkeypatch.setattr(sys, "version_info", version)
    assert environments.build_runtimes() == 1
    assert "has wheels for 3.11 or 3.12 only" in capsys.readouterr().err


def test_results_in_the_report_have_one_label():
    """Snakemake 9.27 makes a switch of a label with two values, and its page breaks where two switches don't combine."""
    labels = re.findall(r"labels=(\{[^}]*\})", RULES)
    assert len(labels) == RULES.count("report(") > 0
    assert all(re.fullmatch(r'\{"what": "[^"]+"\}', label) for label in labels)
