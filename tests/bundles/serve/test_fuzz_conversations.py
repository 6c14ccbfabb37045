"""Whatever a client says to the server, and in whatever pieces: answers, and nothing else.

Bounded here; `HYPOTHESIS_PROFILE=long` goes on by hand. The other side of a pair of sockets says
it, so that one conversation takes no port and no thread of a server.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.read.opened import open_bundle
from bundles.read.verify import verify_open
from bundles.serve.catalogue import Catalogue, offer_of
from bundles.serve.conversation import Bounds, Conversation, Kept
from bundles.serve.events import ServeEvent
from bundles.serve.unchanged import Unchanged
from tests.bundles.serve.conftest import Everything
from tests.foundation.processes import PATIENCE

EXAMPLES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 40
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
QUICK = Bounds(head_seconds=2.0, idle_seconds=2.0, piece_seconds=2.0, body_seconds=2.0)


class Talking:
    """A bundle of which one conversation after the other can be had."""

    def __init__(self, bundle: Path, folder: Path, stack: ExitStack) -> None:
        self._bundle = stack.enter_context(open_bundle(bundle))
        self.kept = Kept(self._bundle, Unchanged(self._bundle))
        verified = verify_open(self._bundle, ())
        catalogue = Catalogue(self._bundle, verified.structure)
        self._offer, _ = asyncio.run(offer_of(catalogue, folder))
        self.events: list[ServeEvent] = []

    def say(self, pieces: list[bytes], bounds: Bounds = QUICK) -> bytes:
        """What comes back; raises what the conversation raised."""
        here, there = socket.socketpair()
        raised: list[BaseException] = []

        def hold() -> None:
            with there:
                try:
                    Conversation(
                        there, "10.0.0.1", offer=self._offer, kept=self.kept, bounds=bounds,
                        tell=self.events.append, busy=lambda _: True,
                    ).hold()  # fmt: skip
                except BaseException as error:
                    raised.append(error)

        thread = threading.Thread(target=hold)
        thread.start()
        got = bytearray()
        with here, contextlib.suppress(ConnectionError):
            for piece in pieces:
                here.sendall(piece)
            here.shutdown(socket.SHUT_WR)
            while data := here.recv(1 << 16):
                got += data
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert not raised, raised
        return bytes(got)


@pytest.fixture(scope="module")
def talking(everything: Everything, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talking]:
    with ExitStack() as stack:
        yield Talking(everything.folder, tmp_path_factory.mktemp("talking"), stack)


ADVERTISED = "/git/environments.git/info/refs?service=git-upload-pack"
TARGETS = st.sampled_from(
    ["/", "/v2/", "/files/kubectl", "/v2/library/app/manifests/1.0", ADVERTISED,
     "/git/environments.git/git-upload-pack", "/files/../x", "*",
     "/simple/", "http://e.org/", "/charts/index.yaml", "/apt/dists/noble/InRelease", "/%00", "//"]
)  # fmt: skip
NAMES = st.sampled_from(
    ["Host", "Range", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "If-Range",
     "Content-Encoding", "Content-Type", "Git-Protocol", "Upgrade", "Accept", "If-None-Match"]
)  # fmt: skip
SAID = st.sampled_from(
    ["x", "bytes=0-", "bytes=-1", "bytes=5-2", "bytes=0-0,2-3", "0", "5", "-1", "1e3", "chunked",
     "gzip", "close", "keep-alive", "100-continue", "version=2", "websocket", "*", "99999999999",
     "application/x-git-upload-pack-request", "bytes=0-99999999999999999999", '"x"']
)  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request that is one, or nearly one."""
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "get", "OPTIONS", "CONNECT", ""]))
    version = draw(st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]))
    lines = [f"{method} {draw(TARGETS)} {version}"]
    lines += [f"{draw(NAMES)}: {draw(SAID)}" for _ in range(draw(st.integers(0, 5)))]
    if draw(st.booleans()):
        lines.append("Host: 10.0.0.1")
    end = draw(st.sampled_from(["\r\n", "\r\n", "\n", "\r"]))
    body = draw(
        st.sampled_from([b"", b"0000", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"\x1f\x8b\x08"])
        | st.binary(max_size=40)
    )
    return (end.join(lines) + end * 2).encode() + body


@BOUNDED
@given(st.lists(requests() | st.binary(max_size=60), max_size=4), st.integers(1, 400))
def test_whatever_a_client_says_it_is_answered_in_http_or_not_at_all(
    talking: Talking, said: list[bytes], width: int
) -> None:
    whole = b"".join(said)
    pieces = [whole[at : at + width] for at in range(0, len(whole), width)]
    got = talking.say(pieces)
    assert not got or re.match(rb"HTTP/1\.1 [1-5]\d\d ", got)
    assert b"Traceback" not in got
    assert b"root:" not in got


def test_a_body_that_drips_is_waited_for_no_longer_than_its_time(talking: Talking) -> None:
    here, there = socket.socketpair()
    ended = threading.Event()
    bounds = Bounds(head_seconds=5, idle_seconds=5, piece_seconds=5, body_seconds=0.3)

    def hold() -> None:
        with there:
            Conversation(
                there, "10.0.0.1", offer=talking._offer, kept=talking.kept, bounds=bounds,
                tell=talking.events.append, busy=lambda _: True,
            ).hold()  # fmt: skip
        ended.set()

    thread = threading.Thread(target=hold)
    thread.start()
    head = (
        b"POST /git/environments.git/git-upload-pack HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 9999\r\n"
        b"Content-Type: application/x-git-upload-pack-request\r\n\r\n"
    )
    begun = time.monotonic()
    with here, contextlib.suppress(ConnectionError):
        here.sendall(head)
        # Something comes all the while, so that no silence ends it.
        while not ended.wait(0.05) and time.monotonic() - begun < 20:
            here.sendall(b"0")
    thread.join(PATIENCE)
    assert ended.is_set()
