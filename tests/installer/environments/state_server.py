"""A place for states over HTTP that locks, as OpenTofu's backend `http` speaks with one."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class States:
    """The state that lies there, and who holds it."""

    address: str = ""
    state: bytes = b""
    lock: bytes = b""
    asked: list[str] = field(default_factory=list)


@contextmanager
def state_server() -> Iterator[States]:
    """One that serves on loopback for the time of the block."""
    states = States()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _answer(self, status: int, body: bytes = b"") -> None:
            states.asked.append(f"{self.command} {status}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer(200 if states.state else 404, states.state)

        def do_POST(self) -> None:
            states.state = self._body()
            self._answer(200)

        def do_LOCK(self) -> None:
            wanted = self._body()
            if states.lock:
                self._answer(423, states.lock)
            else:
                states.lock = wanted
                self._answer(200)

        def do_UNLOCK(self) -> None:
            self._body()
            states.lock = b""
            self._answer(200)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    states.address = f"http://127.0.0.1:{server.server_port}/state"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield states
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
