"""Remedies as a machine of the lab tries them: what was wrong, what is pasted, what must hold then.

What is pasted is what the product prints, with the marks that stand for a person's own words filled
in. Docker, its socket, multipathd and snapd are stand-ins: units of their names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from foundation.hosts.connection import PortState
from foundation.sentences import understood
from installer.catalogue.hardening import load_hardening
from installer.catalogue.solution import load_solution
from installer.steps.unit_state import unit_state
from preflight.checks.access import sudo
from preflight.checks.case import Case, SiteCase
from preflight.checks.check import Check
from preflight.checks.clock import synchronized
from preflight.checks.consistency import unique
from preflight.checks.firewall import forward, let_in, pods
from preflight.checks.hostname import name as own_label
from preflight.checks.kernel import load_for_good, sysctls
from preflight.checks.network import own_addresses, own_name
from preflight.checks.port import STOPPED_FOR_GOOD
from preflight.checks.software import multipath, unattended_upgrades
from preflight.facts import Facts, Software
from preflight.needs import SysctlNeed
from tests.preflight.checks.test_mesh import met
from tests.preflight.facts_factory import case, changed, needs, platform, role, worker_facts

IN_BACKTICKS: Final = r"`(sudo [^`]+|[^`]+ \| sudo [^`]+)`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One remedy: a machine that needs it, what is printed, and what shows that it worked."""

    name: str
    spoil: str = "true"
    """A script of root's that makes the machine need it, for good."""
    printed: Callable[[], str]
    pick: str = IN_BACKTICKS
    """What finds the commands in what is printed."""
    but: str = r"(?!)"
    """Commands that are not pasted, where no lab machine has what they are about."""
    filled: tuple[tuple[str, str], ...] = ()
    """What a person writes in place of a mark."""
    by_hand: str = "true"
    """What is done to a file by hand, as the words ask."""
    look: str
    """A script that tells how it stands."""
    spoiled: str
    healed: str

    def commands(self) -> list[str]:
        """What is pasted, in order; never empty."""
        text = self.printed()
        found = [one for one in re.findall(self.pick, text) if not re.search(self.but, one)]
        assert found, text
        for mark, word in self.filled:
            assert any(mark in one for one in found), (mark, found)
            found = [one.replace(mark, word) for one in found]
        return found


def unit(name: str, *lines: str, wanted: str = "multi-user.target") -> str:
    """A script that lays a unit down and has it started at each start."""
    section = "Socket" if name.endswith(".socket") else "Service"
    body = "\\n".join([f"[{section}]", *lines, "[Install]", f"WantedBy={wanted}", ""])
    return f"printf '{body}' >/etc/systemd/system/{name}\nsystemctl enable -q {name}\n"


RUNS: Final = ("Type=exec", "ExecStart=/bin/sleep infinity")


def _remedy(check: Check[Case], facts: Facts, **asked: object) -> str:
    """The remedy of a check's finding on a worker that has these facts."""
    one = case(facts, wanted=needs(role("worker"), platform=platform(**asked)))
    return next(finding.remedy for finding in check.run(one) if finding.remedy)


def _active(name: str) -> Facts:
    return changed(worker_facts(), software=(Software(name, "1", f"/usr/sbin/{name}", True),))


def _ufw(**more: object) -> Facts:
    return changed(worker_facts(), firewall={"ufw": "active", "ufw_rules": (), **more})


def _copies() -> str:
    """The remedy where two machines have one machine id."""
    both = tuple(replace(case(worker_facts()), host=replace(case().host, name=n)) for n in "ab")
    found = unique.run(SiteCase(cases=both, unseen=(), roles={}, needs=needs()))
    return next(one.remedy for one in found if one.id == "unique.machine-id")


def _said(sentence: str) -> str:
    meaning = understood(sentence)
    assert meaning is not None
    return meaning.remedy


def _of_hardening(solution: str, check: str) -> str:
    listed = load_hardening(load_solution(solution))
    return next(one.remedy for one in listed.checks if one.id == check)


PREPARED: Final = r"""
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends iptables ufw \
    unattended-upgrades rpcbind >/dev/null
ufw allow 22/tcp >/dev/null
ufw --force enable >/dev/null
"""

OF_FIREWALLD: Final = (
    Trial(
        name="firewalld",
        spoil="apt-get update -qq\n"
        "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends firewalld"
        " >/dev/null",
        printed=lambda: _remedy(
            let_in, changed(worker_facts(), firewall={"firewalld": "active", "ufw": "inactive"})
        ),
        look="firewall-cmd --list-ports | tr ' ' '\\n' | grep -cx 10250/tcp || true",
        spoiled="0",
        healed="1",
    ),
)
"""What has a machine of its own: firewalld empties the tables of ufw when it starts."""

OWN_FILES: Final = r"""
cat >/root/init <<'END'
#!/bin/sh
umount /etc/hostname /etc/hosts /etc/resolv.conf
exec /lib/systemd/systemd "$@"
END
chmod 755 /root/init
for file in hostname hosts resolv.conf; do
    cp /etc/$file /root/$file
    umount /etc/$file
    cp /root/$file /etc/$file
done
ln -sf /root/init /sbin/init
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends cloud-init >/dev/null
mkdir -p /var/lib/cloud/seed/nocloud
printf 'instance-id: lab\nlocal-hostname: Old-Name\n' >/var/lib/cloud/seed/nocloud/meta-data
printf '#cloud-config\nmanage_etc_hosts: true\n' >/var/lib/cloud/seed/nocloud/user-data
cat >/etc/cloud/cloud.cfg.d/90-lab.cfg <<'END'
datasource_list: [NoCloud]
network: {config: disabled}
cloud_init_modules: [set_hostname, update_hostname, update_etc_hosts]
cloud_config_modules: []
cloud_final_modules: []
END
"""
"""Takes away what podman lays over three files, before systemd starts too, so that the machine has
its own as any other has; and has the real cloud-init name it, and write /etc/hosts, at each start.
"""

OF_NAMES: Final = (
    Trial(
        name="hostname",
        printed=lambda: _remedy(
            own_label, changed(worker_facts(), identity={"hostname": "Old-Name"})
        ),
        look="hostname; cat /etc/hostname",
        spoiled="Old-Name Old-Name",
        healed="old-name old-name",
    ),
    Trial(
        name="hosts",
        printed=lambda: _remedy(
            own_name,
            changed(
                worker_facts(),
                identity={"hostname": "old-name"},
                network={"resolves_itself": True, "own_address": "127.0.1.1"},
            ),
        ),
        look="getent ahostsv4 old-name | cut -d' ' -f1 | sort -u;"
        " getent ahostsv4 localhost | cut -d' ' -f1 | sort -u",
        spoiled="127.0.1.1 127.0.0.1",
        healed=f"{own_addresses(worker_facts())[0]} 127.0.0.1",
    ),
    Trial(
        name="module",
        # The kernel is that of the machine under the lab; this one is told that it has it built in.
        spoil="mkdir -p /lib/modules/$(uname -r)\n"
        "echo kernel/net/bridge/br_netfilter.ko >/lib/modules/$(uname -r)/modules.builtin\n"
        "touch /lib/modules/$(uname -r)/modules.order\ndepmod",
        printed=lambda: load_for_good("br_netfilter"),
        pick=r"(sudo .+)$",
        # What each start asks of systemd's own program; its unit is masked in the lab.
        look="SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-modules-load 2>&1"
        " | grep -o br_netfilter || true",
        spoiled="",
        healed="br_netfilter",
    ),
    Trial(
        name="set-ntp",
        spoil="systemctl disable -q --now chrony",
        printed=lambda: _said("The certificate chain uses not yet valid certificate."),
        pick=r"(timedatectl set-ntp true)",
        look="systemctl is-enabled chrony || true; systemctl is-active chrony || true",
        spoiled="disabled inactive",
        healed="enabled active",
    ),
)
"""What is tried on a machine whose names are its own, and cloud-init's at first."""

TRIALS: Final = (
    Trial(
        name="sysctl",
        # systemd's own program, for the one setting that a machine of the lab has for itself.
        spoil=unit(
            "sysctl-of-lab.service",
            "Type=oneshot",
            "ExecStart=/lib/systemd/systemd-sysctl --prefix=/net/ipv4/ip_forward",
        )
        + "echo 'net.ipv4.ip_forward = 0' >>/etc/sysctl.conf\n"
        "[ -e /etc/sysctl.d/99-sysctl.conf ] || ln -s ../sysctl.conf /etc/sysctl.d/99-sysctl.conf",
        printed=lambda: _remedy(
            sysctls,
            changed(worker_facts(), kernel={"sysctls": {"net.ipv4.ip_forward": "0"}}),
            sysctls=(SysctlNeed(name="net.ipv4.ip_forward", equals=("1",), source="here"),),
        ),
        look="cat /proc/sys/net/ipv4/ip_forward",
        spoiled="0",
        healed="1",
    ),
    Trial(
        name="forward",
        spoil=unit(
            "docker.service", "Type=oneshot", "ExecStart=/usr/sbin/iptables -P FORWARD DROP"
        ),
        printed=lambda: _remedy(
            forward, changed(worker_facts(), firewall={"policies": {"FORWARD": "DROP"}})
        ),
        look="iptables -S FORWARD | head -1",
        spoiled="-P FORWARD DROP",
        healed="-P FORWARD ACCEPT",
    ),
    Trial(
        name="routed",
        printed=lambda: _remedy(forward, _ufw(policies={"FORWARD": "DROP"})),
        look="ufw status verbose | grep -o '[a-z]* (routed)'",
        spoiled="disabled (routed)",
        healed="allow (routed)",
    ),
    Trial(
        name="let-in",
        printed=lambda: _remedy(let_in, _ufw()),
        look="ufw status | grep -c '^10250/tcp .*ALLOW' || true",
        spoiled="0",
        healed="2",
    ),
    Trial(
        name="kept-out",
        printed=lambda: (
            met({("lb1", "w1", 10250): PortState.OPEN})["10250 load-balancer→worker"].remedy
        ),
        filled=(("ADDRESS-OF-lb1", "10.9.9.9"),),
        look="ufw status numbered | tr -s ' ' | grep -F '[ 1]'",
        spoiled="[ 1] 22/tcp ALLOW IN Anywhere",
        healed="[ 1] 10250/tcp DENY IN 10.9.9.9",
    ),
    Trial(
        name="pods",
        printed=lambda: _remedy(pods, _ufw()),
        look="ufw status | grep -c 'on vxlan.calico .*ALLOW' || true",
        spoiled="0",
        healed="2",
    ),
    Trial(
        name="chrony",
        spoil="systemctl disable -q --now chrony",
        printed=lambda: _remedy(
            synchronized, changed(worker_facts(), time={"synchronized": False})
        ),
        but="apt-get|tracking",
        look="systemctl is-active chrony || true",
        spoiled="inactive",
        healed="active",
    ),
    Trial(
        name="upgrades",
        # The lab's image has the timers masked; here they may be, and never come due.
        spoil="for one in apt-daily apt-daily-upgrade; do\n"
        "    mkdir -p /etc/systemd/system/$one.timer.d\n"
        "    printf '[Timer]\\nOnCalendar=\\nOnCalendar=2099-01-01\\nPersistent=no\\n'"
        " >/etc/systemd/system/$one.timer.d/late.conf\n"
        "    systemctl unmask -q $one.timer\n"
        "    systemctl enable -q $one.timer\n"
        "done",
        printed=lambda: _remedy(unattended_upgrades, _active("unattended-upgrades")),
        look="systemctl is-enabled unattended-upgrades apt-daily.timer apt-daily-upgrade.timer"
        " || true; systemctl is-active apt-daily.timer apt-daily-upgrade.timer || true",
        spoiled="enabled enabled enabled active active",
        healed="disabled disabled disabled inactive inactive",
    ),
    Trial(
        name="multipath",
        spoil=unit("multipathd.service", *RUNS)
        + unit("multipathd.socket", "ListenStream=/run/multipathd", wanted="sockets.target"),
        printed=lambda: _remedy(multipath, _active("multipathd")),
        look="systemctl is-active multipathd.service multipathd.socket || true",
        spoiled="active active",
        healed="inactive inactive",
    ),
    Trial(
        name="port",
        printed=lambda: STOPPED_FOR_GOOD,
        filled=(("NAME", "rpcbind"),),
        look="ss -Htln 'sport = :111' | grep -c ' 0.0.0.0:111 ' || true",
        spoiled="1",
        healed="0",
    ),
    Trial(
        name="masked",
        spoil=unit("lent.service", *RUNS)
        + "mv /etc/systemd/system/lent.service /lib/systemd/system/"
        "\nsystemctl mask -q lent.service",
        printed=lambda: unit_state("lent.service", {"LoadState": "masked"}).remedy,
        pick=r"then: (.+)$",
        look="systemctl is-active lent.service || true",
        spoiled="inactive",
        healed="active",
    ),
    Trial(
        name="stopped",
        spoil=unit("left.service", *RUNS) + "systemctl disable -q left.service",
        printed=lambda: unit_state("left.service", {"ActiveState": "inactive"}).remedy,
        pick=r": (systemctl .+)$",
        look="systemctl is-active left.service || true",
        spoiled="inactive",
        healed="active",
    ),
    Trial(
        name="snapd",
        spoil=unit("snapd.service", *RUNS)
        + unit("snapd.socket", "ListenStream=/run/snapd.socket", wanted="sockets.target")
        + "systemctl disable -q snapd.service snapd.socket",
        printed=lambda: _said(
            'error: cannot communicate with server: Post "http://localhost/v2/snaps": dial unix'
            " /run/snapd.socket: connect: no such file or directory"
        ),
        pick=r"(systemctl enable [^;]+);",
        look="systemctl is-active snapd.service snapd.socket || true",
        spoiled="inactive inactive",
        healed="active active",
    ),
    Trial(
        name="socket-mode",
        spoil=unit(
            "docker.socket",
            "ListenStream=/run/docker.sock",
            "SocketMode=0666",
            wanted="sockets.target",
        ),
        printed=lambda: _of_hardening("core-test-harness", "docker-socket"),
        by_hand="sed -i s/^SocketMode=.*/SocketMode=0660/ /etc/systemd/system/docker.socket",
        look="stat -c %a /run/docker.sock",
        spoiled="666",
        healed="660",
    ),
    Trial(
        name="groups",
        spoil="gpasswd -d ubuntu sudo >/dev/null 2>&1 || true",
        printed=lambda: _remedy(
            sudo,
            changed(worker_facts(), identity={"sudo": "none", "user": "ubuntu", "uid": 1000}),
            root=True,
        ),
        pick=r"`(usermod [^`]+)`",
        look="id -nG ubuntu | tr ' ' '\\n' | grep -cx sudo || true",
        spoiled="0",
        healed="1",
    ),
    Trial(
        name="machine-id",
        spoil="mkdir -p /var/lib/dbus\nrm -f /var/lib/dbus/machine-id\n"
        "echo 0123456789abcdef0123456789abcdef | tee /etc/machine-id >/var/lib/dbus/machine-id",
        printed=_copies,
        # The start is the trial's own.
        filled=((" && sudo reboot", ""),),
        look="grep -qx 0123456789abcdef0123456789abcdef /etc/machine-id && echo shared || echo own;"
        " grep -cxE '[0-9a-f]{32}' /etc/machine-id;"
        " [ ! -e /var/lib/dbus/machine-id ] || cmp /etc/machine-id /var/lib/dbus/machine-id",
        spoiled="shared 1",
        healed="own 1",
    ),
    Trial(
        name="held",
        spoil="apt-mark hold procps >/dev/null",
        printed=lambda: _said(
            "E: Held packages were changed and -y was used without --allow-change-held-packages."
        ),
        pick=r"apt-mark unhold NAME",
        filled=(("NAME", "procps"),),
        look="apt-mark showhold",
        spoiled="procps",
        healed="",
    ),
    Trial(
        name="authority",
        spoil="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
        " -subj /CN=site -keyout /root/site.key 2>/dev/null"
        " -out /usr/local/share/ca-certificates/site.crt",
        printed=lambda: _said("x509: certificate signed by unknown authority"),
        pick=r"run (update-ca-certificates)",
        look="openssl verify -CApath /etc/ssl/certs /usr/local/share/ca-certificates/site.crt"
        " >/dev/null 2>&1 && echo believed || echo refused",
        spoiled="refused",
        healed="believed",
    ),
)
