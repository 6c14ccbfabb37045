"""What runs and what is newer, as lines of a list and in full; for both faces."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from foundation.wording import counted
from installer.updates.owners import By
from installer.updates.steps import against_step

if TYPE_CHECKING:
    from installer.updates.applying.services import Service
    from installer.updates.applying.workloads import Change, Workload
    from installer.updates.review import Judged, Review

CHANGED, LEFT, HELD, UNTOLD, CURRENT = (
    "to be changed", "left as it is", "newer, and not proposed", "not told", "up to date",
)  # fmt: skip
HEADINGS: Final = {
    CHANGED: "Newer, and applied one after another",
    LEFT: "Newer, and left as it is",
    HELD: "Newer, and not proposed",
    UNTOLD: "Could not be told",
    CURRENT: "Up to date",
}
"""In the order in which they stand."""
_WORDS: Final = {
    CHANGED: ("newer", "warn"),
    LEFT: ("left", "warn"),
    HELD: ("held", "muted"),
    UNTOLD: ("?", "unknown"),
    CURRENT: ("ok", "pass"),
}
_SHOWN_PLACES: Final = 5
_OWNERS: Final = {
    By.HELM: "Helm",
    By.ARGO: "Argo CD",
    By.FLUX: "Flux",
    By.UNKNOWN: "rendered as",
}
"""An owner in a list, before its name; the whole says it in full."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the list, and what is said of it in full."""

    key: str
    group: str
    name: str
    change: str = ""
    """From which version to which, or why that is not told."""
    owner: str = ""
    entries: tuple[tuple[str, str], ...] = ()
    """By label: the sentences of the whole."""
    chosen: str = ""
    """The workload as `updates apply` names it; "" for what is not applied."""
    by_commit: str = ""
    """The same, for what is changed by a commit in its owner's repository; "" for all else."""

    @property
    def word(self) -> str:
        """How it is, in one word."""
        return _WORDS[self.group][0]

    @property
    def tone(self) -> str:
        """The tone of that word."""
        return _WORDS[self.group][1]


def items_of(
    review: Review, workloads: Sequence[Workload], services: Sequence[Service] = ()
) -> tuple[Item, ...]:
    """Everything that runs, what is changed first and what is up to date last."""
    known = {(one.kind, one.namespace, one.name) for one in workloads}
    known |= {("compose", one.machine, f"{one.found.project}/{one.found.name}") for one in services}
    found = [*_of_workloads(review, workloads), *_of_services(review, services)]
    found += _of_images(review, known)
    ends = {one.running.image: it.sentence for one, it in review.supports}
    found = [_with_end(one, ends) for one in found]
    order = list(HEADINGS)
    return tuple(sorted(found, key=lambda one: (order.index(one.group), one.name)))


def _with_end(item: Item, ends: Mapping[str, str]) -> Item:
    """An entry with the end of the release lines of what runs in it, where one is past or near."""
    images = [text for name, text in item.entries if name == "from"]
    told = tuple(("support", f"{ends[image]}.") for image in images if image in ends)
    return replace(item, entries=(*item.entries, *told)) if told else item


def title_words(review: Review) -> str:
    """The sentence above the list."""
    newer, every = len(review.newer), len(review.judged)
    if not every:
        return "Nothing that runs an image was found."
    if not newer:
        # Only where everything could be told is this good news.
        sure = "" if review.complete else ", as far as it could be told"
        return f"None of {counted(every, 'image')} has something newer{sure}."
    has = "has" if newer == 1 else "have"
    return f"{newer} of {counted(every, 'image')} {has} something newer."


def count_words(review: Review, items: tuple[Item, ...]) -> str:
    """How many of each, by which strategy, and who was asked."""
    number = {group: sum(one.group == group for one in items) for group in HEADINGS}
    compose = any(one.key.startswith("service ") for one in items)
    what = "service" if compose else "workload"
    parts = [f"{counted(number[CHANGED], what)} to be changed"]
    others = ((LEFT, "left"), (HELD, "held back"), (UNTOLD, "not told"))
    parts += [f"{number[group]} {word}" for group, word in others if number[group]]
    return f"{', '.join(parts)}. Strategy {review.strategy}, by {review.origin}."


def _of_workloads(review: Review, workloads: Sequence[Workload]) -> Iterator[Item]:
    for one in workloads:
        changes = [_change_words(change) for change in one.changes]
        more = f", +{len(changes) - 1}" if len(changes) > 1 else ""
        risks = list(one.risks) or ["pods are replaced as its strategy says"]
        if one.migrates:
            risks.append(f"{one.migrates} changes its data, so it is not taken back by itself")
        entries: list[tuple[str, str]] = []
        runs: list[tuple[str, str]] = []
        for change in one.changes:
            kind = "init container" if change.init else "container"
            entries += _from_to_why(change, review)
            runs.append(("runs in", f"{one.kind} {one.name}, {kind} {change.container}"))
            runs += _bytes(change)
        entries.append(("risk", f"{'; '.join(risks)}."))
        owner = one.owner.words if one.owner else "nobody"
        entries.append(("owner", owner))
        if one.left:
            entries.append(("left", f"{one.left}."))
        entries += runs
        yield Item(
            key=one.words,
            group=LEFT if one.left else CHANGED,
            name=f"{one.namespace}/{one.name}",
            change=changes[0] + more if changes else "",
            owner=f"{_OWNERS[one.owner.by]} {one.owner.name}".rstrip() if one.owner else "",
            entries=tuple(entries),
            chosen="" if one.left else f"{one.namespace}/{one.name}",
            by_commit=f"{one.namespace}/{one.name}" if one.by_commit else "",
        )


def _of_services(review: Review, services: Sequence[Service]) -> Iterator[Item]:
    for one in services:
        found = one.found
        risks = list(one.risks)
        if one.migrates:
            risks.append(f"{one.migrates} changes its data, so it is not taken back by itself")
        entries = [*_from_to_why(one.change, review), ("risk", f"{'; '.join(risks)}.")]
        entries.append(
            ("owner", f"the Compose project {found.project}, by a file beside the vendor's")
        )
        if one.against:
            entries.append(("left", f"{one.against}."))
        entries.append(("runs in", one.words))
        entries += _bytes(one.change)
        yield Item(
            key=one.words,
            group=LEFT if one.against else CHANGED,
            name=f"{found.project}/{found.name} on {one.machine}",
            change=_change_words(one.change),
            owner=f"Compose {found.project}",
            entries=tuple(entries),
            chosen="" if one.against else one.names[-1],
        )


def _from_to_why(change: Change, review: Review) -> list[tuple[str, str]]:
    why = f"{change.why}, by {review.origin} and the strategy {review.strategy}"
    after = change.after.partition("@")[0]
    return [("from", change.before), ("to", after), ("why", f"{why}.")]


def _bytes(change: Change) -> list[tuple[str, str]]:
    digest = change.after.partition("@")[2]
    return [("bytes", digest)] if digest else []


def _of_images(review: Review, known: Collection[tuple[str, str, str]]) -> Iterator[Item]:
    """What no workload of the list stands for: each known by kind, namespace and name."""
    for one in review.judged:
        places = [place for place in one.running.places
                  if (place.kind, place.namespace, place.name) not in known]  # fmt: skip
        if not one.newer:
            yield _of_image(one)
        elif places:
            update = one.update
            assert update is not None  # noqa: S101 - that is what makes it newer
            why = against_step(one.running.image, one.target) or (
                "what runs it is replaced by what made it, and not changed where it stands"
            )
            yield Item(
                key=f"image {one.running.image}",
                group=LEFT,
                name=one.running.image,
                change=f"-> {update.tag}",
                entries=(*_places(one), ("to", one.target), ("left", f"{why}.")),
            )
    for number, sentence in enumerate(review.untold):
        yield Item(f"untold {number}", UNTOLD, sentence, entries=(("why", f"{sentence}."),))


def _of_image(one: Judged) -> Item:
    key, places = f"image {one.running.image}", _places(one)
    if one.problem is not None:
        cause = one.problem.cause
        entries = (*places, ("why", one.problem.sentence), ("do", one.problem.remedy or ""))
        return Item(key, UNTOLD, one.running.image, cause, entries=entries)
    if one.held_back:
        first = one.held_back[0]
        held = tuple(("not", f"{passed.tag}: {passed.why}") for passed in one.held_back)
        change = f"{first.tag}: {first.why}"
        return Item(key, HELD, one.running.image, change, entries=(*places, *held))
    notes = tuple(("note", note) for note in one.update.notes) if one.update else ()
    if one.by_name:
        notes += (("note", "by its tag; which bytes run is not known"),)
    return Item(key, CURRENT, one.running.image, entries=(*places, *notes))


def _places(one: Judged) -> tuple[tuple[str, str], ...]:
    places = one.running.places
    more = len(places) - _SHOWN_PLACES
    words = [
        place.words() + (f"; {place.owner} owns it" if place.owner else "")
        for place in places[:_SHOWN_PLACES]
    ]
    words += [f"and {counted(more, 'place')} more"] if more > 0 else []
    return (("from", one.running.image), *(("runs in", word) for word in words))


def _change_words(change: Change) -> str:
    name = change.before.partition("@")[0].rpartition("/")[2]
    before = name.partition(":")[2] or "no tag"
    return f"{before} built again" if before == change.tag else f"{before} -> {change.tag}"
