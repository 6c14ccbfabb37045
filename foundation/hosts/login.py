"""Login: one SSH connection opened, verified and authenticated, or one problem that says why not.

The address is given `timeout` seconds to accept a connection, and the server as long again to
let us in, so a black hole and a silent machine end in time and with different words.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import asyncssh
from asyncssh.public_key import (
    SSHKeyPair,
    get_default_certificate_algs,
    get_default_public_key_algs,
)

from foundation.hosts.keys import Identity, Ring
from foundation.hosts.ssh_config import Target
from foundation.hosts.trusted import Known, TrustedKeys
from foundation.secrets import Secret

KEEPALIVE_SECONDS: Final = 15
KEEPALIVE_COUNT: Final = 3
_PREFERRED_CIPHER: Final = "^aes128-gcm@openssh.com"
"""Twice as fast as chacha20 where the processor has AES; asyncssh's own list stands behind it."""


@dataclass(slots=True)
class Attempt:
    """What was seen of a server while we tried to log in, for the words of a problem."""

    connected: bool = False
    version: str = ""
    offered: asyncssh.SSHKey | None = None
    """The host key that was shown and is not trusted."""
    authority: asyncssh.SSHKey | None = None
    """The authority that signed an untrusted host certificate."""
    methods: set[str] = field(default_factory=set)
    """The ways to log in that the server still offered when ours were at an end."""
    tried: list[str] = field(default_factory=list)
    password_sent: bool = False
    password_expired: bool = False
    left_out: list[str] = field(default_factory=list)


class _Client(asyncssh.SSHClient):
    """Answers asyncssh's questions during a login and remembers what happened."""

    def __init__(
        self, attempt: Attempt, ring: Ring, password: Secret | None, connected: Callable[[], None]
    ) -> None:
        self._attempt = attempt
        self._identities: Iterator[Identity] = iter(ring.identities)
        self._pairs: list[SSHKeyPair] = []
        self._password = password
        self._connected = connected
        self._connection: asyncssh.SSHClientConnection | None = None
        attempt.left_out = ring.left_out

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn
        self._attempt.connected = True
        self._connected()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._attempt.version = self._connection.get_extra_info("server_version") or ""

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        # Asked only for a key that the files do not hold: it is kept to be shown, and refused.
        self._attempt.offered = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self._attempt.authority = key
        return False

    def _note_methods(self) -> None:
        if self._connection is not None:
            self._attempt.methods.update(self._connection.get_server_auth_methods())

    def public_key_auth_requested(self) -> SSHKeyPair | None:
        self._note_methods()
        while not self._pairs:
            identity = next(self._identities, None)
            if identity is None:
                return None
            self._attempt.tried.append(identity.label)
            self._pairs = identity.pairs()
        return self._pairs.pop(0)

    def _password_once(self) -> str | None:
        """The password, a single time a login: a second try would count against the account."""
        self._note_methods()
        if self._password is None or self._attempt.password_sent:
            return None
        self._attempt.password_sent = True
        return self._password.reveal()

    def password_auth_requested(self) -> str | None:
        return self._password_once()

    def password_change_requested(self, prompt: str, lang: str) -> Any:
        self._attempt.password_expired = True
        return NotImplemented

    def kbdint_auth_requested(self) -> str | None:
        self._note_methods()
        return "" if self._password is not None and not self._attempt.password_sent else None

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Any
    ) -> list[str] | None:
        if not prompts:
            return []
        # One hidden answer is a password, in whatever language it is asked for.
        if len(prompts) == 1 and not prompts[0][1]:
            password = self._password_once()
            return None if password is None else [password]
        return None


@cache
def _shared_options() -> asyncssh.SSHClientConnectionOptions:
    """What all logins have in common, prepared once: no work for what is never used here."""
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        client_keys=None,
        known_hosts=TrustedKeys(),
        x509_trusted_certs=None,
        gss_host=None,
        gss_kex=False,
        gss_auth=False,
        host_based_auth=False,
        client_host_keysign=False,
        pkcs11_provider=None,
        agent_path=None,
        agent_forwarding=False,
        x11_forwarding=False,
        canonicalize_hostname=False,
        compression_algs=None,
        request_pty=False,
        env=None,
        send_env=None,
        command=None,
        utf8_decode_errors="replace",
        keepalive_interval=KEEPALIVE_SECONDS,
        keepalive_count_max=KEEPALIVE_COUNT,
        encoding=None,
    )


def host_key_algorithms(known: Known) -> list[str]:
    """The host key algorithms to ask for: those of the keys we know first, then all others.

    A server whose known key is gone thus shows another one, and that is a changed key, not a
    failed negotiation.
    """
    names: dict[str, None] = {}
    if known.authorities:
        names.update((name.decode(), None) for name in get_default_certificate_algs())
    for key in known.keys:
        names.update((name.decode(), None) for name in key.sig_algorithms)
    names.update((name.decode(), None) for name in get_default_public_key_algs())
    # Only where it is the key that is known: SHA-1 signatures are not asked for on their own.
    if not any(key.algorithm == b"ssh-rsa" for key in known.keys):
        names.pop("ssh-rsa", None)
    return list(names)


async def open_connection(
    target: Target,
    *,
    trusted: TrustedKeys,
    known: Known,
    ring: Ring,
    password: Secret | None,
    tunnel: asyncssh.SSHClientConnection | None,
    timeout: float,
    attempt: Attempt,
) -> asyncssh.SSHClientConnection:
    """Log in to one server. Raises what asyncssh raises; `attempt` says how far it came.

    `trusted` decides which host keys are good; `known` only orders the algorithms asked for, and
    is the same but where a key is to be shown without being trusted. A time-out raises
    TimeoutError.
    """
    base = copy.copy(_shared_options())
    if target.config is not None:
        # The parsed config stands in the options to build on, so that it is not read again.
        base.config = target.config
    options: dict[str, Any] = {"encryption_algs": _PREFERRED_CIPHER}
    if target.config is not None and target.config.get("Ciphers"):
        options = {}
    if (known.keys or known.authorities) and not (
        target.config is not None and target.config.get("HostKeyAlgorithms")
    ):
        options["server_host_key_algs"] = host_key_algorithms(known)
    if tunnel is None and target.config is not None and target.config.get("ProxyCommand"):
        options["proxy_command"] = target.config.get("ProxyCommand")
    else:
        options["proxy_command"] = None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout) as bound:

        def connected() -> None:
            if not bound.expired():
                bound.reschedule(loop.time() + timeout)

        return await asyncssh.connect(
            target.host.address,
            target.port,
            options=base,
            config=None,
            client_factory=lambda: _Client(attempt, ring, password, connected),
            known_hosts=trusted,
            username=target.user,
            tunnel=tunnel,
            login_timeout=timeout,
            connect_timeout=None,
            **options,
        )
