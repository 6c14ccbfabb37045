"""Wrong answers: whatever of a site cannot be planned is told at once, not one after the other.

Each look at the site raises its own problem with all that it found; here they become one. Names of
machines are looked at here too: they reach Ansible, which fills templates in and takes a name for a
pattern of machines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from foundation.hosts.model import LOCAL_ADDRESS
from foundation.problems import InputProblem
from foundation.wording import listed
from installer.plans.plan import CONTROL_HOST

if TYPE_CHECKING:
    from installer.sites.site import Site

T = TypeVar("T")

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""What Ansible takes for one machine wherever it stands, and DNS for a name (with _)."""
_TAKEN: Final = {
    CONTROL_HOST: "here it means whichever machine Ansible and Helm run on",
    "all": "to Ansible it means every machine",
    "ungrouped": "to Ansible it means the machines without a role",
    "localhost": "to Ansible it means the machine that it runs on",
}


class SeveralWrong(InputProblem):
    """All that several looks have against a site, each with its own place."""

    def __init__(self, problems: Sequence[InputProblem]) -> None:
        self.problems = tuple(problems)
        places = list(dict.fromkeys(one.where for one in problems if one.where))
        super().__init__(
            "; ".join(
                f"{one.where}: {one.cause}" if one.where and len(places) > 1 else one.cause
                for one in problems
            ),
            where=places[0] if len(places) == 1 else "the site",
            remedy=" ".join(dict.fromkeys(one.remedy for one in problems if one.remedy)),
        )


class WrongAnswers:
    """Looks at a site one after the other, and keeps what each has against it."""

    def __init__(self) -> None:
        self._found: list[InputProblem] = []

    def of(self, look: Callable[[], T]) -> T | None:
        """What a look gives; None where it has something against the site, which is kept."""
        try:
            return look()
        except InputProblem as problem:
            self.add(problem)
            return None

    def add(self, problem: InputProblem) -> None:
        """Keep one more, or each of several."""
        self._found += problem.problems if isinstance(problem, SeveralWrong) else (problem,)

    def tell(self) -> None:
        """Raise one InputProblem with all that was found, if anything was."""
        if not self._found:
            return
        if len(self._found) == 1:
            raise self._found[0]
        raise SeveralWrong(self._found)


def check_names(
    site: Site,
    groups: Mapping[str, Sequence[str]],
    *,
    ansible: bool = True,
    where: str = "the site file",
) -> None:
    """Raise one InputProblem with each name that Ansible, or a plan, would take for something else.

    `groups` are those that Ansible will know, with their machines. Without `ansible` a name may be
    an IPv6 address too.
    """
    found = []
    for host in site.hosts:
        name = host.name
        if ansible and not _NAME.fullmatch(name):
            found.append(f'Ansible would misread the machine name "{name}"')
        elif name in _TAKEN and not (name == "localhost" and host.address == LOCAL_ADDRESS):
            found.append(f'no machine can be called "{name}": {_TAKEN[name]}')
        elif name in groups and list(groups[name]) != [name]:
            others = listed([other for other in groups[name] if other != name])
            found.append(
                f'the machine "{name}" has the name of a role, and to Ansible that name means '
                + (f"{others} as well" if others else "the machines of that role")
            )
    if found:
        raise InputProblem(
            "; ".join(found),
            where=where,
            remedy="Give it another name in the site file: letters, digits, dots, hyphens and "
            "underscores, none but the first two and the last at its beginning, and no role's.",
        )
