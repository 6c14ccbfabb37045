"""A second, independent SSH client (paramiko) that tells a machine's fault from one of ours.

It is slower and blocks, so it serves `sitewright doctor` alone. It keeps the same rules: host keys
are verified against the same files, and an unknown or changed key ends the attempt.
"""

from __future__ import annotations

import getpass
import logging
import socket
from pathlib import Path
from typing import cast

import paramiko

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory


def login(
    host: Host, inventory: Inventory, credentials: Credentials, *, timeout: float = 15.0
) -> tuple[bool, str]:
    """Log in and out again; returns whether it worked and one sentence. It blocks: use a thread.

    A bastion is gone through with the same client. Never raises for what the machine does.
    """
    # Its own log would write tracebacks of expected refusals to standard error.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    clients: list[paramiko.SSHClient] = []
    try:
        channel = None
        settings = _settings(inventory, host.address)
        jump = host.bastion or settings.get("proxyjump")
        if jump and jump != "none":
            user, _, place = str(jump).rpartition("@")
            name, _, port = place.partition(":")
            first = _open(
                Host(name=name, address=name, port=int(port or 22), user=user or None),
                inventory,
                credentials,
                timeout,
                None,
            )
            clients.append(first)
            transport = first.get_transport()
            if transport is None:
                return False, f"the bastion {name} ended the connection"
            target = (str(settings.get("hostname", host.address)), host.port)
            channel = transport.open_channel("direct-tcpip", target, ("", 0), timeout=timeout)
        client = _open(host, inventory, credentials, timeout, channel)
        clients.append(client)
        transport = client.get_transport()
        version = transport.remote_version if transport else "unknown"
        return True, f"paramiko logs in; the server is {version}"
    except paramiko.BadHostKeyException as error:
        return False, f"the host key has changed: {error}"
    except paramiko.AuthenticationException as error:
        return False, f"the login was refused: {error}"
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        return False, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    finally:
        for client in reversed(clients):
            client.close()


def _settings(inventory: Inventory, name: str) -> paramiko.SSHConfigDict:
    file = inventory.ssh_config or Path.home() / ".ssh" / "config"
    if not inventory.use_ssh_config or not file.is_file():
        return paramiko.SSHConfigDict()
    return paramiko.SSHConfig.from_path(str(file)).lookup(name)


def _open(
    host: Host,
    inventory: Inventory,
    credentials: Credentials,
    timeout: float,
    channel: paramiko.Channel | None,
) -> paramiko.SSHClient:
    settings = _settings(inventory, host.address)
    client = paramiko.SSHClient()
    # The default policy rejects an unknown key; it is named here because it must stay so.
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    for file in inventory.known_hosts:
        if file.is_file():
            client.load_host_keys(str(file))
    client.load_system_host_keys()
    keys = [str(file) for file in host.identity_files] or list(settings.get("identityfile", ()))
    keys = [name for name in keys if Path(name).expanduser().is_file()]
    password = credentials.password
    passphrase = credentials.passphrase
    client.connect(
        str(settings.get("hostname", host.address)),
        port=host.port if host.port != 22 else int(str(settings.get("port", 22))),
        username=host.user or str(settings.get("user", getpass.getuser())),
        password=password.reveal() if password else None,
        passphrase=passphrase.reveal() if passphrase else None,
        # Several names are allowed, whatever the stub of this parameter says.
        key_filename=cast("str", keys) if keys else None,
        timeout=timeout,
        banner_timeout=timeout,
        auth_timeout=timeout,
        sock=channel,
    )
    return client


def greeting(address: str, port: int, *, timeout: float = 5.0) -> tuple[bool, str]:
    """What a TCP connection meets before any SSH client is involved; it blocks: use a thread."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.settimeout(timeout)
            line = connection.recv(255).split(b"\n")[0].decode("ascii", "replace").strip()
    except socket.gaierror:
        return False, f'the name "{address}" does not resolve'
    except ConnectionRefusedError:
        return False, f"port {port} refuses: no SSH server listens there"
    except TimeoutError:
        return False, f"nothing answers within {timeout:g} s: a firewall, or no machine there"
    except OSError as error:
        return False, f"{error.strerror or error}"
    if not line.startswith("SSH-"):
        shown = "".join(c for c in line if c.isprintable())[:60]
        return False, f"something answers that is not SSH: {shown!r}"
    return True, f"it greets as {''.join(c for c in line if c.isprintable())}"
