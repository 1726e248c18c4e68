"""Downloads: what arrives, what is there already, where it may come from and go."""

from __future__ import annotations

import logging
import os
import re
import resource
from dataclasses import replace

import pytest

from data.downloading import CONTENT, FILE, NAME, QUICK, WRONG, etag, names, release
from data.local_files import Answer, served
from dokhae import benchmarks
from dokhae.data.download import download
from dokhae.data.releases import RemoteFolder
from dokhae.errors import DataError, SettingsError


def test_a_file_comes_whole_and_is_alone(fetch, there):
    with served(CONTENT) as files:
        assert fetch(files) == CONTENT
        assert files.asked == [(None, None)]
        assert files.paths == [f"/{NAME}"]
        assert [agent.partition("/")[0] for agent in files.agents] == ["dokhae"]
    assert names(there) == [NAME]


def test_the_official_address_is_the_default(tmp_path):
    with served(CONTENT) as files:
        one = release(replace(FILE, address=f"{files.url}/far/away"))
        assert download([one, one], tmp_path, patience=QUICK) == [tmp_path / NAME]
        assert files.paths == ["/far/away"]


@pytest.mark.parametrize("source", ["ftp://x/y", "no/such/folder", "http://", "http:///x", "mailto:me"])
def test_a_source_is_an_address_or_a_folder(fetch, source):
    with pytest.raises(SettingsError, match=re.escape(f"source {source!r} is neither an http(s) address nor a folder")):
        fetch(source)


def test_what_is_there_and_intact_is_not_asked_for(fetch, there, caplog):
    caplog.set_level(logging.INFO, "dokhae")
    with served(CONTENT) as files:
        fetch(files)
        before = (there / NAME).stat()
        assert fetch(files) == CONTENT
        assert len(files.asked) == 1
    assert (there / NAME).stat().st_mtime_ns == before.st_mtime_ns
    assert caplog.messages[-1] == f"{there / NAME}: already there, intact"


@pytest.mark.parametrize(
    ("content", "differs"),
    [(b"mine", f"it has 4 bytes, not {len(CONTENT):,}"), (WRONG, "its SHA-256 is ")],
)
def test_another_file_of_that_name_is_not_replaced_unasked(fetch, there, content, differs):
    there.mkdir()
    (there / NAME).write_bytes(content)
    with served(CONTENT) as files:
        with pytest.raises(DataError, match="is not the file that was published: ") as refused:
            fetch(files)
        assert str(refused.value).startswith(f"{there / NAME}: is not the file that was published: {differs}")
        assert str(refused.value).endswith("; --overwrite fetches it again, another folder leaves it alone")
        assert files.asked == []
        assert (there / NAME).read_bytes() == content
        assert fetch(files, overwrite=True) == CONTENT
        assert len(files.asked) == 1


def test_overwriting_leaves_the_old_file_until_the_new_one_is_whole(fetch, there):
    there.mkdir()
    (there / NAME).write_bytes(b"mine")
    with served(CONTENT, always=Answer(sent=10, ranges=False)) as files, pytest.raises(DataError):
        fetch(files, overwrite=True)
    assert (there / NAME).read_bytes() == b"mine"


def test_a_folder_of_that_name_is_refused(fetch, there):
    (there / NAME).mkdir(parents=True)
    with pytest.raises(DataError, match="is a directory, not a file"):
        fetch("http://no-such-host.invalid/")


def test_a_folder_may_be_the_source(fetch, there, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with pytest.raises(DataError, match=f"^{mirror / NAME}: no such file$"):
        fetch(str(mirror))
    (mirror / NAME).write_bytes(WRONG)
    with pytest.raises(DataError, match=f"^{mirror / NAME}: is not the file .*; nothing was copied"):
        fetch(str(mirror))
    assert names(there) == []
    (mirror / NAME).write_bytes(CONTENT)
    assert fetch(str(mirror)) == CONTENT
    assert names(there) == [NAME]


def test_a_data_set_that_is_not_there_stops_all_before_the_first_request(tmp_path):
    with served(CONTENT) as files:
        with pytest.raises(SettingsError, match=r"^Invented cannot be downloaded by dokhae yet; get it from https:"):
            download([release(FILE), release()], tmp_path / "there", files.url)
        assert files.asked == []
    assert names(tmp_path) == []


def test_a_full_disk_keeps_what_came(fetch, there):
    before = _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with served(CONTENT) as files:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))  # Python ignores the signal: a write fails
        try:
            with pytest.raises(DataError) as refused:
                fetch(files)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert str(refused.value) == (
            f"{there / NAME}: cannot be written: File too large; what came is kept in {there / NAME}.part, "
            "and the same command goes on from there"
        )
        assert (there / f"{NAME}.part").read_bytes() == CONTENT[:150_000]
        assert fetch(files) == CONTENT
        assert files.asked[1:] == [("bytes=150000-", etag(files))]


@pytest.mark.parametrize("locked", ["the folder", "its parent"])
def test_a_folder_that_may_not_be_written_is_named(locked, open_folder):
    folder = open_folder / "locked" if locked == "the folder" else open_folder / "locked" / "there"
    (open_folder / "locked").mkdir(mode=0o555)
    before = os.geteuid()
    with served(CONTENT) as files:
        os.seteuid(before or 65534)  # root may write everything
        try:
            with pytest.raises(DataError) as refused:
                download([release(FILE)], folder, files.url)
        finally:
            os.seteuid(before)
        assert files.asked == []
    what = f"{folder / NAME}: cannot be written" if locked == "the folder" else f"{folder}: cannot be made a folder"
    assert str(refused.value) == f"{what}: Permission denied"
    assert names(open_folder / "locked") == []


PUBLISHED = [row.release for row in benchmarks.BENCHMARKS if row.release.files]


def files_of(one):
    """The files and archives that are fetched for a data set."""
    return [file for part in one.files for file in (part.archives if isinstance(part, RemoteFolder) else [part])]


@pytest.mark.parametrize("file", [file for one in PUBLISHED for file in files_of(one)], ids=lambda file: file.name)
def test_the_rows_name_files(file):
    assert file.address.startswith("https://")
    assert file.address.endswith(f"/{file.name}")
    assert re.fullmatch("[0-9a-f]{64}", file.sha256)


def test_the_sizes_add_up_to_those_that_were_published_for_both_files():
    known = [one for one in PUBLISHED if all(file.size for file in files_of(one))]
    sizes = {one.title: sum(file.size for file in files_of(one)) for one in known}
    assert sizes == {
        "SQuAD 1.1": 35_142_551,
        "SQuAD 2.0": 46_494_161,
        "KorQuAD 1.0": 42_408_533,
        "KorQuAD 2.1": 1_373_763_305,
    }


def test_korquad_2_1_is_two_folders_of_archives():
    folders = benchmarks.find("korquad-2.1").release.files
    assert [(one.name, len(one.archives), one.questions) for one in folders] == [
        ("korquad-2.1/train", 13, 83_486),
        ("korquad-2.1/dev", 2, 10_165),
    ]
    assert folders[1].archives[1].address == (
        "https://github.com/korquad/korquad.github.io/raw/master/dataset/KorQuAD_2.1/dev/KorQuAD_2.1_dev_01.zip"
    )


@pytest.mark.network
@pytest.mark.parametrize("row", benchmarks.BENCHMARKS, ids=lambda row: row.name)
def test_the_real_files_are_what_the_rows_say(row, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    paths = download([row.release], tmp_path)
    assert [questions_of(row, path) for path in paths] == [file.questions for file in row.release.files]


def questions_of(row, path):
    """The questions of a file, or of the files of a folder, one at a time."""
    return sum(len(row.read(file, True)) for file in (path.glob("*.json") if path.is_dir() else [path]))
