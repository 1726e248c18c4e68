"""Asking a server: addresses, redirects, refusals, and which trouble passes."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dokhae.errors import DataError
from dokhae.patience import Patience, asked_wait

if TYPE_CHECKING:
    import httpx2

REDIRECTS = 5
TROUBLE = (408, 425, 429)  # that passes, as all from 500 on may


class Passing(Exception):
    """Trouble that may be over with the next request; `wait` is how many seconds the server asks for."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


def client(patience: Patience) -> httpx2.Client:
    """An HTTP client; DataError where the environment names a proxy that cannot be used."""
    import httpx2

    from dokhae import __version__

    # Offsets and hashes are those of the file itself, so it must not come compressed.
    headers = {"User-Agent": f"dokhae/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx2.Client(timeout=httpx2.Timeout(patience.silence, connect=patience.connect), headers=headers)
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise DataError(f"the proxy that the environment names cannot be used: {error}") from None


def is_address(source: str) -> bool:
    """Whether it is an http(s) address with a host."""
    import httpx2

    try:
        url = httpx2.URL(source)
    except httpx2.InvalidURL:
        return False
    return url.scheme in ("http", "https") and bool(url.host)


def shown(address: str) -> str:
    """An address as it may stand in a message: without a password."""
    import httpx2

    return str(httpx2.URL(address).copy_with(username=None, password=None))


@contextlib.contextmanager
def answer(http: httpx2.Client, address: str, headers: dict[str, str]) -> Iterator[httpx2.Response]:
    """The answer with a file or a part of it (200, 206, 416), its body not read yet.

    Raises Passing where another try may help, DataError where none does.
    """
    import httpx2

    try:
        with _behind_redirects(http, address, headers) as response:
            _refuse(response, address)
            yield response
    except httpx2.ConnectTimeout:
        raise Passing("there was no connection in time") from None
    except httpx2.TimeoutException:
        raise Passing("nothing more came") from None
    except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
        raise _meaning(error, address) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DataError(f"{shown(address)}: cannot be asked for: {error}") from None


@contextlib.contextmanager
def _behind_redirects(http: httpx2.Client, address: str, headers: dict[str, str]) -> Iterator[httpx2.Response]:
    """What comes after at most REDIRECTS redirects, whose bodies are not read."""
    request: httpx2.Request | None = http.build_request("GET", address, headers=headers)
    for _ in range(REDIRECTS + 1):
        assert request is not None
        response = http.send(request, stream=True, follow_redirects=False)
        with contextlib.closing(response):
            request = response.next_request
            if request is None:
                yield response
                return
        if request.url.scheme not in ("https", response.url.scheme):
            raise DataError(f"{shown(address)}: the server redirects to {shown(str(request.url))}, which is not https")
    raise DataError(f"{shown(address)}: the server redirects more than {REDIRECTS} times; name another --source")


def _refuse(response: httpx2.Response, address: str) -> None:
    status = response.status_code
    what = f"the server answers {status} {response.reason_phrase}".rstrip()
    if status in TROUBLE or status >= 500:
        raise Passing(what, asked_wait(response.headers.get("Retry-After")))
    if status not in (200, 206, 416):
        raise DataError(f"{shown(address)}: {what}; name a mirror or a folder that has the file with --source")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise DataError(f"{shown(address)}: the server sends it compressed, unasked; name another --source")


def _meaning(error: Exception, address: str) -> Exception:
    """What an error of the connection means: Passing, or DataError where waiting does not help."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return DataError(f"{shown(address)}: the host is not known here ({cause.strerror}); is this machine "
                             "online? --source takes a mirror, or a folder with the files")  # fmt: skip
        if isinstance(cause, ssl.SSLCertVerificationError):
            return DataError(f"{shown(address)}: its certificate is not trusted: {cause.verify_message}")
        cause = cause.__cause__ or cause.__context__
    return Passing(str(error) or type(error).__name__)
