"""Budgets: how much of anything from outside is read, waited for or followed, in one table.

Every reader of a registry's, a server's, a program's or a bundle's words takes its bound from here,
so that whoever asks "what can they do to us at most" reads one file; docs/bundles.md shows the
table, and a test holds the two together. What is reached is told, never cut in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KIB: Final = 1 << 10
MIB: Final = 1 << 20
HOUR: Final = 3600.0

# A bundle, in bytes.
INDEX_BYTES: Final = 64 * MIB
"""index.json; an item takes about 1 kB."""
LOCK_BYTES: Final = 64 * MIB
MANIFEST_BYTES: Final = 4 * MIB
"""One manifest or image index, as registries bound it too."""
SIGNATURE_BYTES: Final = 16 * KIB
INSTALL_BYTES: Final = 256 * KIB
SIGNERS_BYTES: Final = MIB
"""An allowed_signers file."""
BLOB_BYTES: Final = 1 << 46
"""One blob (64 TiB): sizes beyond are no sizes."""
BUNDLE_BYTES: Final = 1 << 47
"""All blobs of a bundle together (128 TiB)."""
ARCHIVE_BLOBS: Final = 1_000_000
"""Files in a bundle that is one file."""
VOLUMES: Final = 9999
VOLUME_BLOCK_BYTES: Final = 8 * MIB
VOLUME_TABLE_BYTES: Final = 256 * MIB

# Image indexes.
IMAGE_CONFIG_BYTES: Final = 8 * MIB
"""The configuration of an image, where it is read."""
INDEX_DEPTH: Final = 4
"""Indexes in indexes; builders use two."""
INDEX_DOCUMENTS: Final = 64
"""Documents that are fetched to see what an index leads to."""

# Servers.
REDIRECTS: Final = 5
TOKEN_BYTES: Final = MIB
"""The answer of a token server."""
TAG_PAGE_BYTES: Final = 4 * MIB
"""One page of a list of tags; Docker Hub's have a thousand."""
TAG_PAGES: Final = 500
TAGS: Final = 100_000
"""Of one repository."""
TAG_LIST_SECONDS: Final = 60.0
"""For all pages of a list."""
SAID_BYTES: Final = 2000
"""Of a server's words beside an error."""
CHALLENGE_CHARACTERS: Final = 8 * KIB
"""Of one WWW-Authenticate line; what is longer is cut."""
RETRY_ROUNDS: Final = 40
"""Times that one request may be told to wait, however short."""
LONGEST_WAIT: Final = 900.0
"""Seconds that one request may be told to wait in all."""
SHORTEST_WAIT: Final = 0.5
"""Seconds that a wait takes at least, also after `Retry-After: 0`."""
ANSWER_SECONDS: Final = 600.0
"""For the body of one small answer: a manifest, a list, a token."""
BEGIN_SECONDS: Final = 120.0
"""Until an answer begins, once all of the request was sent: its status and its headers."""
BESIDE_SECONDS: Final = 30.0
"""For what lies beside one image: a note is not worth the patience that a layer gets."""
ATTEMPTS: Final = 6
"""Failures in a row, before something is given up."""
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
REGISTRIES_CONF_BYTES: Final = MIB
HELPER_BYTES: Final = 256 * KIB
"""What a docker-credential-* program may write."""
HELPER_SECONDS: Final = 60.0
"""It may ask its person for a passphrase."""

# Programs that help to make a bundle (apt, pip, git, dpkg).
PROGRAM_BYTES: Final = 256 * MIB
"""What one of them may write, standard output and errors each."""
PROGRAM_SECONDS: Final = 6 * HOUR
DISK_LEFT_BYTES: Final = 1024 * MIB
"""Of the disk that one of them writes to; where it began with less than two of these, half."""
DISK_LOOK_SECONDS: Final = 0.5
"""Between two looks at it."""
PROBE_SECONDS: Final = 20.0
"""For a program that is only asked whether it works here."""
PIP_REPORT_BYTES: Final = 64 * MIB
WHEEL_METADATA_BYTES: Final = MIB
KEYRING_BYTES: Final = 4 * MIB
DEB_CONTROL_BYTES: Final = 4 * MIB
"""A package's control archive, packed and unpacked; those of Debian have about 10 kB."""
LICENCE_BYTES: Final = 4 * MIB
"""A package's copyright file."""
DEB_DATA_BYTES: Final = 8192 * MIB
"""Of a package's files, unpacked, in which its copyright file is looked for."""
DEB_FILES: Final = 1_000_000
TAR_HEAD_BYTES: Final = MIB
"""The head of one file in an archive, with a long name and what else stands there."""

# Charts, manifests, repositories.
CHART_BYTES: Final = 64 * MIB
CHART_UNPACKED_BYTES: Final = 256 * MIB
CHART_FILES: Final = 20_000
"""With folders, and with those of the charts inside."""
CHART_DEPTH: Final = 8
"""Charts inside charts."""
CHART_METADATA_BYTES: Final = 4 * MIB
CHART_INDEX_BYTES: Final = 128 * MIB
"""index.yaml of a chart repository."""
CHART_INDEX_VALUES: Final = 20_000_000
YAML_VALUES: Final = 1_000_000
"""What one YAML text may unfold to."""
NAMING_BYTES: Final = 64 * MIB
"""A chart or a file of manifests that is looked into for what it names."""
RENDER_SECONDS: Final = 120.0
"""Helm or Kustomize, for one chart or folder."""
RENDERED_BYTES: Final = 48 * MIB
GIT_MANIFESTS_BYTES: Final = 256 * MIB
"""All manifests of a repository together."""
GIT_CHECKOUT_BYTES: Final = 256 * MIB
"""The files of a repository that are laid out to be rendered."""
GIT_RENDER_SECONDS: Final = 900.0
"""For all charts and folders of a repository."""

# The snap store.
SNAP_ANSWER_BYTES: Final = 8 * MIB
SNAP_ASSERTIONS: Final = 40
"""Assertions that lead from a snap to the store's root key."""
ASSERTION_BYTES: Final = 2 * MIB + 256 * KIB
"""One assertion: what snapd allows for body, headers and signature together."""

# Those whom a bundle is served to, and machines that it is delivered to.
CONNECTIONS: Final = 512
CONNECTIONS_PER_ADDRESS: Final = 128
HANDSHAKE_SECONDS: Final = 15.0
HEAD_BYTES: Final = 16 * KIB
"""The head of a request."""
HEAD_SECONDS: Final = 20.0
FETCH_REQUEST_BYTES: Final = 16 * MIB
"""What a Git client says that it has, unpacked."""
FETCH_REQUEST_SECONDS: Final = 300.0
"""For all of it to come."""
LOST_MACHINE_SECONDS: Final = 120.0
"""For a machine that was lost to come back, counted from the last byte."""
PLACE_SECONDS: Final = 4 * HOUR
"""For a machine to put in its place what was delivered."""


def table() -> tuple[tuple[str, str], ...]:
    """Every budget in words, for the page about bundles: what, and how much."""
    sizes = _sizes
    slow = f"{SLOWEST.rate:.0f} bytes a second on average after {SLOWEST.seconds:.0f} s"
    return (
        ("index.json, a lock", sizes(INDEX_BYTES, LOCK_BYTES)),
        ("a manifest or image index; an image's configuration",
         sizes(MANIFEST_BYTES, IMAGE_CONFIG_BYTES)),
        ("a signature, an install.sh, an allowed_signers file",
         sizes(SIGNATURE_BYTES, INSTALL_BYTES, SIGNERS_BYTES)),
        ("one blob; all of a bundle", sizes(BLOB_BYTES, BUNDLE_BYTES)),
        ("files in a bundle that is one file; volumes; their table and blocks",
         f"{ARCHIVE_BLOBS}; {VOLUMES}; {sizes(VOLUME_TABLE_BYTES, VOLUME_BLOCK_BYTES)}"),
        ("indexes in indexes", f"{INDEX_DEPTH} deep, {INDEX_DOCUMENTS} documents fetched"),
        ("redirects of a request", f"{REDIRECTS}"),
        ("a token server's answer; words beside an error; a challenge",
         f"{sizes(TOKEN_BYTES)}; {SAID_BYTES} bytes; {CHALLENGE_CHARACTERS} characters"),
        ("a list of tags: a page; all of it",
         f"{sizes(TAG_PAGE_BYTES)}; {TAGS} tags, {TAG_PAGES} pages, {TAG_LIST_SECONDS:.0f} s"),
        ("waits that a server asks for (Retry-After)",
         f"{RETRY_ROUNDS} times, {LONGEST_WAIT:.0f} s in all, each at least {SHORTEST_WAIT} s"),
        ("the beginning of an answer; a small one's body",
         f"{BEGIN_SECONDS:.0f} s; {ANSWER_SECONDS:.0f} s"),
        ("what lies beside an image in its registry", f"{BESIDE_SECONDS:.0f} s"),
        ("a download", f"{slow}; {ATTEMPTS} breaks in a row that gain less than "
         + sizes(SMALLEST_GAIN)),
        ("a file of mirrors (registries.conf)", sizes(REGISTRIES_CONF_BYTES)),
        ("a file of logins; a docker-credential-* program",
         f"{sizes(LOGIN_FILE_BYTES)}; {HELPER_SECONDS:.0f} s, {sizes(HELPER_BYTES)}"),
        ("apt, pip, git, dpkg",
         f"{PROGRAM_SECONDS / HOUR:.0f} h, {sizes(PROGRAM_BYTES)} of output"),
        ("… what is left of the disk that they fill",
         f"{sizes(DISK_LEFT_BYTES)}, looked at every {DISK_LOOK_SECONDS} s"),
        ("whether a program works here", f"{PROBE_SECONDS:.0f} s"),
        ("pip's report; a wheel's metadata", sizes(PIP_REPORT_BYTES, WHEEL_METADATA_BYTES)),
        ("a key of a package source; a package's control archive, its copyright file",
         sizes(KEYRING_BYTES, DEB_CONTROL_BYTES, LICENCE_BYTES)),
        ("looking for that file: bytes and files unpacked; the head of a file in an archive",
         f"{sizes(DEB_DATA_BYTES)}, {DEB_FILES} files; {sizes(TAR_HEAD_BYTES)}"),
        ("a chart, unpacked, its metadata",
         sizes(CHART_BYTES, CHART_UNPACKED_BYTES, CHART_METADATA_BYTES)
         + f"; {CHART_FILES} files, {CHART_DEPTH} deep"),
        ("a chart repository's index", f"{sizes(CHART_INDEX_BYTES)}, {CHART_INDEX_VALUES} values"),
        ("a YAML text; a file that is looked into for what it names",
         f"{YAML_VALUES} values; {sizes(NAMING_BYTES)}"),
        ("Helm or Kustomize, once; what they write",
         f"{RENDER_SECONDS:.0f} s; {sizes(RENDERED_BYTES)}"),
        ("a repository's manifests; its files laid out; rendering all of it",
         f"{sizes(GIT_MANIFESTS_BYTES, GIT_CHECKOUT_BYTES)}; {GIT_RENDER_SECONDS:.0f} s"),
        ("an answer of the snap store; an assertion; assertions of a snap",
         f"{sizes(SNAP_ANSWER_BYTES, ASSERTION_BYTES)}; {SNAP_ASSERTIONS}"),
        ("connections while serving; of one address",
         f"{CONNECTIONS}; {CONNECTIONS_PER_ADDRESS}"),
        ("a handshake; the head of a request; what a Git client says",
         f"{HANDSHAKE_SECONDS:.0f} s; {sizes(HEAD_BYTES)} in {HEAD_SECONDS:.0f} s; "
         + sizes(FETCH_REQUEST_BYTES) + f" in {FETCH_REQUEST_SECONDS:.0f} s"),
        ("a machine that was lost; placing what was delivered",
         f"{LOST_MACHINE_SECONDS:.0f} s; {PLACE_SECONDS / HOUR:.0f} h"),
    )  # fmt: skip


def _sizes(*counts: int) -> str:
    return "; ".join(map(_size, counts))


def _size(count: int) -> str:
    for unit, one in (("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", MIB), ("KiB", KIB)):
        if count >= one and count % one == 0:
            return f"{count // one} {unit}"
    return f"{count} bytes"
