"""Checks of the processors: how many, of which level, and what virtualises them."""

from __future__ import annotations

from collections.abc import Iterator

from foundation.wording import how_many, listed
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, Say, check
from preflight.facts import ABSENT, known, why_unknown
from preflight.findings import Finding

LEVEL_EXAMPLES = {1: "any 64-bit x86", 2: "SSE4.2 and POPCNT", 3: "AVX2, BMI and FMA", 4: "AVX-512"}


@check("cpu.count", title="Number of CPUs", severities=(PASS, FAIL, UNKNOWN))
def count(case: Case, say: Say) -> Iterator[Finding]:
    """Logical CPUs that the system may use against the sizing table."""
    need = case.demand.cpu
    if need is None:
        return
    evidence = "nproc; lscpu | grep -E '^(CPU|Socket|Core|Thread|Model name)'"
    have = known(case.facts.cpu.logical)
    if have is None:
        yield say.unknown(
            f"It could not be told how many CPUs {case.name} has; {case.who} needs {need}.",
            expected=str(need),
            reason=why_unknown(case.facts.cpu.logical),
            source=case.sizing_source,
            evidence=evidence,
        )
    elif have >= need:
        yield say.at(
            PASS,
            f"{case.name} has {how_many(have, 'CPU')}; {case.who} needs {need}.",
            expected=str(need),
            actual=str(have),
            source=case.sizing_source,
            evidence=evidence,
        )
    else:
        yield say.at(
            FAIL,
            f"{case.name} has {how_many(have, 'CPU')}; {case.who} needs {need}.",
            expected=str(need),
            actual=str(have),
            source=case.sizing_source,
            evidence=evidence,
            remedy=f"Shut the machine down and give it {need} CPUs: vCPUs in the hypervisor, or"
            " processors with more cores. If it has them and shows fewer, look for a limit:"
            " nosmt or maxcpus= in /proc/cmdline, disabled cores in the firmware, a cgroup quota.",
            undo="Take the added CPUs away again in the hypervisor while the machine is off.",
        )


@check("cpu.level", title="x86-64 level of the CPU", severities=(PASS, FAIL, UNKNOWN))
def level(case: Case, say: Say) -> Iterator[Finding]:
    """The micro-architecture level that containers are compiled for."""
    need = case.platform.cpu_level
    have = case.facts.cpu.level
    if need is None or have is ABSENT:
        return
    source = case.platform.cpu_level_source or "Sitewright: images are compiled for this level"
    evidence = "/lib64/ld-linux-x86-64.so.2 --help | grep -E 'x86-64-v[234]'"
    value = known(have)
    if value is None:
        yield say.unknown(
            f"It could not be told which x86-64 level the CPU of {case.name} has;"
            f" level {need} is needed.",
            expected=f"x86-64-v{need}",
            reason=why_unknown(have),
            source=source,
            evidence=evidence,
        )
        return
    good = value >= need
    yield say.at(
        PASS if good else FAIL,
        f"The CPU of {case.name} offers x86-64-v{value}; x86-64-v{need} is needed.",
        expected=f"x86-64-v{need} ({LEVEL_EXAMPLES.get(need, '')})",
        actual=f"x86-64-v{value}",
        source=source,
        evidence=evidence,
        remedy="On a virtual machine, let the hypervisor pass the real CPU through and start the"
        " machine anew: Proxmox `qm set <id> --cpu host`, libvirt `<cpu mode='host-passthrough'/>`,"
        " VMware a newer EVC mode. A physical CPU of a lower level must be replaced.",
        undo="Set the CPU type back to what it was and start the machine anew.",
    )


@check("cpu.flags", title="Abilities of the CPU", severities=(PASS, FAIL, UNKNOWN))
def flags(case: Case, say: Say) -> Iterator[Finding]:
    """Flags that a program needs apart from the level."""
    needed = case.platform.cpu_flags
    if not needed or case.facts.cpu.flags is ABSENT:
        return
    source = case.platform.cpu_flags_source or "Sitewright: programs that do not start without them"
    evidence = f"grep -o -w -E '{'|'.join(needed)}' /proc/cpuinfo | sort -u"
    have = known(case.facts.cpu.flags)
    if have is None:
        yield say.unknown(
            f"It could not be told whether the CPU of {case.name} has {listed(needed)}.",
            expected=listed(needed),
            reason=why_unknown(case.facts.cpu.flags),
            source=source,
            evidence=evidence,
        )
        return
    missing = [flag for flag in needed if flag not in have]
    yield say.at(
        FAIL if missing else PASS,
        f"The CPU of {case.name} lacks {listed(missing)}, without which programs do not start."
        if missing
        else f"The CPU of {case.name} has {listed(needed)}.",
        expected=listed(needed),
        actual=f"without {listed(missing)}" if missing else "all there",
        source=source,
        evidence=evidence,
        remedy="On a virtual machine, let the hypervisor pass the real CPU through and start the"
        " machine anew: Proxmox `qm set <id> --cpu host`, libvirt `<cpu mode='host-passthrough'/>`,"
        " VMware a newer EVC mode. A physical CPU without them must be replaced.",
        undo="Set the CPU type back to what it was and start the machine anew.",
    )


@check("cpu.virtualization", title="What virtualises the machine", severities=(PASS,))
def virtualization(case: Case, say: Say) -> Iterator[Finding]:
    """A statement for the report; `machine.kind` judges it."""
    fact = case.facts.cpu.virtualization
    value = known(fact)
    if value is None and fact is not ABSENT:
        return
    maker = known(case.facts.cpu.vendor)
    yield say.at(
        PASS,
        f"{case.name} is virtualised by {value}." if value else f"{case.name} runs on bare metal.",
        expected="nothing: this is for the record",
        actual=f"{value or 'bare metal'}{f' ({maker})' if maker else ''}",
        source="Sitewright: the report records what kind of machine was judged",
        evidence="systemd-detect-virt",
    )
