from __future__ import annotations

import os
from pathlib import Path

import pytest

from dokhae.errors import DataError, SettingsError
from dokhae.files import (
    atomic_path,
    decoded,
    make_folder,
    open_bytes,
    parse_json,
    read_json,
    read_text,
    refuse_full_folder,
    sha256,
    write_json,
    write_text,
)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_content_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        assert temporary.parent == tmp_path  # renaming works within one file system only
        raise error
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_fault_of_the_disk_is_named(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old", encoding="utf-8")
    message = "file.txt: cannot be written: No space left on device; nothing was changed"
    with pytest.raises(DataError, match=message), atomic_path(path):
        raise OSError(28, "No space left on device")
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_until_the_block_ends_the_old_content_is_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old", encoding="utf-8")
    with atomic_path(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path):
    write_text(tmp_path / "a" / "b" / "file.txt", "서울\n")
    assert (tmp_path / "a" / "b" / "file.txt").read_bytes() == "서울\n".encode()


def test_permissions_are_those_of_the_old_file_or_the_usual_ones(tmp_path):
    old, new = tmp_path / "old.txt", tmp_path / "new.txt"
    old.touch()
    old.chmod(0o640)
    for path in (old, new):
        write_text(path, "x")
    assert old.stat().st_mode & 0o777 == 0o640
    usual = tmp_path / "usual.txt"
    usual.touch()
    assert new.stat().st_mode == usual.stat().st_mode


def test_a_folder_or_a_file_in_the_way_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a directory; name a file to write"):
        write_text(tmp_path, "x")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: cannot be made a folder: "):
        write_text(tmp_path / "file" / "x.txt", "x")
    with pytest.raises(DataError, match="deep: cannot be made a folder: Not a directory"):
        make_folder(tmp_path / "file" / "deep")


TOO_LONG = "the name is too long for this file system; name a shorter one"


def test_a_name_that_is_too_long_is_refused(tmp_path):
    path = tmp_path / ("x" * 300)
    with pytest.raises(DataError, match=f"x: cannot be written: {TOO_LONG}; nothing was changed"):
        write_text(path, "text")
    with pytest.raises(DataError, match=f"x: cannot be read: {TOO_LONG}"):
        read_text(path)
    for make in (make_folder, refuse_full_folder):
        with pytest.raises(DataError, match=f"x: cannot be made a folder: {TOO_LONG}"):
            make(path)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("가" * 85)  # 255 bytes
    write_text(path, "text")
    assert list(tmp_path.iterdir()) == [path]


def test_only_a_folder_that_is_new_or_empty_is_taken(tmp_path):
    refuse_full_folder(tmp_path)
    refuse_full_folder(tmp_path / "new")
    (tmp_path / ".one.tmp").touch()  # of a process that was killed
    refuse_full_folder(tmp_path)
    (tmp_path / "file").touch()
    refuse_full_folder(tmp_path / "file" / "deep")  # whoever makes it says that it cannot be made
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(SettingsError, match="is not an empty folder; name another --out, or wait"):
            refuse_full_folder(path, ", or wait")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes with a name")
@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_leads_to_is_written_and_the_link_stays(there, tmp_path):
    target = tmp_path / "elsewhere" / "target.json"
    if there:
        target.parent.mkdir()
        target.write_text("old")
    (tmp_path / "link.json").symlink_to(target)
    write_text(tmp_path / "link.json", "new")
    assert (tmp_path / "link.json").is_symlink() and target.read_text() == "new"
    assert [each.name for each in target.parent.iterdir()] == ["target.json"]


def test_a_pipe_or_a_device_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(DataError, match="is a device or a pipe; name a file to write"):
            write_text(path, "text")
    assert (tmp_path / "pipe").is_fifo() and Path("/dev/null").is_char_device()


def test_json_is_readable_and_comes_back(tmp_path):
    write_json(tmp_path / "file.json", {"서울": [1, "“é”"]})
    assert (tmp_path / "file.json").read_text(encoding="utf-8") == '{\n  "서울": [\n    1,\n    "“é”"\n  ]\n}\n'
    assert read_json(tmp_path / "file.json") == {"서울": [1, "“é”"]}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("\ufeff서울".encode(), "서울"),
        (b"a\x00b", "a\x00b"),
        (b"a\r\nb\rc\n", "a\r\nb\rc\n"),  # offsets count every character
        ("서울\ufeff".encode(), "서울\ufeff"),
    ],
)
def test_text_is_read_as_it_is_but_for_a_byte_order_mark(tmp_path, content, text):
    (tmp_path / "file.txt").write_bytes(content)
    assert read_text(tmp_path / "file.txt") == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("서울".encode("cp949"), r"is not UTF-8 \(byte 0\); convert it, for instance with `iconv -f cp949 -t utf-8`"),
        ("Seoul, 서울".encode("cp949"), r"is not UTF-8 \(byte 7\)"),
        ("서울".encode("utf-16"), r"is not UTF-8 \(byte 0\); .* `iconv -f utf-16 -t utf-8`"),
        ("\ufeff서울".encode("utf-16-be"), r"is not UTF-8 \(byte 0\); .* `iconv -f utf-16 -t utf-8`"),
        ("서울".encode("utf-32"), r"is not UTF-8 \(byte 0\); .* `iconv -f utf-32 -t utf-8`"),
        ("서울".encode()[:-1], r"is not UTF-8 \(byte 3\)"),
        (b"", "is empty"),
        (b" \r\n\t", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
    ],
)
def test_what_is_no_text_is_named(tmp_path, content, message):
    (tmp_path / "file.txt").write_bytes(content)
    with pytest.raises(DataError, match=f"file.txt: {message}"):
        read_text(tmp_path / "file.txt")
    with pytest.raises(DataError, match=f"^standard input: {message}"):
        decoded(content, "standard input")


@pytest.mark.parametrize("read", [read_text, read_json, sha256])
def test_a_file_that_cannot_be_read_is_named(tmp_path, read):
    with pytest.raises(DataError, match="none: no such file"):
        read(tmp_path / "none")
    with pytest.raises(DataError, match=r"is a directory, not a file; name the file inside it|has no \.json files"):
        read(tmp_path)


def test_a_folder_of_data_has_the_hash_of_its_files(tmp_path):
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / "a.json").write_text("[]")
    first = sha256(tmp_path)
    (tmp_path / "notes.txt").write_text("no data")
    assert sha256(tmp_path) == first
    (tmp_path / "a.json").write_text("[1]")
    assert sha256(tmp_path) != first


def test_a_fault_while_reading_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: cannot be read: Input/output error"), open_bytes(tmp_path / "file"):
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": "서', r"stops in the middle: it is cut off, fetch it again \(line 1, column 7\)"),
        ('{"a": [1,\n', r"stops in the middle: it is cut off, fetch it again \(line 2, column 1\)"),
        ("hello", r"is not JSON: Expecting value \(line 1, column 1\)"),
        ('{"a": 1}\n{"b": 2}', r"is not JSON: Extra data \(line 2, column 1\)"),
        ("{'a': 1}", "is not JSON: Expecting property name enclosed in double quotes"),
        ("[" + "9" * 5000 + "]", "cannot be read as JSON: Exceeds the limit"),
        ("[" * 100_000, "is nested too deeply to be read"),
    ],
)
def test_what_is_no_json_is_named(text, message):
    with pytest.raises(DataError, match=f"^file.jsonl, line 3: {message}"):
        parse_json(text, "file.jsonl, line 3")


def test_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
