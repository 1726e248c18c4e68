"""A service in ETRI's form on this machine: kiwi's real morphemes, and misbehaviour as it is told, answer by answer."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import parse_qs

from dokhae.korean.kiwi import Kiwi
from dokhae.korean.morphemes import Morpheme
from local_server import LocalServer

OFFICIAL, MECAB = "/WiseNLU", "/api/morpheme/etri"
Sentences = list[dict]
ONE_AT_A_TIME = threading.Lock()  # for kiwi


@dataclass(frozen=True)
class Answer:
    """How one request is answered. As it stands: well."""

    status: int = 200  # any other has an empty body
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None  # instead of the right one
    change: Callable[[Sentences], object] | None = None  # of the sentences, before they are nested
    nested: Callable[[object], object] | None = None  # instead of as the path says
    seconds: float = 0.0  # before it begins
    silent: bool = False  # the connection is closed without an answer
    sent: int | None = None  # bytes of the body after which the connection is closed
    endless: bool = False  # the body begins anew whenever it ends, 1000 times


class StandIn(LocalServer):
    request_queue_size = 50  # with the usual 5, one of several connections at once may have to wait a second
    daemon_threads = False  # closing it waits for them, so that none is left to the next test

    def __init__(self, answers: tuple[Answer, ...], always: Answer, key: str) -> None:
        super().__init__(Handler)
        self.answers, self.always, self.key = list(answers), always, key
        self.texts: list[str] = []  # of every request
        self.requests: list[tuple[str, str, str]] = []  # path, content type, body
        self.authorizations: list[str | None] = []
        self.connections: set[tuple[str, int]] = set()
        self.busy = self.busiest = 0  # requests at once
        self.lock = threading.Lock()
        self.released = threading.Event()  # ends the waiting


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20  # seconds
    disable_nagle_algorithm = True
    server: StandIn

    def do_POST(self) -> None:
        server = self.server
        with server.lock:
            answer = server.answers.pop(0) if server.answers else server.always
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
        try:
            self.reply(answer, *self.asked())
        finally:
            with server.lock:
                server.busy -= 1

    def asked(self) -> tuple[str, bool]:
        """The text, and whether the key is right."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        kind = self.headers["Content-Type"]
        if kind == "application/x-www-form-urlencoded":
            text, key = parse_qs(body, keep_blank_values=True, strict_parsing=True)["targetText"][0], None
        else:
            asked = json.loads(body)
            assert asked["argument"]["analysis_code"] == "morp"
            text, key = asked["argument"]["text"], asked.get("access_key")
        self.server.texts.append(text)
        self.server.requests.append((self.path, kind, body))
        self.server.authorizations.append(self.headers["Authorization"])
        self.server.connections.add(self.client_address)
        right = not self.server.key or self.headers["Authorization"] == key == self.server.key
        return text, right

    def reply(self, answer: Answer, text: str, allowed: bool) -> None:
        self.server.released.wait(answer.seconds)
        if answer.silent:
            self.close_connection = True
            return
        status = answer.status if allowed else 401
        content = answer.content
        if content is None:
            content = self.right(answer, text) if status == 200 else b""
        times = 1000 if answer.endless else 1
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content) * times)} | answer.headers).items():
            self.send_header(name, value)
        with contextlib.suppress(OSError):  # a client that has left
            self.end_headers()
            for _ in range(times):
                self.wfile.write(content[: answer.sent])
        self.close_connection = self.close_connection or answer.sent is not None or answer.endless

    def right(self, answer: Answer, text: str) -> bytes:
        found: object = sentences(text)
        if answer.change:
            found = answer.change(found)
        nested = answer.nested or (bare if self.path.partition("?")[0].endswith(MECAB) else official)
        return json.dumps(nested(found)).encode()

    def log_message(self, *_: object) -> None:
        pass


def official(found: object) -> object:
    return {"request_id": "reserved field", "result": 0, "return_type": "com.google.gson.internal.LinkedTreeMap",
            "return_object": {"doc_id": "", "sentence": found}}  # fmt: skip


def bare(found: object) -> object:
    return found


def newer(found: object) -> object:
    """As the Mecab service has it: return_object is a name."""
    name = "com.google.gson.internal.LinkedTreeMap"
    return {"request_id": "reserved field", "result": 0, "return_type": name, "return_object": name, "sentences": found}


def sentences(text: str) -> Sentences:
    """Kiwi's morphemes with byte positions; a sentence ends with its full stop, and begins with the space before it."""
    with ONE_AT_A_TIME:
        morphemes = Kiwi().analyse([text])[0]
    ends = [one.end for one, after in pairwise(morphemes) if one.tag == "SF" and after.start >= one.end]
    found: Sentences = []
    for begin, end in pairwise([0, *ends, len(text)]):
        inside = [one for one in morphemes if begin <= one.start < end]
        found.append({"id": len(found), "text": text[begin:end],
                      "morp": [record(number, one, text) for number, one in enumerate(inside)]})  # fmt: skip
    return found


def record(number: int, one: Morpheme, text: str) -> dict:
    position = len(text[: one.start].encode())
    return {"id": number, "lemma": one.lemma, "type": one.tag, "position": position, "weight": 0.9}


@contextlib.contextmanager
def served(*answers: Answer, always: Answer | None = None, key: str = "") -> Iterator[StandIn]:
    """A service that runs for the block and answers as it is told; then, and by default, as `always`: well."""
    stand_in = StandIn(answers, always or Answer(), key)
    thread = threading.Thread(target=stand_in.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        stand_in.released.set()
        stand_in.shutdown()
        stand_in.server_close()
        thread.join()
