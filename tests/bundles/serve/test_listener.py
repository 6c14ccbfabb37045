"""The port itself: who is ended for another is ended, whatever it is at just then."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import timedelta
from typing import Any, cast

import pytest

from bundles.serve import listener
from bundles.serve.answers import Answering
from bundles.serve.certificates import new_identity
from bundles.serve.conversation import Bounds
from bundles.serve.listener import Listener
from tests.foundation.processes import PATIENCE


class _Wrapping:
    """A context that is in the midst of wrapping its first connection until there is a second."""

    def __init__(self, real: ssl.SSLContext) -> None:
        self.real = real
        self.one = threading.Event()
        self.other = threading.Event()

    def wrap_socket(self, plain: socket.socket, **options: Any) -> ssl.SSLSocket:
        wrapped = self.real.wrap_socket(plain, **options)
        if self.one.is_set():
            self.other.set()
        else:
            self.one.set()
            self.other.wait(1)  # where another may not come in between it waits in vain
        return wrapped


def test_one_is_ended_for_another_while_its_tls_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain socket has no connection any more, and the one with TLS is not known yet."""
    monkeypatch.setattr(listener, "_HANDSHAKE_SECONDS", 10 * PATIENCE)
    context = _Wrapping(new_identity(["127.0.0.1"], timedelta(hours=1)).context())
    nothing = cast(Answering, type("Nothing", (), {"close": lambda self: None})())
    listening = Listener(
        "127.0.0.1", 0, context=cast(ssl.SSLContext, context), offer=nothing,
        tell=lambda event: None, bounds=Bounds(per_address=1),
    )  # fmt: skip
    listening.start()
    try:
        with socket.create_connection(("127.0.0.1", listening.port), timeout=PATIENCE) as first:
            assert context.one.wait(PATIENCE)
            with socket.create_connection(("127.0.0.1", listening.port)):
                assert first.recv(1) == b""
    finally:
        listening.close(0)
