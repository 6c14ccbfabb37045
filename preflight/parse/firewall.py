"""Packet filters: who sets them, how many rules there are, and what happens without one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from preflight.facts import ABSENT, Fact, FirewallFacts, Unknown
from preflight.parse.frames import Answer
from preflight.parse.identity import is_root
from preflight.parse.software import has_package, has_unit, unit_active
from preflight.parse.text import assignments, plain, whole

_HOOKS = ("INPUT", "FORWARD", "OUTPUT")


def parse_firewall(answer: Answer) -> FirewallFacts:
    """The firewall facts from the sections ufw, filters, nft, iptables and software's."""
    if "ufw" not in answer.sections:
        return FirewallFacts()
    files = answer.files("ufw")
    ufw = _ufw(answer, files)
    nft, nft_policies = _nft(answer)
    iptables, iptables_policies = _iptables(answer)
    policies = {
        hook: _strictest(nft_policies.get(hook, nft_policies[""]),
                         iptables_policies.get(hook, iptables_policies[""]))
        for hook in _HOOKS
    }  # fmt: skip
    if ufw == "active":
        _add_ufw_defaults(policies, files)
    return FirewallFacts(
        ufw=ufw,
        ufw_rules=_ufw_rules(answer, files, ufw),
        firewalld=_firewalld(answer),
        nftables=nft,
        iptables=iptables,
        policies=policies,
    )


def _ufw(answer: Answer, files: Mapping[str, str]) -> Fact[str]:
    conf = files.get("/etc/ufw/ufw.conf")
    if conf is None:
        installed = has_package(answer, "ufw") or has_unit(answer, "ufw")
        return Unknown("/etc/ufw/ufw.conf cannot be read") if installed else ABSENT
    if assignments(conf).get("ENABLED", "").lower() != "yes":
        return "inactive"
    # Enabled in the file and without its chains in the kernel means that it has not started.
    if answer.succeeded("iptables") and "status 0" in answer.text("iptables"):
        return "active" if "ufw" in answer.lines("iptables") else "inactive"
    return "active"


def _ufw_rules(answer: Answer, files: Mapping[str, str], ufw: Fact[str]) -> Fact[tuple[str, ...]]:
    if not isinstance(ufw, str):
        return ABSENT
    if not is_root(answer):
        return Unknown("needs root")
    rules = []
    for path, text in files.items():
        if path.endswith((".rules",)):
            rules += [
                plain(line.removeprefix("### tuple ###"))
                for line in text.split("\n")[:2000]
                if line.startswith("### tuple ###")
            ]
    return tuple(rules)


def _add_ufw_defaults(policies: dict[str, Fact[str]], files: Mapping[str, str]) -> None:
    """What ufw's own defaults say, which an ordinary user may read too."""
    defaults = assignments(files.get("/etc/default/ufw", ""))
    for hook in _HOOKS:
        word = defaults.get(f"DEFAULT_{hook}_POLICY", "").upper()
        if word in {"DROP", "REJECT"}:
            policies[hook] = "DROP"
        elif word == "ACCEPT" and isinstance(policies[hook], Unknown):
            policies[hook] = Unknown("ufw accepts; other filters need root")


def _firewalld(answer: Answer) -> Fact[str]:
    if not (has_unit(answer, "firewalld") or has_package(answer, "firewalld")):
        return ABSENT
    active = unit_active(answer, "firewalld", processes=("firewalld",))
    if isinstance(active, bool):
        return "active" if active else "inactive"
    return Unknown("nothing tells whether it runs")


def _unloaded(answer: Answer, *names: str) -> bool:
    """Whether the kernel is known to have none of these modules, so that there are no rules."""
    if not answer.succeeded("filters"):
        return False
    loaded = answer.text("filters").split()
    return "unknown" not in loaded and not set(names) & set(loaded)


def _counted(answer: Answer, name: str, tool: str) -> tuple[Fact[int], list[str]]:
    """The number of rules that a condensed listing gives, and its lines."""
    lines = answer.lines(name)
    if not answer.succeeded(name) or not lines:
        return answer.why_not(name, tool), []
    status = next((line[7:] for line in lines if line.startswith("status ")), "0")
    if status in {"124", "137", "143"}:
        return Unknown(f"{tool} did not answer in 2 s"), []
    if status != "0":
        return Unknown(f"{tool} failed with exit status {plain(status, 8)}"), []
    if lines[0] == "raw":
        if name == "nft":
            return sum(bool(re.match("\t\t ?[^\t ]", line)) for line in lines), lines
        return sum(line.startswith("-A ") for line in lines), lines
    count = whole(next((line[6:] for line in lines if line.startswith("rules ")), None))
    return (count if count is not None else answer.why_not(name, tool)), lines


def _nft(answer: Answer) -> tuple[Fact[int], dict[str, Fact[str]]]:
    if _unloaded(answer, "nf_tables"):
        return 0, {"": "ACCEPT"}
    count, lines = _counted(answer, "nft", "nft")
    if isinstance(count, Unknown):
        return count, {"": count}
    policies: dict[str, Fact[str]] = {"": "ACCEPT"}
    for line in lines:
        match = re.match(
            r"(ip|inet) \S+ \S+ .*\btype filter hook (input|forward|output) .*policy (\w+);", line
        )
        if match:
            hook, word = match.group(2).upper(), match.group(3).upper()
            policies[hook] = _strictest(policies.get(hook, "ACCEPT"), word)
    return count, policies


def _iptables(answer: Answer) -> tuple[Fact[int], dict[str, Fact[str]]]:
    if _unloaded(answer, "nf_tables", "ip_tables", "iptable_filter"):
        return 0, {"": "ACCEPT"}
    count, lines = _counted(answer, "iptables", "iptables-save")
    if isinstance(count, Unknown):
        return count, {"": count}
    policies: dict[str, Fact[str]] = {"": "ACCEPT"}
    for line in lines:
        match = re.match(r"filter :(INPUT|FORWARD|OUTPUT) (ACCEPT|DROP)", line)
        if match:
            policies[match.group(1)] = match.group(2)
    return count, policies


def _strictest(one: Fact[str], other: Fact[str]) -> Fact[str]:
    """DROP if either drops; what is not known stays so unless the other drops."""
    if "DROP" in (one, other):
        return "DROP"
    # iptables on nftables shows in both listings, so one that could be read is enough.
    return other if isinstance(one, Unknown) else one
