"""The first look at a bundle, with a shell alone: the page's own commands cannot be deceived."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bundles.format.layout import INSTALL_NAME
from tests.bundles.conftest import Keys
from tests.bundles.made import Made

PAGE = Path(__file__).parents[3] / "docs/bundles.md"
SCRIPT = b"#!/bin/sh\necho it begins\n"
OTHER = b"#!/bin/sh\necho another file of the bundle\n"


@pytest.fixture
def bundle(tmp_path: Path, keys: Keys) -> Path:
    """A signed bundle with an install.sh and another script, beside the file of signers."""
    made = Made(tmp_path / "bundle")
    made.artifact("record", INSTALL_NAME, (INSTALL_NAME, SCRIPT))
    made.artifact("file", "tool.sh", ("tool.sh", OTHER))
    folder = made.write(keys.key)
    (folder / INSTALL_NAME).write_bytes(SCRIPT)
    (tmp_path / "signers").write_bytes(keys.allowed.read_bytes())
    return folder


def commands() -> list[str]:
    """The two commands of the page, as they stand there."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^    ((?:ssh-keygen -Y verify|grep -A 4) .*)$", text, re.MULTILINE)
    assert len(found) == 2
    return [str(one) for one in found]


def looks_good(bundle: Path) -> bool:
    """Whether a person who follows the page would go on."""
    verify, compare = (
        subprocess.run(["sh", "-c", one], cwd=bundle, capture_output=True, text=True, check=False)
        for one in commands()
    )
    good = verify.returncode == 0 and verify.stdout.startswith('Good "sitewright-bundle" signature')
    return good and INSTALL_NAME in compare.stdout


def test_a_bundle_of_its_maker_looks_good(bundle: Path) -> None:
    assert looks_good(bundle)


@pytest.mark.parametrize(
    "script", [b"#!/bin/sh\necho Signature: good\n", b"", OTHER, SCRIPT + b" "]
)
def test_no_other_script_looks_good(bundle: Path, script: bytes) -> None:
    """Not even one that the maker signed as something else."""
    (bundle / INSTALL_NAME).write_bytes(script)
    assert not looks_good(bundle)


def test_no_other_index_looks_good(bundle: Path, tmp_path: Path, keys: Keys) -> None:
    index = bundle / "index.json"
    index.write_bytes(index.read_bytes().replace(b"test", b"text"))
    assert not looks_good(bundle)
    from tests.foundation.sshd import keygen

    forged = Made(tmp_path / "forged")
    forged.artifact("record", INSTALL_NAME, (INSTALL_NAME, OTHER))
    folder = forged.write(keygen(tmp_path / "stranger"))
    (folder / INSTALL_NAME).write_bytes(OTHER)
    assert not looks_good(folder)


def test_the_script_asks_this_machine_s_own_list_as_well(
    bundle: Path, tmp_path: Path, keys: Keys
) -> None:
    """Where both are there, both must have the maker; the bundle is too small to be installed."""
    import os

    from bundles.sources.sitewright import _SCRIPT
    from tests.foundation.sshd import keygen

    (bundle / INSTALL_NAME).write_bytes(_SCRIPT.read_bytes())
    own = tmp_path / "config/sitewright/allowed_signers"
    own.parent.mkdir(parents=True)
    environment = {
        **os.environ,
        "SITEWRIGHT_KEYS": str(tmp_path / "signers"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }

    def said() -> tuple[int, str]:
        done = subprocess.run(
            ["sh", bundle / INSTALL_NAME], env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    status, words = said()
    assert (status, "good, by maker@example.org" in words) == (1, True)
    other = keygen(tmp_path / "other").with_suffix(".pub").read_text()
    own.write_text(f"other {other}")
    status, words = said()
    assert status == 6
    assert str(own) in words
    own.write_text(f"other {other}{keys.allowed.read_text()}")
    status, words = said()
    assert (status, words.count("good, by")) == (1, 2)
