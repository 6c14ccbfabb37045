"""Listening: a thread for each connection, bounded in all and for each address, over TLS.

Threads, since hashing, TLS and reading let go of the interpreter: many machines are served on
all cores, which one event loop could not.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

from bundles.format import budgets
from bundles.serve.answers import Answering
from bundles.serve.conversation import Bounds, Conversation, Kept
from bundles.serve.events import Tell, event
from foundation.problems import InputProblem

_HANDSHAKE_SECONDS: Final = budgets.HANDSHAKE_SECONDS
_BACKLOG: Final = 256


@dataclass(eq=False)
class _Client:
    socket: socket.socket
    address: str
    since: float
    """When it last did what it should, by the clock of this machine; seconds."""
    busy: bool = False
    """Whether it is being answered; one that shakes hands has not asked for anything yet."""


class Listener:
    """A listening port; `start` it, and `close` it at the end."""

    def __init__(
        self,
        address: str,
        port: int,
        *,
        context: ssl.SSLContext | None,
        offer: Answering,
        tell: Tell,
        kept: Kept | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._context = context
        self._offer = offer
        self._kept = kept
        self._tell = tell
        self._bounds = bounds or Bounds()
        self._clients: set[_Client] = set()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._closing = False
        self._socket = _listen(address, port)
        self._wake, self._woken = socket.socketpair()
        self._accepting = threading.Thread(target=self._accept, name="serve", daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Begin to answer."""
        self._accepting.start()

    def close(self, grace: float = 5.0) -> None:
        """Listen no more; give answers under way some seconds, then end every connection."""
        with self._lock:
            self._closing = True
            idle = [client for client in self._clients if not client.busy]
        self._wake.send(b"x")
        if self._accepting.ident is not None:
            self._accepting.join()
        self._socket.close()
        with self._lock:
            for client in idle:
                _hang_up(client.socket)
        deadline = time.monotonic() + grace
        for thread in tuple(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for client in self._clients:
                _hang_up(client.socket)
        self._offer.close()
        for thread in tuple(self._threads):
            thread.join()
        self._wake.close()
        self._woken.close()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not any(key.fileobj is self._woken for key, _ in selector.select()):
                try:
                    connection, peer = self._socket.accept()
                except BlockingIOError:
                    continue
                except OSError as error:
                    # Out of descriptors, or a client that left at once: the next one may do.
                    self._tell(event("failed", f"a connection could not be taken: {error}"))
                    time.sleep(0.05)
                    continue
                self._admit(connection, str(peer[0]))

    def _admit(self, connection: socket.socket, address: str) -> None:
        client = _Client(connection, address, time.monotonic())
        with self._lock:
            reason = self._crowded(address)
            if reason is None:
                self._clients.add(client)
        if reason is not None:
            self._tell(event("refused", reason, client=address))
            connection.close()
            return
        thread = threading.Thread(target=self._serve, args=(client,), name="serve", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _crowded(self, address: str) -> str | None:
        """Why one more connection is refused; makes room by ending one that only waits.

        Nobody is shut out by connections that ask for nothing, or that take nothing.
        """
        counts = Counter(client.address for client in self._clients)
        if counts[address] >= self._bounds.per_address:
            here = [client for client in self._clients if client.address == address]
            return self._make_room(here, "this machine has too many connections")
        if len(self._clients) >= self._bounds.connections:
            return self._make_room(list(self._clients), "there are too many connections")
        return None

    def _make_room(self, clients: list[_Client], reason: str) -> str | None:
        stalled = time.monotonic() - self._bounds.stalled_seconds
        waiting = [client for client in clients if not client.busy or client.since < stalled]
        if not waiting:
            return reason
        oldest = min(waiting, key=lambda client: (client.busy, client.since))
        self._clients.discard(oldest)
        _hang_up(oldest.socket)
        return None

    def _serve(self, client: _Client) -> None:
        try:
            self._converse(client)
        except Exception as error:
            # One client's trouble must not end the others; it is told, with its kind.
            self._tell(event("failed", f"{type(error).__name__}: {error}", client=client.address))
        finally:
            with self._lock:
                self._clients.discard(client)
            client.socket.close()
            self._threads.discard(threading.current_thread())

    def _converse(self, client: _Client) -> None:
        client.socket.settimeout(_HANDSHAKE_SECONDS)
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            try:
                # Two steps, so that one that never shakes hands can be ended for another; and the
                # first in one piece, for what hangs up in its midst would find no connection.
                with self._lock:
                    client.socket = self._context.wrap_socket(
                        client.socket, server_side=True, do_handshake_on_connect=False
                    )
                client.socket.do_handshake()
            except (OSError, ValueError) as error:
                reason = getattr(error, "reason", None) or str(error) or type(error).__name__
                self._tell(event("refused", f"no TLS: {reason}", client=client.address))
                return

        def busy(value: bool) -> bool:
            with self._lock:
                client.busy, client.since = value, time.monotonic()
                return not self._closing

        busy(False)
        Conversation(
            client.socket,
            client.address,
            offer=self._offer,
            kept=self._kept,
            bounds=self._bounds,
            tell=self._tell,
            busy=busy,
        ).hold()
        _leave(client.socket)


def _listen(address: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputProblem(
            f"this machine cannot listen there: {reason}",
            where=f"{address}, port {port}",
            remedy="Name an address of this machine that the machines of the site reach, and a "
            "port that is free (--port 0 takes any).",
        ) from error
    return listening


def _hang_up(connection: socket.socket) -> None:
    try:
        # The plain call, since an SSLSocket's own would take the keys away from its thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return


def _leave(connection: socket.socket) -> None:
    """Say goodbye as TLS does, without waiting for an answer."""
    if isinstance(connection, ssl.SSLSocket):
        connection.settimeout(0.5)
        try:
            connection.unwrap()
        except (OSError, ValueError):
            return
