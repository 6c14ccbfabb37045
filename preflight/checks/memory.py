"""Check of memory: how much is installed."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import GIB, memory_size, plain
from preflight.facts import Facts, known, why_unknown
from preflight.findings import Finding, Severity

KERNEL_SHARE = 0.06
"""The part of installed memory that the kernel, the firmware and a crash kernel may keep: a
64 GiB machine shows 62.8 GiB, a 32 GiB one 31.1; a crash kernel takes up to 3 % more."""
KERNEL_SHARE_BYTES = 512 * 2**20
"""What they keep at least: a 2 GiB machine shows 1.9 GiB, a 4 GiB one 3.8."""
INSTALLED_SHARE = 0.97
"""Installed memory may lack a firmware hole: blocks of memory are counted whole."""
USABLE_SHARE = 0.90
"""Where the installed memory suffices, this much of the need must also be usable."""


def enough_memory(need_gb: float, installed: int | None, total: int | None) -> bool | None:
    """Whether memory reaches a need in GB of 2^30 bytes; None where neither figure is known.

    `total` is what the kernel reports as usable. It satisfies the need when only the kernel's own
    share is missing; a known installed size satisfies it when it is of the size that is sold and
    nothing (a cgroup, a mem= argument) withholds a good part of it. Bytes.
    """
    need = need_gb * GIB
    if total is not None and total >= need - max(KERNEL_SHARE * need, KERNEL_SHARE_BYTES):
        return True
    if installed is not None:
        usable = total is None or total >= USABLE_SHARE * need
        return usable and installed >= INSTALLED_SHARE * need
    return None if total is None else False


def memory_seen(facts: Facts) -> str:
    """The memory of a machine as a short phrase: "64 GB", "62.8 GiB usable"."""
    installed, total = known(facts.memory.installed_bytes), known(facts.memory.total_bytes)
    if installed is not None and (total is None or total >= USABLE_SHARE * installed):
        return f"{plain(installed / GIB)} GB"
    return f"{memory_size(total)} usable" if total is not None else "unknown"


@check("memory.size", title="Memory", severities=(PASS, WARN, FAIL, UNKNOWN))
def size(case: Case, say: Say) -> Iterator[Finding]:
    """Installed memory against the sizing table, with the kernel's share allowed for."""
    need, recommended = case.demand.memory_gb, case.demand.memory_recommended_gb
    if need is None:
        return
    facts = case.facts.memory
    installed, total = known(facts.installed_bytes), known(facts.total_bytes)
    have, expected = memory_seen(case.facts), f"{plain(need)} GB"
    if recommended and recommended > need:
        expected += f" ({plain(recommended)} GB recommended)"
    actual = have
    if total is not None and not have.endswith("usable"):
        actual += f" ({memory_size(total)} usable)"
    evidence = "grep MemTotal /proc/meminfo; lsmem --summary; sudo dmidecode -t memory | grep Size"
    fits = enough_memory(need, installed, total)
    severity: Severity
    if fits is None:
        yield say.unknown(
            f"It could not be told how much memory {case.name} has; {case.who} needs {expected}.",
            expected=expected,
            reason=why_unknown(facts.total_bytes),
            source=case.sizing_source,
            evidence=evidence,
        )
        return
    if not fits:
        severity = FAIL
        title = f"{case.name} has {have} of memory; {case.who} needs {plain(need)} GB."
    elif recommended and not enough_memory(recommended, installed, total):
        severity = WARN
        title = (
            f"{case.name} has {have} of memory; {plain(need)} GB is the least for {case.who} and"
            f" {plain(recommended)} GB is recommended."
        )
    else:
        severity = PASS
        title = f"{case.name} has {have} of memory; {case.who} needs {plain(need)} GB."
    goal = plain(recommended if severity is WARN and recommended else need)
    yield say.at(
        severity,
        title,
        expected=expected,
        actual=actual,
        source=case.sizing_source,
        evidence=evidence,
        remedy=f"Shut the machine down and give it {goal} GB: in the hypervisor without ballooning,"
        " or as modules. If it is installed and does not show, look for mem= in /proc/cmdline, a"
        " memory limit of a container, or a module the firmware has switched off.",
        undo="Take the added memory away while the machine is off.",
    )
