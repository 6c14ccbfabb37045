"""Checks of the machine's own packet filter: what would block the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from foundation.wording import counted, listed, shortened
from preflight.checks.case import Case
from preflight.checks.check import FAIL, PASS, UNKNOWN, WARN, Say, check
from preflight.facts import ABSENT, NOT_ASKED, known, why_unknown
from preflight.findings import Finding
from preflight.needs import PortNeed

OUTSIDE: Final = frozenset({"internet", "operator"})
SOURCE: Final = "MicroK8s inspect.sh and troubleshooting: the FORWARD policy must let pods speak"
FORWARD_UNIT: Final = "/etc/systemd/system/site-forward.service"
FORWARD_FOR_GOOD: Final = (
    "printf '%s\\n' '[Unit]' 'After=network.target docker.service' '[Service]' 'Type=oneshot'"
    " 'ExecStart=/usr/sbin/iptables -P FORWARD ACCEPT' '[Install]' 'WantedBy=multi-user.target'"
    f" | sudo tee {FORWARD_UNIT} && sudo systemctl enable --now site-forward.service"
)
FORWARD_BACK: Final = (
    f"sudo systemctl disable site-forward.service && sudo rm {FORWARD_UNIT} &&"
    " sudo iptables -P FORWARD DROP"
)


@check("firewall.forward", title="Forwarding policy", severities=(PASS, FAIL, UNKNOWN))
def forward(case: Case, say: Say) -> Iterator[Finding]:
    """A FORWARD policy of DROP, which cuts pods off from each other."""
    if not case.kubernetes:
        return
    fact = case.facts.firewall.policies.get("FORWARD", NOT_ASKED)
    policy = known(fact)
    evidence = "sudo iptables -S FORWARD | head -1; sudo nft list ruleset | grep 'hook forward'"
    if policy is None and fact is not ABSENT:
        yield say.unknown(
            f"It could not be told whether {case.name} forwards packets between pods.",
            expected="policy ACCEPT",
            reason=why_unknown(fact),
            source=SOURCE,
            evidence=evidence,
        )
        return
    drops = (policy or "ACCEPT").upper() in ("DROP", "REJECT")
    ufw = known(case.facts.firewall.ufw) == "active"
    yield say.at(
        FAIL if drops else PASS,
        f"The firewall of {case.name} drops forwarded packets, so pods cannot reach each other."
        if drops
        else f"The firewall of {case.name} lets forwarded packets pass.",
        expected="policy ACCEPT",
        actual=policy or "no filter",
        source=SOURCE,
        evidence=evidence,
        remedy="Let routed packets pass: `sudo ufw default allow routed`."
        if ufw
        else "Let forwarded packets pass, now and after every start, behind Docker, which sets DROP"
        f" when it starts: `{FORWARD_FOR_GOOD}`.",
        undo="sudo ufw default deny routed" if ufw else FORWARD_BACK,
    )


def ports_let_in(rules: tuple[str, ...]) -> dict[str, list[range]]:
    """The ports that ufw's allow rules name, by protocol.

    A rule is ufw's own line: action, protocol, port, to, source port, from, direction, as in
    `allow tcp 6800:7300 0.0.0.0/0 any 10.0.0.0/8 in`. One that holds for an interface only (a
    direction like in_eth1) is left out.
    """
    found: dict[str, list[range]] = {"tcp": [], "udp": []}
    for rule in rules:
        words = rule.split()
        if len(words) < 7 or words[0] not in ("allow", "limit") or words[-1] != "in":
            continue
        spans = [range(1, 65536)] if words[2] == "any" else list(_spans(words[2]))
        for protocol in [words[1]] if words[1] in found else list(found):
            found[protocol] += spans
    return found


def _spans(ports: str) -> Iterator[range]:
    for part in ports.split(","):
        first, _, last = part.partition(":")
        if first.isdecimal() and (last.isdecimal() or not last):
            yield range(int(first), int(last or first) + 1)


def is_let_in(need: PortNeed, allowed: dict[str, list[range]]) -> bool:
    """Whether some rule lets in the whole of a line's range."""
    return any(need.first in span and need.last in span for span in allowed.get(need.protocol, []))


@check("firewall.input", title="Needed ports are let in", severities=(PASS, WARN, UNKNOWN))
def let_in(case: Case, say: Say) -> Iterator[Finding]:
    """A filter that drops by default, and ports of the roles that no rule of it names.

    It only warns: rules may allow by address or interface, and the mesh test tells for certain.
    """
    needs = [
        need
        for need in case.needs.ports.ports
        if any(map(case.plays, need.on))
        and set(need.reached_from) - OUTSIDE
        and not need.when
        and need.correction is None
    ]
    if not needs or case.needs.single_machine:
        return
    firewall = case.facts.firewall
    ufw, firewalld = known(firewall.ufw), known(firewall.firewalld)
    fact = firewall.policies.get("INPUT", NOT_ASKED)
    policy = known(fact)
    source = "Sitewright: the solution's port table against the machine's own filter"
    evidence = "sudo ufw status verbose; sudo iptables -S INPUT; sudo nft list ruleset"
    expected = "let in: " + shortened((f"{n.port}/{n.protocol}" for n in needs), 12)
    if policy is None and fact is not ABSENT and ufw != "active":
        yield say.unknown(
            f"It could not be told what the firewall of {case.name} lets in.",
            expected=expected,
            reason=why_unknown(fact),
            source=source,
            evidence=evidence,
        )
        return
    strict = ufw == "active" or firewalld == "active" or policy in ("DROP", "REJECT")
    rules = known(firewall.ufw_rules) or ()
    missing = [need for need in needs if not is_let_in(need, ports_let_in(rules))] if strict else []
    names = [f"{need.port}/{need.protocol}" for need in missing]
    seen = counted(len(rules), "rule")
    title = f"The firewall of {case.name} lets in what its roles need."
    if missing:
        title = (
            f"The firewall of {case.name} drops what no rule allows, and no rule is seen for"
            f" {shortened(names, 6)}."
        )
    remedy, undo = _let_in(names, ufw=ufw == "active", firewalld=firewalld == "active")
    yield say.at(
        WARN if missing else PASS,
        title,
        expected=expected,
        actual=f"policy {policy or 'of ufw'}, {seen} seen" if strict else "no filter",
        source=source,
        evidence=evidence,
        remedy=remedy,
        undo=undo,
    )


def _let_in(names: Iterable[str], *, ufw: bool, firewalld: bool) -> tuple[str, str]:
    """What lets ports in, now and after the next start, by the firewall that is there; its undo.

    A rule given to a firewall that is not active would change nothing.
    """
    if firewalld:
        ports = " ".join(f"--add-port={name}" for name in names)
        command = f"sudo firewall-cmd --permanent {ports} && sudo firewall-cmd --reload"
        return f"Let them in: `{command}`.", command.replace("--add-port", "--remove-port")
    if ufw:
        allow = " && ".join(f"sudo ufw allow {name.replace('-', ':')}" for name in names)
        return (
            f"Let them in, best from the site's own network only (`from NETWORK`): `{allow}`.",
            allow.replace("ufw allow", "ufw delete allow"),
        )
    return (
        (
            f"Let {listed(names)} in where the filter is made at each start: /etc/nftables.conf, or"
            " /etc/iptables/rules.v4 of iptables-persistent; a rule that is set by hand alone is"
            " gone after the next start. Then load the file: `sudo systemctl restart nftables`, or"
            " `sudo systemctl restart netfilter-persistent`."
        ),
        "Take the lines out again, and load the file as before.",
    )


@check("firewall.pods", title="ufw lets the pod network pass", severities=(PASS, WARN))
def pods(case: Case, say: Say) -> Iterator[Finding]:
    """Rules for Calico's interfaces where ufw is active."""
    if not case.kubernetes or known(case.facts.firewall.ufw) != "active":
        return
    rules = known(case.facts.firewall.ufw_rules)
    if rules is None:
        return
    seen = counted(len(rules), "rule")
    text = " ".join(rules).lower()
    missing = [name for name in ("vxlan.calico", "cali+") if name not in text]
    commands = " && ".join(
        f"sudo ufw allow {way} on {name}" for name in missing for way in ("in", "out")
    )
    yield say.at(
        WARN if missing else PASS,
        f"ufw is active on {case.name} and has no rule for {' and '.join(missing)}."
        if missing
        else f"ufw on {case.name} lets the pod network pass.",
        expected="rules that allow vxlan.calico and cali+",
        actual=f"{seen}, none for {' and '.join(missing)}" if missing else "both there",
        source="MicroK8s inspect.sh: ufw without rules for vxlan.calico and cali+",
        evidence="sudo ufw status verbose | grep -E 'vxlan.calico|cali'",
        remedy=f"Let them pass: `{commands}`.",
        undo=commands.replace("ufw allow", "ufw delete allow"),
    )
