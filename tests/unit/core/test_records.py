"""Files are those that were written, or are named; and what says that all is well goes where it is no longer so."""

import re
import subprocess

import pytest
from support import PROJECT
from torchship.core.chain import end_try, note_try, record, record_of, require_recorded, tries
from torchship.core.claims import withdraw
from torchship.core.errors import DataError
from torchship.core.files import write_json


def test_a_file_is_the_one_that_was_recorded_or_is_named(tmp_path):
    path = tmp_path / "model" / "weights"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    with pytest.raises(DataError, match=r"model/weights was not made by this workflow, or half of it: .* delete it"):
        require_recorded([path])
    record([path])
    require_recorded([path])
    path.write_bytes(b"weighty")
    with pytest.raises(DataError, match=r"model/weights has changed since it was made: sha256 \w{12}…, was \w{12}…"):
        require_recorded([path])
    # The record is a file of sha256sum.
    assert record_of(path).read_text().endswith("  weights\n")


def test_the_command_of_the_documentation_checks_a_folder_by_hand(tmp_path):
    command = re.search(r"^    (find \.sha256 .*)$", (PROJECT / "docs" / "archive.md").read_text(), re.MULTILINE)[1]
    path = tmp_path / "weights"
    path.write_bytes(b"weights")
    record([path])
    note_try(path, tries(tmp_path))
    for content, status in ((b"weights", 0), (b"weighty", 1)):
        path.write_bytes(content)
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == status


def test_claims_of_a_run_go_and_those_of_others_stay(tmp_path):
    page, verified = tmp_path / "summary.html", tmp_path / "verified.json"
    for run, there in (("xor", False), ("mine", False), ("other", True)):
        page.write_text("all is well")
        write_json(verified, {"runs": ["xor", "mine"], "archives": {}})
        withdraw([page, verified], run)
        assert not page.exists()
        assert verified.exists() == there
    # What is not there is not missed.
    verified.unlink()
    withdraw([page, verified], "xor")


@pytest.mark.parametrize("text", ["", "{half of it", "[]", "{}", '{"runs": null}', "\xff"])
def test_a_claim_that_does_not_say_whose_it_is_goes(tmp_path, text):
    verified = tmp_path / "verified.json"
    verified.write_text(text, encoding="latin-1")
    withdraw([verified], "xor")
    assert not verified.exists()


def test_a_failed_try_is_known_by_another_word_until_one_succeeds(tmp_path):
    output = tmp_path / "weights"
    assert tries(tmp_path) == ""
    note_try(output, tries(tmp_path))
    end_try(output, "")
    assert tries(tmp_path) == ""
    words = {""}
    for _ in range(3):
        known = tries(tmp_path)
        note_try(output, known)
        assert tries(tmp_path) not in words
        words.add(tries(tmp_path))
    # The knobs of the one that succeeds are recorded with what it knew.
    known = tries(tmp_path)
    note_try(output, known)
    end_try(output, known)
    assert tries(tmp_path) == known
