"""What archives may not hold, and what is left out of them."""

from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest

from data.archives import archive, archives_in, folder, shard, zipped
from data.downloading import QUICK, names, release
from dokhae.data.download import download
from dokhae.errors import DataError

CENTRAL = b"PK\x01\x02"  # begins what the directory at the end says of a member


@pytest.fixture
def unpack(tmp_path):
    """`unpack(content)`: the files that come out of an archive with these bytes."""

    def run(content, unpacked=10**8):
        one = archive("one.zip", content=content, unpacked=unpacked)
        (path,) = download([release(folder(one))], tmp_path / "out", str(archives_in(tmp_path / "in", one)),
                           patience=QUICK)  # fmt: skip
        return {file.name: file.read_bytes() for file in path.glob("*") if not file.name.startswith(".")}

    yield run
    (tmp_path / "out" / "two" / "train").mkdir(parents=True, exist_ok=True)
    assert names(tmp_path) in (["in", "out"], ["out"])  # nothing beside them
    assert names(tmp_path / "out") == ["two"]
    assert names(tmp_path / "out" / "two") == ["train"]


@pytest.fixture
def refused(unpack, tmp_path):
    """`refused(content)`: what is said of an archive of which nothing is unpacked."""

    def run(content, **options):
        with pytest.raises(DataError) as error:
            unpack(content, **options)
        assert names(tmp_path / "out" / "two" / "train") == []
        where, _, message = str(error.value).partition(": ")
        assert where == str(tmp_path / "in" / "one.zip")
        return message

    return run


def test_only_base_names_count_and_what_a_mac_adds_is_left_out(unpack):
    content = zipped(
        ("top/", b""), "top/a.json", ("top/sub/B.JSON", b"{}"), ("__MACOSX/top/._a.json", b"mac"),
        ("top/.DS_Store", b"mac"), ("top/._c.json", b"mac"),
    )  # fmt: skip
    assert unpack(content) == {"a.json": shard("top/a.json"), "B.JSON": b"{}"}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("/a.json", "has an absolute path"),
        ("../a.json", "would be written outside of the folder"),
        ("x/../../a.json", "would be written outside of the folder"),
        ("__MACOSX/../a.json", "would be written outside of the folder"),
        ("../", "would be written outside of the folder"),
        ("C:/a.json", "has a backslash or a drive letter in its name"),
        ("a.json:b.json", "has a backslash or a drive letter in its name"),
        ("..\\a.json", "has a backslash or a drive letter in its name"),
        ("a\n.json", "has a name with control characters"),
        ("a.exe", "is no .json file"),
        ("json", "is no .json file"),
    ],
)
def test_names_that_are_refused(refused, name, wrong):
    content = zipped("ok.json", (name, b"{}"))
    assert refused(content) == f"its member {name!r} {wrong}; nothing was unpacked"


@pytest.mark.parametrize("names", [("a.json", "A.JSON"), ("x/a.json", "y/a.json"), ("ß.json", "SS.json")])
def test_two_members_of_one_name_are_refused(refused, names):
    assert refused(zipped(*names)) == f"its member {names[1]!r} has the name of another one; nothing was unpacked"


def test_the_very_same_name_twice_is_refused(refused):
    assert "has the name of another one" in refused(zipped("a.json", "b.json").replace(b"b.json", b"a.json"))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_the_like_are_refused(refused, kind):
    link = zipfile.ZipInfo("a.json")
    link.external_attr = (kind | 0o777) << 16
    assert "'a.json' is a link, or no file at all; " in refused(zipped((link, b"/etc/passwd")))


def test_an_encrypted_member_is_refused(refused):
    content = bytearray(zipped("a.json"))
    content[content.index(CENTRAL) + 8] |= 1
    assert "'a.json' is encrypted; nothing" in refused(bytes(content))


def test_other_compressions_are_refused(refused):
    assert "in a way (method 12) that dokhae does not read" in refused(
        zipped(("a.json", b"{}"), compression=zipfile.ZIP_BZIP2)
    )


def test_stored_members_are_read(unpack):
    assert unpack(zipped(("a.json", b"{}"), compression=zipfile.ZIP_STORED)) == {"a.json": b"{}"}


@pytest.mark.parametrize("content", [zipped(), zipped(("x/", b""))])
def test_an_archive_without_a_json_file_is_refused(refused, content):
    assert refused(content) == "holds no JSON file"


def test_more_members_than_anyone_publishes_are_refused(refused):
    assert refused(zipped(*[(f"{number}.json", b"") for number in range(10_001)])).startswith("holds 10,001 members")


def test_more_than_an_archive_may_give_is_refused(refused):
    assert refused(zipped("a.json", "b.json"), unpacked=150_000).startswith("would unpack to 200,")


def test_a_bomb_is_refused(refused):
    content = bytearray(zipped("a.json", ("bomb.json", bytes(4_000_000))))
    struct.pack_into("<L", content, content.rindex(CENTRAL) + 24, 2**32 - 2)
    assert refused(bytes(content), unpacked=10**12).startswith("would unpack to 4,295,067,471 bytes, more")


def test_a_bomb_behind_much_that_is_none_is_noticed_while_it_is_written(refused):
    content = zipped("a.json", ("bomb.json", bytes(4_000_000)))
    message = refused(content)
    assert message.startswith("'bomb.json': unpacks to more than 3,")
    assert message.endswith(" bytes; nothing was unpacked")


def test_a_header_that_lies_about_the_size_lets_no_more_out(refused):
    content = bytearray(zipped(("bomb.json", bytes(4_000_000))))
    struct.pack_into("<L", content, content.index(CENTRAL) + 24, 100)
    assert "'bomb.json': is damaged: Bad CRC-32 for file 'bomb.json'" in refused(bytes(content))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_is_said_to_be_damaged(refused, compression):
    content = bytearray(zipped("a.json", "b.json", compression=compression))
    content[150_000 if compression == zipfile.ZIP_STORED else 80_000] ^= 0xFF
    assert ".json': is damaged: " in refused(bytes(content))


@pytest.mark.parametrize("content", [zipped("a.json")[:40_000], b"PK\x03\x04", b"<html>", b""])
def test_an_archive_without_an_end_is_damaged(refused, content):
    assert refused(content) == "is damaged: File is not a zip file; nothing was unpacked"


def test_any_byte_of_a_directory_may_be_damaged(tmp_path):
    from dokhae.data.download.unpacking import Unpacking, unpack

    sound = zipped(("a.json", b"{}"))
    one = archive("one.zip", content=sound)
    job = Unpacking(one, tmp_path / "out", True, lambda: None)
    for position in range(len(sound)):
        for value in (0x00, 0xFF):
            content = bytearray(sound)
            content[position] = value
            (tmp_path / "one.zip").write_bytes(content)
            try:
                unpack(tmp_path / "one.zip", "one.zip", job)
            except DataError:
                continue
            assert {path.read_bytes() for path in (tmp_path / "out").glob("*.json")} == {b"{}"}
    assert zipfile.ZipFile(io.BytesIO(sound)).testzip() is None
