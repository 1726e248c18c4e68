"""A morphological analyser reached over HTTP: ETRI's own, or a service of one's own that answers in its form."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from dokhae.errors import AnalyserError, SettingsError
from dokhae.korean.morphemes import Morpheme
from dokhae.korean.service_answers import Trouble, read
from dokhae.korean.service_asking import CONNECTIONS, Asking, client
from dokhae.korean.texts import HALF
from dokhae.patience import Patience

KEY = "ETRI_ACCESS_KEY"  # environment variable
KEY_FORM = re.compile(r"[A-Za-z0-9._~+/=:-]*")  # what a header may hold and a message shows as it is
# it may be slow to begin with a long text
PATIENCE = Patience(tries=5, first_wait=0.5, longest_wait=60.0, silence=60.0)


class Service:
    """An address that answers with ETRI's morphemes.

    A path that ends in /api/morpheme/etri is sent `targetText`, as the Mecab service takes it; any other is sent ETRI's
    JSON, with the key that ETRI_ACCESS_KEY holds. How the answer is nested does not matter.
    """

    def __init__(self, url: str, patience: Patience = PATIENCE) -> None:
        import httpx2

        try:
            self._address = httpx2.URL(url)
        except httpx2.InvalidURL as error:
            raise SettingsError(f"the address of the analyser cannot be read: {error}") from None
        self._shown = str(self._address.copy_with(username=None, password=None, query=None, fragment=None))
        if self._address.scheme not in ("http", "https") or not self._address.host:
            raise SettingsError(f"the analyser {self._shown!r} is no address; give one as in http://localhost:8080/...")
        if self._address.userinfo:
            raise SettingsError(f"the address of the analyser {self._shown} has a name or password, and is saved with "
                                f"the model; set the environment variable {KEY} instead")  # fmt: skip
        # services may differ by it, but it may hold a key
        query = hashlib.sha256(self._address.query).hexdigest()[:12] if self._address.query else ""
        self._identity = f"service {self._shown} {query}".rstrip()
        self._patience = patience

    @property
    def identity(self) -> str:
        """The address. A service tells no version: what is kept under it is old when the service gets a new model."""
        return self._identity

    def analyse(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        """See Analyser."""
        for text in texts:
            if HALF.search(text):
                raise self._error(text, Trouble("half a character (a surrogate) cannot be sent", "take it out"))
        asked = [text for text in texts if text.strip()]
        found = iter(self._ask(asked))
        return [next(found) if text.strip() else [] for text in texts]

    def _ask(self, texts: Sequence[str]) -> list[list[Morpheme]]:
        """Over a few connections; the first failure keeps all that is not under way from being asked."""
        if not texts:
            return []
        with client(self._patience) as http, ThreadPoolExecutor(min(CONNECTIONS, len(texts))) as threads:
            asking = Asking(http, self._address, self._shown, _key(), self._patience, threading.Event())
            work = [threads.submit(self._one, asking, text) for text in texts]
            try:
                done, _ = wait(work, return_when=FIRST_EXCEPTION)
            finally:
                asking.stopped.set()
        for one in work:
            if one in done:
                one.result()
        return [one.result() for one in work]

    def _one(self, asking: Asking, text: str) -> list[Morpheme]:
        try:
            body = asking.answer(text)
            return [] if body is None else read(body, text)  # None: another text has failed
        except Trouble as trouble:
            raise self._error(text, trouble, asking) from None

    def _error(self, text: str, trouble: Trouble, asking: Asking | None = None) -> AnalyserError:
        what = asking.without_key(str(trouble)) if asking else str(trouble)
        what = " ".join(what.split())
        what = what if len(what) <= 200 else f"{what[:200]}…"
        return AnalyserError(f"{self._shown}: {what}, asked about {text[:60]!r}; {trouble.advice}")


def _key() -> str:
    key = os.environ.get(KEY, "").strip()
    if not KEY_FORM.fullmatch(key):
        raise SettingsError(f"the environment variable {KEY} holds what is no access key; copy it once more")
    return key
