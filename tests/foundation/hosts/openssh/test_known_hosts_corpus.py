"""Lines of known_hosts in every odd form, each held against what `ssh-keygen -l -F` reads in it."""

from __future__ import annotations

import base64
import hmac
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import asyncssh
import pytest

from foundation.hosts.openssh.trusted import TrustedKeys, fingerprint, public_line

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no OpenSSH to ask"),
]

# {k} and {o} are keys, {b} the base64 of the first; {h:NAME} is a hashed name.
CORPUS = (
    # names, ports, patterns
    ("n1 {k}", "n1", 22), ("N1 {k}", "n1", 22), ("n1 {k}", "N1", 22), ("[n1]:22 {k}", "n1", 22),
    ("n1:2222 {k}", "n1", 2222), ("[n1] {k}", "n1", 22), ("n1. {k}", "n1", 22),
    ("n1 {k}", "n1.", 22), ("*,!n1 {k}", "n1", 22), ("!n1 {k}", "n1", 22),
    ("n1,!n1 {k}", "n1", 22), ("n[1] {k}", "n1", 22), (r"n\1 {k}", "n1", 22),
    ("n** {k}", "n1", 22), ("?? {k}", "n1", 22), ("* {k}", "n1", 2222),
    ("[*]:2222 {k}", "n1", 2222), ("n1,,n2 {k}", "n1", 22), ("n1 ,n2 {k}", "n1", 22),
    ("10.0.0.0/24 {k}", "10.0.0.1", 22), ("::1 {k}", "::1", 22), ("[::1]:2222 {k}", "::1", 2222),
    ("0:0:0:0:0:0:0:1 {k}", "::1", 22), ("FE80::1%eth0 {k}", "fe80::1%eth0", 22),
    ("m\u00fcnchen {k}", "m\u00fcnchen", 22), ("M\u00dcNCHEN {k}", "m\u00fcnchen", 22),
    ("m?nchen {k}", "m\u00fcnchen", 22), ("m??nchen {k}", "m\u00fcnchen", 22),
    ("\u212a1 {k}", "k1", 22), ("k1 {k}", "\u212a1", 22),
    # hashes
    ("{h:n1} {k}", "n1", 22), ("{h:N1} {k}", "n1", 22), ("{h:n1},n2 {k}", "n2", 22),
    ("n2,{h:n1} {k}", "n1", 22), ("|1|x|y {k}", "n1", 22), ("|2|x|y {k}", "n1", 22),
    ("{h:[n1]:2222} {k}", "n1", 2222), ("{h:[n1]:22} {k}", "n1", 22), ("#{h:n1} {k}", "n1", 22),
    # markers
    ("@revoked n1 {k}", "n1", 22), ("@revoked  n1 {k}", "n1", 22), ("@REVOKED n1 {k}", "n1", 22),
    ("@revoked,@cert-authority n1 {k}", "n1", 22), ("@revoked @cert-authority n1 {k}", "n1", 22),
    ("@revoked @revoked n1 {k}", "n1", 22), (" \t@revoked n1 {k}", "n1", 22),
    ("@revoked * {k}", "n1", 2222), ("@revoked n1 {k}", "n1", 2222),
    ("@revoked *,!n1 {k}", "n1", 22), ("@revoked [n1]:* {k}", "n1", 2222),
    ("@revoked {h:n1} {k}", "n1", 22), ("@revoked n1 {k}\0junk", "n1", 22),
    ("@revoked n1", "n1", 22), ("@revoked {k}", "n1", 22), ("@revoked #n1 {k}", "n1", 22),
    ("@ n1 {k}", "n1", 22), ("@cert-authority n1 {k}", "n1", 22),
    ("@cert-authority  n1 {k}", "n1", 22), ("@cert-authority *,!n1 {k}", "n1", 22),
    ("@cert-authority * {k}\n@revoked * {k}", "n1", 22),
    # what is behind the names
    ("n1 {k} comment # more", "n1", 22), ("n1 # {k}", "n1", 22), ("n1 256 65537 999", "n1", 22),
    ('n1 "{k}"', "n1", 22), ("n1 {k}==", "n1", 22), ("n1 ssh-rsa {b}", "n1", 22),
    ("n1 Ssh-Ed25519 {b}", "n1", 22), ("n1  {k}", "n1", 22), ("n1 ssh-ed25519  {b}", "n1", 22),
    ("n1 ssh-ed25519\t{b}", "n1", 22), ("n1 ssh-ed25519", "n1", 22), ("n1", "n1", 22),
    ("n1 no-pty {k}", "n1", 22), ('n1 zone="a b" {k}', "n1", 22), ("*{k}", "n1", 22),
    # ends of lines, and several of them
    ("n1 {k}\r", "n1", 22), ("n1 {o}\r\nn1 {k}\r", "n1", 22), ("n1 {o}\rn1 {k}", "n1", 22),
    ("n1 {o}\nn1 {k}", "n1", 22), ("\ufeffn1 {k}", "n1", 22), ("x\0\nn1 {k}", "n1", 22),
    ("n1 {k}\0junk", "n1", 22), ("n1 {k}" + " x" * 5000, "n1", 22),
    (",".join(f"h{number}" for number in range(3000)) + ",n1 {k}", "n1", 22),
)  # fmt: skip


@cache
def keys() -> tuple[str, str]:
    made = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    return public_line(made[0]), public_line(made[1])


def hashed(found: re.Match[str]) -> str:
    parts = b"0" * 20, hmac.digest(b"0" * 20, found[1].encode(), "sha1")
    return "|1|" + "|".join(base64.b64encode(part).decode() for part in parts)


def read_by_ssh_keygen(file: Path, name: str) -> set[tuple[str, str]]:
    """The keys that OpenSSH reads there for a name, each with its marker."""
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-F", name, "-f", str(file)], capture_output=True, check=False
    ).stdout.decode("utf-8", "replace")
    found = set()
    marker = ""
    for line in shown.splitlines():
        if line.startswith("# Host "):
            marker = next((word for word in ("REVOKED", "CA") if line.endswith(word)), "")
        elif key := re.search(r"SHA256:\S+", line):
            found.add((marker, key[0]))
    return found


def as_ssh_asks(file: Path, name: str, port: int) -> set[tuple[str, str]]:
    """What `ssh` goes by: the name with its port, and without it where that has no line."""
    # ssh lowers the letters of ASCII in a name before it looks for it.
    bare = "".join(chr(ord(sign) + 32) if "A" <= sign <= "Z" else sign for sign in name)
    if port == 22:
        return read_by_ssh_keygen(file, bare)
    own, elsewhere = read_by_ssh_keygen(file, f"[{bare}]:{port}"), read_by_ssh_keygen(file, bare)
    no_line = all(marker == "REVOKED" for marker, _ in own)
    return own | {one for one in elsewhere if no_line or one[0] == "REVOKED"}


@pytest.mark.parametrize("end", ["\n", ""], ids=["with its end", "without an end"])
@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_a_line_says_what_openssh_reads_in_it(tmp_path: Path, number: int, end: str) -> None:
    line, name, port = CORPUS[number]
    first, second = keys()
    text = re.sub(r"\{h:([^}]+)\}", hashed, line).replace("{b}", first.split()[1])
    file = tmp_path / "kh"
    file.write_bytes((text.replace("{k}", first).replace("{o}", second) + end).encode())
    known = TrustedKeys([file]).known(name, "", port)
    marked = (
        ("", (*known.keys, *known.without_port)),
        ("CA", known.authorities),
        ("REVOKED", known.revoked),
    )
    ours = {(marker, fingerprint(key)) for marker, held in marked for key in held}
    assert ours == as_ssh_asks(file, name, port), line[:80]


def test_files_count_one_after_another_and_a_revoked_key_in_any(tmp_path: Path) -> None:
    first, second = keys()
    for number, line in enumerate((f"n1 {first}", f"n1 {second}", f"@revoked * {second}")):
        (tmp_path / str(number)).write_text(line)
    known = TrustedKeys([tmp_path / str(number) for number in range(3)]).known("n1", "", 22)
    assert [public_line(key) for key in known.keys] == [first, second]
    assert [public_line(key) for key in known.revoked] == [second]
