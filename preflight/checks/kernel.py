"""Checks of the kernel: modules, settings, control groups, security modules."""

from __future__ import annotations

import re
from collections.abc import Iterator

from foundation.wording import listed
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.checks.wording import word
from preflight.facts import ABSENT, NOT_ASKED, known, why_unknown
from preflight.findings import Finding, Severity
from preflight.needs import ModuleNeed, SysctlNeed

CONF = "/etc/sysctl.d/zz-site.conf"
"""Read after all others at a start, /etc/sysctl.conf (as 99-sysctl.conf) among them."""
_OF_MODULES = {"net.bridge.": "br_netfilter", "net.netfilter.": "nf_conntrack"}
"""Settings that are there only once a module is loaded, at a start too."""


def set_for_good(name: str, value: str) -> str:
    """The command that sets a kernel setting now and at every start."""
    return f"echo '{name} = {value}' | sudo tee -a {CONF} && sudo sysctl -p {CONF}"


def load_for_good(module: str) -> str:
    """The command that loads a module now and at every start."""
    return f"sudo modprobe {module} && echo {module} | sudo tee /etc/modules-load.d/{module}.conf"


@check("kernel.module.*", title="Kernel modules", severities=(PASS, WARN, FAIL, UNKNOWN))
def modules(case: Case, say: Say) -> Iterator[Finding]:
    """Modules that must be loaded, or that the kernel can load when they are needed."""
    loaded, loadable = known(case.facts.kernel.modules), known(case.facts.kernel.loadable)
    for need in case.platform.modules:
        if not case.concerns(need.roles):
            continue
        name = need.name
        plain_name = name.replace("-", "_")
        there = plain_name in {m.replace("-", "_") for m in (loaded or ())} if loaded else False
        could = bool(loadable) and plain_name in {m.replace("-", "_") for m in (loadable or ())}
        if not there and not could and (loaded is None or loadable is None):
            fact = case.facts.kernel.modules if loaded is None else case.facts.kernel.loadable
            yield say.unknown(
                f"It could not be told whether {case.name} can load the kernel module {name}.",
                id=f"kernel.module.{name}",
                subject=name,
                expected="loaded or loadable",
                reason=why_unknown(fact),
                source=need.source,
                evidence=f"lsmod | grep {plain_name}; sudo modprobe --dry-run -v {name}",
            )
            continue
        yield _module(case, say, need, there=there, could=could)


def _module(case: Case, say: Say, need: ModuleNeed, *, there: bool, could: bool) -> Finding:
    name = need.name
    state = "loaded" if there else "not loaded, and can be" if could else "missing"
    return say.at(
        PASS if there or could else Severity(need.severity),
        f"The kernel module {name} is {state} on {case.name}.",
        id=f"kernel.module.{name}",
        subject=name,
        expected="loaded or loadable",
        actual=state,
        source=need.source,
        evidence=f"lsmod | grep {name.replace('-', '_')}; modinfo -F filename {name}",
        remedy=f"{need.reason} Install the modules that the running kernel lacks and load it:"
        " `sudo apt-get update && sudo apt-get install linux-modules-extra-$(uname -r)`,"
        f" `{load_for_good(name)}`. A line of a hardening may deny it, at the next start too:"
        f" `grep -rwE '{re.sub('[-_]', '[-_]', name)}' /etc/modprobe.d` shows it; take it out."
        " In a container, load it on the container's host.".lstrip(),
        undo=f"sudo rm /etc/modules-load.d/{name}.conf && sudo modprobe -r {name}",
    )


def sysctl_fits(value: str, need: SysctlNeed) -> bool:
    """Whether a setting's value is one of those allowed, or at least the least one."""
    text = " ".join(value.split())
    if need.equals and text not in need.equals:
        return False
    if need.at_least is not None:
        return text.lstrip("-").isdecimal() and int(text) >= need.at_least
    return True


@check("kernel.sysctl.*", title="Kernel settings", severities=(PASS, WARN, FAIL, UNKNOWN))
def sysctls(case: Case, say: Say) -> Iterator[Finding]:
    """Kernel settings against their least or allowed values."""
    for need in case.platform.sysctls:
        if not case.concerns(need.roles):
            continue
        fact = case.facts.kernel.sysctls.get(need.name, NOT_ASKED)
        wanted = f"at least {need.at_least}" if need.at_least is not None else ""
        wanted = wanted or listed(need.equals, "or") or "set"
        goal = str(need.at_least) if need.at_least is not None else (*need.equals, "1")[0]
        value = known(fact)
        evidence = f"sysctl {need.name}"
        find = f"kernel.sysctl.{need.name}"
        if value is None and fact is not ABSENT:
            yield say.unknown(
                f"The setting {need.name} of {case.name} could not be read.",
                id=find,
                subject=need.name,
                expected=wanted,
                reason=why_unknown(fact),
                source=need.source,
                evidence=evidence,
            )
            continue
        bridge = need.name.startswith("net.bridge.")
        if value is None:
            title = f"{need.name} does not exist on {case.name}; {wanted} is needed."
            if bridge:
                title = f"{need.name} appears on {case.name} once br_netfilter is loaded."
        else:
            title = f"{need.name} is {value} on {case.name}; {wanted} is needed."
        module = next((m for start, m in _OF_MODULES.items() if need.name.startswith(start)), "")
        load = f"Have its module loaded first: `{load_for_good(module)}`. " if module else ""
        yield say.at(
            PASS if value is not None and sysctl_fits(value, need) else Severity(need.severity),
            title,
            id=find,
            subject=need.name,
            expected=wanted,
            actual=value if value is not None else "there is none",
            source=need.source,
            evidence=evidence,
            remedy=f"{need.reason} {load}Set it now and for every start:"
            f" `{set_for_good(need.name, goal)}`.".lstrip(),
            undo=f"sudo sed -i '/^{need.name} =/d' {CONF}"
            + (f" && sudo sysctl -w {word(f'{need.name}={value}')}" if value is not None else ""),
        )


@check("kernel.cgroup", title="Control groups", severities=(PASS, WARN, FAIL, UNKNOWN))
def cgroup(case: Case, say: Say) -> Iterator[Finding]:
    """Controllers that containers are limited by, and their version."""
    needed = case.platform.cgroup_controllers
    if not needed or not (case.kubernetes or not case.platform.kubernetes_roles):
        return
    source = case.platform.cgroup_source or "Sitewright: containers are limited by control groups"
    evidence = "cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null || cat /proc/cgroups"
    controllers = known(case.facts.kernel.cgroup_controllers)
    expected = f"controllers {listed(needed)}"
    if controllers is None:
        yield say.unknown(
            f"It could not be told which control groups {case.name} has.",
            expected=expected,
            reason=why_unknown(case.facts.kernel.cgroup_controllers),
            source=source,
            evidence=evidence,
        )
        return
    missing = [name for name in needed if name not in controllers]
    old = known(case.facts.kernel.cgroup_version) == 1
    title = f"{case.name} has the control groups that containers need."
    if missing:
        title = f"{case.name} lacks the control group {listed(missing)}, which containers need."
    elif old:
        title = f"{case.name} uses control groups of version 1, which Kubernetes drops after 1.34."
    yield say.at(
        FAIL if missing else WARN if old and case.kubernetes else PASS,
        title,
        expected=f"{expected}, version 2",
        actual=f"version {known(case.facts.kernel.cgroup_version) or 'unknown'}:"
        f" {listed(sorted(controllers)) or 'none'}",
        source=source,
        evidence=evidence,
        remedy="Add `cgroup_enable=memory systemd.unified_cgroup_hierarchy=1` to the kernel's"
        " command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then `sudo update-grub`; on a"
        " Raspberry Pi /boot/firmware/cmdline.txt) and start anew.",
        undo="Take the words out of the kernel's command line again, `sudo update-grub`, reboot.",
    )


@check("kernel.lsm", title="Security modules", severities=(PASS, WARN, UNKNOWN))
def lsm(case: Case, say: Say) -> Iterator[Finding]:
    """SELinux in enforcing mode, which MicroK8s and its volumes are not labelled for."""
    if not case.kubernetes:
        return
    fact = case.facts.kernel.selinux
    mode = known(fact)
    source = "MicroK8s inspect.sh: SELinux is on"
    evidence = "getenforce; cat /sys/kernel/security/lsm"
    if mode is None and fact is not ABSENT:
        yield say.unknown(
            f"It could not be told whether SELinux is enforcing on {case.name}.",
            expected="not enforcing",
            reason=why_unknown(fact),
            source=source,
            evidence=evidence,
        )
        return
    bad = mode == "enforcing"
    active = listed(known(case.facts.kernel.lsm) or ()) or "none seen"
    yield say.at(
        WARN if bad else PASS,
        f"SELinux is enforcing on {case.name}; files of pods may be refused."
        if bad
        else f"SELinux does not stand in the way on {case.name}.",
        expected="not enforcing, or with a policy for the Kubernetes in use",
        actual=f"{mode or 'no SELinux'} (active: {active})",
        source=source,
        evidence=evidence,
        remedy="Install the policy that the Kubernetes distribution offers, or make it permissive:"
        " `sudo setenforce 0` and SELINUX=permissive in /etc/selinux/config.",
        undo="sudo setenforce 1, and SELINUX=enforcing in /etc/selinux/config.",
    )
