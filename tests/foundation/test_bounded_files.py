"""Files that somebody named: ordinary ones within a bound, by every reader."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bundles.format.lock import load_lock
from bundles.read.signature import load_signing_key
from bundles.read.signers import read_signers
from bundles.read.volume_table import read_table
from bundles.registries.credentials import read_logins
from bundles.serve.certificates import load_identity
from bundles.sources.keyrings import place_keyring
from foundation.bounded_files import read_bytes, read_text
from foundation.hosts.ansible.inventory import read_inventory
from foundation.hosts.openssh.ssh_files import read_lines
from foundation.hosts.openssh.trusted import TrustedKeys, revoked_keys
from foundation.problems import Problem
from installer.planning.way_out import read_authorities
from installer.record.journal_lines import records
from installer.record.support_files import unpack
from installer.sites.site import load_site
from preflight.recorded import load_facts

ROOT = Path(__file__).parents[2]
READERS: dict[str, Callable[[Path], object]] = {
    "site": load_site,
    "inventory": read_inventory,
    "facts": load_facts,
    "ssh config": read_lines,
    "known_hosts": lambda path: TrustedKeys((path,)),
    "revoked": revoked_keys,
    "signers": read_signers,
    "signing key": load_signing_key,
    "certificate": lambda path: load_identity(path, path),
    "authorities": read_authorities,
    "logins": lambda path: read_logins((path,)),
    "lock": load_lock,
    "keyring": lambda path: place_keyring(path, path.parent),
    "journal": lambda path: list(records(path)),
    "support bundle": lambda path: unpack(path, path.parent),
    "volume": lambda path: read_table([path]),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_no_reader_waits_for_a_pipe_or_reads_a_device(
    reader: str, kind: str, tmp_path: Path
) -> None:
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "pipe"
        os.mkfifo(path)
    with pytest.raises((Problem, OSError)) as caught:
        READERS[reader](path)
    assert "ordinary file" in str(caught.value) or "ordinary file" in str(
        caught.value.__context__ or ""
    )


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\r\nb\n")
    assert read_bytes(path, 5) == b"a\r\nb\n"
    assert read_text(path, 5) == "a\nb\n"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_bytes(path, 4)
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="more than"):
        read_bytes(sparse, 1 << 16)
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path, 5)


def test_a_size_that_the_system_does_not_say_is_no_way_round_the_bound() -> None:
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(OSError, match="more than 64 bytes"):
        read_bytes(Path("/proc/self/maps"), 64)


def test_what_a_shell_hands_over_is_read_and_nothing_is_nothing() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"said")
    os.close(writing)
    assert read_bytes(Path(f"/dev/fd/{reading}"), 10) == b"said"
    os.close(reading)
    assert read_bytes(Path("/dev/null"), 10) == b""


WHOLE = re.compile(r"(?<!bounded_files)\.(?:read_text\(|read_bytes\(|read\(\))")
OWN = {
    "foundation/hosts/openssh/interfaces.py": 1,  # what the kernel says of its own interfaces
    # Our own files, which come with the program.
    "preflight/probe.py": 1,
    "foundation/hosts/transfer.py": 1,
    "bundles/deliver/cargo.py": 1,
    "bundles/sources/sitewright.py": 3,
    "installer/repository/starter.py": 1,
    "installer/planning/way_out.py": 2,
    "installer/steps/rollout.py": 1,
    "installer/ansible/command.py": 2,
    # Files of ours below the data, state and cache folders, which nobody else may enter.
    "bundles/make/drafts.py": 2,
    "bundles/read/store.py": 3,
    "foundation/hosts/ansible/ansible_process.py": 1,  # written under a limit of its size
    "foundation/hosts/openssh/hostkeys.py": 1,  # read by the bounded reader before it is written to
    "bundles/sources/wheels.py": 1,
    "installer/steps/playbook.py": 1,
    "installer/record/support_bundle.py": 1,  # the end of our own log
    "screens/shell/theme.py": 1,
    # Pieces whose length is known: a blob's place in a verified bundle, a bounded chart.
    "bundles/read/opened.py": 1,
    "bundles/read/folder.py": 1,
    "bundles/read/archive.py": 1,
    "bundles/manifests/chart_archive.py": 1,
}
"""Who reads a whole file without a bound, how often, and why that is no file from elsewhere."""


def test_every_reader_of_a_named_file_takes_the_bounded_way() -> None:
    found: Counter[str] = Counter()
    for floor in ("foundation", "preflight", "bundles", "installer", "screens"):
        for path in sorted((ROOT / floor).rglob("*.py")):
            where = str(path.relative_to(ROOT))
            # What runs on machines reads what was verified, and has no module of ours.
            if "/on_" in where or "/solutions/" in where or where.endswith("brought.py"):
                continue
            found[where] += len(WHOLE.findall(path.read_text("utf-8")))
    more = {where: count for where, count in found.items() if count > OWN.get(where, 0)}
    assert more == {}


PIECES = re.compile(r"\.open\((?:\"rb\"|encoding|mode=\"rb\")")
OWN_PIECES = {
    "bundles/manifests/chart_images.py": 1,  # a chart of the store, which was verified
    "bundles/sources/kustomize_charts.py": 1,
    "bundles/read/store.py": 2,
    "bundles/read/volumes.py": 1,  # just written
    "bundles/sources/renderers.py": 2,  # a program that this machine has
    "installer/supply/control_host_programs.py": 2,
    "foundation/hosts/ansible/ansible_process.py": 1,  # just written by what we started
    "foundation/hosts/local.py": 1,
    "foundation/secrets.py": 1,  # may be a pipe that a person made for it
    "installer/steps/record.py": 1,  # its kind was looked at
}
"""Who opens a file to read it piece by piece, how often, and why that is no file from elsewhere."""


def test_what_is_read_piece_by_piece_is_opened_as_an_ordinary_file() -> None:
    """A record that was copied here may hold a pipe in place of its journal."""
    found: Counter[str] = Counter()
    for floor in ("foundation", "preflight", "bundles", "installer", "screens"):
        for path in sorted((ROOT / floor).rglob("*.py")):
            where = str(path.relative_to(ROOT))
            if "/on_" in where or "/solutions/" in where or where.endswith("brought.py"):
                continue
            found[where] += len(PIECES.findall(path.read_text("utf-8")))
    more = {where: count for where, count in found.items() if count > OWN_PIECES.get(where, 0)}
    assert more == {}
