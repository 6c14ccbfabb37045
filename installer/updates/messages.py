"""A review in words: the table, and the two messages of document 004 with their commands."""

from __future__ import annotations

import json
import shlex
import textwrap
from typing import Any, Final

from bundles.format.reference import DOCKER_HUB, parse_reference
from foundation.wording import counted
from installer.catalogue.releases import End
from installer.updates.review import Judged, Review
from installer.updates.running import Place
from installer.updates.steps import against_step

_PATCHED: Final = {
    "deployment": "deployment",
    "statefulset": "statefulset",
    "daemonset": "daemonset",
    "cronjob": "cronjob",
}
"""Kinds whose template can be changed; a job's cannot, and a pod's is its own."""
_SHOWN_PLACES: Final = 3


def table(review: Review) -> str:
    """The review for a person: what is newer first, then what could not be told."""
    lines = []
    for one in review.newer:
        lines += _newer(one)
    for one in review.held_back:
        lines.append(f"- {one.running.image}: what is newer is not proposed")
        lines += [f"    not {passed.tag}: {passed.why}" for passed in one.held_back[:_SHOWN_PLACES]]
    if lines and (review.unjudged or review.untold):
        lines.append("")
    for one in review.unjudged:
        assert one.problem is not None  # noqa: S101 - that is what makes it one
        lines.append(f"? {one.running.image}: {one.problem.sentence}")
        lines += [f"    Do: {one.problem.remedy}"] if one.problem.remedy else []
    lines += [f"? {sentence}" for sentence in review.untold]
    ends = review.supports
    lines += [""] if lines and ends else []
    lines += [f"x {one.running.image}: {support.sentence}" for one, support in ends]
    if lines:
        lines.append("")
    held = len(review.held_back)
    current = len(review.judged) - len(review.newer) - len(review.unjudged) - held
    newer = f"{counted(len(review.newer), 'image')} with something newer"
    newer += f", {held} with something newer that is not proposed" if held else ""
    lines.append(
        f"{counted(len(review.judged), 'image')} by the strategy {review.strategy}, against "
        f"{review.origin}: {newer}, {current} up to date, {len(review.unjudged)} not told."
    )
    if by_name := sum(one.by_name for one in review.judged):
        lines.append(
            f"  Of {counted(by_name, 'image')} it is not known which digest runs, so whether the "
            "same tag was built again is not told."
        )
    notes = {note for one in review.judged if one.update for note in one.update.notes}
    lines += [f"  {note}" for note in sorted(notes)]
    return "\n".join(_wrapped(line) for line in lines)


def _wrapped(line: str) -> str:
    """A line of words within 80 columns; names, which are copied, stay whole."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.fill(
        line, 80, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _newer(one: Judged) -> list[str]:
    update = one.update
    assert update is not None  # noqa: S101 - that is what makes it newer
    image = one.running.image
    what = "built again under the same tag" if update.rebuilt else f"-> {update.tag}"
    lines = [f"! {image}  {what}"]
    if why := against_step(image, one.target):
        lines.append(f"    not in one step: {why}")
    for place in one.running.places[:_SHOWN_PLACES]:
        owner = f"; {place.owner} owns it" if place.owner else ""
        lines.append(f"    {place.words()}{owner}")
    more = len(one.running.places) - _SHOWN_PLACES
    lines += [f"    and {counted(more, 'place')} more"] if more > 0 else []
    lines += [f"    not {passed.tag}: {passed.why}" for passed in update.passed_over]
    return lines


def message(review: Review) -> str:
    """The message of document 004, for a chat: everything is up to date, or what is not.

    The first is only said where everything could be told.
    """
    newer, commands = review.newer, patch_commands(review)
    lines = []
    if newer:
        lines.append(
            "*ml-operator* - The following services are not on the latest secure version and "
            "should be updated:"
        )
        for one in newer:
            assert one.update is not None  # noqa: S101 - that is what makes it newer
            again = " (built again)" if one.update.rebuilt else ""
            lines.append(f"  - `{_service(one)}`: latest version is `{one.update.tag}`{again}")
    elif review.complete and not review.held_back:
        lines.append("*ml-operator* - all monitored services are up to date")
    if review.held_back:
        lines += [""] if lines else []
        lines.append("Newer, and not proposed:")
        for one in review.held_back:
            first = one.held_back[0]
            lines.append(f"  - `{_service(one)}`: `{first.tag}`, for {first.why}")
    # Only what is past: a day that comes nearer would be a change, and so an alert, every day.
    past = [(one, it) for one, it in review.supports if it.end is End.PAST]
    if past:
        lines += [""] if lines else []
        lines.append("Mended by nobody any more:")
        lines += [f"  - `{_service(one)}`: {support.sentence}" for one, support in past]
    if commands:
        lines += ["", "Use the following commands to patch your deployments with `kubectl`:"]
        lines += [f"```\n{command}\n```" for command in commands]
    owned = sorted(
        {
            f"  - `{_service(one)}` in {place.words()}: change it in {place.owner}, which would "
            "take a patch back or lose it"
            for one in newer
            for place in one.running.places
            if place.owner
        }
    )
    lines += ["", "These are owned, so they are not patched:", *owned] if owned else []
    count = len(review.unjudged) + len(review.untold) + len(review.old)
    if count:
        lines += [""] if lines else []
        lines.append(
            f"**warning:** encountered {count} processing errors. Please check your logs for more "
            "information."
        )
        lines.append(
            f"{counted(count, 'answer')} could not be had as of now, so what is not named here "
            "need not be up to date; `sitewright updates` says which."
        )
    return "\n".join(lines)


def _service(one: Judged) -> str:
    image = parse_reference(one.running.image)
    if image.registry == DOCKER_HUB:
        return image.repository.removeprefix("library/")
    return f"{image.registry}/{image.repository}"


def patch_commands(review: Review) -> list[str]:
    """kubectl's commands, with namespace and container, one a workload; for what nobody owns."""
    changes: dict[Place, list[tuple[Place, str]]] = {}
    for one in review.newer:
        if one.update is None or one.update.rebuilt:
            continue
        if against_step(one.running.image, one.target):
            continue
        for place in one.running.places:
            if place.kind in _PATCHED and not place.owner and place.namespace:
                workload = Place(place.kind, place.name, place.namespace)
                changes.setdefault(workload, []).append((place, one.target))
    return [_command(workload, found) for workload, found in changes.items()]


def _command(workload: Place, changes: list[tuple[Place, str]]) -> str:
    pod: dict[str, Any] = {}
    for place, target in changes:
        key = "initContainers" if place.init else "containers"
        pod.setdefault(key, []).append({"name": place.container, "image": target})
    patch: dict[str, Any] = {"spec": {"template": {"spec": pod}}}
    if workload.kind == "cronjob":
        patch = {"spec": {"jobTemplate": patch}}
    words = ["kubectl", "-n", workload.namespace, "patch", workload.kind, workload.name]
    return shlex.join([*words, "--patch", json.dumps(patch)])
