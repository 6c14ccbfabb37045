"""Trusted host keys: known_hosts files read once, matched as OpenSSH matches them.

An empty or missing file trusts nothing. A name counts without regard to case, a port stands in
brackets, `*`, `?` and `!` are patterns; where an alias is set (HostKeyAlias) the port does not
count. One broken line does not cost the others, and a revoked key stays revoked on every port.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asyncssh import SSHKey, import_public_key

from foundation import bounded_files
from foundation.hosts.openssh.hostkeys import KEYS_LIMIT, HostKeyOffer, ShownKey, host_pattern
from foundation.name_patterns import lowered, matches_list
from foundation.problems import HostKeyProblem, InputProblem

if TYPE_CHECKING:
    from foundation.hosts.openssh.login import Attempt
    from foundation.hosts.openssh.ssh_config import Target

log = logging.getLogger(__name__)

_SSH_PORT: Final = 22


@dataclass(frozen=True, slots=True)
class Known:
    """What the files say of one machine."""

    keys: tuple[SSHKey, ...]
    authorities: tuple[SSHKey, ...]
    revoked: tuple[SSHKey, ...]
    without_port: tuple[SSHKey, ...] = ()
    """Keys under the bare name of a machine with a port of its own, where no line names the port:
    one of them is good, as for OpenSSH, and another key is an unknown one, not a changed one."""

    def for_asyncssh(self, _host: str, _address: str, _port: int | None) -> Any:
        """What asyncssh asks while it connects: the keys, authorities and revoked keys."""
        # X.509 certificates are not used: no known_hosts entry of that kind may count.
        keys = [*self.keys, *self.without_port]
        return (keys, list(self.authorities), list(self.revoked), (), (), (), ())

    def agreeing_with(self, at: Known) -> tuple[Known, SSHKey | None]:
        """What is left of this beside what is known of the address, and a key that contradicts.

        As for OpenSSH's CheckHostIP, another key of the same kind contradicts, none does not.
        """

        def against(key: SSHKey) -> SSHKey | None:
            others = [other for other in at.keys if other.algorithm == key.algorithm]
            return others[0] if others and key not in others else None

        held = (*self.keys, *self.without_port)
        contradicting = next(filter(None, map(against, held)), None)
        left = replace(
            self,
            keys=tuple(key for key in self.keys if against(key) is None),
            without_port=tuple(key for key in self.without_port if against(key) is None),
            revoked=(*self.revoked, *at.revoked),
        )
        return left, contradicting


def fingerprint(key: SSHKey) -> str:
    """The fingerprint of a key as ssh-keygen shows it: SHA256:…"""
    return str(key.get_fingerprint())


def public_line(key: SSHKey) -> str:
    """The public key as one OpenSSH line without a comment: type and base64."""
    words = key.export_public_key().decode("ascii").split()
    return f"{words[0]} {words[1]}"


_BLANKS: Final = " \t\r"
_PARTED: Final = re.compile(r"[ \t]+")
"""What parts the words of a line for OpenSSH: nothing else that looks like a blank does."""

NOTHING_KNOWN: Final = Known((), (), ())


@dataclass(frozen=True, slots=True)
class _Entry:
    marker: str
    key: SSHKey


class TrustedKeys:
    """The entries of some known_hosts files."""

    def __init__(self, files: Sequence[Path] = (), told: str = "", *, by: str = "") -> None:
        """The files, and beside them lines that a program told; `by` names it."""
        self._exact: dict[str, list[_Entry]] = {}
        self._hashed: list[tuple[bytes, bytes, _Entry]] = []
        self._patterns: list[tuple[tuple[str, ...], _Entry]] = []
        self._places: dict[str, str] = {}
        self._stamps: dict[Path, tuple[int, int] | None] = {}
        for file in files:
            self._read(file)
        self._take(told, by)

    def _read(self, file: Path) -> None:
        self._stamps[file] = _stamp(file)
        try:
            text = bounded_files.read_bytes(file, KEYS_LIMIT).decode("utf-8", "replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputProblem(
                f"the file of known host keys cannot be read: {error.strerror or error}",
                where=str(file),
                remedy="Mend its rights, or name another file.",
            ) from error
        self._take(text, str(file))

    def _take(self, text: str, place: str) -> None:
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                # Behind a NUL is nothing of the line any more for a program in C.
                self._add(line.partition("\0")[0].strip(_BLANKS))
            except Exception as error:
                # Whatever a broken line makes the parser raise, the other lines still count.
                log.warning("%s line %d is not a known_hosts entry: %s", place, number, error)
                continue
            for word in line.split():
                if word.startswith("AAAA"):
                    self._places.setdefault(word, f"{place} line {number}")
                    break

    @property
    def stale(self) -> bool:
        """Whether a file changed since it was read."""
        return any(_stamp(file) != stamp for file, stamp in self._stamps.items())

    def _add(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        marker, whole = "", line
        if line.startswith("@"):
            marker, line = _PARTED.split(line, maxsplit=1)
            if marker not in ("@cert-authority", "@revoked"):
                raise ValueError(f"the marker {marker[:20]} is not known")
            if marker == "@cert-authority" and not whole.startswith(f"{marker} "):
                raise ValueError("behind a marker OpenSSH takes a space alone")
            line = line.lstrip(_BLANKS)
        names, data = _PARTED.split(line, maxsplit=1)
        entry = _Entry(marker, _key_of(data))
        if names.startswith("|1|"):
            salt, digest = names[3:].split("|")
            raw = base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
            self._hashed.append((*raw, entry))
            return
        words = tuple(word for word in lowered(names).split(",") if word)
        if any(mark in names for mark in "*?!"):
            self._patterns.append((words, entry))
            return
        for word in words:
            self._exact.setdefault(word, []).append(entry)

    def _entries(self, name: str) -> list[_Entry]:
        """The entries for a name as a file has it, `host` or `[host]:port`, in lower case."""
        found = list(self._exact.get(name, ()))
        found += [entry for words, entry in self._patterns if matches_list(name, ",".join(words))]
        if self._hashed:
            found += [
                entry
                for salt, digest, entry in self._hashed
                if hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)
            ]
        return found

    def at(self, address: str, port: int) -> Known:
        """What the files hold for an address alone, for CheckHostIP."""
        return self.known(address, "", port)

    def known(self, name: str, address: str, port: int) -> Known:
        """The keys that the files hold for a machine, by its name or alias.

        `address` is what was resolved, and counts for nothing: as for OpenSSH (CheckHostIP no).
        """
        bare = lowered(name)
        with_port = bare if port == _SSH_PORT else f"[{bare}]:{port}"
        entries = self._entries(with_port)
        elsewhere = self._entries(bare) if with_port != bare else []
        keys = _keys(entries, "")
        authorities = _keys(entries, "@cert-authority")
        no_line = not (keys or authorities)
        return Known(
            keys,
            _keys(elsewhere, "@cert-authority") if no_line else authorities,
            _keys([*entries, *elsewhere], "@revoked"),
            _keys(elsewhere, "") if no_line else (),
        )

    def of(self, target: Target) -> Known:
        """The keys that the files hold for a machine as it is really reached.

        Raises InputProblem where RevokedHostKeys names a file that cannot be gone by.
        """
        known = self.known(target.known_as, "", target.known_port)
        files = target.settings.revoked_host_keys
        if not files:
            return known
        more = [key for name in files for key in revoked_keys(Path(name))]
        return replace(known, revoked=(*known.revoked, *more))

    def place(self, key: SSHKey) -> str | None:
        """The file and line on which a key stands first, or None."""
        return self._places.get(public_line(key).split()[1])


def _key_of(data: str) -> SSHKey:
    """The key of an entry; raises ValueError where OpenSSH reads none there."""
    key = import_public_key(data)
    words = _PARTED.split(data)
    # asyncssh takes a base64 with a tail, of an end of a line in the midst for one.
    if len(words) < 2 or public_line(key) != " ".join(words[:2]):
        raise ValueError("its key is not written as keys are")
    return key


def revoked_keys(file: Path) -> list[SSHKey]:
    """The keys of a list for RevokedHostKeys; raises InputProblem where they cannot be read.

    OpenSSH takes no host key at all where it cannot read the list, and so do we.
    """
    remedy = "Give a list of public keys there, one a line; none is trusted before it can be read."
    try:
        data = bounded_files.read_bytes(file, KEYS_LIMIT)
    except OSError as error:
        raise InputProblem(
            f"the list of revoked host keys cannot be read: {error.strerror or error}",
            where=str(file), remedy=remedy,
        ) from error  # fmt: skip
    if data.startswith(b"SSHKRL\n\0"):
        raise InputProblem(
            "the list of revoked host keys is a KRL, which Sitewright cannot read",
            where=str(file),
            remedy=remedy,
        )
    found = []
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(import_public_key(line.strip()))
            except Exception as error:
                # Whatever the parser raises: a line passed over would be a revoked key taken.
                raise InputProblem(
                    f"line {number} of the list of revoked host keys is no public key: {error}",
                    where=str(file),
                    remedy="Write the key alone in that line: its type and its base64, with no "
                    "name or marker before them. OpenSSH takes no host key before that either.",
                ) from error
    return found


def _keys(entries: Iterable[_Entry], marker: str) -> tuple[SSHKey, ...]:
    return tuple(dict.fromkeys(entry.key for entry in entries if entry.marker == marker))


def lines_about(text: str, names: Iterable[str]) -> list[str]:
    """The lines of a known_hosts file that are about some names, as they stand in it.

    `names` are as a file has them, `host` or `[host]:port`. What is about all machines (patterns,
    revoked keys, authorities) is about these too where it matches them.
    """
    wanted = [lowered(name) for name in names]
    found = []
    for raw in text.split("\n"):
        words = _PARTED.split(raw.strip(_BLANKS), maxsplit=2)
        if not words[0] or words[0].startswith("#"):
            continue
        field = words[1] if words[0].startswith("@") and len(words) > 1 else words[0]
        if any(_is_about(name, field) for name in wanted):
            found.append(raw.strip(_BLANKS))
    return found


def _is_about(name: str, field: str) -> bool:
    if not field.startswith("|1|"):
        return matches_list(name, lowered(field))
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in field[3:].split("|"))
    except ValueError:
        return False
    return hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest)


def offer(
    target: Target,
    attempt: Attempt,
    known: Known,
    trusted: TrustedKeys,
    others: Iterable[SSHKey] = (),
) -> HostKeyOffer:
    """What a machine showed, beside what the files say of it; raises HostKeyProblem if revoked."""
    shown = attempt.offered or attempt.authority
    if shown is None or shown in known.revoked:
        raise HostKeyProblem(
            "the machine's host key is marked as revoked in a known_hosts file"
            if shown
            else "the machine showed no host key",
            where=target.where,
            remedy="Do not log in. Ask who revoked the key and why.",
        )
    held = (*known.keys, *known.without_port)
    is_known = shown in held or (attempt.offered is None and shown in known.authorities)
    old = next((key for key in known.keys if key.algorithm == shown.algorithm), None)
    old = old or (known.keys[0] if known.keys else None)
    changed = old is not None and not is_known
    return HostKeyOffer(
        host=target.host,
        algorithm=shown.get_algorithm(),
        fingerprint=fingerprint(shown),
        public_key=public_line(shown),
        state="trusted" if is_known else "changed" if changed else "unknown",
        known_fingerprint=fingerprint(old) if old is not None and changed else None,
        known_in=trusted.place(old) if old is not None and changed else None,
        known_as=host_pattern(target.known_as, target.known_port),
        others=tuple(
            ShownKey(key.get_algorithm(), fingerprint(key), public_line(key))
            for key in others
            if key != shown and key not in known.revoked
        ),
    )


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
