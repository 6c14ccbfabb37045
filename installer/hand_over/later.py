"""Later: what can be done with a site once it is installed, each with the command that does it.

What a solution can is read from its own folder `operations`; nothing is named that it cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution

LOOK: Final = "Look; nothing is changed"
PROVE: Final = "Prove its figures; it sends transfers"
KEEP: Final = "Keep it running"
MACHINES: Final = "One machine"
BACK: Final = "Take back, or away"
PAPERS: Final = "For others"
GROUPS: Final = (LOOK, PROVE, KEEP, MACHINES, BACK, PAPERS)
"""In the order in which they are shown."""


ACCEPTANCE: Final = "acceptance"
"""The page of the wizard that proves a hub's figures."""


@dataclass(frozen=True, slots=True)
class Later:
    """One thing that can be done later."""

    group: str
    what: str
    """In a few words."""
    short: str
    """The command without the site, as it is named."""
    command: str
    """The whole command; words in capitals are for the person to fill in."""
    page: str = ""
    """The page of the wizard that does it too; empty where there is none."""


OPERATIONS: Final = {
    "services": (LOOK, "services", "how every service stands"),
    "changes": (LOOK, "changes", "what an installation would change now"),
    "backup-list": (LOOK, "backup list", "which backups there are"),
    "backup-verify": (LOOK, "backup verify", "read a backup through, with a private key"),
    "transfer": (KEEP, "transfer", "send a transfer, and see what happens"),
    "start": (KEEP, "start", "start it again"),
    "stop": (KEEP, "stop", "stop it; data and images stay"),
    "unseal": (KEEP, "unseal", "open a sealed Vault with the persons' shares"),
    "backup": (KEEP, "backup make", "back the site up now"),
    "backup-schedule": (KEEP, "backup schedule", "have it backed up every few hours"),
    "renew": (KEEP, "renew", "renew certificates before their last day"),
    "reboot": (KEEP, "reboot", "restart the machines that wait for it"),
    "upgrade": (KEEP, "upgrade", "raise Kubernetes by one minor version"),
    "back": (BACK, "back", "the revision before"),
    "restore": (BACK, "restore BACKUP", "restore onto a fresh first master"),
    "restore-vault": (BACK, "restore BACKUP --vault", "what Vault keeps, into empty Vaults"),
    "remove": (BACK, "remove", "remove it; data and images stay"),
    "remove-with-data": (BACK, "remove --with-data", "remove it and its data, for good"),
}
"""By an operation of a solution: its group, its command, and what it does."""


def later_of(
    solution: Solution,
    site_file: str,
    run: str,
    *,
    kubernetes: bool = False,
    bundle: bool = False,
) -> tuple[Later, ...]:
    """What can be done with a site of a solution, looked at before what changes something.

    `kubernetes` says that its images run in a cluster, `bundle` that its file names a bundle.
    """
    from installer.steps.stage_files import (
        load_operations,
        operations_of_backup,
        operations_of_machines,
    )

    names = {**load_operations(solution), **operations_of_backup(solution)}
    site = f" --site {quote(site_file)}"
    found: list[Later] = []

    def add(group: str, short: str, what: str, rest: str = site, page: str = "") -> None:
        found.append(Later(group, what, short, f"sitewright {short}{rest}", page))

    add(LOOK, "status", "how far its runs are")
    add(LOOK, "verify", "does what was installed still work?")
    for name, (group, short, what) in OPERATIONS.items():
        if name in names:
            add(group, short, what)
    if bundle:
        add(LOOK, "updates", "what in its bundle has something newer")
    elif kubernetes:
        add(LOOK, "updates --cluster", "which images that run have something newer", "")
    if solution.file.hub:
        add(PROVE, "accept HUB-FILE", "does the hub keep document 001's figures?", "", ACCEPTANCE)
    add(KEEP, "install", "do what its file says now; what is done stays as it is")
    of_one = [one for _, one in operations_of_machines(solution).values()]
    if of_one:
        add(MACHINES, "machine add NAME", "bring in one that the site file names")
    if any(not one.dead for one in of_one):
        add(MACHINES, "machine remove NAME", "drain it, and have it leave")
    if any(one.dead for one in of_one):
        add(MACHINES, "machine replace NAME --with NEW", "put a new one in place of a dead one")
    add(BACK, "undo STAGE", "take back what a stage did")
    add(PAPERS, "report", "this report, from the record", f" {quote(run)}")
    add(PAPERS, "support-bundle", "everything about a run in one file", f" {quote(run)}")
    return tuple(sorted(found, key=lambda one: GROUPS.index(one.group)))
