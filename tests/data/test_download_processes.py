"""Downloads that are interrupted or killed, and several at once."""

from __future__ import annotations

import concurrent.futures
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from data.downloading import CONTENT, FILE, NAME, QUICK, etag, names, release, wait_for_bytes
from data.local_files import Answer, served
from dokhae.data.download import download
from dokhae.errors import DataError
from waiting import wait_until


def test_ctrl_c_keeps_what_came(fetch, there, caplog):
    caplog.set_level(logging.INFO, "dokhae")

    def interrupt():
        wait_for_bytes(there, 100_000)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with served(CONTENT, Answer(sent=100_000, stalls=True)) as files:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            fetch(files, patience=replace(QUICK, silence=20))
        thread.join()
        assert caplog.messages[-1].startswith(f"{there / NAME}: interrupted; what came is kept in ")
        assert fetch(files) == CONTENT
        assert files.asked[1:] == [("bytes=100000-", etag(files))]


@pytest.fixture
def start(there):
    """`start(server, silence)`: the download of FILE in a process of its own."""
    script = f"""
import logging, sys
from pathlib import Path
from dokhae.data.download import Patience, download
from dokhae.data.releases import Licence, Release, RemoteFile
logging.basicConfig(level=logging.INFO)
file = RemoteFile({NAME!r}, "", 3, {FILE.size}, {FILE.sha256!r})
download([Release("Invented", "", Licence("", ""), (file,))], Path(sys.argv[1]), sys.argv[2],
         patience=Patience(first_wait=0.02, silence=float(sys.argv[3])))
"""
    started = []

    def run(files, silence):
        arguments = [sys.executable, "-c", script, str(there), files.url, str(silence)]
        started.append(subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def wait_for_line(process, words):
    """The next line with these words that a process says."""
    return next(line for line in process.stderr if words in line)


def test_a_killed_process_leaves_what_came(fetch, there, start):
    with served(CONTENT, Answer(sent=100_000, stalls=True)) as files:
        process = start(files, 20)
        wait_for_bytes(there, 100_000)
        process.kill()
        process.wait()
        assert names(there) == [f"{NAME}.part", f"{NAME}.part.json"]
        assert fetch(files) == CONTENT
        assert files.asked == [(None, None), ("bytes=100000-", etag(files))]
        assert files.sent == len(CONTENT)
    assert names(there) == [NAME]


def test_two_processes_at_once_fetch_it_once(there, start):
    with served(CONTENT, Answer(sent=100_000, stalls=True)) as files:
        first = start(files, 20)
        wait_for_bytes(there, 100_000)
        second = start(files, 20)
        assert wait_for_line(second, "another process is fetching this file; waiting for it").count(f"{NAME}.part: ")
        files.released.set()
        assert (first.wait(timeout=60), second.wait(timeout=60)) == (0, 0)
        assert files.asked == [(None, None), ("bytes=100000-", etag(files))]
        assert "waiting" not in second.stderr.read()  # it was said once
    assert (there / NAME).read_bytes() == CONTENT
    assert names(there) == [NAME]


def test_one_that_waits_takes_over_from_one_that_is_killed(there, start):
    with served(CONTENT, Answer(sent=100_000, stalls=True)) as files:
        first = start(files, 20)
        wait_for_bytes(there, 100_000)
        second = start(files, 20)
        wait_for_line(second, "waiting for it")
        first.kill()
        assert second.wait(timeout=60) == 0
        assert files.asked == [(None, None), ("bytes=100000-", etag(files))]
    assert (there / NAME).read_bytes() == CONTENT


def test_one_that_waits_begins_anew_after_one_that_was_refused(there):
    with (
        served(CONTENT, Answer(sent=0, stalls=True), Answer(404)) as files,
        concurrent.futures.ThreadPoolExecutor() as others,
    ):
        first = others.submit(download, [release(FILE)], there, files.url, patience=QUICK)
        wait_until(lambda: files.asked)  # then it holds the partial file; that the file exists does not say so
        download([release(FILE)], there, files.url, patience=QUICK)
        with pytest.raises(DataError, match="404 Not Found"):
            first.result()
        assert files.asked == [(None, None)] * 3
    assert (there / NAME).read_bytes() == CONTENT
    assert names(there) == [NAME]


def test_many_at_once_leave_one_whole_file(there):
    outcomes = []
    with served(CONTENT, *[Answer(sent=50_000)] * 3) as files:

        def one():
            outcomes.append(download([release(FILE)], there, files.url, patience=QUICK))

        threads = [threading.Thread(target=one) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert files.sent == len(CONTENT)
    assert outcomes == [[there / NAME]] * 6
    assert (there / NAME).read_bytes() == CONTENT
    assert names(there) == [NAME]
