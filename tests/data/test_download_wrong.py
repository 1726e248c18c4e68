"""Downloads of something else than was published."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from data.downloading import CONTENT, FILE, NAME, UNKNOWN, WRONG, names, squad
from data.local_files import Answer, served
from dokhae.data import read_examples
from dokhae.errors import DataError


def test_wrong_bytes_are_fetched_once_more(fetch, there, caplog):
    with served(CONTENT, Answer(content=WRONG)) as files:
        assert fetch(files) == CONTENT
        assert files.asked == [(None, None)] * 2
    assert "its SHA-256 is " in caplog.text
    assert names(there) == [NAME]


def test_bytes_that_stay_wrong_are_an_error(fetch, there):
    with served(WRONG) as files:
        with pytest.raises(DataError) as refused:
            fetch(files)
        assert files.asked == [(None, None)] * 2
    found = hashlib.sha256(WRONG).hexdigest()[:12]
    assert str(refused.value) == (
        f"{files.url}/{NAME}: is not the file that was published: its SHA-256 is {found}…, not {FILE.sha256[:12]}…; "
        "nothing was kept; try later, or name another --source"
    )
    assert names(there) == []


@pytest.mark.parametrize("length", [0, 10, len(CONTENT) - 1, len(CONTENT) + 1])
def test_another_length_is_refused_before_the_bytes_come(fetch, there, length):
    with served(CONTENT, always=Answer(headers={"Content-Length": str(length)})) as files:
        with pytest.raises(DataError, match=f"the server has {length:,} bytes, not {len(CONTENT):,}; nothing was kept"):
            fetch(files)
        assert len(files.asked) == 2
    assert names(there) == []


def test_more_bytes_announced_than_sent_of_an_unknown_file(fetch, there):
    with served(CONTENT, always=Answer(headers={"Content-Length": "999999"}, ranges=False)) as files:
        with pytest.raises(DataError, match=r"peer closed connection .*; given up after 4 tries; what came is kept"):
            fetch(files, UNKNOWN)
        assert len(files.asked) == 4
    assert NAME not in names(there)


def test_a_file_without_an_end_is_cut_off(fetch, there):
    with served(CONTENT, always=Answer(endless=True, chunked=True)) as files:
        with pytest.raises(DataError, match=f"the server sends more than {len(CONTENT):,} bytes; nothing was kept"):
            fetch(files)
        assert files.sent < 40 * len(CONTENT)  # what the sockets hold
    assert names(there) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>Log in first</html>", r"it cannot be read \(.*: is not JSON: "),
        (CONTENT[:100_000], r"it cannot be read \(.*: stops in the middle: it is cut off"),
        (b'{"data": [{"rows": 3}]}', r"it cannot be read \(.*: is neither SQuAD, "),
        (b'{"data": [{"paragraphs": 3}]}', r"it cannot be read \(.*'paragraphs' must be a list"),
        (squad(2), "it holds 2 questions, not 3; nothing was kept"),
    ],
)
def test_a_file_of_unknown_bytes_has_to_have_the_right_questions(fetch, there, content, message):
    with served(content) as files, pytest.raises(DataError, match=message):
        fetch(files, UNKNOWN)
    assert names(there) == []


@pytest.mark.parametrize("path", ["squad-2.0/dev.json", "korquad-1.0/dev.json"])
def test_the_questions_of_real_files_are_counted(fetch, shared, path):
    questions = len(read_examples(shared(path)))
    content = shared(path).read_bytes()
    with served(content) as files:
        assert fetch(files, replace(UNKNOWN, questions=questions)) == content
