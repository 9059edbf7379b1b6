"""Files are whole or absent, and JSON is spelled one way."""

import json
import struct
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchship.core import files
from torchship.core.errors import DataError, StorageError
from torchship.core.files import read_json, replacing, write_json
from torchship.data.datasets import read_about, read_arrays, write_arrays


def fail_halfway(path):
    with replacing(path) as part:
        part.write_text("half")
        raise RuntimeError("stop")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        fail_halfway(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_nan_never_reaches_a_json_file(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file.json", {"x": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_damaged_json_is_named_with_its_line(tmp_path):
    path = tmp_path / "file.json"
    path.write_text('{"a": 1,\n')
    with pytest.raises(DataError, match=r"file.json is not valid JSON: .*line 2"):
        read_json(path)


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
def test_json_keeps_floats_exactly(document):
    assert json.loads(json.dumps(document)) == document


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_shortest_decimals_give_the_float32_back(value):
    decimal = float(str(np.float32(value)))
    assert struct.pack("f", decimal) == struct.pack("f", value)


def test_arrays_have_the_same_bytes_in_any_order(tmp_path):
    arrays = {name: np.arange(3.0) for name in "abc"}
    write_arrays(tmp_path / "one", arrays, {"z": 1, "a": 2})
    write_arrays(tmp_path / "two", dict(reversed(arrays.items())), {"a": 2, "z": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_about(tmp_path / "one") == {"a": 2, "z": 1}


def test_damaged_arrays_are_named(tmp_path):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"\x10\x00")
    with pytest.raises(DataError, match=r"broken.safetensors cannot be read"):
        read_arrays(path)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 128 vs 20")])
def test_a_full_disk_is_said_in_one_line(tmp_path, monkeypatch, error):
    """torch, for one, has its own words for it; that there is no room left tells."""
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    path = tmp_path / "a" / "file"

    def write():
        with replacing(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(
        StorageError, match=r"a/file cannot be written: its disk is full \(0 bytes free\); make room"
    ) as caught:
        write()
    assert "\n" not in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(OSError, match="input/output"), replacing(tmp_path / "file"):
        raise OSError(5, "input/output error")
