"""Private keys: read once for all machines, with a clear word where one cannot be used."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Final

import asyncssh
from asyncssh.agent import SSHAgentClient, SSHAgentKeyPair
from asyncssh.public_key import SSHKeyPair, load_certificates

from foundation import bounded_files
from foundation.problems import KeyProblem
from foundation.secrets import Secret

DEFAULT_NAMES: Final = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
"""The names that ssh-keygen gives, most modern first."""
_SIZE_LIMIT: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """One way to prove who we are: a private key in memory, or one that an agent holds."""

    label: str
    """Where it comes from, for problems: a file, or the agent with the key's comment."""
    public: bytes
    key: asyncssh.SSHKey | None = None
    agent: SSHAgentKeyPair | None = None
    certificates: tuple[asyncssh.SSHCertificate, ...] = ()

    def pairs(self) -> list[SSHKeyPair]:
        """Fresh key pairs for one login: asyncssh keeps the signature algorithm in them."""
        if self.key is not None:
            signed = [(self.key, certificate) for certificate in self.certificates]
            return list(asyncssh.load_keypairs([*signed, self.key]))
        known = self.agent
        if known is None:
            return []
        client: SSHAgentClient = known._agent
        comment = known.get_comment_bytes() or b""
        return [SSHAgentKeyPair(client, known.algorithm, known.public_data, comment)]


@dataclass(slots=True)
class Ring:
    """The identities to offer to one machine, in order, and what was left out and why."""

    identities: list[Identity] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """One phrase for each key that could not be used and need not have been."""

    def add(self, identity: Identity) -> None:
        """Add an identity unless its key is there already."""
        if all(identity.public != other.public for other in self.identities):
            self.identities.append(identity)


def _certify(ring: Ring, files: tuple[Path, ...]) -> None:
    """Give each key the certificates that the ssh config names for it (CertificateFile)."""
    found: list[asyncssh.SSHCertificate] = []
    for file in files:
        try:
            found += load_certificates(str(file))
        except (OSError, ValueError) as error:
            ring.left_out.append(f"{file} ({error})")
    ring.identities = [
        replace(
            identity,
            certificates=(
                *identity.certificates,
                *(one for one in found if one.key.public_data == identity.public),
            ),
        )
        for identity in ring.identities
    ]


class Keyring:
    """The keys of one run; every file is read once and the agent is asked once."""

    def __init__(self, passphrase: Secret | None = None) -> None:
        self._passphrase = passphrase
        self._files: dict[Path, Identity | KeyProblem] = {}
        self._agents: dict[str, tuple[SSHAgentClient | None, list[Identity], str]] = {}
        self._rings: dict[object, Ring] = {}
        self._lock = asyncio.Lock()

    async def ring(
        self,
        named: tuple[Path, ...],
        configured: tuple[Path, ...] = (),
        *,
        certificates: tuple[Path, ...] = (),
        identities_only: bool = False,
        agent: str | None = None,
    ) -> Ring:
        """What to offer: keys named for the machine, the agent's, the ssh config's, the usual.

        Raises KeyProblem for a named key that cannot be used; the others are only left out.
        """
        path = os.environ.get("SSH_AUTH_SOCK", "") if agent is None else agent
        cache = (named, configured, certificates, identities_only, path)
        async with self._lock:
            if cache not in self._rings:
                ring = await self._ring(named, configured, identities_only, path)
                if certificates:
                    await asyncio.to_thread(_certify, ring, certificates)
                self._rings[cache] = ring
            return self._rings[cache]

    async def _ring(
        self, named: tuple[Path, ...], configured: tuple[Path, ...], only: bool, path: str
    ) -> Ring:
        held, trouble = await self._agent_identities(path)
        # An encrypted key takes a tenth of a second to open.
        return await asyncio.to_thread(self._gathered, named, configured, only, held, trouble)

    def _gathered(
        self,
        named: tuple[Path, ...],
        configured: tuple[Path, ...],
        only: bool,
        held: list[Identity],
        trouble: str,
    ) -> Ring:
        by_public = {identity.public: identity for identity in held}
        ring = Ring(left_out=[trouble] if trouble else [])
        for file in named:
            ring.add(self._from_file(file, by_public))
        usual = tuple(Path.home() / ".ssh" / name for name in DEFAULT_NAMES)
        others: list[Identity] = []
        for file in configured or (() if only or named else usual):
            try:
                others.append(self._from_file(file, by_public))
            except KeyProblem as problem:
                # One that the ssh config names is missed; a usual name is only looked for.
                if configured or file.exists():
                    ring.left_out.append(f"{file} ({problem.cause})")
        if not only:
            for identity in held:
                ring.add(identity)
        for identity in others:
            ring.add(identity)
        return ring

    def _from_file(self, file: Path, held: dict[bytes, Identity]) -> Identity:
        """The key of a file; where only an agent can open it, the agent's own."""
        public = _public_beside(file)
        if public is not None and public in held:
            return held[public]
        if file not in self._files:
            try:
                self._files[file] = _read(file, self._passphrase)
            except KeyProblem as problem:
                self._files[file] = problem
        found = self._files[file]
        if isinstance(found, KeyProblem):
            raise KeyProblem(found.cause, where=found.where, remedy=found.remedy)
        return found

    async def _agent_identities(self, path: str) -> tuple[list[Identity], str]:
        if not path:
            return [], ""
        if path not in self._agents:
            client = SSHAgentClient(path)
            trouble, identities = "", []
            try:
                for pair in await client.get_keys():
                    if isinstance(pair, SSHAgentKeyPair):
                        comment = (pair.get_comment_bytes() or b"").decode("utf-8", "replace")
                        identities.append(
                            Identity(
                                f"the agent's {comment or 'key'}", pair.public_data, None, pair
                            )
                        )
            except (ValueError, OSError) as error:
                trouble = f"the agent at {path} ({error})"
            self._agents[path] = (client, identities, trouble)
        _, identities, trouble = self._agents[path]
        return identities, trouble

    def close(self) -> None:
        """End the connections to agents."""
        for client, _, _ in self._agents.values():
            if client is not None:
                client.close()
        self._agents.clear()
        self._rings.clear()


def _public_beside(file: Path) -> bytes | None:
    """The public half that lies beside a private key, or in its place, if there is one."""
    for candidate in (file.with_name(file.name + ".pub"), file):
        try:
            raw = bounded_files.read_bytes(candidate, _SIZE_LIMIT)
            return asyncssh.import_public_key(raw).public_data
        except (OSError, ValueError):
            continue
    return None


def _problem(cause: str, file: Path, remedy: str) -> KeyProblem:
    return KeyProblem(cause, where=str(file), remedy=remedy)


def _read(file: Path, passphrase: Secret | None) -> Identity:
    """The private key of a file; raises KeyProblem that says what is wrong with it."""
    try:
        data = bounded_files.read_bytes(file, _SIZE_LIMIT)
        status = file.stat()
    except FileNotFoundError as error:
        raise _problem(
            "there is no such key file", file, "Check the name, or make a key: ssh-keygen"
        ) from error
    except OSError as error:
        raise _problem(
            f"the key file cannot be read: {error.strerror or error}",
            file,
            "Check who owns the file and its rights: it should be yours, with mode 600.",
        ) from error
    if data.startswith(b"PuTTY-User-Key-File-"):
        name = quote(str(file)), quote(str(file.with_suffix(".openssh")))
        raise _problem(
            "this is a key of PuTTY, which OpenSSH and Sitewright do not read",
            file,
            f"Convert it: puttygen {name[0]} -O private-openssh -o {name[1]} (in PuTTYgen: "
            f"Conversions, Export OpenSSH key), then chmod 600 {name[1]} and name that file.",
        )
    if b"PRIVATE KEY" not in data:
        public = data.startswith((b"ssh-", b"ecdsa-", b"sk-"))
        raise _problem(
            "this is a public key, and the private one is needed"
            if public
            else "this is not a private key",
            file,
            f"Name {file.with_suffix('')} instead."
            if public and file.suffix == ".pub" and file.with_suffix("").exists()
            else "Load the private key into an agent (ssh-add), or name its file."
            if public
            else "Name the private key, as ssh-keygen made it.",
        )
    if status.st_mode & 0o077 and status.st_uid == os.getuid():
        raise _problem(
            f"the private key may be read by others on this machine (mode "
            f"{stat.S_IMODE(status.st_mode):04o}), so it is not used",
            file,
            f"Run: chmod 600 {file}",
        )
    return Identity(str(file), (key := _opened(data, file, passphrase)).public_data, key,
                    certificates=_certificates(file))  # fmt: skip


def _opened(data: bytes, file: Path, passphrase: Secret | None) -> asyncssh.SSHKey:
    """The key in some bytes; a passphrase is tried only where the key is encrypted."""
    try:
        return asyncssh.import_private_key(data)
    except asyncssh.KeyEncryptionError as error:
        raise _problem(
            f"the key is encrypted in a way that cannot be opened: {error}", file, _RENEW
        ) from error
    except asyncssh.KeyImportError as error:
        encrypted = "passphrase" in str(error).lower()
        if not encrypted:
            raise _problem(f"the private key is damaged: {error}", file, _RENEW) from error
        if not passphrase:
            raise _problem(
                "the key is protected by a passphrase, and none was given",
                file,
                f"Enter the passphrase when asked, or load the key into an agent: ssh-add {file}",
            ) from error
    except ValueError as error:
        raise _problem(f"the private key is damaged: {error}", file, _RENEW) from error
    try:
        return asyncssh.import_private_key(data, passphrase.reveal())
    except (asyncssh.KeyEncryptionError, asyncssh.KeyImportError) as error:
        # A wrong passphrase gives garbage, which the parsers report in many ways.
        raise _problem(
            "the passphrase does not open this key",
            file,
            f"Check it with: ssh-keygen -y -f {file}",
        ) from error
    except ValueError as error:
        raise _problem(f"the private key is damaged: {error}", file, _RENEW) from error


_RENEW: Final = "Copy the key again from where it was made, or make a new one: ssh-keygen"


def _certificates(file: Path) -> tuple[asyncssh.SSHCertificate, ...]:
    try:
        return tuple(load_certificates(str(file.with_name(file.name + "-cert.pub"))))
    except (OSError, ValueError):
        return ()
