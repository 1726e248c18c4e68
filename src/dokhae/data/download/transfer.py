"""One request for the bytes of a file that are missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from dokhae.data.download.asking import Passing, answer, shown
from dokhae.data.download.partial import Origin, Partial
from dokhae.data.releases import RemoteFile
from dokhae.progress import BYTES, Update, track

if TYPE_CHECKING:
    import httpx2

LARGEST = 2**30  # bytes of a file of which no size is known
RANGE = re.compile(r"bytes (\d{1,18})-\d+/(\d+|\*)")
SIZE = re.compile(r"(?:.*/)?(\d{1,18})")

Show = Callable[[str, int], AbstractContextManager[Update]]  # show(name, bytes): progress of one file


class Wrong(Exception):
    """What comes is not the published file."""


def own_line(name: str, size: int) -> AbstractContextManager[Update]:
    """Progress of a file that comes alone."""
    return track(name, size, unit=BYTES)


def transfer(http: httpx2.Client, address: str, file: RemoteFile, partial: Partial, show: Show = own_line) -> None:
    """Append what is missing to the partial file, or all of it where the server has another version now.

    Raises Passing where another try may help, Wrong where the file is another one, DataError where no try helps.
    """
    with answer(http, address, _range(address, file, partial)) as response:
        _receive(response, address, file, partial, show)


def _range(address: str, file: RemoteFile, partial: Partial) -> dict[str, str]:
    """The headers that ask for the missing bytes, if they are still those of the same version."""
    origin = partial.origin()
    if partial.size == 0 or origin is None or origin.address != shown(address):
        return {}
    strong = origin.etag if origin.etag and not origin.etag.startswith("W/") else None  # If-Range takes no weak ones
    validator = strong or origin.modified
    if validator is None and file.sha256 is None:  # nothing would tell that the parts belong to two files
        return {}
    return {"Range": f"bytes={partial.size}-"} | ({"If-Range": validator} if validator else {})


def _receive(response: httpx2.Response, address: str, file: RemoteFile, partial: Partial, show: Show) -> None:
    origin = _origin(response, address)
    if response.status_code == 416 and origin.size == partial.size:
        return  # all of it is here
    _refuse_changed(response, origin, partial)
    if file.size is not None and origin.size not in (None, file.size):
        raise Wrong(f"the server has {origin.size:,} bytes, not {file.size:,}")
    if response.status_code == 200 or partial.size == 0:
        partial.restart(origin)
    size = file.size or origin.size
    with show(file.name, size or 0) as update:
        update(partial.size)
        for chunk in response.iter_raw():
            if partial.size + len(chunk) > (size or LARGEST):
                raise Wrong(f"the server sends more than {size or LARGEST:,} bytes")
            partial.append(chunk)
            update(partial.size)
    if size is not None and partial.size < size:
        raise Passing(f"the connection was closed after {partial.size:,} of {size:,} bytes")


def _origin(response: httpx2.Response, address: str) -> Origin:
    headers = response.headers
    told = SIZE.fullmatch(headers.get("Content-Length" if response.status_code == 200 else "Content-Range", ""))
    return Origin(shown(address), told and int(told[1]), headers.get("ETag"), headers.get("Last-Modified"))


def _refuse_changed(response: httpx2.Response, origin: Origin, partial: Partial) -> None:
    """Passing, with the partial file emptied, where the answer does not go on with what is in it."""
    if response.status_code == 200:
        return
    before = partial.origin() or origin
    begins = RANGE.fullmatch(response.headers.get("Content-Range", ""))
    same = all(
        told in (None, known) or known is None
        for told, known in ((origin.size, before.size), (origin.etag, before.etag), (origin.modified, before.modified))
    )
    if not begins or int(begins[1]) != partial.size or not same:
        partial.clear()
        raise Passing("the file has changed on the server, so its beginning is fetched again", 0.0)
