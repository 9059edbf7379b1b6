"""A step says in one line what is wrong, before anything that may be missing is imported."""

import ast
import subprocess
import sys

import pytest
from support import PROJECT

SCRIPT = """
import sys; sys.path.insert(0, {library!r})
from types import SimpleNamespace
class Inputs(SimpleNamespace):
    def __iter__(self):
        return iter(vars(self).values())
snakemake = SimpleNamespace(rule="train", wildcards=["xor"], log=[{log!r}], input=Inputs(pins={pins!r}), output=[], params={{}},
                            config={{"pathvars": {{"results": {results!r}}}}})
from torchship.core.step import step
{body}
"""


def run(tmp_path, pins, body, *flags):
    (tmp_path / "env.yaml").write_text(pins)
    names = {
        "library": str(PROJECT / "scripts"),
        "log": str(tmp_path / "step.log"),
        "pins": str(tmp_path / "env.yaml"),
        "results": str(tmp_path / "results"),
    }
    (tmp_path / "script.py").write_text(SCRIPT.format(body=body, **names))
    command = [sys.executable, *flags, str(tmp_path / "script.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, (tmp_path / "step.log").read_text()


def test_a_missing_package_is_named_before_its_import_fails(tmp_path):
    status, printed, logged = run(tmp_path, "      - numpy==2.4.6\n", "import numpy", "-S")
    assert status == 1
    assert "Traceback" not in printed
    assert printed.startswith("[train/xor] PinError: ")
    assert "numpy missing (pinned 2.4.6); run `make " in logged


def test_an_error_is_one_line_and_a_bug_has_its_traceback(tmp_path):
    body = "from torchship.core.errors import DataError\nwith step():\n    raise DataError('event 3 is wrong')"
    status, printed, _ = run(tmp_path, "", body)
    assert (status, printed) == (1, "[train/xor] DataError: event 3 is wrong\n")
    status, printed, _ = run(tmp_path, "", "with step():\n    raise KeyboardInterrupt")
    assert (status, printed) == (130, "[train/xor] interrupted\n")
    status, printed, logged = run(tmp_path, "", "with step():\n    1 / 0")
    assert status == 1
    assert "unexpected error" in printed
    assert "ZeroDivisionError" in logged


@pytest.mark.parametrize("path", sorted(PROJECT.glob("scripts/*.py")), ids=lambda path: path.stem)
def test_scripts_check_before_they_import(path):
    lines = [line for line in path.read_text().splitlines() if line.startswith(("import ", "from "))]
    outside = [line for line in lines if line.split()[1].partition(".")[0] not in sys.stdlib_module_names]
    if path.stem != "verify_archive":
        assert outside[0].startswith("from torchship.core.step import")


def test_the_body_of_a_step_is_given_its_job(tmp_path):
    status, printed, _ = run(tmp_path, "", "with step() as job:\n    print(job.rule, *job.wildcards, file=sys.stderr)")
    assert (status, printed) == (0, "train xor\n")


@pytest.mark.parametrize("path", sorted(PROJECT.glob("scripts/*.py")), ids=lambda path: path.stem)
def test_scripts_work_within_their_step(path):
    """What is checked before a step and recorded after it is checked and recorded for all of them."""
    if path.stem == "verify_archive":
        return
    tree = ast.parse(path.read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    (main,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test).startswith("__name__"))
    steps = [node for node in main.body if isinstance(node, ast.With)]
    assert [ast.unparse(node.items[0].context_expr) for node in steps] == ["step()"]
    outside = [node for node in main.body if node not in steps]
    called = {ast.unparse(node.func) for one in outside for node in ast.walk(one) if isinstance(node, ast.Call)}
    assert called.isdisjoint(functions)
    assert functions & {ast.unparse(node.func) for node in ast.walk(steps[0]) if isinstance(node, ast.Call)}
