"""A port of a machine, reached through its own connection: no other port of it need be open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from foundation.problems import ConnectionLost, InputProblem

if TYPE_CHECKING:
    from foundation.hosts.connection import Connection


@asynccontextmanager
async def forwarded(connection: Connection, address: str, port: int) -> AsyncIterator[int]:
    """A port on this machine's loopback that leads to a port as that machine sees it.

    Raises ConnectionLost where the tunnel cannot be made. A hardened sshd may forbid tunnels
    (AllowTcpForwarding no); then whatever is sent into the port is cut off at once.
    """
    import asyncssh

    from foundation.hosts.local import LocalConnection
    from foundation.hosts.ssh import SshConnection

    if isinstance(connection, LocalConnection):
        yield port
        return
    if not isinstance(connection, SshConnection):
        raise InputProblem("there is no tunnel over this connection", where=connection.host.name)
    try:
        listener = await connection.ssh.forward_local_port("127.0.0.1", 0, address, port)
    except (OSError, asyncssh.Error) as error:
        raise ConnectionLost(
            f"the tunnel cannot be made: {error}", where=connection.host.name
        ) from error
    try:
        yield listener.get_port()
    finally:
        listener.close()
        await listener.wait_closed()
