"""What a script imports: every module that runs is in its step's digest, and none that doesn't concern it."""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import PROJECT
from torchship.core import sources

# One process imports all scripts, once.
pytestmark = pytest.mark.xdist_group("sources")

SCRIPTS = sorted(path.stem for path in PROJECT.glob("scripts/*.py"))
# Imports each script as a module in a process of its own, a copy of one that has the heavy packages already, and
# prints which files of the library that has run.
PROBE = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import matplotlib.figure, onnx.reference, onnxruntime, onnxscript, rocrate.rocrate, scipy.stats
import torch._dynamo, torch.distributed.run, torch.export, torch.utils.benchmark
for script in sys.argv[2:]:
    read, write = os.pipe()
    if os.fork() == 0:
        __import__(script)
        files = [one.__file__ for name, one in sys.modules.items() if name.partition(".")[0] == "torchship"]
        os.write(write, json.dumps(files).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        print(script, stream.read())
    os.wait()
"""
# What must not rerun a step, by the beginnings of the names of modules.
FOREIGN = {
    "deliver_card": [
        "training/loop",
        "training/engine",
        "models",
        "export/torch_export",
        "gate/examine",
        "gate/search",
    ],
    "deliver_cmssw": ["training", "models", "export/torch_export", "gate/examine", "gate/search", "pages"],
    "deliver_header": ["training", "models", "export", "runtimes", "gate/examine", "gate/search", "pages"],
    "benchmark_device": ["basics", "training", "models/module"],
    "benchmark_engines": ["training", "models/devices", "models/seeds", "gate/search", "gate/examine", "pages"],
    "check_archives": ["archive/pack", "archive/crate"],
    "check_basics": ["training", "models/module"],
    "check_code": ["codegen/to_", "models/devices", "models/seeds", "training/engine", "training/parallel"],
    "evaluate_network": ["models/devices", "models/seeds", "training/batches", "training/engine", "training/parallel"],
    "evaluate_surface": ["models/devices", "models/seeds", "training"],
    "export_onnx": ["gate", "training", "models/module", "models/devices", "models/seeds"],
    "extract_weights": ["models/devices", "models/seeds", "training", "gate", "codegen/to_"],
    "find_runtime": ["runtimes/remote", "runtimes/local", "gate"],
    "generate_code": ["models", "gate", "data", "codegen/tracing", "codegen/run_"],
    "make_cases": ["models/devices", "models/seeds", "training", "gate/search", "gate/examine", "codegen/to_"],
    "pack_archive": ["archive/verify"],
    "pack_timings": ["archive/verify", "archive/crate"],
    "plot_scan": ["training/loop", "training/engine", "models"],
    "plot_training": ["training", "models"],
    "select_model": ["models/module", "models/devices", "models/seeds", "training/engine", "training/report"],
    "take_weights": ["models/devices", "training/report", "training/engine", "training/parallel"],
    "train_network": ["gate", "export", "codegen", "select", "pages"],
    "translate_network": ["gate", "training", "models/devices", "models/seeds"],
    "validate_target": ["models/devices", "models/seeds", "training", "codegen/to_", "export/torch_export"],
    "verify_archive": ["archive/pack", "archive/crate", "core/step", "core/pins"],
    "write_gate_page": ["gate/examine", "gate/search", "gate/witness"],
    "write_summary": ["gate", "training", "models"],
}


def script(name):
    return PROJECT / "scripts" / f"{name}.py"


def modules(name):
    return [
        path.relative_to(sources.LIBRARY).with_suffix("").as_posix()
        for path in sources.library_modules(script(name))
        if path.suffix == ".py"
    ]


@pytest.fixture(scope="module")
def imported():
    """Return the files of the library that Python runs when it imports each script."""
    command = [sys.executable, "-c", PROBE, str(PROJECT / "scripts"), *SCRIPTS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = (line.split(" ", 1) for line in done.stdout.splitlines())
    return {name: {Path(file) for file in json.loads(files)} for name, files in lines}


@pytest.mark.parametrize("name", SCRIPTS)
def test_all_modules_that_python_imports_are_in_the_digest(imported, name):
    # An empty __init__.py has nothing that could be edited: with the first word in it, it is one of them.
    files = {file for file in imported[name] if file.stat().st_size}
    assert files
    assert files <= set(sources.library_modules(script(name)))


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_digest_holds_no_module_that_is_neither_imported_nor_started(imported, name):
    started = {"runtimes/local"} if name == "validate_target" else set()
    files = {file.relative_to(sources.LIBRARY).with_suffix("").as_posix() for file in imported[name]}
    assert set(modules(name)) <= files | started


def test_templates_of_a_module_are_in_the_digest_and_those_of_others_are_not():
    found = {
        path.parent.relative_to(sources.LIBRARY).as_posix()
        for path in sources.library_modules(script("deliver_header"))
    }
    assert {place for place in found if "templates" in place} == {"deliver/templates/header"}
    edited = {path.name for path in sources.library_modules(script("deliver_cmssw"))}
    assert {"Model.h.jinja", "ONNXRuntime.h", "session.h"} <= edited


def test_what_is_started_in_another_interpreter_is_in_the_digest():
    """It runs the exported file: an edit of it must rerun the gate."""
    assert {"runtimes/local", "runtimes/frames"} <= set(modules("validate_target"))
    assert "training/parallel/worker" in modules("train_network")


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_the_digest_holds_nothing_foreign(name):
    found = modules(name)
    assert [module for module in found if module.startswith(tuple(FOREIGN[name]))] == []


def test_the_table_of_what_is_foreign_names_what_there_is():
    every = [path.relative_to(sources.LIBRARY).as_posix() for path in sources.LIBRARY.rglob("*.py")]
    for prefix in {prefix for prefixes in FOREIGN.values() for prefix in prefixes}:
        assert any(module.startswith(prefix) for module in every), prefix
    assert set(FOREIGN) <= set(SCRIPTS)


def test_verifying_an_archive_needs_the_standard_library_alone():
    assert sources.third_party(script("verify_archive")) == set()


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_edit_reruns_the_steps_whose_module_it_is_and_no_others(copied, name):
    path = copied.parent / f"{name}.py"
    inside = sources.library_modules(path)
    before = sources.digest(path, inside)
    with edited(
        module for module in copied.rglob("*.*") if module.suffix in (".py", ".jinja") and module not in inside
    ):
        assert sources.digest(path, inside) == before
    for module in inside:
        with edited([module]):
            assert sources.digest(path, inside) != before, module
    assert sources.digest(path, inside) == before


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Return a copy of the library, which its scripts then use."""
    library = tmp_path / "scripts" / "torchship"
    shutil.copytree(PROJECT / "scripts", library.parent, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "LIBRARY", library)
    sources.files_of.cache_clear()
    yield library
    sources.files_of.cache_clear()


@contextmanager
def edited(paths):
    """Add a line to files for a while."""
    texts = {path: path.read_text() for path in paths}
    for path, text in texts.items():
        path.write_text(text + "# edited\n")
    yield
    for path, text in texts.items():
        path.write_text(text)


def test_a_module_that_a_text_names_is_in_the_digest_and_its_packages_are_not_asked_for(tmp_path):
    (tmp_path / "step.py").write_text('COMMAND = ["python", "-m", "torchship.runtimes.local"]\nPREFIX = "torchship."\n')
    found = sources.library_modules(tmp_path / "step.py")
    assert sources.LIBRARY / "runtimes" / "local.py" in found
    assert sources.LIBRARY / "runtimes" / "frames.py" in found
    assert sources.third_party(tmp_path / "step.py") == set()


def test_a_package_that_begins_to_say_something_reruns_what_is_in_it(tmp_path, monkeypatch):
    library = tmp_path / "torchship"
    (library / "room").mkdir(parents=True)
    (library / "room" / "__init__.py").write_text("")
    (library / "room" / "table.py").write_text("LEGS = 4\n")
    (tmp_path / "step.py").write_text("from torchship.room.table import LEGS\n")
    monkeypatch.setattr(sources, "LIBRARY", library)
    sources.files_of.cache_clear()
    assert sources.library_modules(tmp_path / "step.py") == [library / "room" / "table.py"]
    (library / "room" / "__init__.py").write_text("SAID = 1\n")
    # As another process sees it: one reads each file once.
    for asked in (sources.files_of, sources.imported_by, sources.run_by):
        asked.cache_clear()
    assert library / "room" / "__init__.py" in sources.library_modules(tmp_path / "step.py")
    sources.files_of.cache_clear()
