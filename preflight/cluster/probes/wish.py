"""What a person wants tried with pods, and what that comes to in a cluster that was read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from foundation.clusters.api import ChangingApi
from preflight.cluster.facts import ClusterFacts, Outcome, Trial, TrialOf, known
from preflight.cluster.probes.objects import Image
from preflight.cluster.probes.trials import Asked, try_out

_BY_HAND = "kubernetes.io/no-provisioner"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be tried, as a person asked for it."""

    image: Image
    pull: tuple[Image, ...] = ()
    classes: tuple[str, ...] = ()
    """Storage classes; empty for the default ones."""
    tell: Callable[[str], None] = lambda _: None


async def tried(api: ChangingApi, facts: ClusterFacts, wish: Wish) -> ClusterFacts:
    """The facts of a cluster with what pods of ours found out there."""
    found = known(facts.storage_classes) or ()
    chosen = [one for one in found if one.default and not wish.classes]
    untried = []
    for name in wish.classes:
        named = [one for one in found if one.name == name]
        chosen += named
        if not named:
            untried.append(_unknown(name, "the cluster has no such storage class"))
    if not chosen and not wish.classes:
        untried.append(_unknown("", "no storage class is the default, and none was named"))
    by_hand = [one for one in chosen if one.provisioner == _BY_HAND]
    untried += [
        _unknown(one.name, "its volumes are made by hand, and a probe would use one up")
        for one in by_hand
    ]
    asked = Asked(
        image=wish.image,
        pull=wish.pull,
        nodes=tuple(node.name for node in known(facts.nodes) or () if node.schedulable),
        classes=tuple(one.name for one in chosen if one not in by_hand),
    )
    trials = await try_out(api, asked, tell=wish.tell)
    return replace(facts, trials=(*trials, *untried))


def _unknown(storage_class: str, why: str) -> Trial:
    return Trial(TrialOf.VOLUME, storage_class, Outcome.UNKNOWN, why)
