"""What both faces say of an acceptance: what is offered, how it goes, what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from foundation.wording import duration
from installer.acceptance.carried import PAGES, UNCLEAN
from installer.acceptance.offers import cost
from installer.acceptance.profile import Phase

if TYPE_CHECKING:
    from installer.acceptance.carried import Carried
    from installer.acceptance.cast import Bounds
    from installer.acceptance.hub_file import HubFile
    from installer.acceptance.profile import Profile
    from installer.acceptance.report.picture import Picture, Watch

ABOUT: Final = (
    "Real transfers are sent between participants of its own, and their figures held against "
    "document 001: rate, latency, availability, no loss."
)
STOP: Final = (
    "Stopped, no more journeys begin; what is open ends, all is taken back, and what was measured "
    "until then is judged, with no verdict on the whole."
)
LEAVE: Final = (
    "It is stopped already. Left now, there is no result at all; what it made in the hub is taken "
    "back first."
)
TOO_EARLY: Final = "Nothing is measured yet: there is no result, and what it made is taken back."
IN_USE: Final = (
    "A load takes from its participants what the hub can carry. Where somebody answers for that, "
    "name them; the name stands in the report."
)
PARTS: Final = {
    Phase.WARM_UP: "Warm-up",
    Phase.RAMP: "Ramp",
    Phase.STEADY: "Steady part",
    Phase.DRAIN: "What is open ends",
}
FORMS: Final = {
    PAGES["html"]: "the page, with its charts, for people",
    PAGES["json"]: "every figure, for programs",
    PAGES["junit"]: "JUnit, for a pipeline",
    UNCLEAN: "the identifiers of every transfer that is not clean",
}
"""The files of a result, and what each is for."""


def cost_cells(hub: HubFile, profile: Profile, processes: int, bounds: Bounds) -> tuple[str, ...]:
    """What a profile takes, in short: time, transfers, money."""
    price = cost(hub, profile, processes, bounds)
    return (
        duration(price.seconds),
        f"{price.transfers:,}",
        f"{price.money:,} {hub.currency}",
    )


def watched_title(hub: HubFile, profile: Profile) -> str:
    """What is under way, in a line."""
    of = " (document 001)" if profile.is_document else ""
    return f"{hub.transfers}: {profile.rate:g} a second for {duration(profile.steady)}{of}"


def how_far(watch: Watch) -> str:
    """Where it is, and how long it takes still."""
    seen = watch.picture
    if seen is None or seen.phase is Phase.DRAIN:
        return watch.said[-1] if watch.said else "It begins."
    return part_words(seen)


def part_words(seen: Picture) -> str:
    """The part of the load, with the time that is left of it and of all."""
    part = PARTS.get(seen.phase, str(seen.phase))
    left = f"{part}: {duration(seen.left)} left"
    if seen.to_end > seen.left:
        return f"{left}; {duration(seen.to_end)} until the load ends"
    return f"{left}, then it is reconciled"


def stop_words(carried: Carried) -> tuple[str, str]:
    """The question before it is stopped, and what follows from a yes."""
    fleet = carried.progress.fleet
    if carried.stopping:
        return "Leave without a result?", LEAVE
    if fleet is None or not fleet.measured.began:
        return "Stop the acceptance?", TOO_EARLY
    return "Stop the acceptance?", STOP
