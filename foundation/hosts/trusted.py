"""Trusted host keys: known_hosts files read once, matched as asyncssh matches them.

An empty or missing file trusts nothing. The matching of plain, hashed, wildcard, [host]:port,
@revoked and @cert-authority entries is asyncssh's own; what is added here is that one broken line
does not cost the others, that a revoked key stays revoked on every port, and that the line of an
old key can be named.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asyncssh import SSHKey, SSHKnownHosts

from foundation.hosts.hostkeys import HostKeyOffer, ShownKey, host_pattern
from foundation.problems import HostKeyProblem, InputProblem

if TYPE_CHECKING:
    from foundation.hosts.login import Attempt
    from foundation.hosts.ssh_config import Target

log = logging.getLogger(__name__)

SIZE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of one known_hosts file; a larger one is something else."""
_SSH_PORT: Final = 22


@dataclass(frozen=True, slots=True)
class Known:
    """What the files say of one machine."""

    keys: tuple[SSHKey, ...]
    authorities: tuple[SSHKey, ...]
    revoked: tuple[SSHKey, ...]


def fingerprint(key: SSHKey) -> str:
    """The fingerprint of a key as ssh-keygen shows it: SHA256:…"""
    return str(key.get_fingerprint())


def public_line(key: SSHKey) -> str:
    """The public key as one OpenSSH line without a comment: type and base64."""
    words = key.export_public_key().decode("ascii").split()
    return f"{words[0]} {words[1]}"


class TrustedKeys(SSHKnownHosts):
    """The entries of some known_hosts files; true even when empty, so that nothing is trusted."""

    def __init__(self, files: Sequence[Path] = ()) -> None:
        super().__init__()
        self._places: dict[str, str] = {}
        self._stamps: dict[Path, tuple[int, int] | None] = {}
        for file in files:
            self._read(file)

    def _read(self, file: Path) -> None:
        self._stamps[file] = _stamp(file)
        try:
            if file.stat().st_size > SIZE_LIMIT:
                raise InputProblem(
                    f"the file of known host keys is larger than {SIZE_LIMIT} bytes",
                    where=str(file),
                    remedy="Check that this is the file you meant.",
                )
            text = file.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputProblem(
                f"the file of known host keys cannot be read: {error.strerror or error}",
                where=str(file),
                remedy="Mend its rights, or name another file.",
            ) from error
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                self.load(line)
            except Exception as error:
                # Whatever a broken line makes the parser raise, the other lines still count.
                log.warning("%s line %d is not a known_hosts entry: %s", file, number, error)
                continue
            for word in line.split():
                if word.startswith("AAAA"):
                    self._places.setdefault(word, f"{file} line {number}")
                    break

    @property
    def stale(self) -> bool:
        """Whether a file changed since it was read."""
        return any(_stamp(file) != stamp for file, stamp in self._stamps.items())

    def match(self, host: str, addr: str, port: int | None) -> Any:
        """What asyncssh asks while it connects; a revocation holds for every port of a machine."""
        result = list(super().match(host, addr, port))
        if port:
            everywhere = super().match(host, addr, None)[2]
            result[2] = [*result[2], *(key for key in everywhere if key not in result[2])]
        # X.509 certificates are not used: no known_hosts entry of that kind may count.
        return (*result[:3], (), (), (), ())

    def known(self, name: str, address: str, port: int) -> Known:
        """The keys that the files hold for a machine."""
        keys, authorities, revoked, *_ = self.match(
            name, address, None if port == _SSH_PORT else port
        )
        return Known(tuple(keys), tuple(authorities), tuple(revoked))

    def place(self, key: SSHKey) -> str | None:
        """The file and line on which a key stands first, or None."""
        return self._places.get(public_line(key).split()[1])


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
    is_known = shown in known.keys or (attempt.offered is None and shown in known.authorities)
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
        known_as=host_pattern(target.known_as, target.port),
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
