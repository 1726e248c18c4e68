"""Asking a service about a text, over HTTP, as often as it takes."""

from __future__ import annotations

import functools
import logging
import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dokhae.errors import AnalyserError
from dokhae.korean.service_answers import Trouble
from dokhae.patience import Patience, asked_wait

if TYPE_CHECKING:
    import ssl

    import httpx2

log = logging.getLogger("dokhae")

MECAB_PATH = "/api/morpheme/etri"  # a service whose path ends so takes a form's field, others take ETRI's JSON
CONNECTIONS = 8
LARGEST = 2**24  # bytes of an answer; ETRI's about the longest text has less than a tenth
TOO_MANY = 429  # this status passes, as all from 500 on may
RUNNING = "is the address right, and the service running?"


class Passing(Trouble):
    """Trouble that may be over with the next request; `wait` is how many seconds the service asks for."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what, "try again later")
        self.wait = wait


def client(patience: Patience) -> httpx2.Client:
    """An HTTP client that keeps CONNECTIONS; AnalyserError where the environment names a proxy that cannot be used."""
    import httpx2

    from dokhae import __version__

    try:
        return httpx2.Client(
            verify=_certificates(),
            timeout=httpx2.Timeout(patience.silence, connect=patience.connect),
            limits=httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            headers={"User-Agent": f"dokhae/{__version__}"},
            follow_redirects=False,  # they would take the key and the text elsewhere
        )
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise AnalyserError(f"the proxy that the environment names cannot be used: {error}") from None


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Those that are trusted. To read them anew for every few texts would take longer than to analyse the texts."""
    import httpx2

    return httpx2.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Asking:
    """One client that several threads ask with, until it is stopped."""

    http: httpx2.Client
    address: httpx2.URL
    shown: str  # the address without what is secret in it
    key: str
    patience: Patience
    stopped: threading.Event

    def answer(self, text: str) -> bytes | None:
        """The body of the answer about a text; None where it was stopped. Trouble where there is no answer."""
        for number in range(1, self.patience.tries + 1):
            if self.stopped.is_set():
                return None
            try:
                return self._once(text)
            except Passing as trouble:
                self._wait(trouble, number)
        raise AssertionError("the last try returns or raises")

    def without_key(self, message: str) -> str:
        """A message in which a service may have said the key."""
        return message.replace(self.key, "***") if self.key else message

    def _wait(self, trouble: Passing, number: int) -> None:
        patience = self.patience
        if number == patience.tries:
            raise Trouble(f"{trouble}; given up after {number} tries", trouble.advice) from None
        longest = min(patience.longest_wait, patience.first_wait * 2.0 ** (number - 1))
        wait = longest * random.uniform(0.5, 1.0) if trouble.wait is None else trouble.wait
        if wait > patience.longest_wait:
            raise Trouble(f"{trouble} and asks to wait {wait:.0f} s", trouble.advice) from None
        log.warning("%s: %s; again in %.1f s (try %d of %d)", self.shown, self.without_key(str(trouble)), wait,
                    number + 1, patience.tries)  # fmt: skip
        self.stopped.wait(wait)

    def _once(self, text: str) -> bytes:
        import httpx2

        try:
            response = self.http.send(self._request(text), stream=True)
            try:
                _refuse(response)
                return _body(response)
            finally:
                response.close()
        except httpx2.ConnectTimeout:
            raise Trouble(f"there is no connection after {self.patience.connect:g} s", RUNNING) from None
        except httpx2.TimeoutException:
            raise Trouble(f"nothing came for {self.patience.silence:g} s", "try again later") from None
        except httpx2.ConnectError as error:
            raise Trouble(f"cannot be reached: {error}", RUNNING) from None
        except (httpx2.NetworkError, httpx2.RemoteProtocolError) as error:
            # a connection that was kept may be closed in the moment in which it is used again
            raise Passing(f"the connection was lost: {error}") from None
        except httpx2.HTTPError as error:
            raise Trouble(f"the request failed: {error}", RUNNING) from None

    def _request(self, text: str) -> httpx2.Request:
        if self.address.path.rstrip("/").endswith(MECAB_PATH):
            return self.http.build_request("POST", self.address, data={"targetText": text})
        body = {"argument": {"analysis_code": "morp", "text": text}}
        if not self.key:  # a service of one's own may ask for none
            return self.http.build_request("POST", self.address, json=body)
        headers = {"Authorization": self.key}  # its place now; older servers look for it in the body
        return self.http.build_request("POST", self.address, json={"access_key": self.key} | body, headers=headers)


def _refuse(response: httpx2.Response) -> None:
    import httpx2

    status = response.status_code
    what = f"it answers {status} {httpx2.codes.get_reason_phrase(status)}".rstrip()
    if status == TOO_MANY or status >= 500:
        raise Passing(what, asked_wait(response.headers.get("Retry-After")))
    if status in (401, 403):
        raise Trouble(what, "set the environment variable ETRI_ACCESS_KEY to a key that is valid there")
    if 300 <= status < 400:
        where = response.headers.get("Location", "nowhere")
        raise Trouble(f"{what}: it redirects to {where!r}", "give that address if it is to be trusted")
    if status != 200:
        raise Trouble(what, RUNNING)


def _body(response: httpx2.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > LARGEST:
            raise Trouble(f"its answer has more than {LARGEST:,} bytes")
    return bytes(body)
