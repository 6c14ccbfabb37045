"""The kernel and packet filters from text."""

from __future__ import annotations

from preflight.facts import ABSENT, Unknown
from preflight.parse.firewall import parse_firewall
from preflight.parse.kernel import parse_kernel
from tests.preflight.probe_answers import answer_of

# ---- kernel


KERNEL = {
    "system": "/sys/fs/cgroup/cgroup.controllers:cpuset cpu io memory pids",
    "hierarchies": "user.slice v2",
    "modules": "/proc/modules:overlay 151552 0 - Live 0x0000000000000000",
    "known_modules": "present bridge\nfolder /lib/modules/6.8.0\nfile rbd\nbuiltin nf_conntrack",
    "filesystems": "/proc/filesystems:nodev\tproc\n/proc/filesystems:\text4",
    "kernel": "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/ip_local_port_range:1\t9\n"
    "/sys/kernel/security/lsm:lockdown,capability,apparmor\n"
    "/sys/module/apparmor/parameters/enabled:Y",
}


def test_modules_that_are_there_and_those_that_could_be() -> None:
    facts = parse_kernel(answer_of(KERNEL))
    assert facts.modules == frozenset({"overlay", "bridge", "nf_conntrack", "ext4"})
    assert facts.loadable == frozenset({"rbd"})
    without = parse_kernel(answer_of({**KERNEL, "known_modules": "present bridge"}))
    assert isinstance(without.loadable, Unknown)


def test_settings_control_groups_and_security_modules() -> None:
    facts = parse_kernel(answer_of(KERNEL))
    assert facts.sysctls["net.ipv4.ip_forward"] == "1"
    assert facts.sysctls["net.ipv4.ip_local_port_range"] == "1 9"
    assert facts.sysctls["net.bridge.bridge-nf-call-iptables"] is ABSENT
    assert facts.cgroup_version == 2
    assert facts.cgroup_controllers == frozenset({"cpuset", "cpu", "io", "memory", "pids"})
    assert facts.lsm == ("lockdown", "capability", "apparmor")
    assert (facts.selinux, facts.apparmor) == (ABSENT, True)


def test_a_hybrid_hierarchy_counts_as_version_one() -> None:
    old = {
        **KERNEL,
        "system": "/proc/cgroups:#subsys_name\thierarchy\tnum\tenabled\n"
        "/proc/cgroups:cpu\t2\t1\t1\n/proc/cgroups:rdma\t0\t1\t1\n/proc/cgroups:pids\t3\t1\t0",
        "hierarchies": "cpu pids systemd unified",
    }
    facts = parse_kernel(answer_of(old))
    assert (facts.cgroup_version, facts.cgroup_controllers) == (1, frozenset({"cpu"}))


# ---- packet filters

FILTERS = {
    "login": "uid=0",
    "commands": "/usr/sbin/ufw",
    "packages": "Package: ufw\nStatus: install ok installed\nVersion: 0.36.2-6",
    "units": "",
    "ufw": """
        /etc/ufw/ufw.conf:ENABLED=yes
        /etc/default/ufw:DEFAULT_INPUT_POLICY="DROP"
        /etc/default/ufw:DEFAULT_FORWARD_POLICY="DROP"
        /etc/default/ufw:DEFAULT_OUTPUT_POLICY="ACCEPT"
        /etc/ufw/user.rules:### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in
    """,
    "filters": "nf_tables",
    "nft": "ip filter INPUT \t\ttype filter hook input priority filter; policy drop;\n"
    "ip6 filter FORWARD \t\ttype filter hook forward priority filter; policy drop;\n"
    "status 0\nrules 41",
    "iptables": "filter :INPUT DROP\nfilter :FORWARD ACCEPT\nnat :OUTPUT ACCEPT\n"
    "ufw\nstatus 0\nrules 40",
}


def test_ufw_that_runs_with_its_rules_and_policies() -> None:
    facts = parse_firewall(answer_of(FILTERS))
    assert facts.ufw == "active"
    assert facts.ufw_rules == ("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",)
    assert (facts.nftables, facts.iptables) == (41, 40)
    assert facts.policies == {"INPUT": "DROP", "FORWARD": "DROP", "OUTPUT": "ACCEPT"}


def test_ufw_that_is_enabled_and_not_started_is_inactive() -> None:
    stopped = {**FILTERS, "iptables": FILTERS["iptables"].replace("ufw\n", "")}
    facts = parse_firewall(answer_of(stopped))
    assert facts.ufw == "inactive"
    # The IPv6 table alone does not decide what becomes of IPv4 packets.
    assert facts.policies["FORWARD"] == "ACCEPT"


def test_without_root_only_what_the_files_say_is_known() -> None:
    user = {**FILTERS, "login": "uid=1000"}
    statuses = {"nft": "needs-root", "iptables": "needs-root"}
    facts = parse_firewall(answer_of({**user, "nft": "", "iptables": ""}, statuses=statuses))
    assert facts.ufw == "active"
    assert facts.nftables == Unknown("needs root")
    assert facts.policies["INPUT"] == "DROP"
    assert isinstance(facts.policies["OUTPUT"], Unknown)


def test_a_kernel_without_packet_filters_has_no_rules() -> None:
    bare = {"login": "uid=1000", "ufw": "", "filters": "", "units": "", "packages": ""}
    facts = parse_firewall(answer_of(bare))
    assert (facts.ufw, facts.nftables, facts.iptables) == (ABSENT, 0, 0)
    assert facts.policies["FORWARD"] == "ACCEPT"


def test_a_listing_that_hung_is_unknown() -> None:
    hung = {**FILTERS, "nft": "status 137\nrules 7"}
    assert parse_firewall(answer_of(hung)).nftables == Unknown("nft did not answer in 2 s")
