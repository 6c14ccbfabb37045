"""The way out of a site: its proxy, what is reached past it, its authorities; and their stage.

A site names them once (`proxy`, `no_proxy`, `authorities`); the plan gives them to every machine
before anything else, from the data in installer/common/way-out.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation import bounded_files
from foundation.problems import InputProblem

if TYPE_CHECKING:
    import ssl

    from installer.sites.site import Site
    from installer.steps.stage_files import Stage

FOLDER: Final = Path(__file__).resolve().parent.parent / "common" / "way-out"
STAGE: Final = "way-out"
WAY_OUT: Final = "way_out"
"""The word by which a stage hangs on whether the site names a way out."""

_MOST: Final = 512 * 1024
"""Bytes of a file of authorities; all public ones together have 220 kB."""
_ALWAYS: Final = ("localhost", "127.0.0.1", "::1", ".svc", ".cluster.local")


@dataclass(frozen=True, slots=True)
class WayOut:
    """What a site says of the way out, with its own machines and networks added."""

    proxy: str = ""
    no_proxy: tuple[str, ...] = ()
    authorities: str = ""
    """Certificates in PEM, one after the other and nothing else."""

    def __bool__(self) -> bool:
        return bool(self.proxy or self.authorities)

    def as_values(self) -> dict[str, str]:
        """What the templates of the stage may name."""
        listed = ",".join(self.no_proxy)
        told = "\0".join((self.proxy, listed, self.authorities, _scripts()))
        return {
            "proxy": self.proxy,
            "no_proxy": listed if self.proxy else "",
            "authorities": self.authorities,
            "stamp": hashlib.sha256(told.encode()).hexdigest(),
        }


def way_out_of(site: Site, base: Path, networks: Iterable[str] = ()) -> WayOut:
    """The way out of a site; `base` is its file's folder, `networks` those of its cluster.

    Raises InputProblem where the authorities cannot be read.
    """
    authorities = ""
    path = site.authorities_path(base)
    if path is not None:
        authorities = read_authorities(path)
    own = (*_ALWAYS, *(h.name for h in site.hosts), *(h.address for h in site.hosts), *networks)
    past = (*site.no_proxy, *own) if site.proxy else ()
    return WayOut(site.proxy or "", tuple(dict.fromkeys(past)), authorities)


def trusting(out: WayOut) -> ssl.SSLContext:
    """Whom to believe: this machine's authorities, and those of the site."""
    import ssl

    context = ssl.create_default_context()
    if out.authorities:
        context.load_verify_locations(cadata=out.authorities)
    return context


def networks_in(values: Iterable[object]) -> list[str]:
    """Those of some values that are networks in CIDR form."""
    found = []
    for value in values:
        for text in str(value).split(","):
            if "/" in text:
                try:
                    found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
                except ValueError:
                    continue
    return found


def read_authorities(path: Path) -> str:
    """The certificates of a PEM file; raises InputProblem that says what is wrong with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        data = bounded_files.read_bytes(path, _MOST)
    except OSError as error:
        raise _wrong(path, f"it cannot be read: {error.strerror}") from error
    if b"PRIVATE KEY" in data:
        raise _wrong(path, "there is a private key in it, which must not leave its machine")
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise _wrong(path, "there is no certificate in it that can be read") from error
    for one in certificates:
        if not _may_sign(one):
            name = one.subject.rfc4514_string()
            raise _wrong(path, f'"{name}" is the certificate of a server, not of an authority')
    # Written anew, so that nothing but certificates reaches a machine.
    return "".join(c.public_bytes(Encoding.PEM).decode() for c in certificates).strip()


def _may_sign(certificate: object) -> bool:
    from cryptography import x509

    assert isinstance(certificate, x509.Certificate)  # noqa: S101 - it was read as one
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        # Authorities of version 1 have no extensions, and issue themselves.
        return certificate.issuer == certificate.subject


def _wrong(path: Path, why: str) -> InputProblem:
    return InputProblem(
        f"the authorities of the site cannot be used: {why}",
        where=str(path),
        remedy="Name a file with the authorities' certificates in PEM (-----BEGIN CERTIFICATE…),"
        " as whoever runs the proxy gives them out.",
    )


@cache
def _scripts() -> str:
    return "".join(
        (FOLDER / name).read_text(encoding="utf-8") for name in ("stage.yaml", "set.sh", "unset.sh")
    )


@cache
def way_out_stage() -> Stage:
    """The stage that gives it to every machine, its scripts in their place."""
    from installer.steps.script import ScriptStep
    from installer.steps.stage_files import read_stage

    stage = read_stage(FOLDER / "stage.yaml")

    def with_script(name: str) -> str:
        return (FOLDER / name).read_text(encoding="utf-8")

    steps = tuple(
        step.model_copy(
            update={
                "script": with_script(step.script),
                "undo": step.undo.model_copy(update={"script": with_script(step.undo.script)}),
            }
        )
        for step in stage.steps
        if isinstance(step, ScriptStep) and step.undo is not None
    )
    return stage.model_copy(update={"steps": steps})


def after_way_out(stages: Sequence[Stage]) -> list[Stage]:
    """Stages that wait for the way out, which goes first."""
    waiting = [s.model_copy(update={"needs": (*s.needs, STAGE)}) for s in stages]
    return [way_out_stage(), *waiting]
