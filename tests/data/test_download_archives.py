"""Folders that come in archives: fetched side by side, unpacked whole or not at all, looked after later."""

from __future__ import annotations

import logging
import os
import re
import resource
import shutil
import signal
import threading
from dataclasses import replace

import pytest

from data.archives import CONTENTS, archive, archives_in, folder, server, shard, zipped
from data.downloading import QUICK, etag, names, release
from data.local_files import Answer
from dokhae.data import read_korquad2
from dokhae.data.download import Archives, download
from dokhae.errors import DataError
from waiting import wait_until

ONE = archive("one.zip", "a.json", "b.json")
TWO = archive("two.zip", "c.json")
COMPLETE = [".one.zip.unpacked", ".two.zip.unpacked", "a.json", "b.json", "c.json"]


@pytest.fixture
def bring(tmp_path, monkeypatch):
    """`bring(server, ONE)`: the folder `train`, from a server, or another source."""
    monkeypatch.setenv("NO_PROXY", "*")

    def run(source, *archives, patience=QUICK, size=1000, **options):
        source = str(getattr(source, "url", source))
        parts = {name: options.pop(name) for name in ("keep", "parallel") if name in options}
        (path,) = download([release(folder(*archives or (ONE, TWO), size=size))], tmp_path, source, patience=patience,
                           archives=Archives(**parts), **options)  # fmt: skip
        assert path == tmp_path / "two" / "train"
        return path

    return run


@pytest.fixture
def train(tmp_path):
    return tmp_path / "two" / "train"


def test_a_folder_is_what_its_archives_hold(bring, train, caplog):
    caplog.set_level(logging.INFO, "dokhae")
    with server(ONE, TWO) as files:
        assert bring(files) == train
        assert sorted(files.paths) == ["/one.zip", "/two.zip"]
    assert names(train) == COMPLETE
    assert names(train.parent) == ["train"]
    assert (train / "b.json").read_bytes() == shard("b.json")
    assert [example.id for example in read_korquad2(train)] == ["a.json", "b.json", "c.json"]
    assert caplog.messages[1:] == [f"{train}: 3 files, 0.3 MB, as published"]


def test_a_second_call_asks_for_nothing(bring, train, caplog):
    caplog.set_level(logging.INFO, "dokhae")
    with server(ONE, TWO) as files:
        bring(files)
        files.paths.clear()
        (train / "a.json").touch()  # other dates are no other bytes
        bring(files)
        assert files.paths == []
    assert caplog.messages[-1] == f"{train}: already there, intact"
    assert names(train) == COMPLETE


def test_as_many_archives_as_allowed_come_at_once(bring, train):
    archives = [archive(f"n{number}.zip", f"{number}.json") for number in range(8)]
    with server(*archives) as files:
        files.always = Answer(together=threading.Barrier(4))  # with less at once no answer would come
        bring(files, *archives)
        assert sorted(files.paths) == [f"/n{number}.zip" for number in range(8)]
    assert [name for name in names(train) if name.endswith(".json")] == [f"{number}.json" for number in range(8)]


def test_trouble_and_a_cut_in_the_middle_are_overcome(bring):
    half = Answer(sent=30_000)
    with server(ONE, TWO, one_zip=[Answer(503), half], two_zip=[half, half]) as files:
        bring(files)
        assert files.sent == len(CONTENTS[ONE]) + len(CONTENTS[TWO])


def test_a_later_call_goes_on_where_the_first_was_cut(bring, train):
    with server(ONE, TWO, one_zip=[Answer(sent=30_000), Answer(404)]) as files:
        with pytest.raises(DataError, match=r"/one.zip: the server answers 404 .*; what came is kept in .*/one.zip.pa"):
            bring(files, parallel=1)
        assert names(train.parent) == ["one.zip.part", "one.zip.part.json", "train"]
        assert names(train) == []
        files.asked.clear()
        files.content = CONTENTS[ONE]
        bring(files, parallel=1)
        assert files.asked == [("bytes=30000-", etag(files)), (None, None)]
    assert names(train) == COMPLETE


def test_wrong_bytes_are_fetched_once_more_and_then_refused(bring, train):
    wrong = Answer(content=zipped("a.json", "c.json"))
    with server(ONE, one_zip=[wrong]) as files:
        bring(files, ONE)
    shutil.rmtree(train)
    with (
        server(ONE, one_zip=[wrong] * 2) as files,
        pytest.raises(DataError, match=r"one.zip: is not the file that was"),
    ):
        bring(files, ONE)
    assert (names(train), names(train.parent)) == ([], ["train"])


def test_an_archive_of_unknown_bytes_has_to_be_one(bring, train):
    unknown = replace(ONE, size=None, sha256=None)
    with server(ONE, one_zip=[Answer(content=b"<html>Log in first</html>")] * 2) as files:
        with pytest.raises(DataError, match="is not the file that was published: it is no zip archive; nothing was ke"):
            bring(files, unknown)
        assert bring(files, unknown) == train
    assert len(read_korquad2(train)) == 2


def test_one_that_fails_stops_the_others_and_they_keep_what_came(bring, train):
    later = [Answer(sent=1, stalls=True), Answer(404)]
    stuck = [Answer(sent=30_000, stalls=True), Answer(sent=0, stalls=True)]
    with server(ONE, TWO, one_zip=later, two_zip=stuck) as files:
        with pytest.raises(DataError, match=r"/one.zip: the server answers 404"):
            bring(files, patience=replace(QUICK, silence=0.3))
        assert files.paths.count("/two.zip") <= 3
    assert (train.parent / "two.zip.part").read_bytes() == CONTENTS[TWO][:30_000]


def test_ctrl_c_keeps_what_came_of_all(bring, train, caplog):
    caplog.set_level(logging.INFO, "dokhae")

    def interrupt():
        parts = [train.parent / "one.zip.part", train.parent / "two.zip.part"]
        wait_until(lambda: all(path.exists() and path.stat().st_size == 30_000 for path in parts))
        os.kill(os.getpid(), signal.SIGINT)

    stuck = [Answer(sent=30_000, stalls=True)]
    thread = threading.Thread(target=interrupt)
    with server(ONE, TWO, one_zip=stuck, two_zip=stuck) as files:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            bring(files, patience=replace(QUICK, silence=0.5))
        thread.join()
        assert "Invented: interrupted; what came is kept, and the same command goes on from there" in caplog.messages
        bring(files)
        assert [asked for asked, _ in files.asked[:2]] == [None, None]
        assert {asked for asked, _ in files.asked[2:]} == {"bytes=30000-"}
    assert names(train) == COMPLETE


def test_several_calls_at_once_fetch_each_archive_once(bring, train):
    with server(ONE, TWO) as files:
        threads = [threading.Thread(target=bring, args=(files,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(files.paths) == ["/one.zip", "/two.zip"]
    assert names(train) == COMPLETE


def test_a_lost_file_is_named_and_brought_again(bring, train, caplog):
    with server(ONE, TWO) as files:
        bring(files)
        (train / "b.json").unlink()
        files.paths.clear()
        bring(files)
        assert files.paths == ["/one.zip"]
    assert f"{train / 'b.json'}: is missing; one.zip is unpacked again" in caplog.messages
    assert (train / "b.json").read_bytes() == shard("b.json")


@pytest.mark.parametrize(
    ("content", "differs"), [(b"mine", "it has 4 bytes, not "), (shard("c.json"), "its bytes are others")]
)
def test_a_changed_file_is_not_replaced_unasked(bring, train, content, differs):
    with server(ONE, TWO) as files:
        bring(files)
        files.paths.clear()
        (train / "a.json").write_bytes(content)
        with pytest.raises(DataError) as refused:
            bring(files)
        assert str(refused.value).startswith(f"{train / 'a.json'}: is not what one.zip holds: {differs}")
        assert str(refused.value).endswith("; --overwrite unpacks it again, another --out leaves it alone")
        assert files.paths == []
        bring(files, overwrite=True)
        assert files.paths == ["/one.zip"]
    assert (train / "a.json").read_bytes() == shard("a.json")


def test_a_file_of_ones_own_is_not_replaced_unasked_and_the_others_do_not_come(bring, train):
    train.mkdir(parents=True)
    (train / "b.json").write_bytes(b"mine")
    with server(ONE) as files:
        with pytest.raises(
            DataError, match=r"train/b.json: is not what one.zip holds: it has 4 bytes, not .*; --overw"
        ):
            bring(files, ONE)
        assert names(train) == ["b.json"]
        files.paths.clear()
        bring(files, ONE, overwrite=True)
        assert files.paths == []  # the archive was kept
    assert names(train) == [".one.zip.unpacked", "a.json", "b.json"]
    assert names(train.parent) == ["train"]


def test_the_same_files_without_a_note_are_taken_over(bring, train):
    with server(ONE) as files:
        bring(files, ONE)
        (train / ".one.zip.unpacked").write_text("{")
        (train / ".one.zip.tmp").mkdir()  # of a process that was killed
        (train / ".one.zip.tmp" / "a.json").write_text("half")
        bring(files, ONE)
        assert files.paths == ["/one.zip"] * 2
        bring(files, ONE)
        assert files.paths == ["/one.zip"] * 2
    assert names(train) == [".one.zip.unpacked", "a.json", "b.json"]


def test_another_archive_of_that_name_is_fetched(bring, train):
    with server(ONE) as files:
        bring(files, ONE)
        later = archive("one.zip", "a.json", "d.json")
        files.contents["/one.zip"] = CONTENTS[later]
        bring(files, later)
    assert (train / "d.json").read_bytes() == shard("d.json")


def test_a_file_that_was_not_published_is_told(bring, train, caplog):
    train.mkdir(parents=True)
    (train / "mine.json").write_text("{}")
    with server(ONE) as files:
        bring(files, ONE)
    assert caplog.messages[-1] == f"{train / 'mine.json'}: was not published, but who reads the folder reads it too"


def test_two_archives_that_hold_the_same_file_are_refused(bring, train):
    same = archive("same.zip", ("sub/A.json", b"{}"))
    with (
        server(ONE, same) as files,
        pytest.raises(DataError, match=r"same.zip: holds A.json, and one.zip does too; not"),
    ):
        bring(files, ONE, same, parallel=1)
    assert names(train) == [".one.zip.unpacked", "a.json", "b.json"]
    assert names(train.parent) == ["train"]


def test_archives_are_kept_when_that_is_wanted_and_used_later(bring, train):
    with server(ONE, TWO) as files:
        bring(files, keep=True)
        assert names(train.parent) == ["one.zip", "train", "two.zip"]
        assert (train.parent / "one.zip").read_bytes() == CONTENTS[ONE]
        files.paths.clear()
        shutil.rmtree(train)
        bring(files)
        assert files.paths == []
        (train.parent / "one.zip").write_bytes(b"mine")
        (train / "a.json").unlink()
        with pytest.raises(DataError, match=r"two/one.zip: is not the file that was published: it has 4 bytes, not "):
            bring(files)
        bring(files, overwrite=True)
        assert files.paths == ["/one.zip"]
    assert (train.parent / "one.zip").read_bytes() == CONTENTS[ONE]
    assert names(train) == COMPLETE


@pytest.mark.parametrize("keep", [False, True])
def test_a_folder_with_the_archives_may_be_the_source(bring, train, tmp_path, keep):
    mirror = archives_in(tmp_path / "mirror", ONE)
    with pytest.raises(DataError, match=f"{mirror / 'two.zip'}: no such file"):
        bring(mirror, parallel=1)
    (mirror / "two.zip").write_bytes(b"other")
    with pytest.raises(DataError, match=f"{mirror / 'two.zip'}: is not the file .*; nothing was copied"):
        bring(mirror)
    (mirror / "two.zip").write_bytes(CONTENTS[TWO])
    bring(mirror, keep=keep)
    assert names(train) == COMPLETE
    assert names(mirror) == ["one.zip", "two.zip"]
    assert [name for name in names(train.parent) if name != "train"] == (["two.zip"] if keep else [])


def test_too_little_room_is_said_before_anything_is_fetched(bring, train):
    with server(ONE) as files:
        with pytest.raises(DataError) as refused:
            bring(files, ONE, size=10**18)
        assert files.paths == []
    assert re.fullmatch(
        rf"{train}: Invented needs 1,000,000,000,000\.\d MB, and [\d,.]+ MB are free there; make room, or name another "
        "--out", str(refused.value),
    )  # fmt: skip


def test_a_full_disk_keeps_the_archive_and_nothing_half_unpacked(bring, train):
    large = archive("large.zip", ("a.json", b"{}"), ("b.json", os.urandom(50_000).hex().encode()))
    before = _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with server(large) as files:
        resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, hard))  # the archive has 57,000 bytes, b.json 100,000
        try:
            with pytest.raises(DataError) as refused:
                bring(files, large)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert str(refused.value) == (
            f"{train}: large.zip cannot be unpacked there: File too large; what came is kept in "
            f"{train.parent / 'large.zip.part'}, and the same command goes on from there"
        )
        assert names(train) == []
        bring(files, large)
        assert files.paths == ["/large.zip"]
    assert names(train) == [".large.zip.unpacked", "a.json", "b.json"]
