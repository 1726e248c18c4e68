"""As much of the hub's protocol as its client asks for: one model, `Org/Tiny-KoELECTRA-v3`, served from a folder."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from local_server import LocalServer

NAME = "Org/Tiny-KoELECTRA-v3"  # its capitals matter: a name that lost them is not found here
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(LocalServer):
    daemon_threads = True

    def __init__(self, folder: Path, shortened: str = "", delay: float = 0.0) -> None:
        super().__init__(Handler)
        self.folder, self.shortened, self.delay = folder, shortened, delay
        self.fetched: list[str] = []  # names of the files that were sent


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        time.sleep(self.server.delay)
        path = self.path.partition("?")[0]
        if path.startswith(f"/api/models/{NAME}"):
            self.describe("/tree" in path)
        elif path.startswith(f"/{NAME}/resolve/"):
            self.send_file(self.server.folder / path.rpartition("/")[2])
        else:
            self.send(404, b"", {"X-Error-Code": "RepoNotFound"})

    def describe(self, tree: bool) -> None:
        names = [(path.name, path.stat().st_size) for path in self.server.folder.iterdir()]
        files = [{"type": "file", "path": name, "size": size, "oid": "0"} for name, size in names]
        model = {"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": name} for name, _ in names]}
        self.send(200, json.dumps(files if tree else model).encode(), {"Content-Type": "application/json"})

    def send_file(self, path: Path) -> None:
        if not path.exists():
            self.send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        content = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if self.command == "GET":
            self.server.fetched.append(path.name)
            if path.name == self.server.shortened:
                content = content[: len(content) // 2]
        self.send(200, content, headers)

    def send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(OSError):
                self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path, shortened: str = "", delay: float = 0.0) -> Iterator[Hub]:
    """A hub that runs for the block. shortened: a file it sends half of. delay: seconds before each answer."""
    hub = Hub(folder, shortened, delay)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
