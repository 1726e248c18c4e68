"""Downloads from a server that is down, far away, or sends us elsewhere."""

from __future__ import annotations

import logging
import re
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from data.downloading import CONTENT, NAME, QUICK, etag, names
from data.local_files import Answer, served
from dokhae.errors import DataError
from dokhae.patience import asked_wait


def test_every_trouble_is_told_with_what_comes_next(fetch, caplog):
    caplog.set_level(logging.INFO, "dokhae")
    with served(CONTENT, Answer(503), Answer(sent=100_000), Answer(sent=9, stalls=True)) as files:
        fetch(files)
    told = [re.sub(r"again in 0\.[01] s", "again in T s", message) for message in caplog.messages]
    assert told[0] == "Invented: CC0 (https://invented.example/): do what you like"
    assert told[1] == f"{files.url}/{NAME}: the server answers 503 Service Unavailable; again in T s (try 2 of 4)"
    assert "peer closed connection" in told[2]
    assert told[2].endswith("; again in T s (try 3 of 4)")
    assert told[3] == f"{files.url}/{NAME}: nothing more came; again in T s (try 4 of 4)"
    assert told[4].endswith(f"{NAME}: 0.3 MB, as published")
    assert len(told) == 5


def test_a_server_that_stays_down_is_given_up(fetch, there):
    begun = time.monotonic()
    with served(CONTENT, always=Answer(503)) as files:
        with pytest.raises(DataError) as refused:
            fetch(files, patience=replace(QUICK, first_wait=0.1))
        assert len(files.asked) == 4
    assert time.monotonic() - begun >= 0.05 + 0.1 + 0.2  # doubled, and at least half of that
    assert str(refused.value) == (
        f"{files.url}/{NAME}: the server answers 503 Service Unavailable; given up after 4 tries"
    )
    assert names(there) == []


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_trouble_that_passes(fetch, status):
    with served(CONTENT, Answer(status, {"Retry-After": "later"})) as files:
        assert fetch(files) == CONTENT
        assert len(files.asked) == 2


def test_a_server_that_asks_to_wait_is_obeyed(fetch):
    begun = time.monotonic()
    with served(CONTENT, Answer(503, {"Retry-After": "1"})) as files:
        assert fetch(files) == CONTENT
        assert len(files.asked) == 2
    assert time.monotonic() - begun >= 1


def test_a_server_that_asks_to_wait_for_long_is_left_alone(fetch, there):
    with served(CONTENT, Answer(429, {"Retry-After": "3600"})) as files:
        with pytest.raises(DataError, match="429 Too Many Requests and asks to wait 3600 s; try later$"):
            fetch(files)
        assert len(files.asked) == 1
    assert names(there) == []


def test_what_retry_after_may_say():
    now = datetime.now(UTC)
    assert asked_wait("120") == 120
    assert asked_wait(None) is None
    assert asked_wait("soon") is None
    assert asked_wait("-1") is None
    assert 50 < asked_wait(format_datetime(now + timedelta(seconds=60), usegmt=True)) <= 60
    assert asked_wait(format_datetime(now - timedelta(seconds=60), usegmt=True)) == 0


@pytest.mark.parametrize(
    ("status", "phrase"), [(404, "404 Not Found"), (403, "403 Forbidden"), (204, "204 No Content")]
)
def test_a_refusal_is_final(fetch, there, status, phrase):
    with served(CONTENT, always=Answer(status)) as files:
        with pytest.raises(DataError, match=f"/{NAME}: the server answers {phrase}; name a mirror or a folder "):
            fetch(files)
        assert len(files.asked) == 1
    assert names(there) == []


def test_redirects_are_followed_with_the_range(fetch):
    moved = Answer(302, {"Location": "/moved"})
    with served(CONTENT, moved, Answer(sent=100_000), moved) as files:
        assert fetch(files) == CONTENT
        assert files.paths == [f"/{NAME}", "/moved", f"/{NAME}", "/moved"]
        assert files.asked == [(None, None)] * 2 + [("bytes=100000-", etag(files))] * 2


def test_redirects_without_an_end_are_refused(fetch, there):
    with served(CONTENT, always=Answer(302, {"Location": f"/{NAME}"})) as files:
        with pytest.raises(DataError, match=f"/{NAME}: the server redirects more than 5 times; name another --source"):
            fetch(files)
        assert len(files.asked) == 6
    assert names(there) == []


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_redirects_to_other_protocols_are_refused(fetch, target):
    with served(CONTENT, always=Answer(302, {"Location": target})) as files:
        with pytest.raises(
            DataError, match=f"the server redirects to {target.partition(':')[0]}:.*, which is not https"
        ):
            fetch(files)
        assert len(files.asked) == 1


def test_compressed_bytes_that_nobody_asked_for_are_refused(fetch, there):
    with (
        served(CONTENT, always=Answer(headers={"Content-Encoding": "gzip"})) as files,
        pytest.raises(DataError, match="the server sends it compressed, unasked"),
    ):
        fetch(files)
    assert names(there) == []


def test_a_host_that_does_not_exist_is_one_error(fetch, there):
    with pytest.raises(DataError, match=f"^http://no-such-host.invalid/{NAME}: the host is not known here "):
        fetch("http://no-such-host.invalid/")
    assert names(there) == []


def test_a_closed_port_is_tried_again(fetch, caplog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DataError, match="Connection refused; given up after 4 tries$"):
            fetch(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert len(caplog.messages) == 3


def test_a_proxy_that_cannot_be_used_is_one_error(fetch, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "carrier-pigeon://roof")
    monkeypatch.delenv("NO_PROXY")
    with pytest.raises(DataError, match="the proxy that the environment names cannot be used: .*carrier-pigeon"):
        fetch("http://no-such-host.invalid/")


def test_a_password_is_not_told(fetch, there, caplog):
    with served(CONTENT, Answer(sent=100_000), always=Answer(503)) as files, pytest.raises(DataError) as refused:
        fetch(files.url.replace("//", "//me:secret@"))
    said = f"{refused.value} {caplog.text} {(there / f'{NAME}.part.json').read_text()}"
    assert files.url in said
    assert "secret" not in said
