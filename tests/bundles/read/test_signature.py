"""Signatures against the real ssh-keygen, in both directions."""

from __future__ import annotations

import base64
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundles.format.problems import SignatureProblem
from bundles.read.signature import NAMESPACE, fingerprint, load_signing_key, sign, verify
from bundles.read.signers import parse_signers, read_signers
from foundation.problems import InputProblem
from foundation.secrets import Secret
from tests.bundles.conftest import Keys
from tests.foundation.sshd import keygen

MESSAGE = b'{"an": "index"}\n'
NOW = datetime(2027, 1, 31, tzinfo=UTC)


def ssh_keygen_verifies(
    folder: Path, allowed: Path, message: bytes, signature: bytes
) -> subprocess.CompletedProcess[bytes]:
    (folder / "sig").write_bytes(signature)
    return subprocess.run(
        [
            *("ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "maker@example.org"),
            *("-n", NAMESPACE, "-s", folder / "sig"),
        ],
        input=message,
        capture_output=True,
        check=False,
    )


def test_ssh_keygen_accepts_our_signature_and_refuses_it_for_another_message(
    keys: Keys, tmp_path: Path
) -> None:
    signature = sign(MESSAGE, load_signing_key(keys.key))
    good = ssh_keygen_verifies(tmp_path, keys.allowed, MESSAGE, signature)
    assert good.returncode == 0, good.stderr
    assert b"Good" in good.stdout
    assert ssh_keygen_verifies(tmp_path, keys.allowed, b"other", signature).returncode != 0


@pytest.mark.parametrize("hash_name", ["sha512", "sha256"])
def test_we_accept_the_signature_of_ssh_keygen(keys: Keys, tmp_path: Path, hash_name: str) -> None:
    file = tmp_path / "index.json"
    file.write_bytes(MESSAGE)
    subprocess.run(
        [
            *("ssh-keygen", "-q", "-Y", "sign", "-f", keys.key, "-n", NAMESPACE),
            *("-O", f"hashalg={hash_name}", str(file)),
        ],
        check=True,
        capture_output=True,
    )
    signature = (tmp_path / "index.json.sig").read_bytes()
    assert verify(MESSAGE, signature, keys.signers, where="x").name == "maker@example.org"
    with pytest.raises(SignatureProblem, match="one of the two was changed"):
        verify(MESSAGE + b" ", signature, keys.signers, where="x")


def test_our_signature_is_byte_for_byte_that_of_ssh_keygen(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "index.json"
    file.write_bytes(MESSAGE)
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", keys.key, "-n", NAMESPACE, str(file)],
        check=True,
        capture_output=True,
    )
    ours = sign(MESSAGE, load_signing_key(keys.key))
    assert ours == (tmp_path / "index.json.sig").read_bytes()


def test_a_signature_for_another_purpose_is_refused(keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "index.json"
    file.write_bytes(MESSAGE)
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", keys.key, "-n", "git", str(file)],
        check=True,
        capture_output=True,
    )
    with pytest.raises(SignatureProblem, match="something else"):
        verify(MESSAGE, (tmp_path / "index.json.sig").read_bytes(), keys.signers, where="x")


def test_a_stranger_and_a_missing_signature_are_refused(keys: Keys, tmp_path: Path) -> None:
    stranger = sign(MESSAGE, load_signing_key(keygen(tmp_path / "stranger")))
    with pytest.raises(SignatureProblem, match="does not trust") as caught:
        verify(MESSAGE, stranger, keys.signers, where="x")
    assert caught.value.exit_code == 6
    shown = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "stranger.pub"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] in caught.value.cause
    with pytest.raises(SignatureProblem, match="no signature"):
        verify(MESSAGE, None, keys.signers, where="x")


def test_a_key_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    key = keygen(tmp_path / "locked", passphrase="open sesame")
    with pytest.raises(InputProblem, match="has a passphrase"):
        load_signing_key(key)
    with pytest.raises(InputProblem, match="passphrase is wrong"):
        load_signing_key(key, Secret("open barley"))
    assert sign(MESSAGE, load_signing_key(key, Secret("open sesame")))


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="Ed25519"):
        load_signing_key(keygen(tmp_path / "key", kind="ecdsa"))


def public_line(keys: Keys) -> str:
    return keys.key.with_suffix(".pub").read_text().strip()


def test_options_narrow_a_key_as_in_openssh(keys: Keys) -> None:
    public = public_line(keys)
    for options, counts in (
        ("", True),
        ('namespaces="git,sitewright-*" ', True),
        ('namespaces="git" ', False),
        ("cert-authority ", False),
        ('valid-after="20270101Z" ', True),
        ('valid-before="20270101Z" ', False),
        ('valid-before="20280101Z",namespaces="*" ', True),
    ):
        text = f"# keys\n\nmaker,other {options}{public}\n"
        if counts:
            (signer,) = parse_signers(text, where="x", now=NOW)
            assert signer.name == "maker,other"
            shown = base64.b64decode(public.split()[1])[-32:]
            assert signer.public_key == shown
            assert fingerprint(shown).startswith("SHA256:")
        else:
            with pytest.raises(InputProblem, match="may sign"):
                parse_signers(text, where="x", now=NOW)


@pytest.mark.parametrize(
    "line",
    ["maker", "maker ssh-ed25519 !!!", "maker ssh-ed25519 AAAA", "a b c ssh-ed25519 AAAA"],
)
def test_a_broken_line_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "allowed"
    file.write_text(f"# one\n{line}\n")
    with pytest.raises(InputProblem, match="line 2"):
        read_signers(file)


def test_an_option_that_is_not_understood_never_widens(keys: Keys) -> None:
    with pytest.raises(InputProblem, match="no option"):
        parse_signers(f"maker only-on-mondays {public_line(keys)}", where="x", now=NOW)
