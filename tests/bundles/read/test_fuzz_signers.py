"""Lists of signers of any shape: keys that count, or lines that are told; never another error."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.read.signers import parse_signers
from foundation.problems import Problem
from foundation.terminal import visible

EXAMPLES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 100
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
NOW = datetime(2027, 1, 31, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJV9S3tQcx3PJdbNmhCFnkxCWdxpCSrUPL6DqvhsdCLZ"
PARTS = st.sampled_from(
    ["maker@example.org", "*", "a,b", "!x,*", '"quoted name"', "cert-authority", 'namespaces="x"',
     'namespaces="sitewright-bundle"', 'valid-after="20260101"', 'valid-before="20990101Z"', KEY,
     'valid-before="x"', "ssh-rsa AAAA", "#", '"', "\\", "\t", "", "ssh-ed25519", "=", ",", "\x00",
     "valid-after=20260101", 'namespaces="file",', "\u202e", "AAAA===="]
) | st.text(max_size=8)  # fmt: skip
LINES = st.lists(st.lists(PARTS, max_size=6).map(" ".join), max_size=6).map("\n".join)


@BOUNDED
@given(LINES)
def test_any_list_of_signers_is_read_or_refused(text: str) -> None:
    told: list[str] = []
    try:
        found = parse_signers(text, where="signers", now=NOW, told=told.append)
    except Problem:
        return
    for signer in found:
        assert len(signer.public_key) == 32
        assert signer.name.isprintable()
    assert all(line == visible(line) for line in told)


@BOUNDED
@given(st.text(max_size=60), st.integers(0, 120))
def test_any_damage_to_a_line_gives_no_other_key(piece: str, at: int) -> None:
    line = f'maker@example.org namespaces="sitewright-bundle" {KEY}'
    at %= len(line)
    damaged = line[:at] + piece + line[at + len(piece) :]
    (own,) = parse_signers(line, where="x", now=NOW)
    try:
        found = parse_signers(damaged, where="x", now=NOW)
    except Problem:
        return
    # A key can only come whole out of the line that was damaged, or out of what was put in.
    assert all(one.public_key == own.public_key or at > 48 for one in found)
