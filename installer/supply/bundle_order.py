"""The order of bundles that this machine remembers: an older one is given out only on a word.

A site remembers the bundle that it had; here is remembered too what was served to machines and
pushed into a registry, since a machine that fetches for itself compares nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from foundation.problems import InputProblem
from installer.record.witnessed import read_note, write_note

if TYPE_CHECKING:
    from bundles.read.age import Stamp
    from bundles.read.verify import Verified

OLDER = "bundle.older"
"""The check by whose waiver a person answers for an older bundle in a site file."""


class OlderBundle(InputProblem):
    """A bundle that is older than the one before it; a person may mean it."""

    code = "older-bundle"

    def __init__(
        self, this: Stamp, before: Stamp, where: str, other: str, cause: str = "", remedy: str = ""
    ) -> None:
        """`other` names the one before in words: "the one that this site had"."""
        super().__init__(
            cause or f"it is older than {other}: this is {this}, and that was {before}",
            where=where,
            remedy=remedy
            or "Name the newer one. If the older one is meant, say so by name: --allow-older "
            f'"A. Name", or in the site file: a waiver of {OLDER}.',
        )
        self.this, self.before = this, before


class OrderUnknown(OlderBundle):
    """A bundle of which nobody can say any more whether it is an older one; it is taken for one."""

    code = "bundle-order-unknown"

    def __init__(self, this: Stamp, memory: Path, where: str, other: str, why: str) -> None:
        """`why` is what is wrong with the memory, as the end of a sentence."""
        from bundles.read.age import Stamp

        super().__init__(
            this,
            Stamp(this.solution, this.environment, "?", "an unknown time", "sha256:unknown"),
            where,
            other,
            f"whether it is older than {other} cannot be told: {why} ({memory})",
            f"Ask whoever brings the bundles whether {this} is the one that is meant. If it is, "
            'say so by name, --allow-older "A. Name", and it is noted anew.',
        )


def refuse_older(stamp: Stamp, memory: Path, where: str, other: str) -> None:
    """Raise OlderBundle where a bundle is older than the one that the memory holds.

    A memory that is there and says nothing that can be compared is no leave: OrderUnknown.
    `other` names that one in words: "the one that this site had".
    """
    from bundles.read.age import stamp_from

    try:
        found = read_note(memory)
        if found.exchanged or (found.gone and found.text is None):
            raise OrderUnknown(stamp, memory, where, other, found.wrong)
        if found.text is None:
            return
        # One that was deleted is as its witness tells it.
        before = stamp_from(json.loads(found.text))
    except (OSError, ValueError, RecursionError) as error:
        why = f"what was noted of that one cannot be read: {error}"
        raise OrderUnknown(stamp, memory, where, other, why) from error
    if before is None:
        raise OrderUnknown(stamp, memory, where, other, "what was noted of that one is damaged")
    refuse_older_than(before, stamp, memory, where, other)


def refuse_older_than(before: Stamp, stamp: Stamp, memory: Path, where: str, other: str) -> None:
    """Raise OlderBundle where a bundle is older than another; OrderUnknown where nobody can say."""
    from bundles.read.age import can_be_compared, is_older

    if before.index != stamp.index and not can_be_compared(before, stamp):
        why = "what was noted of that one says no time that can be read"
        raise OrderUnknown(stamp, memory, where, other, why)
    if is_older(stamp, before):
        raise OlderBundle(stamp, before, where, other)


def remember(stamp: Stamp, memory: Path, allowed_by: str = "") -> None:
    """Note the bundle, for the next one to be compared with, and who allowed an older one."""
    noted = stamp.as_dict() | ({"older_by": allowed_by} if allowed_by else {})
    write_note(memory, json.dumps(noted, indent=1, ensure_ascii=False) + "\n")


class GivenOut:
    """A bundle that is served or pushed from here, compared before the first byte is given."""

    def __init__(self, verified: Verified, way: str, other: str, *, allow_older: str) -> None:
        """`way` names where to it goes, and so whose memory it is; `other` the one before.

        `allow_older` is who allows an older one, "" for nobody. Raises InputProblem.
        """
        from bundles.read.age import stamp_of
        from foundation.paths import state_folder

        structure = verified.structure
        self._stamp = stamp_of(structure.index, structure.index_digest)
        words = (way, self._stamp.solution, self._stamp.environment)
        name = quote(" ".join(words), safe=" ").replace(" ", "+")
        self._memory = state_folder() / "bundles" / f"{name[:200]}.json"
        if not allow_older:
            refuse_older(self._stamp, self._memory, self._stamp.solution, other)
        self._allowed_by = allow_older
        self._noted = False

    def begun(self) -> None:
        """It is given out now; what comes later is compared with it."""
        if not self._noted:
            remember(self._stamp, self._memory, self._allowed_by)
        self._noted = True
