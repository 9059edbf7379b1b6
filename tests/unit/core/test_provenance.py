"""The commit that made a file is named truly: dirty unless git says that it is clean."""

import subprocess

import pytest
from torchship.core import provenance
from torchship.core.errors import ConfigError


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    (tmp_path / "models").mkdir()
    git("add", "file")
    git("commit", "-qm", "first")
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return tmp_path


def test_a_clean_checkout(checkout):
    assert len(provenance.commit()) == 40
    (checkout / "my.yaml").write_text("a user's own file")
    assert len(provenance.commit()) == 40
    assert provenance.epoch() > 1_600_000_000


def test_a_changed_file_and_a_new_source_are_dirty(checkout):
    (checkout / "models" / "mine.py").write_text("")
    assert provenance.commit().endswith("-dirty")
    (checkout / "models" / "mine.py").unlink()
    (checkout / "file").write_text("2")
    assert provenance.commit().endswith("-dirty")


def test_a_new_source_with_a_letter_of_another_language_is_dirty(checkout):
    (checkout / "models" / "größe.py").write_text("")
    assert provenance.commit().endswith("-dirty")
    assert provenance.project_files(checkout, ["models/*.py"]) == ["models/größe.py"]


def test_files_of_the_project_are_those_of_the_commit_and_what_makes_it_dirty(checkout):
    for name in ("TODO.md", "models/mine.py", "examples/blobs/blobs.npz"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("")
    (checkout / "examples" / "blobs" / "folder").mkdir()
    patterns = ["file", "*.md", "models/*.py", "examples/*/*", "*"]
    assert provenance.project_files(checkout, patterns) == ["file", "models/mine.py"]
    (checkout / "file").unlink()
    assert provenance.project_files(checkout, patterns) == ["models/mine.py"]


def test_without_a_checkout_all_files_that_match_are_the_project_s(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "TODO.md").write_text("")
    assert provenance.project_files(tmp_path, ["*", "*.md"]) == ["TODO.md"]


def test_what_git_cannot_tell_is_not_called_clean(checkout):
    (checkout / ".git" / "index").write_bytes(b"broken")
    assert provenance.commit().endswith("-dirty")


def test_without_git(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert provenance.commit() == "unknown"
    assert provenance.epoch() == 315532800
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert provenance.epoch() == 1700000000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH is 'yesterday'"):
        provenance.epoch()
