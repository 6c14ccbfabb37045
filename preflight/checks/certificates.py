"""Checks of the certificates by which a site's programs live: how many days each has left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from foundation.wording import counted
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.facts import NOT_ASKED, Certificate, known, why_unknown
from preflight.findings import Finding

_WARN_DAYS: Final = 30
_FAIL_DAYS: Final = 7
_EXPECTED: Final = f"more than {_WARN_DAYS} days left"
_SOURCE: Final = (
    "MicroK8s 1.31, actions/common/utils.sh: it signs server and front-proxy-client for 365 days,"
    " all others for 3650, and renews none"
)
_MICROK8S: Final = "/var/snap/microk8s/current/"
_MICROCEPH: Final = "/var/snap/microceph/"
_RENEWED: Final = ("server.crt", "front-proxy-client.crt")
"""Those that MicroK8s can make anew while the cluster goes on."""
_OF_ALL: Final = ("ca.crt", "front-proxy-ca.crt", "cluster.crt")
"""Those on which all nodes of a cluster rest."""

_RENEW: Final = "Renew it, one master after another: `sitewright renew --site FILE`."
_PUT_BACK: Final = (
    "On that master: `sudo microk8s refresh-certs --undo` puts back what was there before the last"
    " renewal, and restarts MicroK8s."
)
_REBUILD: Final = (
    "All nodes rest on it, and MicroK8s has no way to change it under a cluster that goes on: every"
    " node leaves and joins anew. Plan it as a rebuild, with a backup that was restored once, well"
    " before that day."
)
_JOIN_ANEW: Final = (
    "MicroK8s makes it only when the node joins: take the node out and bring it in again, one at a"
    " time; a worker by `sitewright machine remove NAME --site FILE` and `sitewright machine add"
    " NAME --site FILE`."
)
_OF_CEPH: Final = (
    "MicroCeph makes it when the server joins, for ten years, and has no command that renews it;"
    " its daemons speak with one another by it, and Ceph's own do not. Ask its makers for the"
    " release that is installed, well before that day."
)
_OLD: Final = "/etc/docker/registry/tls/registry.crt"
_MAKE_OF_REGISTRY: Final = (
    f"Its stage makes the registry's certificates anew: put the old one aside (`sudo mv {_OLD}"
    f" {_OLD}.old`), then `sitewright install --site FILE`; every node is told its authority again."
)
_PUT_BACK_OF_REGISTRY: Final = f"Before the stage ran: `sudo mv {_OLD}.old {_OLD}`."


@check("certificate.ends", title="Certificates and their last days",
       severities=(PASS, WARN, FAIL, UNKNOWN))  # fmt: skip
def ends(case: Case, say: Say) -> Iterator[Finding]:
    """Each certificate of MicroK8s and of the site's registry that lies on the machine."""
    fact = case.facts.certificates
    found = known(fact)
    evidence = f"sudo openssl x509 -noout -enddate -in {_MICROK8S}certs/server.crt"
    if found is None:
        if fact != NOT_ASKED:
            yield say.unknown(
                f"It could not be told when the certificates on {case.name} end.",
                expected=_EXPECTED,
                reason=why_unknown(fact),
                source=_SOURCE,
                evidence=evidence,
            )
        return
    left: list[tuple[int, Certificate]] = []
    for one in found:
        name = one.path.rpartition("/")[2]
        shown = f"sudo openssl x509 -noout -enddate -in {one.path}"
        days, last = known(one.days), known(one.ends)
        if days is None or last is None:
            yield say.unknown(
                f"It could not be told when {name} on {case.name} ends.",
                expected=_EXPECTED,
                reason=why_unknown(one.ends if last is None else one.days),
                source=_SOURCE,
                evidence=shown,
                subject=one.path,
            )
            continue
        if days > _WARN_DAYS:
            left.append((days, one))
            continue
        yield say.at(
            FAIL if days <= _FAIL_DAYS else WARN,
            f"{name} on {case.name} ended on {last[:10]}."
            if days < 0
            else f"{name} on {case.name} ends on {last[:10]}, {counted(days, 'day')} from now.",
            expected=_EXPECTED,
            actual=f"{counted(days, 'day')} left" if days >= 0 else "past",
            source=_SOURCE,
            evidence=shown,
            remedy=_remedy(one.path, name)[0],
            undo=_remedy(one.path, name)[1],
            subject=one.path,
        )
    if left:
        days, first = min(left, key=lambda one: one[0])
        yield say.at(
            PASS,
            f"{counted(len(left), 'certificate')} on {case.name}: the first to end is"
            f" {first.path.rpartition('/')[2]}, {counted(days, 'day')} from now.",
            expected=_EXPECTED,
            actual=f"{counted(days, 'day')} left",
            source=_SOURCE,
            evidence=evidence,
        )


def _remedy(path: str, name: str) -> tuple[str, str]:
    """What to do about a certificate that ends, and how to take that back."""
    if path.startswith(_MICROCEPH):
        return _OF_CEPH, "None: to plan changes nothing."
    if not path.startswith(_MICROK8S):
        return _MAKE_OF_REGISTRY, _PUT_BACK_OF_REGISTRY
    if name in _RENEWED:
        return _RENEW, _PUT_BACK
    if name in _OF_ALL:
        return _REBUILD, "None: to plan changes nothing."
    return _JOIN_ANEW, "Until it left: `sitewright undo remove-worker --site FILE`."
