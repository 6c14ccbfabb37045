"""OpenPGP keys of two persons, made once for the tests that seal and open a backup."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PASSPHRASE = "a passphrase of A. Name"


@dataclass(frozen=True)
class Keys:
    """A person's public and private key, a stranger's private one, and the passphrase of both."""

    public: Path
    private: Path
    strangers: Path
    passphrase: Path


def make_keys(folder: Path) -> Keys:
    """Make them with GnuPG."""
    passphrase = folder / "passphrase"
    passphrase.write_text(PASSPHRASE + "\n")
    passphrase.chmod(0o600)
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback",
               "--passphrase-file", str(passphrase)]  # fmt: skip

        def run(*words: str) -> bytes:
            return subprocess.run([*gpg, *words], check=True, capture_output=True).stdout

        for name in ("A. Name <a@bank.test>", "Some Body <s@elsewhere.test>"):
            run("--quick-gen-key", name, "future-default", "default", "0")
        for file, words in (
            ("a.asc", ("--export", "a@bank.test")),
            ("both.asc", ("--export",)),
            ("a.sec", ("--export-secret-keys", "a@bank.test")),
            ("s.sec", ("--export-secret-keys", "s@elsewhere.test")),
        ):
            (folder / file).write_bytes(run("--armor", *words))
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    return Keys(folder / "a.asc", folder / "a.sec", folder / "s.sec", passphrase)
