"""Checks of a machine's name and identity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import word
from preflight.facts import ABSENT, known, why_unknown
from preflight.findings import Finding

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def name_fault(name: str) -> str:
    """What is wrong with a host name by RFC 1123 and Kubernetes, as a phrase; empty if nothing."""
    if not name:
        return "is empty"
    if name.lower() in ("localhost", "localhost.localdomain"):
        return "is the name of every machine for itself"
    if len(name) > 253:
        return f"has {len(name)} characters, and 253 are allowed"
    if any("A" <= letter <= "Z" for letter in name):
        return "has capital letters"
    if "_" in name:
        return "has an underscore"
    for label in name.split("."):
        if len(label) > 63:
            return f"has a part of {len(label)} characters, and 63 are allowed"
        if not _LABEL.fullmatch(label):
            return "has something other than a-z, 0-9 and a hyphen between them"
    return ""


@check("host.name", title="Host name", severities=(PASS, WARN, FAIL, UNKNOWN))
def name(case: Case, say: Say) -> Iterator[Finding]:
    """RFC 1123 with the rules of Kubernetes, where names of nodes are made from it."""
    source = case.platform.hostname_source or "RFC 1123"
    expected = "a-z, 0-9 and hyphens, at most 63 characters, not localhost"
    have = known(case.facts.identity.hostname)
    if have is None:
        yield say.unknown(
            f"The host name of {case.name} could not be told.",
            expected=expected,
            reason=why_unknown(case.facts.identity.hostname),
            source=source,
            evidence="hostname",
        )
        return
    fault = name_fault(have)
    strict = case.kubernetes or bool(case.platform.hostname_source)
    suggested = re.sub(r"[^a-z0-9.-]+", "-", have.lower()).strip("-.") or "node1"
    if suggested.startswith("localhost"):
        suggested = case.name.lower().replace("_", "-")
    yield say.at(
        (FAIL if strict else WARN) if fault else PASS,
        f"The host name {have} of {case.name} {fault}."
        if fault
        else f"The host name {have} of {case.name} can be used for a node.",
        expected=expected,
        actual=have,
        source=source,
        evidence="hostname; cat /etc/hostname",
        remedy=f"Rename it before anything is installed: `sudo hostnamectl set-hostname"
        f" {word(suggested)}`, and the same name in /etc/hosts. Where there is cloud-init, keep it"
        " from naming the machine again: `echo 'preserve_hostname: true' | sudo tee"
        " /etc/cloud/cloud.cfg.d/99-site.cfg`.",
        undo=f"sudo hostnamectl set-hostname {word(have)}",
    )


@check("host.machine-id", title="Machine id", severities=(PASS, FAIL, UNKNOWN))
def machine_id(case: Case, say: Say) -> Iterator[Finding]:
    """The id by which systemd, DHCP and clusters tell machines apart."""
    fact = case.facts.identity.machine_id
    value = known(fact)
    source = "Sitewright: clusters tell machines apart by it"
    if value is None and fact is not ABSENT:
        yield say.unknown(
            f"The machine id of {case.name} could not be read.",
            expected="32 hexadecimal digits",
            reason=why_unknown(fact),
            source=source,
            evidence="cat /etc/machine-id",
        )
        return
    good = bool(value) and value != "uninitialized"
    yield say.at(
        PASS if good else FAIL,
        f"{case.name} has a machine id." if good else f"{case.name} has no machine id.",
        expected="32 hexadecimal digits",
        actual=value or "none",
        source=source,
        evidence="cat /etc/machine-id",
        remedy="Make one and start anew: `sudo systemd-machine-id-setup && sudo reboot`.",
        undo="sudo truncate -s 0 /etc/machine-id, and start anew.",
    )
