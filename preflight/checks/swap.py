"""Check of swap: whether any is on or would come back, where it comes from, how to end that.

Every remedy outlives the next start: it takes away what switches swap on, not only the swap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from foundation.wording import listed, shortened
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import memory_size, word
from preflight.facts import SwapArea, SwapSource, known, why_unknown
from preflight.findings import Finding, Severity

EVIDENCE: Final = (
    "swapon --show; systemctl list-units --all --type swap; grep -E '\\sswap\\s' /etc/fstab"
)
FSTAB_OFF: Final = (
    "sudo sed -i.before-sitewright -E '/^[^#].*[[:space:]]swap[[:space:]]/s/^/#/' /etc/fstab"
)
FSTAB_BACK: Final = "sudo mv /etc/fstab.before-sitewright /etc/fstab"
TARGET_OFF: Final = "sudo systemctl mask swap.target"
"""Every .swap unit hangs on it: fstab's, a GPT partition's, zram-generator's. It does not matter
that a device has another name after the next start."""
AGENT_OFF: Final = (
    "sudo sed -i.before-sitewright 's/^ResourceDisk.EnableSwap=y/ResourceDisk.EnableSwap=n/'"
    " /etc/waagent.conf"
)

_UNITS: Final = (
    SwapSource.FSTAB, SwapSource.ZRAM_GENERATOR, SwapSource.GPT, SwapSource.UNIT,
)  # fmt: skip


@check("memory.swap", title="Swap", severities=(PASS, WARN, FAIL, UNKNOWN))
def swap(case: Case, say: Say) -> Iterator[Finding]:
    """Active swap, and swap that the next start would bring, where the solution minds it."""
    demand = case.platform.swap
    if demand == "ignore" or not (case.kubernetes or not case.platform.kubernetes_roles):
        return
    source = case.platform.swap_source or "Sitewright: Kubernetes counts on memory without swap"
    active = known(case.facts.memory.swap_bytes)
    areas = known(case.facts.memory.swap_areas) or ()
    if active is None:
        yield say.unknown(
            f"It could not be told whether {case.name} uses swap; it should use none.",
            expected="no swap",
            reason=why_unknown(case.facts.memory.swap_bytes),
            source=source,
            evidence=EVIDENCE,
        )
        return
    coming = [area for area in areas if not area.active]
    # A container has neither a swap nor a start of its own.
    if active == 0 and (not coming or known(case.facts.cpu.is_container)):
        yield say.at(
            PASS,
            f"{case.name} uses no swap.",
            expected="no swap",
            actual="no swap",
            source=source,
            evidence=EVIDENCE,
        )
        return
    remedy, undo = _remedy(areas, systemd=known(case.facts.os.init) in (None, "systemd"))
    if active == 0:
        yield say.at(
            WARN,
            f"{case.name} uses no swap now, but has it again after its next start: it comes from"
            f" {_origins(coming)}.",
            expected="no swap, after the next start either",
            actual=f"none now; {_described(coming)}",
            source=source,
            evidence=EVIDENCE,
            remedy=remedy,
            undo=undo,
        )
        return
    on = [area for area in areas if area.active]
    whence = f" from {_origins(on)}" if on else ""
    yield say.at(
        Severity(demand),
        f"{case.name} has {memory_size(active)} of swap switched on{whence}; {case.who} needs it"
        " off.",
        expected="no swap",
        actual=f"{memory_size(active)}{f': {_described(areas)}' if areas else ''}",
        source=source,
        evidence=EVIDENCE,
        remedy=remedy,
        undo=undo,
    )


def _origin(area: SwapArea) -> str:
    """Where a swap area comes from, in words."""
    match area.source:
        case SwapSource.FSTAB:
            return "/etc/fstab"
        case SwapSource.ZRAM_GENERATOR:
            return "zram-generator"
        case SwapSource.GPT:
            return "a partition that systemd takes up by its type"
        case SwapSource.UNIT:
            return f"the unit {area.by}"
        case SwapSource.SERVICE:
            return area.by.removesuffix(".service")
        case SwapSource.AZURE:
            return "Azure's agent (/etc/waagent.conf)"
        case _:
            return "a hand or a script that is not known"


def _origins(areas: Sequence[SwapArea]) -> str:
    return listed(dict.fromkeys(map(_origin, areas)))


def _described(areas: Sequence[SwapArea]) -> str:
    return shortened(f"{area.name or area.by} by {_origin(area)}" for area in areas)


def _remedy(areas: Sequence[SwapArea], *, systemd: bool) -> tuple[str, str]:
    """What ends swap now and for every start, and what takes that back."""
    sources = {area.source for area in areas}
    # What an older recording does not tell is taken for the most usual.
    untold = not areas
    off, back = ["sudo swapoff -a"], []
    if systemd and (untold or sources.intersection(_UNITS)):
        off.append(TARGET_OFF)
        back.append("sudo systemctl unmask swap.target")
    if untold or SwapSource.FSTAB in sources:
        off.append(FSTAB_OFF)
        back.append(FSTAB_BACK)
    for service in dict.fromkeys(a.by for a in areas if a.source is SwapSource.SERVICE):
        off.append(f"sudo systemctl mask --now {word(service)}")
        back.append(f"sudo systemctl unmask {word(service)}")
    if SwapSource.AZURE in sources:
        off.append(AGENT_OFF)
        back.append("sudo mv /etc/waagent.conf.before-sitewright /etc/waagent.conf")
    text = f"Switch it off now and for every start: {listed(f'`{command}`' for command in off)}."
    if SwapSource.UNKNOWN in sources:
        names = shortened(a.name for a in areas if a.source is SwapSource.UNKNOWN)
        text += (
            f" What switches {names} on is not known: look for it with `grep -rn swapon /etc"
            " 2>/dev/null`, and take it out, or it is back."
        )
    return (
        f"{text} Start the machine anew and see that `swapon --show` prints nothing.",
        (
            f"{' && '.join([*back, 'sudo swapon -a'])}; what services made is back after the next"
            " start."
        ),
    )
