"""Login: one SSH connection opened, verified and authenticated, or one problem that says why not.

The address is given `timeout` seconds to accept a connection, and the server as long again to
let us in, so a black hole and a silent machine end in time and with different words.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final

import asyncssh
from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.packet import PacketDecodeError, SSHPacket
from asyncssh.public_key import (
    SSHKeyPair,
    get_default_certificate_algs,
    get_default_public_key_algs,
    get_public_key_algs,
)

from foundation.hosts.jobs.output_lines import clean_line
from foundation.hosts.openssh.interfaces import NoAddress, address_of
from foundation.hosts.openssh.keys import Identity, Ring
from foundation.hosts.openssh.ssh_config import Target
from foundation.hosts.openssh.trusted import NOTHING_KNOWN, Known
from foundation.name_patterns import lowered
from foundation.problems import InputProblem
from foundation.secrets import Secret, redact
from foundation.sentences import wants_a_code

KEEPALIVE_SECONDS: Final = 15
KEEPALIVE_COUNT: Final = 3
_PREFERRED_CIPHER: Final = "^aes128-gcm@openssh.com"
"""Twice as fast as chacha20 where the processor has AES; asyncssh's own list stands behind it."""

_ASKED_OF: Final = 8192
"""Characters of a question and what stands before it; nobody asks a person more."""
_SAID_LIMIT: Final = 8192


@dataclass(slots=True)
class Attempt:
    """What was seen of a server while we tried to log in, for the words of a problem."""

    connected: bool = False
    version: str = ""
    offered: asyncssh.SSHKey | None = None
    """The host key that was shown and is not trusted."""
    address_known_as: asyncssh.SSHKey | None = None
    """Another key that is known for the address alone, where CheckHostIP asks for both."""
    authority: asyncssh.SSHKey | None = None
    """The authority that signed an untrusted host certificate."""
    host_key_algorithms: tuple[str, ...] = ()
    """The host key algorithms that the server has, as it listed them."""
    methods: set[str] = field(default_factory=set)
    """The ways to log in that the server still offered when ours were at an end."""
    tried: list[str] = field(default_factory=list)
    password_sent: bool = False
    password_expired: bool = False
    left_out: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    """Ways to log in that the ssh config keeps us from."""
    asked: str = ""
    """What the server asked for that was not answered: a second factor, in its own words."""
    half_way: bool = False
    """Whether the server took what was given, and wants something else besides."""
    program_said: str = ""
    """What the ProxyCommand wrote to its standard error, where the login failed."""


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
        self._answered = False
        self._key_sent = False
        self._connection: asyncssh.SSHClientConnection | None = None
        attempt.left_out = ring.left_out

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn
        self._attempt.connected = True
        self._connected()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._attempt.version = self._connection.get_extra_info("server_version") or ""
            self._attempt.host_key_algorithms = self._attempt.host_key_algorithms or _listed_by(
                self._connection
            )

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        # Asked only for a key that the files do not hold: it is kept to be shown, and refused.
        self._attempt.offered = key
        self._attempt.host_key_algorithms = _listed_by(self._connection)
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self._attempt.authority = key
        return False

    def _note_methods(self) -> None:
        if self._connection is not None:
            offered = self._connection.get_server_auth_methods()
            self._attempt.methods.update(offered)
            # After a key that is refused another one is asked for; after one that is taken, and
            # is not enough (AuthenticationMethods), keys are offered no more.
            if self._key_sent and offered and "publickey" not in offered:
                self._attempt.half_way = True

    def public_key_auth_requested(self) -> SSHKeyPair | None:
        self._key_sent = False
        self._note_methods()
        while not self._pairs:
            identity = next(self._identities, None)
            if identity is None:
                return None
            self._attempt.tried.append(identity.label)
            self._pairs = identity.pairs()
        self._key_sent = True
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
        # Half way in, the server is heard out, so that what it asks for can be told.
        if self._attempt.half_way:
            return None if self._attempt.asked or self._answered else ""
        return "" if self._password is not None and not self._attempt.password_sent else None

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Any
    ) -> list[str] | None:
        if not prompts:
            return []
        # One hidden answer is a password, in whatever language it is asked for.
        asked = " ".join(str(prompt) for prompt, _ in prompts).strip()
        if len(prompts) == 1 and not prompts[0][1] and not wants_a_code(asked):
            password = self._password_once()
            if password is not None:
                self._answered = True
                return [password]
        if len(instructions) + len(asked) > _ASKED_OF:
            instructions, asked = "", f"more than {_ASKED_OF} characters"
        lines = f"{instructions}\n{asked}".splitlines()
        self._attempt.asked = redact(" ".join(clean_line(line.encode()) for line in lines)).strip()
        return None


@cache
def _shared_options() -> asyncssh.SSHClientConnectionOptions:
    """What all logins have in common, prepared once: no work for what is never used here."""
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        client_keys=None,
        known_hosts=NOTHING_KNOWN.for_asyncssh,
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


_HOST_KEY_ORDER: Final[tuple[str, ...]] = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
"""The order in which OpenSSH asks for host keys (its KEX_DEFAULT_PK_ALG), so that what is shown
here is what `ssh` shows."""
_CERTIFICATE: Final = "-cert-v01@openssh.com"


def host_key_algorithms(known: Known, configured: str = "") -> list[str]:
    """The host key algorithms to ask for: those of the keys we know first, then OpenSSH's order.

    A server whose known key is gone thus shows another one, and that is a changed key, not a
    failed negotiation. `configured` is HostKeyAlgorithms of an ssh config: a list in its place, or
    one that begins with +, - or ^ and changes the usual one. A certificate comes first where an
    authority is known, and last where none is.
    """
    theirs = [name.decode() for name in get_default_public_key_algs()]
    plain = [name for name in _HOST_KEY_ORDER if name in theirs]
    plain += [name for name in theirs if name not in plain]
    certificates = [name.decode() for name in get_default_certificate_algs()]
    certificates.sort(key=lambda name: _rank(name.removesuffix(_CERTIFICATE)))
    held = {name.decode() for key in known.keys for name in key.sig_algorithms}
    # Only where it is the key that is known: SHA-1 signatures are not asked for on their own.
    if not any(key.algorithm == b"ssh-rsa" for key in known.keys):
        plain.remove("ssh-rsa")
    mark, listed = configured[:1], [word.strip() for word in configured.lstrip("+-^").split(",")]
    if configured and mark not in "+-^":
        possible = {*certificates, *(name.decode() for name in get_public_key_algs())}
        return [name for name in listed if name in possible] or plain
    plain = [
        *(name for name in plain if name in held),
        *(name for name in plain if name not in held),
    ]
    ordered = [*certificates, *plain] if known.authorities else [*plain, *certificates]
    if mark == "-":
        return [name for name in ordered if not any(fnmatchcase(name, word) for word in listed)]
    if mark == "^":
        return list(dict.fromkeys([*_possible(listed), *ordered]))
    return list(dict.fromkeys([*ordered, *_possible(listed)])) if mark == "+" else ordered


def _rank(algorithm: str) -> int:
    places = (*_HOST_KEY_ORDER, algorithm)
    return places.index(algorithm)


def _possible(patterns: list[str]) -> list[str]:
    every = [*get_public_key_algs(), *get_default_certificate_algs()]
    return [
        name.decode()
        for pattern in patterns
        for name in every
        if fnmatchcase(name.decode(), pattern)
    ]


def other_types(attempt: Attempt) -> list[str]:
    """One algorithm for each further type of host key that a server listed, in our order."""
    shown = attempt.offered.get_algorithm() if attempt.offered is not None else ""
    found: dict[str, str] = {}
    for name in _HOST_KEY_ORDER:
        if name in attempt.host_key_algorithms:
            found.setdefault("ssh-rsa" if name.startswith("rsa-") else name, name)
    found.pop(shown, None)
    return list(found.values())


def _listed_by(connection: asyncssh.SSHClientConnection | None) -> tuple[str, ...]:
    """The host key algorithms in a server's first message (RFC 4253, 7.1), empty if unreadable."""
    # asyncssh keeps the message for the exchange hash and has no other name for it.
    return host_keys_in(getattr(connection, "_server_kexinit", b""))


def host_keys_in(message: bytes) -> tuple[str, ...]:
    """The host key algorithms in a SSH_MSG_KEXINIT; empty if it is unreadable."""
    try:
        packet = SSHPacket(message)
        packet.get_bytes(1 + 16)
        packet.get_namelist()
        return tuple(name.decode("ascii", "replace") for name in packet.get_namelist())
    except PacketDecodeError:
        return ()


async def open_connection(
    target: Target,
    *,
    trusted: Known,
    known: Known,
    ring: Ring,
    password: Secret | None,
    tunnel: asyncssh.SSHClientConnection | None,
    timeout: float,
    attempt: Attempt,
    only: str | None = None,
    by_address: Callable[[str], Known] | None = None,
) -> asyncssh.SSHClientConnection:
    """Log in to one server. Raises what asyncssh raises; `attempt` says how far it came.

    `trusted` decides which host keys are good; `known` only orders the algorithms asked for, and
    is the same but where a key is to be shown without being trusted. `only` is the one host key
    algorithm to ask for. `by_address` says what is known of an address, where that counts too. A
    time-out raises TimeoutError.
    """
    settings = target.settings
    timeout = settings.connect_timeout or timeout
    options = {**_algorithms(target), **_ways_in(target, attempt, password)}
    if tunnel is None and target.proxy_command is None:
        options |= _from_here(target)
    options["server_host_key_algs"] = (
        [only] if only is not None else host_key_algorithms(known, settings.host_key_algorithms)
    )
    loop = asyncio.get_running_loop()
    with _program(target, attempt) as program:
        async with asyncio.timeout(timeout) as bound:

            def connected() -> None:
                if not bound.expired():
                    bound.reschedule(loop.time() + timeout)

            return await asyncssh.connect(
                target.address,
                target.port,
                options=_shared_options(),
                config=None,
                client_factory=lambda: _Client(attempt, ring, password, connected),
                known_hosts=_looked_up(target, trusted, attempt, by_address),
                # The name under which a host certificate must speak; in lower case for OpenSSH.
                host_key_alias=lowered(target.known_as),
                username=target.user,
                tunnel=tunnel,
                proxy_command=program if tunnel is None else None,
                login_timeout=timeout,
                connect_timeout=None,
                **options,
            )


def _looked_up(
    target: Target, trusted: Known, attempt: Attempt, by_address: Callable[[str], Known] | None
) -> Callable[[str, str, int | None], Any]:
    """What asyncssh asks once it knows the address: the keys that are good for both.

    As for OpenSSH an address of this machine tells nothing: what is forwarded has it too.
    """

    def keys(host: str, address: str, port: int | None) -> Any:
        good = trusted
        if by_address is not None and address != target.address and not _is_loopback(address):
            good, attempt.address_known_as = trusted.agreeing_with(by_address(address))
        return good.for_asyncssh(host, address, port)

    return keys


def _is_loopback(address: str) -> bool:
    try:
        return not address or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


_OURS: Final = ("publickey", "keyboard-interactive", "password")
_FAMILIES: Final = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


def _from_here(target: Target) -> dict[str, Any]:
    """The addresses that a direct connection leaves from and goes to, as the ssh config says."""
    settings = target.settings
    options: dict[str, Any] = {}
    if settings.address_family in _FAMILIES:
        options["family"] = _FAMILIES[settings.address_family]
    if settings.bind_address:
        options["local_addr"] = (settings.bind_address, 0)
    elif settings.bind_interface:
        ipv6 = ":" in target.address or settings.address_family == "inet6"
        try:
            options["local_addr"] = (address_of(settings.bind_interface, ipv6=ipv6), 0)
        except NoAddress as error:
            raise InputProblem(
                f"BindInterface {settings.bind_interface[:40]} of the ssh config cannot be gone "
                f"by: {error}",
                where=target.where,
                remedy="See what is there: ip -brief address. Mend that line, or name an address "
                "with BindAddress.",
            ) from error
    return options


def _ways_in(target: Target, attempt: Attempt, password: Secret | None) -> dict[str, Any]:
    """The ways to log in that the ssh config leaves; raises InputProblem where it leaves none."""
    settings = target.settings
    options: dict[str, Any] = {}
    if settings.alive_interval is not None and settings.alive_interval < KEEPALIVE_SECONDS:
        options["keepalive_interval"] = settings.alive_interval
    if settings.methods is None:
        return options
    methods = [method for method in settings.methods if method in _OURS]
    if not methods:
        raise InputProblem(
            "the ssh config leaves no way to log in that Sitewright has: "
            + (", ".join(settings.methods)[:200] or "all are turned off"),
            where=target.where,
            remedy="Allow one of publickey, keyboard-interactive and password for this machine "
            "(PreferredAuthentications, PubkeyAuthentication, PasswordAuthentication).",
        )
    if password is not None and not {"password", "keyboard-interactive"} & set(methods):
        attempt.not_tried.append(
            "the password (the ssh config allows only " + ", ".join(methods) + ")"
        )
    if "publickey" not in methods:
        attempt.not_tried.append("keys (the ssh config allows only " + ", ".join(methods) + ")")
    options["preferred_auth"] = methods
    for option, method in (
        ("public_key_auth", "publickey"),
        ("kbdint_auth", "keyboard-interactive"),
        ("password_auth", "password"),
    ):
        options[option] = method in methods
    return options


@contextmanager
def _program(target: Target, attempt: Attempt) -> Iterator[list[str] | None]:
    """The words of the program to go through, whose complaints are kept apart from what it brings.

    asyncssh would take its standard error for words of the SSH server.
    """
    if target.proxy_command is None:
        yield None
        return
    logging.getLogger("asyncio").addFilter(_is_no_child_waited_for)
    with tempfile.NamedTemporaryFile(prefix="sitewright-way-") as heard:
        try:
            # asyncssh ends the connection where a pipe closes, so that its own stays open as 3.
            yield ["/bin/sh", "-c", 'exec "$@" 3>&2 2>>"$0"', heard.name, *target.proxy_command]
        finally:
            attempt.program_said = heard.read(_SAID_LIMIT).decode("utf-8", "replace")


def _is_no_child_waited_for(record: logging.LogRecord) -> bool:
    """False for a warning of asyncio without weight: that a program we closed was waited for."""
    return not str(record.msg).startswith("Unknown child process pid")


def _algorithms(target: Target) -> dict[str, Any]:
    """The algorithms that the ssh config asks for, as far as asyncssh has them.

    Raises InputProblem where it has none of them: another would be weaker than was asked for.
    """
    settings = target.settings
    options: dict[str, Any] = {"encryption_algs": _PREFERRED_CIPHER}
    for option, name, asked, known in (
        ("kex_algs", "KexAlgorithms", settings.kex_algorithms, get_kex_algs()),
        ("encryption_algs", "Ciphers", settings.ciphers, get_encryption_algs()),
        ("mac_algs", "MACs", settings.macs, get_mac_algs()),
        ("signature_algs", "PubkeyAcceptedAlgorithms", settings.signature_algorithms,
         get_public_key_algs()),
    ):  # fmt: skip
        if not asked:
            continue
        if asked[0] in "+-^":
            options[option] = asked
            continue
        there = {word.decode() for word in known}
        options[option] = [word for word in asked.split(",") if word in there]
        if not options[option]:
            raise InputProblem(
                f"none of the {name} of the ssh config is one that Sitewright has: {asked[:200]}",
                where=target.where,
                remedy=f"Allow one of {', '.join(sorted(there)[:6])}.",
            )
    return options
