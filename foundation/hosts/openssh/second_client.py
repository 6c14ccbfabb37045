"""A second, independent SSH client (paramiko) that tells a machine's fault from one of ours.

It is slower and blocks, so it serves `sitewright doctor` alone. It keeps the same rules: host keys
are verified against the same files, and an unknown or changed key ends the attempt.
"""

from __future__ import annotations

import logging
import shlex
import socket
from typing import Final, cast

import paramiko
from paramiko.ssh_exception import NoValidConnectionsError

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.hostkeys import known_hosts_files
from foundation.hosts.openssh.ssh_config import Target, config_file, resolve
from foundation.name_patterns import lowered
from foundation.problems import Problem
from foundation.terminal import clean_line

_CHAIN_LIMIT: Final = 8


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
        config = config_file(inventory)
        targets = [resolve(host, config)]
        while (bastion := targets[-1].bastion) is not None:
            if len(targets) > _CHAIN_LIMIT:
                return False, "the bastions lead in a circle"
            targets.append(resolve(bastion, config))
        channel: paramiko.Channel | paramiko.ProxyCommand | None = None
        if (command := targets[-1].proxy_command) is not None:
            channel = paramiko.ProxyCommand(shlex.join(command))
        version = ""
        for target in reversed(targets):
            client = _open(target, inventory, credentials, timeout, channel)
            clients.append(client)
            transport = client.get_transport()
            if transport is None:
                return False, f"{target.host.name} ended the connection"
            version = transport.remote_version
            if target is not targets[0]:
                behind = targets[targets.index(target) - 1]
                place = (behind.address, behind.port)
                channel = transport.open_channel("direct-tcpip", place, ("", 0), timeout=timeout)
        return True, f"paramiko logs in; the server is {version}"
    except Problem as problem:
        return False, problem.cause
    except paramiko.BadHostKeyException as error:
        return False, f"the host key has changed: {error}"
    except paramiko.AuthenticationException as error:
        return False, f"the login was refused: {error}"
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        return False, _words(error)
    finally:
        for client in reversed(clients):
            client.close()


def _open(
    target: Target,
    inventory: Inventory,
    credentials: Credentials,
    timeout: float,
    channel: paramiko.Channel | paramiko.ProxyCommand | None,
) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    # The default policy rejects an unknown key; it is named here because it must stay so.
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    for file in known_hosts_files(inventory, target.settings):
        if file.is_file():
            client.load_host_keys(str(file))
    files = target.host.identity_files or target.identity_files
    keys = [str(file) for file in files if file.is_file()]
    password = credentials.password
    passphrase = credentials.passphrase
    # Its known_hosts are asked by the name and port of connect(), so that the way is given apart.
    way = channel or socket.create_connection((target.address, target.port), timeout=timeout)
    client.connect(
        lowered(target.known_as),
        port=target.known_port,
        username=target.user,
        password=password.reveal() if password else None,
        passphrase=passphrase.reveal() if passphrase else None,
        # Several names are allowed, whatever the stub of this parameter says.
        key_filename=cast("str", keys) if keys else None,
        timeout=timeout,
        banner_timeout=timeout,
        auth_timeout=timeout,
        sock=cast("paramiko.Channel", way),
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
        return False, _words(error)
    if not line.startswith("SSH-"):
        shown = "".join(c for c in line if c.isprintable())[:60]
        return False, f"something answers that is not SSH: {shown!r}"
    return True, f"it greets as {''.join(c for c in line if c.isprintable())}"


def _words(error: Exception) -> str:
    """What an error of the system or of paramiko says, without its class and its numbers."""
    if isinstance(error, NoValidConnectionsError):
        # One error stands for those of every address of the name.
        causes = {place: _words(cause) for place, cause in error.errors.items()}
        return "; ".join(f"{place[0]}, port {place[1]}: {why}" for place, why in causes.items())
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    said = clean_line(" ".join(str(error).split())[:300])
    if isinstance(error, EOFError) or not said:
        return "the connection was closed" if isinstance(error, EOFError) else type(error).__name__
    return said
