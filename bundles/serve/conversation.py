"""One connection of a client: requests read by h11, answers sent, everything bounded in time."""

from __future__ import annotations

import io
import os
import socket
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Final, cast
from urllib.parse import quote

import h11

from bundles.format import budgets
from bundles.format.problems import BundleProblem
from bundles.read.opened import CHUNK, BlobReader, Bundle
from bundles.serve.answers import (
    Answer,
    Answering,
    BadRequest,
    Fetch,
    Request,
    Span,
    Wanted,
    parse_target,
    plain,
)
from bundles.serve.events import Tell, event
from bundles.serve.git import REQUEST, REQUEST_LIMIT
from bundles.serve.resources import Local, Stored
from bundles.serve.unchanged import Unchanged
from foundation.version import __version__

_HEAD_LIMIT: Final = budgets.HEAD_BYTES
_READ: Final = 1 << 16
_UNWANTED_PIECES: Final = 64
_UNWANTED_SECONDS: Final = 1.0


_LENGTHS: Final = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one server gives at once, and how long it waits; seconds."""

    connections: int = budgets.CONNECTIONS
    per_address: int = budgets.CONNECTIONS_PER_ADDRESS
    head_seconds: float = budgets.HEAD_SECONDS
    """From the first byte of a request to the end of its head."""
    body_seconds: float = budgets.FETCH_REQUEST_SECONDS
    """From the end of the head to the end of what is sent along, however it drips."""
    idle_seconds: float = 75.0
    piece_seconds: float = 60.0
    """For one piece of an answer (1 MiB) to be taken by the client."""
    stalled_seconds: float = 10.0
    """After which a client that takes nothing may be ended, where its place is needed."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where blobs that are given out lie, and whether they still are what was verified."""

    bundle: Bundle
    unchanged: Unchanged


class Gone(Exception):
    """The client went away, or was too slow."""


class Conversation:
    """Answers the requests of one connection, one after the other."""

    def __init__(
        self,
        connection: socket.socket,
        client: str,
        *,
        offer: Answering,
        kept: Kept | None,
        bounds: Bounds,
        tell: Tell,
        busy: Callable[[bool], bool],
    ) -> None:
        self._socket = connection
        self._client = client
        self._offer = offer
        self._kept = kept
        self._bounds = bounds
        self._tell = tell
        self._busy = busy
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_LIMIT)
        self._sent = 0
        self._status = 0

    def hold(self) -> None:
        """Answer until the client has no more requests; never raises."""
        try:
            while self._one():
                self._http.start_next_cycle()
        except (Gone, OSError, ValueError):
            # The client ended it, or the server is closing; there is nobody left to be told.
            return
        except h11.RemoteProtocolError as error:
            self._refuse(str(error)[:200], error.error_status_hint)

    def _one(self) -> bool:
        head = self._head()
        if head is None:
            return False
        # A closing server answers what was asked before, and nothing more.
        if not self._busy(True):
            return False
        try:
            self._answer(head)
        finally:
            going_on = self._busy(False)
        return going_on and self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def _answer(self, head: h11.Request) -> None:
        started = time.monotonic()
        method = head.method.decode("ascii", "replace")
        target = head.target.decode("ascii", "replace")
        self._sent = self._status = 0
        answer = plain(500, "an error of the server")
        try:
            answer = self._decide(head, method, target)
            self._send(answer, method, head)
        finally:
            self._tell(
                event(
                    "request",
                    f"{method} {_shown(target)}",
                    client=self._client,
                    method=method,
                    path=_shown(target),
                    status=self._status,
                    sent=self._sent,
                    seconds=round(time.monotonic() - started, 4),
                    item=answer.item,
                )
            )

    def _decide(self, head: h11.Request, method: str, target: str) -> Answer:
        try:
            path, query = parse_target(target)
            if len(_LENGTHS & {name for name, _ in head.headers}) > 1:
                raise BadRequest("it states two lengths")
        except BadRequest as reason:
            self._tell(event("refused", str(reason), client=self._client, path=_shown(target)))
            return self._offer.refused(400, str(reason))
        headers = {
            name.decode("ascii"): value.decode("latin-1")
            for name, value in reversed(list(head.headers))
        }
        return self._offer.answer(Request(method, path, query, headers))

    def _send(self, answer: Answer, method: str, head: h11.Request) -> None:
        body = answer.body
        if isinstance(body, Fetch):
            self._send_fetch(answer, body, method, head)
        elif isinstance(body, Wanted):
            self._send_wanted(body, method, head)
        elif isinstance(body, Span) and isinstance(body.source, Stored):
            with ExitStack() as stack:
                kept = self._blobs()
                try:
                    reader = stack.enter_context(kept.bundle.blob(body.source.digest))
                    kept.unchanged.check(body.source.digest, reader)
                except BundleProblem as problem:
                    self._tell(event("changed", str(problem), item=body.source.item))
                    sorry = plain(500, "the bundle was changed; this is not given out")
                    self._send(sorry, method, head)
                else:
                    self._send_span(answer, body, method, reader)
        elif isinstance(body, Span):
            assert isinstance(body.source, Local)  # noqa: S101 - the only other source
            descriptor = os.open(body.source.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._send_span(answer, body, method, BlobReader(descriptor, 0, body.source.size))
            finally:
                os.close(descriptor)
        else:
            given = body if method != "HEAD" else b""
            self._begin(answer, ("Content-Length", str(len(body))), body=given)
            self._end()

    def _send_span(self, answer: Answer, span: Span, method: str, reader: BlobReader) -> None:
        self._begin(answer, ("Content-Length", str(span.length)))
        if method != "HEAD":
            part = BlobReader(reader.descriptor, reader.offset + span.start, span.length)
            left = span.length
            for chunk in part.chunks(bytearray(min(CHUNK, span.length or 1))):
                left -= len(chunk)
                if not left and isinstance(span.source, Stored):
                    self._still(span.source, reader)
                self._data(chunk)
            if left:
                raise Gone
        self._end()

    def _still(self, stored: Stored, reader: BlobReader) -> None:
        # The last piece is held back until it is known that nobody wrote meanwhile: whoever gets
        # an answer whole has got what was verified.
        if not self._blobs().unchanged.same(stored.digest, reader):
            text = f"{stored.digest} was changed while it was sent"
            self._tell(event("changed", text, item=stored.item))
            raise Gone

    def _blobs(self) -> Kept:
        assert self._kept is not None  # noqa: S101 - only what has a bundle answers with its blobs
        return self._kept

    def _send_wanted(self, wanted: Wanted, method: str, head: h11.Request) -> None:
        sent = io.BytesIO()
        if self._body(sent, packed=False, limit=wanted.limit):
            answer = wanted.then(sent.getvalue())
        else:
            answer = self._offer.refused(413, f"it sends more than {wanted.limit} bytes")
        self._send(answer, method, head)

    def _send_fetch(self, answer: Answer, fetch: Fetch, method: str, head: h11.Request) -> None:
        headers = dict(head.headers)
        protocol = headers.get(b"git-protocol", b"").decode("ascii", "replace") or None
        git = fetch.git
        if fetch.advertise:
            said = git.advertisement(fetch.repository, protocol)
            whole = Answer(200, answer.headers, said, answer.item)
            self._send(whole, method, head)
            return
        if headers.get(b"content-type") != REQUEST.encode():
            self._send(plain(415, "this is no fetch of Git"), method, head)
            return
        with tempfile.TemporaryFile() as asked:
            if not self._body(asked, packed=headers.get(b"content-encoding") == b"gzip"):
                self._send(plain(413, "the request is too large"), method, head)
                return
            pieces = git.result(fetch.repository, protocol, asked)
            self._begin(answer)
            self._pieces(pieces)

    def _pieces(self, pieces: Iterable[bytes]) -> None:
        try:
            for piece in pieces:
                self._data(piece)
        finally:
            getattr(pieces, "close", lambda: None)()
        self._end()

    def _body(self, file: IO[bytes], *, packed: bool, limit: int = REQUEST_LIMIT) -> bool:
        """Write the request's body down, unpacked; False where it is larger than it may be."""
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
            self._write(self._http.send(go_on) or b"")
        unpacker = zlib.decompressobj(wbits=31) if packed else None
        size = 0
        until = time.monotonic() + self._bounds.body_seconds
        while isinstance(
            got := self._next(min(self._bounds.idle_seconds, until - time.monotonic())), h11.Data
        ):
            raw = bytes(got.data)
            if unpacker is not None:
                try:
                    raw = unpacker.decompress(raw, limit + 1)
                except zlib.error as error:
                    raise h11.RemoteProtocolError("its body cannot be unpacked") from error
            size += len(raw)
            if size > limit:
                return False
            file.write(raw)
        return True

    def _head(self) -> h11.Request | None:
        """The next request, its head whole; None where the client ends the connection."""
        got = self._next(self._bounds.idle_seconds, self._bounds.head_seconds)
        if not isinstance(got, h11.Request):
            return None
        lengths = [value for name, value in got.headers if name in _LENGTHS]
        if not lengths or lengths == [b"0"]:
            # Nothing follows, which h11 says as an event of its own.
            self._http.next_event()
        return got

    def _next(self, silence: float, once_begun: float | None = None) -> object:
        deadline = time.monotonic() + silence
        begun = False
        while (got := self._http.next_event()) is h11.NEED_DATA:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Gone
            self._socket.settimeout(left)
            try:
                raw = self._socket.recv(_READ)
            except TimeoutError as error:
                raise Gone from error
            self._http.receive_data(raw)
            if once_begun is not None and not begun and raw:
                # However slowly the bytes come, the head must be whole by then.
                begun = True
                deadline = time.monotonic() + once_begun
        return got

    def _begin(self, answer: Answer, *more: tuple[str, str], body: bytes = b"") -> None:
        own = (("Server", f"sitewright/{__version__}"), ("X-Content-Type-Options", "nosniff"))
        headers = [*own, *answer.headers, *more]
        if self._http.their_state is h11.SEND_BODY:
            # What was sent along is not wanted, so nothing more can be said on this connection.
            headers.append(("Connection", "close"))
        self._status = answer.status
        reason = HTTPStatus(answer.status).phrase.encode()
        response = h11.Response(status_code=answer.status, headers=headers, reason=reason)
        raw = self._http.send(response) or b""
        if body:
            # One piece for the network: a short answer costs as much as the calls to send it.
            raw += self._http.send(h11.Data(data=body)) or b""
            self._sent += len(body)
        self._write(raw)

    def _data(self, data: bytes | memoryview) -> None:
        # h11 hands the same bytes back, whatever they lie in; only its annotation says `bytes`.
        whole = cast(bytes, data)
        for part in self._http.send_with_data_passthrough(h11.Data(data=whole)) or ():
            self._write(part)
        self._sent += len(data)
        self._busy(True)  # it goes on

    def _end(self) -> None:
        self._write(self._http.send(h11.EndOfMessage()) or b"")
        if self._http.their_state is h11.SEND_BODY:
            self._drain()

    def _drain(self) -> None:
        """Take a little of a body that nobody asked for: a reset would outrun our answer."""
        for _ in range(_UNWANTED_PIECES):
            if not isinstance(self._next(_UNWANTED_SECONDS), h11.Data):
                return

    def _write(self, raw: bytes | memoryview) -> None:
        if not raw:
            return
        self._socket.settimeout(self._bounds.piece_seconds)
        self._socket.sendall(raw)

    def _refuse(self, reason: str, status: int) -> None:
        self._tell(event("refused", reason, client=self._client))
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        try:
            body = b"this is no request that can be answered\n"
            headers = [("Content-Length", str(len(body))), ("Connection", "close")]
            self._write(self._http.send(h11.Response(status_code=status, headers=headers)) or b"")
            self._write(self._http.send(h11.Data(data=body)) or b"")
        except (OSError, ValueError, h11.LocalProtocolError):
            return


def _shown(target: str) -> str:
    """A target as it may stand in a log: short, printable."""
    return quote(target[:300], safe="/%?&=:@+,;~!$'()*#[]")
