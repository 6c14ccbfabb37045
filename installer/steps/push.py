"""Push: images and charts of the site's bundle into a registry on a machine, through its own SSH.

The registry takes pushes only while this step lasts, and only from the machine itself: `begin` and
`end` open and close that way, and what is sent goes through the machine's connection.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

from pydantic import Field

from bundles.deliver.selection import select
from bundles.format import media
from bundles.format.layout import Item
from bundles.format.problems import SourceProblem
from bundles.read.opened import Bundle
from bundles.read.structure import read_structure
from bundles.registries.push import Pushed, blobs_of, manifests_of, push_bundle
from foundation.hosts.forwarding import forwarded
from foundation.problems import ConnectTimeout
from foundation.wording import human_size
from installer.catalogue.stages import Planning, Probe, StepData
from installer.events import Kind
from installer.steps.deliver import bundle_of
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, must_be_good, parsed

_RECORDS: Final = "/var/lib/sitewright/pushed"
_PARALLEL: Final = 4
_READ: Final = ("sh", "-c", 'cat -- "$1" 2>/dev/null || true', "sh")
_WRITE: Final = (
    "sh",
    "-c",
    'set -eu; mkdir -p "${1%/*}"; printf "%s\\n" "$2" >"$1.new"; mv "$1.new" "$1"',
    "sh",
)
_FORGET: Final = ("rm", "-f", "--")


class PushStep(StepData):
    """Images and charts of the bundle pushed into a registry on the machine.

    A command as `done` has on its standard input what the registry must have, one a line: the
    repository, a blank, and a tag or a digest; then each layer alike, as `blobs/` and a digest. It
    is asked where these very items were pushed.
    """

    kind: Literal["push"]
    items: Annotated[tuple[str, ...], Field(min_length=1)]
    """Selectors of images and charts, as `deliver` has them."""
    port: int = Field(ge=1, le=65535)
    """Of the machine's loopback, where a registry takes pushes between `begin` and `end`."""
    begin: Annotated[tuple[str, ...], Field(min_length=1)]
    end: Annotated[tuple[str, ...], Field(min_length=1)]
    keeper: Probe | None = None
    """Asked on each machine of the step: yes where it keeps the registry. On the others there is
    nothing to do. Which of them it is only the machines know."""
    timeout_minutes: float = 240.0
    expected_minutes: float = 5.0

    def is_due(self, planning: Planning) -> bool:
        """Where there is a bundle."""
        return planning.bundle is not None


class Push(Probed):
    """Done where the machine's record names the same items of the same bundle, and the registry
    has them: `done` is asked, with what they are on its standard input.
    """

    model = PushStep

    def data(self, context: StepContext) -> PushStep:
        """The step's data."""
        return parsed(context, PushStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether these very items were pushed, or another machine keeps the registry."""
        keeper = self.data(context).keeper
        if keeper is not None and (await context.ask_machine(keeper)).yes is False:
            context.emit(Kind.NOTE, text=f"{context.host.name} keeps no registry.")
            return True
        with bundle_of(context.plan) as bundle:
            items = self._items(context, bundle)
            asked = _asked_for(bundle, items)
        seen = await context.look([*_READ, _record(context)])
        if seen.stdout.decode("ascii", "replace").strip() != _mark(items):
            return False
        done = self.data(context).done
        if done is None:
            return True
        if not done.command:  # a script comes over standard input itself
            return await super().is_done(context)
        try:
            told = await context.look(done.command, stdin=asked, timeout=done.timeout_seconds)
        except ConnectTimeout:
            return None
        return {0: True, 1: False}.get(told.status)

    async def do(self, context: StepContext) -> str:
        """Open the way, push what the registry lacks, close the way."""
        data = self.data(context)
        with bundle_of(context.plan) as bundle:
            items = self._items(context, bundle)
            if context.dry_run:
                context.emit(Kind.NOTE, text=f"Would push {len(items)} images and charts.")
                return "Nothing was pushed."
            began = await context.change("open the way for pushing", data.begin, label="begin")
            must_be_good(context, began, "opening the way for pushing")
            try:
                pushed = await self._push(context, bundle, items, data.port)
            finally:
                ended = await context.change("close the way", data.end, label="end")
            must_be_good(context, ended, "closing the way for pushing")
            record = [*_WRITE, _record(context), _mark(items)]
            written = await context.change("note what was pushed", record, label="record")
            must_be_good(context, written, "noting what was pushed")
        unread = sum(not one.read_back for one in pushed)
        if unread:
            text = f"Of {unread} the registry was not asked whether it has them: it allows no pull."
            context.emit(Kind.NOTE, text=text)
        sent = sum(one.sent for one in pushed)
        return f"{len(pushed)} images and charts are there; {human_size(sent)} were sent now."

    async def _push(
        self, context: StepContext, bundle: Bundle, items: tuple[Item, ...], port: int
    ) -> list[Pushed]:
        from bundles.registries.registry import Registries
        from bundles.registries.web import Patience, Web

        total = sum(item.content_size for item in items)
        done = 0

        def told(one: Pushed) -> None:
            nonlocal done
            done += one.item.content_size
            context.emit(Kind.STEP_PROGRESS, done=done, total=total, text=one.item.name)

        connection = await context.connect()
        async with forwarded(connection, "127.0.0.1", port) as here:
            place = f"127.0.0.1:{here}"
            async with Web(parallel=_PARALLEL, patience=Patience(attempts=8)) as web:
                registries = Registries(web, plain_http=frozenset({place}))
                try:
                    return await push_bundle(
                        bundle, items, place, registries,
                        keep_registry=True, parallel=_PARALLEL, done=told,
                    )  # fmt: skip
                except SourceProblem as problem:
                    raise StepFailed(
                        f"the registry took not everything: {problem.cause}",
                        where=context.host.name,
                        remedy="Look at the registry's own words on the machine (journalctl -u "
                        "docker-registry-push), and whether its sshd allows tunnels "
                        "(AllowTcpForwarding); what is there already is not sent again.",
                    ) from problem

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`; without, only the record goes: what took the images undoes them."""
        if self.data(context).undo is not None:
            return await super().undo(context)
        forgotten = [*_FORGET, _record(context)]
        gone = await context.change("forget what was pushed", forgotten, label="undo")
        must_be_good(context, gone, "forgetting what was pushed")
        return True

    def _items(self, context: StepContext, bundle: Bundle) -> tuple[Item, ...]:
        structure = read_structure(bundle)
        every = structure.index.items
        chosen = select(every, self.data(context).items, where=context.step.key)
        names = {item.name for item in chosen if item.kind == media.IMAGE}
        wholes = {item.pins.get("tag-digest") for item in chosen if item.kind == media.IMAGE}
        indexes = [
            item
            for item in every
            if item.kind == media.IMAGE_INDEX
            # The indexes inside one have no name of their own, but the same whole.
            and (item.name in names or item.pins.get("tag-digest", "") in wholes)
        ]
        return (*chosen, *indexes)


def _record(context: StepContext) -> str:
    return f"{_RECORDS}/{context.step.stage}-{context.step.id}"


def _mark(items: tuple[Item, ...]) -> str:
    """What stands for these items: the same images by the same digests give the same mark."""
    text = "\n".join(sorted(f"{item.name} {item.digest}" for item in items))
    return hashlib.sha256(text.encode()).hexdigest()


def _asked_for(bundle: Bundle, items: tuple[Item, ...]) -> bytes:
    """What the registry must have, one a line: the repository, a blank, and a tag or a digest.

    What the manifests consist of comes after them, as `blobs/` and a digest: a registry may have
    lost that alone, and answers for the manifest all the same.
    """
    manifests = manifests_of(items, keep_registry=True)
    blobs = blobs_of(bundle, items, keep_registry=True)
    lines = [f"{name} {which}\n" for name, which in manifests]
    lines += [f"{name} blobs/{digest}\n" for name, digest in blobs]
    return "".join(lines).encode()


KIND: Final[StepKind] = Push()
