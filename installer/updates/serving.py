"""Serving the watcher: its listener, the loop that asks registries, what is kept on disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bundles.format.problems import SourceProblem
from bundles.format.reference import Reference
from bundles.read.signers import read_signers
from bundles.registries.credentials import read_logins
from bundles.registries.registry import Registries
from bundles.registries.web import Patience, Web
from bundles.serve.certificates import Identity
from bundles.serve.conversation import Bounds
from bundles.serve.events import ServeEvent, Tell, event
from bundles.serve.listener import Listener
from foundation.problems import InputProblem
from foundation.secrets import redact
from installer.supply.supplies import own_signers
from installer.updates.allowed import Allowed, Named, read_named
from installer.updates.asked import read_age, read_strategy
from installer.updates.lookup import Question
from installer.updates.memory import Memory, memory_file, read_memory, write_memory
from installer.updates.origins import BundleOrigin, Origin, read_bundle_origin
from installer.updates.registry_origin import PARALLEL, RegistryOrigin, Times
from installer.updates.review import Review, review
from installer.updates.running import Found
from installer.updates.watcher import Watcher

log = logging.getLogger(__name__)

PORT: Final = 4006
"""Upstream's."""
_SAVED: Final = 30.0
"""Seconds between two looks whether there is something to keep on disk."""
_PATIENCE: Final = Patience(
    attempts=3, first_pause=0.3, longest_pause=3.0, longest_wait=5.0, connect=8.0, silence=20.0
)
"""With registries: somebody waits, and what was said before is there."""
BOUNDS: Final = Bounds(body_seconds=30.0)


@dataclass(frozen=True, slots=True)
class Ways:
    """How registries are reached: which may be asked, in whose place, and where they may lead."""

    named: tuple[Named, ...]
    mirrors: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()
    plain_http: frozenset[str] = frozenset()
    times: Times = field(default_factory=Times)
    memory: Path | None = None
    """Where what they say is kept; None: the user's own place."""
    patience: Patience = _PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Where newer versions are looked for, and how far they may go, in words as a person types."""

    registries: Sequence[str] = ()
    """HOST[:PORT][/NAMESPACE] each; with no mirror either, Docker Hub."""
    mirrors: Sequence[str] = ()
    """REGISTRY=HOST[/PREFIX] each."""
    bundle: Path | None = None
    """Looked into in the place of any registry."""
    keys: Path | None = None
    """Who may have made it; without, this computer's own list, where there is one."""
    also: Sequence[str] = ()
    plain_http: Sequence[str] = ()
    fresh: str = "5m"
    strategy: str = "bugfix"
    prereleases: bool = False
    minimum_age: str = "0s"

    def usual(self) -> Question:
        """What a question means that does not say it; raises InputProblem."""
        return Question(
            Reference("", ""),
            read_strategy(self.strategy),
            self.prereleases,
            read_age(self.minimum_age),
        )

    def source(self) -> tuple[Ways | BundleOrigin, str]:
        """Who is asked, and what a person must know of it; raises InputProblem, BundleProblem."""
        if self.bundle is None:
            return self._ways(), ""
        others = {"registry": self.registries, "mirror": self.mirrors, "also": self.also,
                  "plain-http": self.plain_http}  # fmt: skip
        given = next((name for name, value in others.items() if value), None)
        if given is not None:
            raise InputProblem(
                "a bundle is looked into and no registry is asked",
                where=f"--bundle, --{given}",
                remedy="Leave one of the two out.",
            )
        return bundle_source(self.bundle, self.keys)

    def _ways(self) -> Ways:
        mirrors = tuple(_mirror(text) for text in self.mirrors)
        named = self.registries or [registry for registry, _ in mirrors] or ["docker.io"]
        return Ways(
            tuple(read_named(text) for text in named),
            mirrors,
            tuple(name.lower() for name in self.also),
            frozenset(self.plain_http),
            Times(fresh=read_age(self.fresh)),
        )


def bundle_source(path: Path, keys: Path | None) -> tuple[BundleOrigin, str]:
    """A bundle's images, signature first, and that nobody checked it where nobody did.

    `keys` says who may have made it; without, this computer's own list, where there is one.
    Raises InputProblem, BundleProblem.
    """
    listed = keys or own_signers()
    signers = read_signers(listed) if keys or listed.is_file() else ()
    note = "" if signers else (
        f"{path}: its signature is NOT checked: nobody is named who may have made it, neither by "
        f"--keys nor in {own_signers()}."
    )  # fmt: skip
    return read_bundle_origin(path, signers), note


def _mirror(text: str) -> tuple[str, str]:
    registry, found, mirror = text.partition("=")
    if not found or not registry or not mirror:
        raise InputProblem(
            f"{text!r} names no mirror",
            where="--mirror",
            remedy="Write it as REGISTRY=HOST[/PREFIX], such as docker.io=registry.site:5000.",
        )
    return registry, mirror


@asynccontextmanager
async def registry_origin(
    ways: Ways, *, tell: Callable[[SourceProblem], None] | None = None
) -> AsyncIterator[RegistryOrigin]:
    """Registries to be asked, with what is remembered of them; kept on disk at the end.

    Raises InputProblem for logins that cannot be read.
    """
    path = ways.memory or memory_file()
    memory = await asyncio.to_thread(read_memory, path)
    allowed = Allowed(ways.named, mirrors=[mirror for _, mirror in ways.mirrors], also=ways.also)
    mirrors: dict[str, list[str]] = {}
    for registry, mirror in ways.mirrors:
        mirrors.setdefault(registry, []).append(mirror)
    async with Web(patience=ways.patience, parallel=PARALLEL, may_ask=allowed.check_address) as web:
        registries = Registries(
            web, logins=read_logins(), mirrors=mirrors, plain_http=ways.plain_http
        )
        keeping = asyncio.create_task(_keep(memory, path))
        origin = RegistryOrigin(registries, allowed, memory, ways.times, tell=tell)
        try:
            yield origin
        finally:
            await origin.close()
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            if memory.changed:
                write_memory(memory, path)


async def reviewed(source: Ways | BundleOrigin, found: Found, usual: Question) -> Review:
    """What is newer than what runs, by registries or a bundle; raises BundleProblem."""
    if isinstance(source, BundleOrigin):
        return await review(source, found, usual)
    async with registry_origin(source) as origin:
        return await review(origin, found, usual)


async def _keep(memory: Memory, path: Path) -> None:
    while True:
        await asyncio.sleep(_SAVED)
        if memory.changed:
            write_memory(memory, path)


@dataclass(frozen=True, slots=True)
class Watching:
    """A watcher that answers."""

    base: str
    origin: str


@asynccontextmanager
async def serve_watcher(
    source: Ways | BundleOrigin,
    address: str,
    port: int,
    *,
    usual: Question,
    identity: Identity | None = None,
    tell: Tell | None = None,
    requests: bool = True,
    bounds: Bounds = BOUNDS,
) -> AsyncIterator[Watching]:
    """Answer at an address until the block ends; raises InputProblem where it cannot listen.

    `requests`: each of them is told too, which costs as much as a short answer itself.
    """
    loop = asyncio.get_running_loop()

    def told(news: ServeEvent) -> None:
        if tell is None or (news.kind == "request" and not requests):
            return
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, news)

    def failed(problem: SourceProblem) -> None:
        # A registry may say back what it was sent.
        told(event("failed", redact(f"{problem.where}: {problem.cause}")))

    async with AsyncExitStack() as stack:
        origin: Origin
        state: Callable[[], dict[str, Any]] = dict
        fresh = float("inf")
        if isinstance(source, Ways):
            registries = await stack.enter_async_context(registry_origin(source, tell=failed))
            origin, fresh = registries, source.times.fresh

            def registry_state() -> dict[str, Any]:
                counts = registries.counts
                return {
                    "registries": [str(one) for one in source.named],
                    "repositories": registries.remembered,
                    "questions": counts.asked,
                    "failures": counts.failed,
                }

            state = registry_state
        else:
            origin = source
        watcher = Watcher(origin, usual=usual, fresh=fresh, state=state)
        listener = Listener(
            address,
            port,
            context=identity.context() if identity else None,
            offer=watcher,
            tell=told,
            bounds=bounds,
        )
        listener.start()
        place = f"[{address}]" if ":" in address else address
        try:
            yield Watching(
                f"{'https' if identity else 'http'}://{place}:{listener.port}", origin.name
            )
        finally:
            await asyncio.shield(asyncio.to_thread(listener.close))
