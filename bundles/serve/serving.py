"""`serve_bundle`: verify a bundle, then give it to the machines of a site until the end."""

from __future__ import annotations

import asyncio
import ipaddress
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from bundles.read.apt_index import AptTree
from bundles.read.opened import open_bundle
from bundles.read.signers import Signer
from bundles.read.structure import Structure
from bundles.read.verify import Progress, Verified, verify_open
from bundles.serve.answers import Offer
from bundles.serve.catalogue import Catalogue, offer_of
from bundles.serve.certificates import Identity, new_identity
from bundles.serve.conversation import Bounds, Kept
from bundles.serve.events import ServeEvent, Tell, event
from bundles.serve.listener import Listener
from bundles.serve.resources import Written
from bundles.serve.unchanged import Unchanged
from foundation.problems import InputProblem

LIFETIME: Final = timedelta(days=7)
"""How long a certificate made at the start is good, and so the longest time of serving."""


@dataclass(frozen=True, slots=True)
class Served:
    """What machines need to know of a bundle that is being served."""

    base: str
    """https://ADDRESS:PORT"""
    registry: str
    """ADDRESS:PORT of the registry, which also answers as a mirror of every registry below."""
    registries: tuple[str, ...]
    """The registries whose images it has."""
    apt: str
    """The apt source, or "" where the bundle has no packages; and so for those that follow."""
    suites: tuple[str, ...]
    archive_key: bytes
    """The public key of the apt source, for a file of Signed-By that ends in .gpg."""
    charts: str
    git: str
    files: str
    wheels: str
    snaps: str
    ca: str
    """The authority to trust, PEM; "" over plain HTTP."""
    verified: Verified


@asynccontextmanager
async def serve_bundle(
    bundle: Path,
    address: str,
    port: int,
    *,
    tls: Identity | bool = True,
    names: Sequence[str] = (),
    signers: Sequence[Signer] = (),
    lifetime: timedelta = LIFETIME,
    tell: Tell | None = None,
    progress: Progress | None = None,
    bounds: Bounds | None = None,
    accept: Callable[[Verified], None] | None = None,
) -> AsyncIterator[Served]:
    """Verify a bundle, signature first, and serve it; raises BundleProblem, InputProblem.

    `tls`: True makes an authority and a certificate, False is plain HTTP. `names` are further
    names and addresses under which machines reach it; the first one is used in the addresses.
    `tell` is called in the event loop. `accept` may refuse what was verified, by raising, before
    anything listens. Port 0 takes any free port.
    """
    reached = _reached(address, names)
    loop = asyncio.get_running_loop()

    def told(news: ServeEvent) -> None:
        if tell is not None and not loop.is_closed():
            loop.call_soon_threadsafe(tell, news)

    with ExitStack() as stack:
        opened = stack.enter_context(open_bundle(bundle))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sitewright-serve-")))
        # What the files look like is noted before they are read, so nothing slips in between.
        unchanged = await asyncio.to_thread(Unchanged, opened)
        verified = await asyncio.to_thread(verify_open, opened, signers, progress=progress)
        if accept is not None:
            accept(verified)
        catalogue = await asyncio.to_thread(Catalogue, opened, verified.structure)
        offer, source = await offer_of(catalogue, folder)
        identity = new_identity([*reached], lifetime) if tls is True else tls or None
        listener = Listener(
            address,
            port,
            context=identity.context() if identity else None,
            offer=offer,
            kept=Kept(opened, unchanged),
            tell=told,
            bounds=bounds,
        )
        served = _served(reached[0], listener.port, verified, offer, source, identity)
        front = _front_page(served, verified.structure)
        offer.table = {**offer.table, "": Written(front.encode())}
        listener.start()
        told(event("serving", f"{bundle} at {served.base}"))
        try:
            yield served
        finally:
            await asyncio.shield(asyncio.to_thread(listener.close))
            told(event("ended", f"{bundle} is not served any more"))
            # What was told from the threads is heard before the caller goes on.
            await asyncio.sleep(0)


def _reached(address: str, names: Sequence[str]) -> tuple[str, ...]:
    try:
        found = ipaddress.ip_address(address)
    except ValueError as error:
        raise InputProblem(
            f"{address!r} is no address of a machine",
            where="address",
            remedy="Name the address of this machine that the machines of the site reach, such "
            "as 10.10.0.1.",
        ) from error
    if found.is_unspecified and not names:
        raise InputProblem(
            "machines must know one address or name to reach it",
            where=address,
            remedy="Add --name ADDRESS with one that they reach, or listen on that address.",
        )
    own = () if found.is_unspecified else (address,)
    return tuple(dict.fromkeys([*names, *own]))


def _served(
    name: str,
    port: int,
    verified: Verified,
    offer: Offer,
    source: AptTree | None,
    identity: Identity | None,
) -> Served:
    place = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    base = f"{'https' if identity else 'http'}://{place}"
    index = verified.structure.index

    def has(kind: str, path: str) -> str:
        return f"{base}/{path}" if index.of_kind(kind) else ""

    return Served(
        base=base,
        registry=place,
        registries=offer.registry.registries,
        apt=has("deb", "apt"),
        suites=source.releases if source else (),
        archive_key=source.keyring if source else b"",
        charts=has("chart", "charts"),
        git=has("git", "git"),
        files=has("file", "files"),
        wheels=has("wheel", "simple"),
        snaps=has("snap", "snaps"),
        ca=identity.authority if identity else "",
        verified=verified,
    )


def _front_page(served: Served, structure: Structure) -> str:
    index = structure.index
    lines = [
        f"The bundle of {index.solution} {index.version} ({index.environment}), read-only.",
        "",
        f"index      {structure.index_digest}",
        f"images     {served.registry} ({', '.join(served.registries) or 'none'})",
        f"packages   {served.apt or 'none'} {' '.join(served.suites)}".rstrip(),
        f"charts     {served.charts or 'none'}",
        f"Git        {served.git + '/NAME.git' if served.git else 'none'}",
        f"Python     {served.wheels or 'none'}",
        f"files      {served.files or 'none'}",
        f"snaps      {served.snaps or 'none'}",
        f"contents   {served.base}/bundle/contents.txt",
    ]
    return "\n".join(lines) + "\n"
