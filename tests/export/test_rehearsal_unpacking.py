"""Bundles that are not what `dokhae pack` made, or no bundles at all."""

from __future__ import annotations

import json
import stat
import struct
import zipfile

import pytest

from dokhae.errors import DataError, ModelError
from dokhae.export.rehearsal.unpacking import unpack
from export.small_bundles import Wanted, make_small

CENTRAL = b"PK\x01\x02"  # begins what the directory at the end says of a member


@pytest.fixture
def small(tmp_path):
    return make_small(tmp_path, Wanted(answers={"q0": "서울" * 50})).zip


@pytest.fixture
def refused(tmp_path):
    """`refused(path)`: what is said of a bundle of which nothing is left unpacked outside of its folder."""

    def run(path, kind=DataError):
        target = tmp_path / "below" / "target"
        target.mkdir(parents=True)
        with pytest.raises(kind) as error:
            unpack(path, target)
        assert sorted(each.name for each in (tmp_path / "below").iterdir()) == ["target"]
        where, _, message = str(error.value).partition(".zip")
        assert where == str(path).removesuffix(".zip")
        return message

    return run


def with_members(path, *members):
    """The zip with some more members: pairs of a name or ZipInfo and content."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def rewritten(path, name, change):
    """The zip with the content of one member changed."""
    with zipfile.ZipFile(path) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    contents[name] = change(contents[name])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in contents.items():
            archive.writestr(each, content)
    return path


def test_a_bundle_comes_out_whole_whatever_its_zip_is_called(small, tmp_path):
    (tmp_path / "out").mkdir()
    folder, manifest = unpack(small.rename(tmp_path / "other.zip"), tmp_path / "out")
    assert (folder, manifest.name) == (tmp_path / "out" / "small", "small")
    assert names_in(folder) == {
        "Dockerfile", "bundle.json", "dokhae/__init__.py", "model/answers.json", "predict.py", "requirements.txt",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("/etc/x", "has an absolute path"),
        ("small/../../x", "would be written outside of the folder"),
        ("../x", "would be written outside of the folder"),
        ("small\\..\\x", "has a backslash or a drive letter in its name"),
        ("small/MODEL/answers.json", "is there twice"),
        ("small/./predict.py", "is there twice"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(refused, small, name, wrong):
    message = refused(with_members(small, (name, b"x")))
    assert message == f": its member {name!r} {wrong}; nothing was unpacked"


def test_links_are_refused(refused, small):
    link = zipfile.ZipInfo("small/model/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "'small/model/link' is a link, or no file at all" in refused(with_members(small, (link, b"/etc/passwd")))


def test_a_bomb_that_says_so_is_refused_before_anything_is_written(refused, small):
    content = bytearray(with_members(small, ("small/bomb", bytes(4_000_000))).read_bytes())
    struct.pack_into("<L", content, content.rindex(CENTRAL) + 24, 2**32 - 2)
    small.write_bytes(content)
    assert refused(small).startswith(": would unpack to 4,29")


def test_a_bomb_that_does_not_is_noticed_while_it_is_written(refused, small):
    message = refused(with_members(small, ("small/bomb", bytes(4_000_000))))
    assert message.startswith(": 'small/bomb': unpacks to more than 3,")


def test_a_file_in_the_place_of_a_folder_is_refused(refused, small):
    message = refused(with_members(small, ("small/predict.py/x", b"x")))
    assert message.startswith(": 'small/predict.py/x': cannot be unpacked: ")


def test_weights_that_are_not_those_that_were_packed_are_refused(refused, small):
    message = refused(rewritten(small, "small/model/answers.json", lambda content: content + b" "))
    assert message.startswith("/model/answers.json: is not what was packed")


def test_a_file_that_was_slipped_in_is_refused(refused, small):
    message = refused(with_members(small, ("small/dokhae/sitecustomize.py", b"print()")))
    assert message.startswith("/dokhae/sitecustomize.py: is not in bundle.json")


def test_a_manifest_of_another_format_is_refused(refused, small):
    other = rewritten(
        small, "small/bundle.json", lambda content: json.dumps(json.loads(content) | {"format": 2}).encode()
    )
    assert refused(other, ModelError).startswith("/bundle.json: is not of format 1")


def test_a_damaged_byte_is_told_or_does_not_matter(small, tmp_path):
    sound, told = small.read_bytes(), 0
    for position in range(0, len(sound), 9):
        content = bytearray(sound)
        content[position] ^= 0xFF
        small.write_bytes(content)
        target = tmp_path / "targets" / str(position)
        target.mkdir(parents=True)
        try:
            folder, manifest = unpack(small, target)
        except (DataError, ModelError):
            told += 1
        else:
            assert set(manifest.files) | {"bundle.json"} == names_in(folder)
    assert told > len(sound) / 9 / 2


def names_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04", ": is damaged: File is not a zip file; nothing was unpacked"),
        (b"", ": is damaged: File is not a zip file; nothing was unpacked"),
    ],
)
def test_what_is_no_zip_is_refused(refused, tmp_path, content, message):
    path = tmp_path / "bundle.zip"
    path.write_bytes(content)
    assert refused(path) == message


@pytest.mark.parametrize("members", [[("a/predict.py", b"")], [("bundle.json", b"{}")], [], [("a/", b""), ("b/", b"")],
                                     [("a/bundle.json", b"{}"), ("b/x", b"")]])  # fmt: skip
def test_a_zip_of_something_else_is_refused(refused, tmp_path, members):
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    message = refused(path)
    assert message == ": is no bundle: it has to hold one folder with bundle.json; `dokhae pack` makes one"


def test_a_bundle_that_is_not_there_or_a_folder_is_told(refused, tmp_path):
    assert refused(tmp_path / "none.zip") == ": no such file"


def test_a_folder_is_no_zip(refused, tmp_path):
    (tmp_path / "folder.zip").mkdir()
    assert refused(tmp_path / "folder.zip").startswith(": is a directory, not a file")
