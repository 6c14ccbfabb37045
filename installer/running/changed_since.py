"""What a site file says otherwise than when a run was planned, which that run does not heed."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from foundation.wording import listed
from installer.record.identity import site_of_run
from installer.record.runs import Run
from installer.sites.site import Site, resolved

_READ_ANEW = frozenset({"record", "ssh", "backup", "updates", "waivers"})
"""What no plan holds: ways to the machines are compared by themselves, the rest read each time; of
a waiver that came since, the record says that it counts."""


def told_of_changes(run: Run, site: Site, base: Path, *, file: Path | None) -> str:
    """The sentence for whoever goes on with a run after the site file was changed; empty if not.

    Nobody can tell by the log that a setting mended since, or a bundle named since, is not used.
    """
    before = site_of_run(run)
    if before is None:
        return ""
    changed = _changed(before, resolved(site, base))
    if not changed:
        return ""
    named = f" --site {quote(str(file))}" if file is not None else ""
    return (
        f"The site file says otherwise than when this run was planned, in {listed(changed)}: what "
        "is left is done as it was reviewed then. To have what it says now, begin a new run, whose "
        f"plan you review: sitewright install{named}"
    )


def _changed(before: Site, now: Site) -> list[str]:
    changed = [
        name
        for name in Site.model_fields
        if name not in _READ_ANEW | {"hosts", "settings"}
        and getattr(before, name) != getattr(now, name)
    ]
    keys = dict.fromkeys((*before.settings, *now.settings))
    changed += [
        f"settings.{key}" for key in keys if before.settings.get(key) != now.settings.get(key)
    ]
    roles = {host.name: frozenset(host.roles) for host in before.hosts}
    changed += [
        f"the roles of {host.name}"
        for host in now.hosts
        if roles.get(host.name) != frozenset(host.roles)
    ]
    variables = {host.name: host.variables for host in before.hosts}
    changed += [
        f"the variables of {host.name}"
        for host in now.hosts
        if host.name in variables and variables[host.name] != host.variables
    ]
    names = {host.name for host in now.hosts}
    changed += [f"{host.name}, which it has no more" for host in before.hosts
                if host.name not in names]  # fmt: skip
    return changed
