"""Checks of a site of several Kubernetes clusters: each is there, and no machine is in two."""

from __future__ import annotations

from collections.abc import Iterator

from foundation.wording import counted, listed, shortened
from preflight.checks.case import SiteCase, sizing_source
from preflight.checks.check import FAIL, PASS, Say, check
from preflight.checks.roles import SITE_FILE
from preflight.findings import Finding
from preflight.sizing import lowered


@check("role.clusters", title="Clusters of the site", severities=(PASS, FAIL))
def clusters(site: SiteCase, say: Say) -> Iterator[Finding]:
    """Whether a site of several clusters has each of them, with its own machines alone."""
    needs = site.needs
    for cluster in needs.clusters:
        mine = [name for name, roles in site.roles.items() if cluster.has(roles)]
        others = [one for one in needs.clusters if one is not cluster]
        least = needs.fewest_of(cluster)
        yield say.at(
            PASS if mine else FAIL,
            f"The {lowered(cluster.title)} has {counted(len(mine), 'machine')}."
            if mine
            else f"The site lacks the {lowered(cluster.title)}. {cluster.why}",
            subject=cluster.id,
            expected=f"{least} or more machines with the roles {listed(cluster.roles)}",
            actual=shortened(mine) or "none",
            source=sizing_source(needs.sizing),
            evidence=SITE_FILE,
            remedy=f"Add its machines to the site file, with the roles {listed(cluster.roles)}; "
            f"no machine of the {listed(lowered(one.title) for one in others)} will do.",
            undo="Put the old line back into the site file.",
        )
    for name, roles in site.roles.items():
        both = [lowered(one.title) for one in needs.clusters if one.has(roles)]
        if len(both) > 1:
            yield say.at(
                FAIL,
                f"{name} is in the {listed(both)} at once.",
                subject=name,
                expected="one cluster",
                actual=listed(roles),
                source="Sitewright: a machine is a node of one Kubernetes alone, and what stands "
                "before a cluster holds its ports",
                evidence=SITE_FILE,
                remedy=f"Give {name} roles of one of them, and the other roles to another machine.",
                undo="Put the old line back into the site file.",
            )
