"""Archives that nobody published, for the tests of downloads."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import random
import zipfile

from data.local_files import served
from dokhae.data.releases import RemoteFile, RemoteFolder


@functools.cache
def shard(name):
    """A KorQuAD 2.x file of about 100 KB, most of which cannot be compressed."""
    page = f"<p>Ulm</p>{random.Random(name).randbytes(25_000).hex()}"
    answer = {"text": "Ulm", "answer_start": 3}
    qas = [{"id": name, "question": "Where?", "answer": answer}]
    return json.dumps({"data": [{"title": name, "context": page, "raw_html": page, "qas": qas}]}).encode()


def zipped(*members, compression=zipfile.ZIP_DEFLATED):
    """The bytes of a zip; a member is a name, or a pair (name or ZipInfo, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for member in members:
            name, content = (member, shard(member)) if isinstance(member, str) else member
            file.writestr(name, content, compression)
    return buffer.getvalue()


CONTENTS: dict[RemoteFile, bytes] = {}  # of the archives that were made


def archive(name, *members, content=None, unpacked=10**9):
    """An archive with some members, or with other bytes."""
    content = zipped(*members) if content is None else content
    made = RemoteFile(name, "", None, len(content), hashlib.sha256(content).hexdigest(), unpacked)
    CONTENTS[made] = content
    return made


def folder(*archives, name="two/train", size=1000):
    return RemoteFolder(name, archives, questions=1, size=size)


def archives_in(path, *archives):
    """A folder with archives that were made."""
    path.mkdir()
    for each in archives:
        (path / each.name).write_bytes(CONTENTS[each])
    return path


@contextlib.contextmanager
def server(*archives, **answers):
    """A server of some archives; it answers each one of them as it is told: server(one, one_zip=[Answer(503)])."""
    with served(b"") as files:
        files.contents = {f"/{each.name}": CONTENTS[each] for each in archives}
        files.answers_at = {f"/{name.replace('_', '.')}": list(told) for name, told in answers.items()}
        yield files
