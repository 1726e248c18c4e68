"""Published files that nobody published, for the tests of downloads."""

from __future__ import annotations

import contextlib
import hashlib
import json

import pytest

from data.local_files import Answer, served
from dokhae.data.download import Patience
from dokhae.data.releases import Licence, Release, RemoteFile
from dokhae.errors import DataError
from waiting import wait_until

NAME = "train.json"
QUICK = Patience(tries=4, first_wait=0.02, longest_wait=1.5, connect=2, silence=1)


def squad(questions, word="Ulm"):
    """A SQuAD file of about 100 KB a question."""
    qas = [{"id": f"q{number}", "question": "Where? " + "x" * 100_000, "answers": []} for number in range(questions)]
    return json.dumps({"data": [{"paragraphs": [{"context": f"In {word}.", "qas": qas}]}]}).encode()


CONTENT = squad(3)
OTHER = squad(3, "Bonn")
FILE = RemoteFile(NAME, "", questions=3, size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
UNKNOWN = RemoteFile(NAME, "", questions=3)  # nothing was published about its bytes
WRONG = CONTENT.replace(b"Ulm", b"Elm")


def release(*files):
    return Release("Invented", "https://invented.example/", Licence("CC0", "do what you like"), files)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@contextlib.contextmanager
def part(fetch, file=FILE, length=100_000):
    """A server that went down after `length` bytes; in the block it is up again, and has not been asked anything."""
    with served(CONTENT, Answer(sent=length), always=Answer(503)) as files:
        with pytest.raises(DataError, match="503 Service Unavailable; given up after 4 tries; what came is kept in "):
            fetch(files, file)
        files.asked.clear()
        files.always = Answer()
        files.sent = 0
        yield files


def etag(files):
    return f'"{hash(files.content):x}"'


def wait_for_bytes(there, length):
    """Until the partial file has them."""
    path = there / f"{NAME}.part"
    wait_until(lambda: path.exists() and path.stat().st_size >= length)
