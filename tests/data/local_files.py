"""A server of one file, or some, that misbehaves as it is told, answer by answer, and well when no more is told."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from local_server import LocalServer


@dataclass(frozen=True)
class Answer:
    """How one request is answered. As it stands: well, with ranges, an ETag and a Last-Modified."""

    status: int | None = None  # with an empty body
    headers: dict[str, str | None] = field(default_factory=dict)  # instead of the right ones; None leaves one out
    content: bytes | None = None  # instead of the server's
    sent: int | None = None  # bytes of the body after which the connection is closed
    stalls: bool = False  # instead of closing it, nothing more comes
    ranges: bool = True  # False ignores Range
    conditions: bool = True  # False ignores If-Range
    chunked: bool = False  # no Content-Length
    endless: bool = False  # the body begins anew whenever it ends, 200 times
    together: threading.Barrier | None = None  # with how many others it is answered, not before


class Files(LocalServer):
    daemon_threads = True

    def __init__(self, content: bytes, answers: tuple[Answer, ...], always: Answer) -> None:
        super().__init__(Handler)
        self.content, self.answers, self.always = content, list(answers), always
        self.contents: dict[str, bytes] = {}  # by path; the one above at all others
        self.answers_at: dict[str, list[Answer]] = {}  # by path, before those above
        self.asked: list[tuple[str | None, str | None]] = []  # Range and If-Range of every request
        self.paths: list[str] = []
        self.agents: set[str] = set()
        self.sent = 0  # bytes of bodies
        self.released = threading.Event()  # ends the stalling


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Files

    def do_GET(self) -> None:
        self.server.asked.append((self.headers["Range"], self.headers["If-Range"]))
        self.server.paths.append(self.path)
        self.server.agents.add(self.headers["User-Agent"])
        answers = self.server.answers_at.get(self.path) or self.server.answers
        answer = answers.pop(0) if answers else self.server.always
        content = self.server.contents.get(self.path, self.server.content) if answer.content is None else answer.content
        if answer.together:
            answer.together.wait(10)
        etag = f'"{hash(content):x}"'
        begin = self.beginning(answer, etag)
        if answer.status:
            self.head(answer.status, {"Content-Length": "0"} | answer.headers)
            return
        if begin > 0 and begin >= len(content):
            self.head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"} | answer.headers)
            return
        headers = {"ETag": etag, "Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"}
        headers |= {"Transfer-Encoding": "chunked"} if answer.chunked else {"Content-Length": str(len(content) - begin)}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self.head(206 if begin else 200, headers | answer.headers)
        self.body(answer, content[begin:])

    def beginning(self, answer: Answer, etag: str) -> int:
        """The first byte that is asked for, where the condition holds."""
        if not answer.ranges or self.headers["Range"] is None:
            return 0
        if answer.conditions and self.headers["If-Range"] not in (None, etag):
            return 0
        return int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))

    def head(self, status: int, headers: dict[str, str | None]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def body(self, answer: Answer, content: bytes) -> None:
        self.close_connection = True
        for _ in range(200 if answer.endless else 1):  # a test that fails does not fill the disk
            self.send(content[: answer.sent], answer.chunked)
        if answer.stalls:
            self.server.released.wait(20)
        elif answer.chunked and answer.sent is None:
            self.wfile.write(b"0\r\n\r\n")

    def send(self, content: bytes, chunked: bool) -> None:
        self.server.sent += len(content)  # before the last byte lets the client go on and look
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content) if chunked else content)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(content: bytes, *answers: Answer, always: Answer | None = None) -> Iterator[Files]:
    """A server that runs for the block and answers as it is told; then, and by default, as `always`: well."""
    files = Files(content, answers, always or Answer())
    thread = threading.Thread(target=files.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield files
    finally:
        files.released.set()
        files.shutdown()
        files.server_close()
        thread.join()
