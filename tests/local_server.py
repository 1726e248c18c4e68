"""What every HTTP server of the tests is: on this machine, at a free port, silent about clients that have left."""

from __future__ import annotations

import http.server


class LocalServer(http.server.ThreadingHTTPServer):
    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:  # it would be said in the midst of another test
        pass
