"""Archives: the same bytes each time, and no change that goes unnoticed."""

import gzip
import io
import shutil
import subprocess
import sys
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import PROJECT
from torchship.archive import crate
from torchship.archive.manifest import beside
from torchship.archive.pack import pack
from torchship.archive.verify import verify
from torchship.core.chain import MANIFEST
from torchship.core.errors import ArchiveError
from torchship.core.files import read_json

from check_archives import check_archives

CONTENTS = {"a.txt": b"alpha", "folder/b.bin": bytes(range(256)), "c": b""}
DATE = 1_700_000_000


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "run.tar.gz"
    pack(path, "run", CONTENTS, DATE)
    return path


def repacked(archive, change, name="changed.tar.gz", behind=b""):
    """Return a copy whose members went through `change`, which yields (TarInfo, bytes) pairs."""
    path = archive.with_name(name)
    with tarfile.open(archive) as old:
        members = [(member, old.extractfile(member).read()) for member in old]
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=DATE) as stream:
        with tarfile.open(fileobj=stream, mode="w") as new:
            for member, content in change(members):
                member.size, member.mtime = len(content) if member.isfile() else 0, DATE
                new.addfile(member, io.BytesIO(content))
        stream.write(behind)
    return path


def test_the_same_contents_give_the_same_bytes(archive, tmp_path):
    pack(tmp_path / "again.tar.gz", "run", dict(reversed(CONTENTS.items())), DATE)
    assert (tmp_path / "again.tar.gz").read_bytes() == archive.read_bytes()
    assert verify(archive) == 3


def test_files_are_packed_as_their_bytes_are(archive, tmp_path):
    files = {}
    for number, (name, content) in enumerate(CONTENTS.items()):
        files[name] = tmp_path / str(number)
        files[name].write_bytes(content)
    pack(tmp_path / "files.tar.gz", "run", files, DATE)
    assert (tmp_path / "files.tar.gz").read_bytes() == archive.read_bytes()
    about = {"name": "run", "description": "d", "license": "MIT", "commit": "abc", "author": None}
    assert crate.describe(files, about, DATE) == crate.describe(CONTENTS, about, DATE)


def test_what_a_run_has_just_packed_may_be_of_any_size(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "__defaults__", (None, 100))
    with pytest.raises(ArchiveError, match=r"unpacks to more than 100 bytes; raise --most-bytes"):
        verify(archive)
    check_archives([archive], tmp_path / "verified.json", runs=["xor"])
    assert read_json(tmp_path / "verified.json")["archives"]["run.tar.gz"]["files"] == 3


names = st.text(st.characters(whitelist_categories=("L", "N"), whitelist_characters="._- "), min_size=1, max_size=60)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(names.filter(lambda name: name not in (".", "..", MANIFEST)), st.binary(max_size=2000)))
def test_any_contents_come_back(tmp_path_factory, contents):
    folder = tmp_path_factory.mktemp("any")
    pack(folder / "run.tar.gz", "run", contents, DATE)
    assert verify(folder / "run.tar.gz", folder / "out") == len(contents)
    assert {
        path.name: path.read_bytes() for path in (folder / "out" / "run").iterdir() if path.name != MANIFEST
    } == contents


def test_sha256sum_accepts_manifest_and_checksum(archive, tmp_path):
    verify(archive, tmp_path / "out")
    for folder, file in ((tmp_path / "out" / "run", MANIFEST), (tmp_path, beside(archive).name)):
        subprocess.run(["sha256sum", "--strict", "-c", file], cwd=folder, check=True, capture_output=True)


def flip(members):
    for member, content in members:
        if member.name == "run/folder/b.bin":
            yield member, bytes([content[0] ^ 1]) + content[1:]
        else:
            yield member, content


def drop(members):
    return [(member, content) for member, content in members if member.name != "run/a.txt"]


def add(members):
    return [*members, (tarfile.TarInfo("run/new.txt"), b"new")]


def named(name, **fields):
    member = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(member, key, value)
    return lambda members: [*members, (member, b"")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (flip, r"1 files changed since they were packed, the first is 'folder/b.bin'"),
        (drop, r"1 files missing, the first is 'a.txt'"),
        (add, r"1 files added, the first is 'new.txt'"),
        (named("/etc/evil"), r"'/etc/evil' would be unpacked outside"),
        (named("run/../../evil"), r"'run/../../evil' would be unpacked outside"),
        (named("run/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), r"'run/link' is a link"),
        (named("run/hard", type=tarfile.LNKTYPE, linkname="run/a.txt"), r"'run/hard' is a link"),
        (named("run/null", type=tarfile.CHRTYPE), r"'run/null' is a folder, a device"),
        (named("run/pipe", type=tarfile.FIFOTYPE), r"'run/pipe' is a folder, a device"),
        (named("run/a.txt"), r"'run/a.txt' is there twice"),
        (named("run/folder2", type=tarfile.DIRTYPE), r"'run/folder2' is a folder"),
        (named("other/file"), r"is not an archive of Torchship"),
    ],
)
def test_every_change_is_named(archive, tmp_path, change, message):
    with pytest.raises(ArchiveError, match=message):
        verify(repacked(archive, change), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_forged_manifest_is_caught_by_the_checksum_beside(archive):
    def forge(members):
        return [(member, content) for member, content in members if member.name == f"run/{MANIFEST}"]

    forged = repacked(archive, lambda members: [(m, b"") for m, _ in forge(members)])
    shutil.copy(beside(archive), beside(forged))
    with pytest.raises(ArchiveError, match=r"has sha256 .*, changed.tar.gz.sha256 says"):
        verify(forged)


def test_any_flipped_byte_of_the_file_itself_is_caught(archive):
    content = archive.read_bytes()
    for place in range(len(content)):
        archive.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        with pytest.raises(ArchiveError, match=r"run.tar.gz"):
            verify(archive)


def test_without_the_checksum_beside_it_only_what_changes_nothing_passes(archive):
    content, plain = archive.read_bytes(), gzip.decompress(archive.read_bytes())
    beside(archive).unlink()
    passed = []
    for place in range(len(content)):
        archive.write_bytes(content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :])
        try:
            verify(archive)
        except ArchiveError:
            continue
        passed.append(place)
        # Deflate can spell one text in several ways, such as a run of zeros.
        assert gzip.decompress(archive.read_bytes()) == plain
    assert len(passed) < len(content) / 100


def test_something_behind_the_last_file_is_caught(archive):
    with pytest.raises(ArchiveError, match=r"holds something behind its last file"):
        verify(repacked(archive, lambda members: members, behind=b"\0" * 20000 + b"hidden"))


def test_a_huge_header_does_not_fill_the_memory(archive):
    entry = tarfile.TarInfo("run/x")
    entry.pax_headers = {"comment": "x" * 10**7}

    def change(members):
        return [*members, (entry, b"")]

    with pytest.raises(ArchiveError, match=r"unpacks to more than 1000000 bytes"):
        verify(repacked(archive, change), most_bytes=10**6)


def test_a_truncated_archive_is_caught(archive):
    archive.write_bytes(archive.read_bytes()[:-6])
    beside(archive).unlink()
    with pytest.raises(ArchiveError, match=r"is damaged in or after"):
        verify(archive)


def test_an_archive_made_to_explode_is_refused(archive):
    with pytest.raises(ArchiveError, match=r"unpacks to more than 100 bytes"):
        verify(archive, most_bytes=100)


def test_unpacking_needs_no_later_patch_of_python(archive, tmp_path, monkeypatch):
    """Debian 12 has 3.11.2, whose tarfile knows no filters."""
    for name in ("extract", "extractall"):
        method = getattr(tarfile.TarFile, name)
        monkeypatch.setattr(tarfile.TarFile, name, lambda self, what, method=method: method(self, what))
    assert verify(archive, tmp_path / "out") == 3
    for name, content in CONTENTS.items():
        file = tmp_path / "out" / "run" / name
        assert (file.read_bytes(), file.stat().st_mtime) == (content, DATE)


def test_unpacking_never_overwrites(archive, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(ArchiveError, match=r"exists already"):
        verify(archive, tmp_path / "there")


def test_a_name_that_no_manifest_can_hold_is_refused(tmp_path):
    for name in ("a\nb", "../up", "/root", MANIFEST):
        with pytest.raises(ArchiveError, match="cannot be the name"):
            pack(tmp_path / "run.tar.gz", "run", {name: b""}, DATE)


def test_the_script_needs_nothing_but_python(archive):
    script = PROJECT / "scripts" / "verify_archive.py"
    command = [sys.executable, "-S", str(script), str(archive)]
    assert "3 files as packed" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    archive.write_bytes(gzip.compress(b"nothing"))
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("ArchiveError: ")
    assert "Traceback" not in failed.stderr


def test_the_crate_is_the_same_each_time_and_lists_every_file():
    about = {"name": "run", "description": "d", "license": "MIT", "commit": "abc", "author": "A. Physicist"}
    contents = {"Snakefile": b"rule all:", "x.json": b"{}"}
    first = crate.describe(contents, about, DATE)
    assert first == crate.describe(contents, about, DATE)
    assert b"2023-11-14" in first
    assert all(name.encode() in first for name in contents)
