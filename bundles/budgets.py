"""Budgets: how much of anything from outside is read, waited for or followed, in one table.

Every reader of a registry's, a server's, a program's or a bundle's words takes its bound from here,
so that whoever asks "what can they do to us at most" reads one file; `docs/bundles.md` shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20

# Documents of a bundle and of registries, in bytes.
INDEX_BYTES: Final = 64 * MIB
"""index.json of a bundle; an item takes about 1 kB."""
MANIFEST_BYTES: Final = 4 * MIB
"""One manifest or image index, as registries bound it too."""
IMAGE_CONFIG_BYTES: Final = 8 * MIB
"""The configuration of an image, where it is read."""
SIGNATURE_BYTES: Final = 16 * KIB
INSTALL_BYTES: Final = 256 * KIB
BLOB_BYTES: Final = 1 << 46
"""One blob (64 TiB): sizes beyond are no sizes."""
BUNDLE_BYTES: Final = 1 << 47
"""All blobs of a bundle together (128 TiB)."""
SIGNERS_BYTES: Final = MIB
"""An allowed_signers file."""

# Image indexes.
INDEX_DEPTH: Final = 4
"""Indexes in indexes; builders use two."""
INDEX_DOCUMENTS: Final = 64
"""Documents that are fetched to see what an index leads to."""

# Servers.
REDIRECTS: Final = 5
TOKEN_BYTES: Final = MIB
"""The answer of a token server."""
SAID_BYTES: Final = 2000
"""Of a server's words beside an error."""
CHALLENGE_CHARACTERS: Final = 8 * KIB
"""Of one WWW-Authenticate line; what is longer is cut."""
RETRY_ROUNDS: Final = 40
"""Times that one request may be told to wait, however short."""
SHORTEST_WAIT: Final = 0.5
"""Seconds that a wait takes at least, also after `Retry-After: 0`."""
ANSWER_SECONDS: Final = 600.0
"""For the body of one small answer: a manifest, a list, a token."""
SMALLEST_GAIN: Final = 16 * KIB
"""Bytes that a download must gain before it breaks off, to count as going on."""


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate that is too slow to be waited for."""

    seconds: float
    """For which nothing is asked of it."""
    rate: float
    """Bytes a second, on average after that."""


SLOWEST: Final = Pace(300.0, 64.0)

# Logins.
LOGIN_FILE_BYTES: Final = MIB
HELPER_BYTES: Final = 256 * KIB
"""What a docker-credential-* program may write."""
HELPER_SECONDS: Final = 60.0
"""It may ask its person for a passphrase."""

# Programs that help to make a bundle (apt, pip, git, dpkg).
PROGRAM_BYTES: Final = 256 * MIB
"""What one of them may write, standard output and errors each."""
PROGRAM_SECONDS: Final = 6 * 3600.0
PIP_REPORT_BYTES: Final = 64 * MIB
WHEEL_METADATA_BYTES: Final = MIB


@dataclass(frozen=True, slots=True)
class Budget:
    """One line of the table."""

    subject: str
    bound: str


def table() -> tuple[Budget, ...]:
    """Every budget in words, for the page about bundles."""
    return (
        Budget("index.json of a bundle", _size(INDEX_BYTES)),
        Budget("a manifest, an image index", _size(MANIFEST_BYTES)),
        Budget("an image's configuration", _size(IMAGE_CONFIG_BYTES)),
        Budget("a signature; install.sh", f"{_size(SIGNATURE_BYTES)}; {_size(INSTALL_BYTES)}"),
        Budget("one blob; all of a bundle", f"{_size(BLOB_BYTES)}; {_size(BUNDLE_BYTES)}"),
        Budget("an allowed_signers file", _size(SIGNERS_BYTES)),
        Budget(
            "indexes in indexes",
            f"{INDEX_DEPTH} deep, {INDEX_DOCUMENTS} documents fetched to look at them",
        ),
        Budget("redirects of one request", str(REDIRECTS)),
        Budget("a token server's answer", _size(TOKEN_BYTES)),
        Budget("a challenge (WWW-Authenticate)", f"{CHALLENGE_CHARACTERS} characters"),
        Budget(
            "waits that a server asks for (Retry-After)",
            f"{RETRY_ROUNDS} times and 900 s in all for one request, each at least "
            f"{SHORTEST_WAIT} s",
        ),
        Budget("the body of a small answer", f"{ANSWER_SECONDS:.0f} s"),
        Budget(
            "a download",
            f"{SLOWEST.rate:.0f} bytes a second on average after {SLOWEST.seconds:.0f} s; 6 breaks "
            f"in a row that gain less than {_size(SMALLEST_GAIN)}",
        ),
        Budget("a file of logins", _size(LOGIN_FILE_BYTES)),
        Budget("a docker-credential-* program", f"{HELPER_SECONDS:.0f} s, {_size(HELPER_BYTES)}"),
        Budget(
            "apt, pip, git, dpkg",
            f"{PROGRAM_SECONDS / 3600:.0f} h, {_size(PROGRAM_BYTES)} of output",
        ),
        Budget(
            "pip's report; a wheel's metadata",
            f"{_size(PIP_REPORT_BYTES)}; {_size(WHEEL_METADATA_BYTES)}",
        ),
    )


def _size(count: int) -> str:
    for unit, one in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", MIB), ("KiB", KIB)):
        if count >= one and count % one == 0:
            return f"{count // one} {unit}"
    return f"{count} bytes"
