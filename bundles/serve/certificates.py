"""Who the server is: a certificate and the authority that machines are told to trust.

Unless files are given, both are made at the start. The authority signs one certificate, and then
its private key is gone: nobody can make another one that the machines of the site would take.
"""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundles.format import budgets
from foundation import bounded_files
from foundation.paths import write_whole
from foundation.problems import InputProblem
from foundation.secrets import Secret

if TYPE_CHECKING:
    from cryptography import x509

CERTIFICATE_NAME: Final = "certificate.pem"
KEY_NAME: Final = "key.pem"
AUTHORITY_NAME: Final = "ca.pem"
_BEFORE: Final = timedelta(days=2)
"""How far behind the clock of a machine may be."""
_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, and the authority as PEM: what machines are given to trust."""

    certificate: str
    key: Secret
    authority: str

    def context(self) -> ssl.SSLContext:
        """The settings of a server that is this; raises InputProblem if they do not fit."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # The ssl module reads certificates from files alone.
        with tempfile.TemporaryDirectory(prefix="sitewright-") as name:
            chain, key = Path(name, CERTIFICATE_NAME), Path(name, KEY_NAME)
            write_whole(chain, self.certificate)
            write_whole(key, self.key.reveal())
            try:
                context.load_cert_chain(chain, key, password=lambda: "")
            except (ssl.SSLError, ValueError) as error:
                raise InputProblem(
                    "the certificate and the key cannot be used together, or the key has a "
                    "passphrase",
                    where="certificate",
                    remedy="Give the certificate (with its chain) and its own key, both as PEM, "
                    "the key without a passphrase.",
                ) from error
        return context


def new_identity(
    names: Sequence[str], lifetime: timedelta, *, now: datetime | None = None
) -> Identity:
    """An authority and a certificate for addresses or names of hosts, valid for a lifetime."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = now or datetime.now(UTC)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    # A name of its own each time, since programs look authorities up by their names.
    number = x509.random_serial_number()
    issuer = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, f"Sitewright bundle authority {number:040x}"[:64])]
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sitewright bundle")])

    def begin(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BEFORE)
            .not_valid_after(now + lifetime + _AFTER)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
                critical=False,
            )
        )

    def usage(*, signs_certificates: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not signs_certificates,
            key_cert_sign=signs_certificates,
            crl_sign=signs_certificates,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )

    authority = (
        begin(issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .sign(authority_key, SHA256())
    )
    certificate = (
        begin(subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
        .sign(authority_key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Identity(
        certificate=certificate.public_bytes(Encoding.PEM).decode(),
        key=Secret(private.decode()),
        authority=authority.public_bytes(Encoding.PEM).decode(),
    )


def load_identity(certificate: Path, key: Path, authority: Path | None = None) -> Identity:
    """An identity of the site's own: PEM files; raises InputProblem.

    `authority` is what machines trust; without, the certificate itself (self-signed).
    """
    from foundation.secrets import secret_from_file

    texts = []
    for path in (certificate, authority or certificate):
        try:
            texts.append(bounded_files.read_text(path, budgets.LOGIN_FILE_BYTES, encoding="ascii"))
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no PEM file"
            raise InputProblem(f"it cannot be read: {reason}", where=str(path)) from error
    identity = Identity(texts[0], secret_from_file(key, whole=True), texts[1])
    identity.context()
    return identity


def fingerprint(pem: str) -> str:
    """The SHA-256 fingerprint of the first certificate, as `openssl x509 -fingerprint` shows it."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        digest = x509.load_pem_x509_certificate(pem.encode()).fingerprint(SHA256())
    except ValueError as error:
        raise InputProblem("this is no certificate in PEM", where="certificate") from error
    return ":".join(f"{byte:02X}" for byte in digest)


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
