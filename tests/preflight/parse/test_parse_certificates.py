"""Certificates from the text of a probe: real ones, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from preflight.facts import Certificate, Unknown
from preflight.parse.certificates import parse_certificates
from tests.preflight.probe_answers import answer_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
CLOCK = f"{NOW.timestamp():.0f}.000000000"
FOLDER = "/var/snap/microk8s/current/certs"


def made(ends: datetime) -> str:
    """A certificate that ends then, as a file holds it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "m1")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(ends - timedelta(days=365)).not_valid_after(ends)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def shown(path: str, text: str) -> str:
    """A file as the probe shows it."""
    return "\n".join(f"{path}:{line}" for line in text.splitlines())


@pytest.mark.parametrize(("left", "days"), [(8, 8), (0.5, 0), (-0.5, -1), (-400, -400)])
def test_days_are_whole_and_by_the_machine_s_own_clock(left: float, days: int) -> None:
    ends = NOW + timedelta(days=left)
    text = shown(f"{FOLDER}/server.crt", made(ends))
    told = parse_certificates(answer_of({"clock": CLOCK, "certificates": text}))
    assert told == (Certificate(f"{FOLDER}/server.crt", ends.isoformat(), days),)


def test_what_is_no_certificate_is_told_as_unknown_beside_those_that_are() -> None:
    text = shown(f"{FOLDER}/a.crt", "-----BEGIN CERTIFICATE-----\n====\n") + "\n"
    text += shown(f"{FOLDER}/b.crt", made(NOW + timedelta(days=9)))
    told = parse_certificates(answer_of({"certificates": text}))
    assert isinstance(told, tuple)
    assert [type(one.ends) for one in told] == [Unknown, str]
    assert all(isinstance(one.days, Unknown) for one in told)  # nobody told the time


def test_without_root_it_is_unknown_and_without_any_it_is_none() -> None:
    cut = answer_of({"certificates": ""}, statuses={"certificates": "needs-root"})
    assert parse_certificates(cut) == Unknown("needs root")
    assert parse_certificates(answer_of({"certificates": ""})) == ()
    assert isinstance(parse_certificates(answer_of({"login": "uid=0"})), Unknown)
