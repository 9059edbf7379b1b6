"""The last words of failed steps, from their logs."""

import os

import pytest
from torchship.core.last_words import last_words

NOW = 1_700_000_000.0
SAID = "2026-01-01 00:00:00,000 ERROR torchship: DataError: x.npz: no array 'y' in the data"
UNEXPECTED = """2026-01-01 00:00:00,000 ERROR torchship: unexpected error, please report it with this traceback
Traceback (most recent call last):
  File "step.py", line 1, in step
    raise ValueError("no")
numpy.exceptions.AxisError: axis 3 is out of bounds"""
STARTED = "2026-01-01 00:00:00,000 DEBUG torchship: python 3.11 on x86_64"


@pytest.fixture
def log(tmp_path):
    def write(name, *lines, at=NOW + 1):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n")
        os.utime(path, (at, at))
        return path

    return write


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([STARTED, SAID, STARTED], "DataError: x.npz: no array 'y' in the data"),
        # The last of several, as where another process is told of first.
        ([SAID, SAID.replace("DataError", "TrainingError")], "TrainingError: x.npz: no array 'y' in the data"),
        ([STARTED, UNEXPECTED], "numpy.exceptions.AxisError: axis 3 is out of bounds (the traceback is in {0})"),
        ([STARTED], "its log, {0}, does not say why: it was killed, or see above"),
    ],
)
def test_the_line_that_says_why_is_found(log, lines, words):
    path = log("a.log", *lines)
    assert last_words({"train_network/xor": path}, NOW) == [f"train_network/xor: {words.format(path)}"]


def test_the_log_of_another_run_says_nothing(log, tmp_path):
    old = log("old.log", SAID, at=NOW - 1)
    for path in (old, tmp_path / "none.log"):
        (line,) = last_words({"a": path}, NOW)
        assert "does not say why" in line


def test_of_a_job_of_several_steps_those_speak_that_failed(log):
    logs = {"first": log("first.log", STARTED), "second": log("second.log", SAID)}
    assert last_words(logs, NOW) == ["second: DataError: x.npz: no array 'y' in the data"]
