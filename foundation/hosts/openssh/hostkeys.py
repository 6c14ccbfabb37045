"""Host keys: shown to a person, confirmed, and kept in a known_hosts file.

`offered_key` gives the key that OpenSSH would show, and beside it every other type that the
machine offers (`HostKeyOffer.shown`). What a person is to type on the machine follows the type
that is shown: `console_command`. What consoles printed is compared by `fingerprints.compare`,
and one key on several machines is told by `fingerprints.shared_keys`.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory
from foundation.name_patterns import lowered
from foundation.paths import known_hosts_file, make_private
from foundation.problems import InputProblem

if TYPE_CHECKING:
    from foundation.hosts.openssh.openssh import Settings

SYSTEM_FILE: Final = Path("/etc/ssh/ssh_known_hosts")
_SSH_PORT: Final = 22

ALL_KEYS_COMMAND: Final = "cat /etc/ssh/ssh_host_*_key.pub | ssh-keygen -lf -"
"""What prints the SHA256 fingerprints of all host keys on the machine's own console."""

_KINDS: Final = {
    "ssh-ed25519": "ED25519",
    "ecdsa-sha2-nistp256": "ECDSA",
    "ecdsa-sha2-nistp384": "ECDSA",
    "ecdsa-sha2-nistp521": "ECDSA",
    "ssh-rsa": "RSA",
    "ssh-dss": "DSA",
}
"""What ssh-keygen calls a type of key, which is also the middle of its file's name."""
_TYPES: Final = frozenset({
    *_KINDS, "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
})  # fmt: skip
"""Types of keys as they stand in files."""


def kind_of(algorithm: str) -> str:
    """The type of a key as ssh-keygen calls it: ED25519, ECDSA, RSA; else its own name."""
    return _KINDS.get(algorithm, algorithm)


def console_command(algorithm: str) -> str:
    """What shows the fingerprint of a key of this type on the machine's own console."""
    kind = _KINDS.get(algorithm)
    if kind is None:
        return ALL_KEYS_COMMAND
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{kind.lower()}_key.pub"


@dataclass(frozen=True, slots=True)
class ShownKey:
    """One host key of a machine: one of the types that it offers."""

    algorithm: str
    fingerprint: str
    """SHA256:… as ssh-keygen shows it."""
    public_key: str
    """One OpenSSH line: type and base64."""

    @property
    def kind(self) -> str:
        """ED25519, ECDSA or RSA."""
        return kind_of(self.algorithm)


@dataclass(frozen=True, slots=True)
class HostKeyOffer:
    """The host key that a machine shows, and what our files say of it."""

    host: Host
    algorithm: str
    fingerprint: str
    """SHA256:… as ssh-keygen shows it."""
    public_key: str
    """One OpenSSH line: type and base64."""
    state: Literal["trusted", "unknown", "changed"]
    known_fingerprint: str | None = None
    """The fingerprint of the key that was trusted, where it differs."""
    known_in: str | None = None
    """The file and line where that key stands."""
    known_as: str = ""
    """How a known_hosts file names the machine: a name, an address or [address]:port."""
    others: tuple[ShownKey, ...] = ()
    """The keys of other types that an unknown machine offers, in OpenSSH's order."""

    @property
    def shown(self) -> tuple[ShownKey, ...]:
        """Every key that the machine offers; first the one that this offer is about."""
        return (ShownKey(self.algorithm, self.fingerprint, self.public_key), *self.others)

    @property
    def kind(self) -> str:
        """The type of the key as ssh-keygen calls it: ED25519, ECDSA, RSA."""
        return kind_of(self.algorithm)

    def about(self, key: ShownKey) -> HostKeyOffer:
        """The same offer about another of the machine's keys, so that this one is confirmed."""
        return replace(
            self,
            algorithm=key.algorithm,
            fingerprint=key.fingerprint,
            public_key=key.public_key,
            others=tuple(other for other in self.shown if other != key),
        )


KEYS_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one known_hosts file; a larger one is something else."""


def default_known_hosts(inventory: Inventory) -> Path:
    """The file to which a newly trusted key goes: the site's first, or Sitewright's own."""
    return inventory.known_hosts[0] if inventory.known_hosts else known_hosts_file()


def known_hosts_files(inventory: Inventory, settings: Settings | None = None) -> tuple[Path, ...]:
    """The files that say which host keys are trusted, in the order in which they are read.

    `settings` is what the ssh config says of one machine: its UserKnownHostsFile and
    GlobalKnownHostsFile stand in the place of OpenSSH's own files.
    """
    if inventory.known_hosts:
        return inventory.known_hosts
    user: tuple[Path, ...] = (Path.home() / ".ssh" / "known_hosts",)
    system: tuple[Path, ...] = (SYSTEM_FILE,)
    if settings is not None and settings.user_known_hosts is not None:
        user = tuple(Path(name) for name in settings.user_known_hosts)
    if settings is not None and settings.global_known_hosts is not None:
        system = tuple(Path(name) for name in settings.global_known_hosts)
    return (known_hosts_file(), *user, *system)


async def offered_key(
    host: Host,
    inventory: Inventory,
    *,
    credentials: Credentials | None = None,
    timeout: float = 10.0,
    notes: list[str] | None = None,
) -> HostKeyOffer:
    """Ask a machine for its host key without logging in to it; through its bastion if it has one.

    `notes` takes what of the ssh config could not be judged or is not honoured, also on failure.

    The bastion itself is logged in to, so it must be trusted already and `credentials` may be
    needed for it. Raises ConnectionProblem classes.
    """
    from foundation.hosts.pool import Pool

    async with Pool(inventory, credentials or Credentials(), connect_timeout=timeout) as pool:
        try:
            return await pool.offered_key(host)
        finally:
            if notes is not None:
                notes += pool.notes_of(host)


def trust(offers: Iterable[HostKeyOffer], file: Path) -> None:
    """Append the keys a person confirmed to a known_hosts file; those already trusted are left.

    The file is made private (mode 600) and locked while it is written. Raises InputProblem for a
    changed key, which is never confirmed by adding another, for machines that share a name and not
    their keys, and where the file cannot be written or is none of known hosts.
    """
    offers = tuple(offers)
    _each_by_a_name_of_its_own(offers, file)
    lines = []
    for offer in offers:
        if offer.state == "changed":
            raise InputProblem(
                f"the host key of {offer.host.name} has changed, and a changed key is not trusted "
                f"by adding another beside it ({offer.known_fingerprint} in {offer.known_in})",
                where=str(file),
                remedy="Find out on the machine's console why it changed, take the old line out, "
                "and then confirm the new key.",
            )
        if offer.state == "unknown":
            lines.append(_line(offer))
    if lines:
        _append(file, lines)


def _each_by_a_name_of_its_own(offers: Sequence[HostKeyOffer], file: Path) -> None:
    """Raise InputProblem where a key that is confirmed of one machine would be good for another."""
    showing: dict[str, dict[str, set[str]]] = {}
    for offer in offers:
        keys = showing.setdefault(_name(offer), {}).setdefault(offer.host.name, set())
        keys.update(key.public_key for key in offer.shown)
    for name, machines in showing.items():
        if len({frozenset(keys) for keys in machines.values()}) > 1:
            raise InputProblem(
                f"{', '.join(machines)} are known by one name, {name}, and show different keys, so "
                "that each of them could pass for another",
                where=str(file),
                remedy="Give each a name of its own in the ssh config (HostKeyAlias), or trust "
                "them one by one under their own addresses.",
            )


def host_pattern(name: str, port: int) -> str:
    """How a known_hosts file names a machine; the port only where it is not SSH's own.

    In lower case, as OpenSSH writes and looks up every name.
    """
    name = lowered(name)
    return name if port == _SSH_PORT else f"[{name}]:{port}"


def _name(offer: HostKeyOffer) -> str:
    return lowered(offer.known_as or host_pattern(offer.host.address, offer.host.port))


_A_NAME: Final = re.compile(r"[\w.:%+\[\]-]+")
"""Of a name in a file: a comma, a star or a blank would make the line trust more than this machine,
and a mark of a shell would make it a command where somebody takes the file for a script."""
_A_KEY: Final = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]+")


def _line(offer: HostKeyOffer) -> str:
    name = _name(offer)
    if not _A_NAME.fullmatch(name) or not _A_KEY.fullmatch(offer.public_key):
        raise InputProblem(
            f'"{name[:80]}" and its key cannot be written into a file of known hosts',
            where=offer.host.name,
            remedy="Check the address of the machine, and HostKeyAlias in the ssh config.",
        )
    return f"{name} {offer.public_key}\n"


def _is_of_known_hosts(file: Path, there: bytes) -> bool:
    """Whether a file is one of known hosts: by what stands in it, or else by its name.

    A path may come with a site file, and lead to what a shell or sshd reads.
    """
    if file.resolve().parent == known_hosts_file().resolve().parent:
        return True
    lines = [line.split() for line in there.decode("utf-8", "replace").splitlines()]
    lines = [words for words in lines if words and not words[0].startswith("#")]
    if not lines:
        name = file.resolve().name.lower()
        return "known" in name and not name.startswith(".")
    entries = [words[1:] if words[0].startswith("@") else words for words in lines]
    # A line that begins with the type of a key is one of authorized_keys.
    return any(
        len(words) >= 3 and words[1] in _TYPES and words[2].startswith("AAAA") for words in entries
    ) and not any(words[0] in _TYPES for words in entries if words)


def _append(file: Path, lines: list[str]) -> None:
    try:
        if not file.exists() and not _is_of_known_hosts(file, b""):
            raise _another(file)
        make_private(file.parent)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            opened.seek(0)
            there = opened.read()
            if not _is_of_known_hosts(file, there):
                raise _another(file)
            present = {line.strip() for line in there.decode("utf-8", "replace").splitlines()}
            new = [line for line in dict.fromkeys(lines) if line.strip() not in present]
            if not new:
                return
            begin = "" if not there or there.endswith(b"\n") else "\n"
            opened.write((begin + "".join(new)).encode())
            opened.flush()
            os.fsync(opened.fileno())
    except OSError as error:
        raise InputProblem(
            f"the file of trusted host keys cannot be written: {error.strerror or error}",
            where=str(file),
            remedy="Check the folder and the rights, or name another file (known_hosts).",
        ) from error


def _another(file: Path) -> InputProblem:
    return InputProblem(
        "this is no file of known hosts, so no key is written into it",
        where=str(file.resolve()),
        remedy="Name one that holds host keys, or a new one that is called for them: known_hosts.",
    )
