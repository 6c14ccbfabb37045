"""Delay and lose the packets sent to a machine; kernels of test hosts often lack tc's netem.

Run by `Machine.netem` in the machine's network: `python delay.py MILLISECONDS PERCENT`. An
iptables rule hands each arriving packet to netfilter queue 0; this program gives it back when its
time has come. It says "ready" when the queue is bound and ends when its standard input closes.
The numbers are those of linux/netfilter/nfnetlink_queue.h. Standard library only.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Iterator

QUEUE = 0
RULE = (
    # On arrival, since TCP waits for what it sent to leave its own machine before it sends more;
    # before the filter table, which then still judges the packet.
    *("PREROUTING", "-t", "mangle", "-i", "eth0", "-j", "NFQUEUE", "--queue-num", str(QUEUE)),
    "--queue-bypass",  # without this program the machine is fast, not dead
)
"""The iptables rule that belongs to it."""

_NETLINK_NETFILTER = 12
_SO_RCVBUFFORCE = 33
_PACKET, _VERDICT, _CONFIG = (3 << 8 | kind for kind in (0, 1, 2))
_REQUEST, _REQUEST_ACK = 1, 5
_DROP, _ACCEPT = 0, 1
_FAIL_OPEN_AND_GSO = 1 | 4
"""Pass packets when the queue is full, and hand large ones over whole."""


def _message(kind: int, flags: int, *attributes: tuple[int, bytes]) -> bytes:
    body = struct.pack("!BBH", socket.AF_UNSPEC, 0, QUEUE)
    for attribute, value in attributes:
        body += struct.pack("=HH", 4 + len(value), attribute) + value + bytes(-len(value) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def _configure(queue: socket.socket, *attributes: tuple[int, bytes]) -> None:
    queue.send(_message(_CONFIG, _REQUEST_ACK, *attributes))
    error = struct.unpack_from("=i", queue.recv(4096), 16)[0]
    if error:
        raise OSError(-error, "the netfilter queue cannot be set up")


def _bind() -> socket.socket:
    queue = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    queue.bind((0, 0))
    queue.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
    flags = struct.pack("!I", _FAIL_OPEN_AND_GSO)
    _configure(queue, (1, struct.pack("!BBH", 1, 0, socket.AF_UNSPEC)))  # bind
    _configure(queue, (2, struct.pack("!IB", 0, 1)))  # the packet's number, not its content
    _configure(queue, (3, struct.pack("!I", 8192)))  # packets that may wait
    _configure(queue, (4, flags), (5, flags))
    return queue


def _packet_numbers(data: bytes) -> Iterator[bytes]:
    """The numbers of the packets in what the kernel sent, as they go into a verdict."""
    while len(data) >= 20:
        length, kind = struct.unpack_from("=IH", data)
        attributes = data[20:length] if kind == _PACKET else b""
        while len(attributes) >= 8:
            size, attribute = struct.unpack_from("=HH", attributes)
            if attribute == 1:
                yield attributes[4:8]
            attributes = attributes[(size + 3) & ~3 :]
        data = data[(length + 3) & ~3 :]


def main(delay_ms: float, loss: float) -> None:
    """Hold each packet for `delay_ms`; drop `loss` per cent of them."""
    queue = _bind()
    waiting: deque[tuple[float, bytes]] = deque()
    print("ready", flush=True)
    while True:
        while waiting and waiting[0][0] <= time.monotonic():
            verdict = _DROP if random.random() * 100 < loss else _ACCEPT  # noqa: S311
            number = waiting.popleft()[1]
            reply = struct.pack("!I", verdict) + number
            queue.send(_message(_VERDICT, _REQUEST, (2, reply)))
        patience = max(waiting[0][0] - time.monotonic(), 0.0) if waiting else None
        readable, _, _ = select.select([queue, sys.stdin], [], [], patience)
        if sys.stdin in readable:
            return
        if queue in readable:
            with contextlib.suppress(OSError):  # packets that found no room pass without a delay
                due = time.monotonic() + delay_ms / 1000
                waiting.extend((due, number) for number in _packet_numbers(queue.recv(1 << 16)))


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
