"""Images of registries: asked once for many who ask, seldom, and remembered where they fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from bundles.format.problems import (
    BundleProblem,
    Limited,
    NoConnection,
    NotGiven,
    NoToken,
    SourceProblem,
)
from bundles.format.reference import Reference
from bundles.registries.registry import Endpoint, Registries
from bundles.registries.tags import digest_at, digests_below, list_tags, made_at
from bundles.registries.web_answers import reason
from foundation.moments import steady
from foundation.problems import Problem
from foundation.wording import duration
from installer.updates.allowed import Allowed
from installer.updates.memory import Memory, Remembered
from installer.updates.origins import Age, Listing

Result = TypeVar("Result")

QUESTION_SECONDS: Final = 75.0
"""For one question to a registry, with its waits and all that it takes again."""
FAILED: Final = 30.0
"""Seconds for which a repository that failed is not asked for again, however often it is wanted."""
LONGEST_PAUSE: Final = 3600.0
"""Seconds for which a registry that limits is left alone, whatever it says."""
PARALLEL: Final = 8
WAITING: Final = 2_000
"""Questions that may wait for their turn, or be asked; further ones are refused at once."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long what was said counts; seconds."""

    fresh: float = 300.0
    """After which a registry is asked again."""
    kept: float = 7 * 86400.0
    """For which an old list still answers where the registry does not."""


@dataclass(slots=True)
class Counts:
    """What was asked of registries, for whoever watches the watcher."""

    asked: int = 0
    failed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class _Failure:
    problem: SourceProblem
    until: float


class Unanswered(SourceProblem):
    """A registry that does not answer, or says what cannot be right."""

    code = "registry-unanswered"
    title = "A registry does not say it"
    default_remedy = "Mend the cause, or ask again later; what was said before is remembered."


class Crowded(Unanswered):
    """So many questions wait for registries that this one is not put to them."""

    code = "registry-crowded"


class RegistryOrigin:
    """What registries say; only for use within one event loop."""

    def __init__(
        self,
        registries: Registries,
        allowed: Allowed,
        memory: Memory,
        times: Times | None = None,
        *,
        clock: Callable[[], float] = time.time,
        pauses: Callable[[], float] = steady,
        tell: Callable[[SourceProblem], None] | None = None,
    ) -> None:
        self._registries = registries
        self._allowed = allowed
        self._memory = memory
        self.times = times or Times()
        self._clock, self._steady = clock, pauses
        self._tell = tell
        self.counts = Counts()
        self._turns = asyncio.Semaphore(PARALLEL)
        self._waiting = 0
        self._running: dict[tuple[str, ...], asyncio.Task[Any]] = {}
        self._failures: dict[tuple[str, ...], _Failure] = {}
        self._paused: dict[str, _Failure] = {}

    @property
    def name(self) -> str:
        """The registries that may be asked."""
        return ", ".join(map(str, self._allowed.named))

    @property
    def remembered(self) -> int:
        """Repositories that something is known of."""
        return len(self._memory)

    def _endpoint(self, image: Reference) -> Endpoint:
        # Whoever names a mirror means that this is what is asked: a site without the internet would
        # wait for the registry itself each time.
        return self._registries.endpoints(image.registry)[0]

    def _key(self, image: Reference) -> str:
        return self._endpoint(image).url(image.repository)

    def _kept(self, image: Reference) -> Remembered:
        key = self._key(image)
        found = self._memory.find(key)
        if found is None:
            found = Remembered()
        return found

    def _is_fresh(self, asked: float) -> bool:
        return 0 <= self._clock() - asked < self.times.fresh

    async def listing(self, image: Reference) -> Listing:
        """The tags, asked for again where they are not fresh; old ones where that fails."""
        self._allowed.check(image)
        kept = self._kept(image)
        note = ""
        if not self._is_fresh(kept.asked):
            try:
                await self._once(("tags", self._key(image)), lambda: self._list(image))
                kept = self._kept(image)
            except NotGiven:
                raise
            except SourceProblem as problem:
                age = self._clock() - kept.asked
                if not kept.asked or age > self.times.kept:
                    raise
                note = (
                    f"the list of tags is {duration(max(age, 0.0))} old, for now the "
                    f"registry does not give it: {problem.cause}"
                )
        return Listing(frozenset(kept.tags), kept.sorted(), kept.asked, note)

    async def _list(self, image: Reference) -> None:
        kept = self._kept(image)
        listed = await list_tags(
            self._registries, self._endpoint(image), image.repository, etag=kept.etag
        )
        now = self._clock()
        kept = self._memory.find(self._key(image)) or kept
        if listed is None:
            self.counts.unchanged += 1
            kept.asked = now
        else:
            kept.listed(listed.tags, listed.etag, listed.refused, now)
        self._memory.keep(self._key(image), kept)

    async def digest(self, image: Reference, tag: str) -> str | None:
        """The digest of a tag, asked for again where it is not fresh."""
        self._allowed.check(image)
        kept = self._kept(image)
        known = kept.known(tag)
        if known is not None and self._is_fresh(known[1]):
            return known[0]

        async def ask() -> str | None:
            found = await digest_at(self._registries, self._endpoint(image), image.repository, tag)
            # A registry that says a digest and has it not leads to a pull that fails.
            if found is not None and (known is None or known[0] != found):
                there = await digest_at(
                    self._registries, self._endpoint(image), image.repository, found
                )
                found = found if there == found else None
            # Asked for anew: others may have learned something of it meanwhile.
            now = self._kept(image)
            now.leads(tag, found, self._clock())
            self._memory.keep(self._key(image), now)
            return found

        try:
            return await self._once(("digest", self._key(image), tag), ask)
        except NotGiven:
            raise
        except SourceProblem:
            # Only beside an old list, whose note is told.
            noted = not self._is_fresh(self._kept(image).asked)
            if known is None or not noted or self._clock() - known[1] > self.times.kept:
                raise
            return known[0]

    async def includes(self, image: Reference, tag: str, digest: str) -> bool:
        """Whether a digest is one of a tag's platforms."""
        self._allowed.check(image)
        found = await self.digest(image, tag)
        if found is None:
            return False
        place = Reference(image.registry, image.repository, None, found)
        below = await self._once(
            ("below", self._key(image), found),
            lambda: digests_below(self._registries, self._endpoint(image), place),
        )
        return digest in below

    async def age(self, image: Reference, tag: str) -> Age:
        """By the image's own word; where it says nothing, since it was first seen here.

        The latter is the way out for builders that write no time: without it a minimum age would
        never be reached. It counts for the bytes, so that a tag that moved begins anew.
        """
        self._allowed.check(image)
        digest = await self.digest(image, tag)
        kept = self._kept(image)
        now = self._clock()
        since = kept.met.get(digest or "", now)
        seen = Age(max(0.0, now - since), "when it was first seen here")
        if digest is None:
            return seen
        if digest not in kept.made:
            place = Reference(image.registry, image.repository, None, digest)
            found = await self._once(
                ("made", self._key(image), digest),
                lambda: made_at(self._registries, self._endpoint(image), place),
            )
            kept = self._kept(image)
            kept.made[digest] = found.timestamp() if found else None
            self._memory.keep(self._key(image), kept)
        made = kept.made[digest]
        if made is None or made > self._clock():
            return seen
        return Age(self._clock() - made, "when it was made, by its own word")

    async def _once(
        self, key: tuple[str, ...], ask: Callable[[], Coroutine[Any, Any, Result]]
    ) -> Result:
        """An answer that is asked for once, for however many who want it at the same time."""
        running = self._running.get(key)
        if running is None:
            self._check_failed(key)
            if self._waiting >= WAITING:
                raise Crowded("so many questions wait for registries that this one is not asked")
            running = asyncio.create_task(self._in_turn(key, ask))
            self._running[key] = running
            running.add_done_callback(lambda task: self._ended(key, task))
        # One who goes away does not end what others wait for.
        result: Result = await asyncio.shield(running)
        return result

    def _ended(self, key: tuple[str, ...], task: asyncio.Task[Any]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits for it any more

    async def close(self) -> None:
        """Give up whatever is still being asked."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _check_failed(self, key: tuple[str, ...]) -> None:
        for failure in (self._failures.get(key), self._paused.get(_host(key))):
            if failure is not None and self._steady() < failure.until:
                # Without where it was raised before, which would grow with each time.
                raise failure.problem.with_traceback(None)

    async def _in_turn(self, key: tuple[str, ...], ask: Callable[[], Awaitable[Result]]) -> Result:
        self._waiting += 1
        try:
            async with self._turns:
                # Others may have learned meanwhile that nobody answers there.
                self._check_failed(key)
                self.counts.asked += 1
                async with asyncio.timeout(QUESTION_SECONDS):
                    return await ask()
        except TimeoutError:
            seconds = f"{QUESTION_SECONDS:.0f} seconds"
            problem = Unanswered(f"the registry gives no answer within {seconds}", where=key[1])
            raise self._failed(key, problem, whole=FAILED) from None
        except Limited as error:
            self._failed(key, error, whole=min(max(error.seconds, 1.0), LONGEST_PAUSE))
            raise
        except NoConnection as error:
            raise self._failed(key, _in_our_words(error), whole=FAILED) from error
        except (NotGiven, NoToken, Unanswered) as error:
            self._failed(key, error)
            raise
        except (SourceProblem, BundleProblem) as error:
            # Also a document that is not what it should be; here it is a registry's.
            raise self._failed(key, _in_our_words(error)) from error
        except httpx.HTTPError as error:
            raise self._failed(key, Unanswered(reason(error), where=key[1])) from error
        finally:
            self._waiting -= 1

    def _failed(
        self, key: tuple[str, ...], problem: SourceProblem, *, whole: float = 0.0
    ) -> SourceProblem:
        """Remember a problem: of a question, or for some seconds of a `whole` registry."""
        now = self._steady()
        if self._still(key, problem):
            return problem
        self.counts.failed += 1
        if self._tell is not None:
            self._tell(problem)
        if len(self._failures) > 10_000:
            self._failures = {name: one for name, one in self._failures.items() if now < one.until}
        self._failures[key] = _Failure(problem, now + FAILED)
        if whole:
            self._paused[_host(key)] = _Failure(problem, now + whole)
        return problem

    def _still(self, key: tuple[str, ...], problem: SourceProblem) -> bool:
        """Whether it is a problem that was told before, and nothing was asked now."""
        known = (self._failures.get(key), self._paused.get(_host(key)))
        return any(one is not None and one.problem is problem for one in known)


def _host(key: tuple[str, ...]) -> str:
    return key[1].split("/v2/")[0]


def _in_our_words(problem: Problem) -> Unanswered:
    """A problem of fetching as one of asking, with its own remedy where it has one."""
    own = problem.remedy if problem.remedy != problem.default_remedy else None
    return Unanswered(problem.cause, where=problem.where, remedy=own)
