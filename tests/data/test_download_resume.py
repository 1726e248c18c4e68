"""Downloads that are interrupted and go on: with the same file, or from the start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from data.downloading import CONTENT, FILE, NAME, OTHER, UNKNOWN, etag, names, part
from data.local_files import Answer, served
from dokhae.errors import DataError


@pytest.mark.parametrize("how", [{}, {"chunked": True}, {"headers": {"Content-Length": None}}, {"stalls": True}])
@pytest.mark.parametrize("file", [FILE, replace(FILE, sha256=None)], ids=["hash", "no hash"])
def test_a_file_that_stops_in_the_middle_goes_on_there(fetch, there, how, file):
    with served(CONTENT, Answer(sent=100_000, **how), Answer(sent=50_000, **how)) as files:
        assert fetch(files, file) == CONTENT
        assert files.asked == [(None, None), ("bytes=100000-", etag(files)), ("bytes=150000-", etag(files))]
        assert files.sent == len(CONTENT)  # no byte twice
    assert names(there) == [NAME]


@pytest.mark.parametrize("cuts", [[0], [0, 0, 0], [1, 1, 1], [len(CONTENT) - 1], [65_536, 0, 65_536]])
def test_it_may_stop_anywhere(fetch, cuts):
    with served(CONTENT, *[Answer(sent=cut) for cut in cuts]) as files:
        assert fetch(files) == CONTENT
        assert files.sent == len(CONTENT)


def test_a_later_call_goes_on(fetch, there):
    with part(fetch) as files:
        assert names(there) == [NAME + ".part", NAME + ".part.json"]
        assert fetch(files) == CONTENT
        assert files.asked == [("bytes=100000-", etag(files))]
    assert names(there) == [NAME]


def test_a_later_call_that_is_refused_keeps_what_is_there(fetch, there):
    with part(fetch) as files:
        files.always = Answer(404)
        with pytest.raises(DataError, match="404 Not Found; .*; what came is kept in .*, and the same command goes on"):
            fetch(files)
    assert (there / f"{NAME}.part").read_bytes() == CONTENT[:100_000]


def test_a_part_of_another_address_is_not_gone_on_with(fetch):
    with part(fetch), served(CONTENT) as other:
        assert fetch(other) == CONTENT
        assert other.asked == [(None, None)]


@pytest.mark.parametrize("memory", [None, "{", "[]", '{"address": 3}'])
def test_a_part_whose_memory_is_lost_is_fetched_anew(fetch, there, memory):
    with part(fetch) as files:
        (there / f"{NAME}.part.json").unlink() if memory is None else (there / f"{NAME}.part.json").write_text(memory)
        assert fetch(files) == CONTENT
        assert files.asked == [(None, None)]


def test_a_part_that_is_whole_needs_no_request(fetch, there):
    with part(fetch) as files:
        (there / f"{NAME}.part").write_bytes(CONTENT)
        assert fetch(files) == CONTENT
        assert files.asked == []


def test_a_part_that_is_whole_though_nobody_knows_its_size_is_asked_about(fetch, there):
    with part(fetch, UNKNOWN) as files:
        (there / f"{NAME}.part").write_bytes(CONTENT)
        assert fetch(files, UNKNOWN) == CONTENT
        assert files.asked == [(f"bytes={len(CONTENT)}-", etag(files))]
        assert files.sent == 0


@pytest.mark.parametrize("file", [FILE, UNKNOWN], ids=["known", "unknown"])
def test_a_part_that_is_too_long_is_fetched_anew(fetch, there, file):
    with part(fetch, file) as files:
        (there / f"{NAME}.part").write_bytes(CONTENT + b"more")
        assert fetch(files, file) == CONTENT
        assert files.asked == [(f"bytes={len(CONTENT) + 4}-", etag(files)), (None, None)]


def test_a_part_that_was_spoilt_is_noticed_at_the_end_and_fetched_anew(fetch, there, caplog):
    with part(fetch) as files:
        (there / f"{NAME}.part").write_bytes(b"!" * 100_000)
        assert fetch(files) == CONTENT
        assert files.asked == [("bytes=100000-", etag(files)), (None, None)]
    assert "is not the file that was published: its SHA-256 is " in caplog.text
    assert any(said.endswith(f", not {FILE.sha256[:12]}…; once more from the start") for said in caplog.messages)


def test_a_server_without_ranges_begins_anew(fetch):
    with served(CONTENT, Answer(sent=100_000), Answer(ranges=False)) as files:
        assert fetch(files) == CONTENT
        assert files.asked == [(None, None), ("bytes=100000-", etag(files))]
        assert files.sent == 100_000 + len(CONTENT)


@pytest.mark.parametrize("conditions", [True, False], ids=["If-Range", "no If-Range"])
def test_a_file_that_changes_between_two_requests_is_not_put_together(fetch, conditions):
    with served(CONTENT, Answer(sent=100_000)) as files:
        files.answers.append(Answer(content=OTHER, conditions=conditions))
        files.always = Answer(content=OTHER)
        assert fetch(files, UNKNOWN) == OTHER
        assert files.asked == [(None, None), ("bytes=100000-", etag(files)), (None, None)][: 2 if conditions else 3]


def test_last_modified_does_where_there_is_no_strong_etag(fetch):
    weak = {"ETag": 'W/"1"'}
    with served(CONTENT, Answer(sent=100_000, headers=weak), always=Answer(headers=weak, conditions=False)) as files:
        assert fetch(files, UNKNOWN) == CONTENT
        assert files.asked[1] == ("bytes=100000-", "Mon, 02 Nov 2026 10:00:00 GMT")


@pytest.mark.parametrize(("file", "asked"), [(FILE, "bytes=100000-"), (UNKNOWN, None)], ids=["hash", "no hash"])
def test_without_a_version_only_a_hash_allows_to_go_on(fetch, file, asked):
    bare = {"ETag": None, "Last-Modified": None}
    with served(CONTENT, Answer(sent=100_000, headers=bare), always=Answer(headers=bare)) as files:
        assert fetch(files, file) == CONTENT
        assert files.asked == [(None, None), (asked, None)]


@pytest.mark.parametrize("told", [f"bytes 99999-{len(CONTENT) - 1}/{len(CONTENT)}", "bytes 100000-9/10", "all", None])
def test_another_range_than_was_asked_for_is_refused(fetch, told):
    with served(CONTENT, Answer(sent=100_000), Answer(headers={"Content-Range": told})) as files:
        assert fetch(files) == CONTENT
        assert files.asked == [(None, None), ("bytes=100000-", etag(files)), (None, None)]
