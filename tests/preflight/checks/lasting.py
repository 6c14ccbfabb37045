"""What a printed command changes on a machine: what keeps it over a start, and what shows that.

A row a kind of command, by its words. What lasts by itself names the trial of test_remedies_lab (or
another test) in which a machine starts anew after it, or why no lab machine can show it. What is
gone after a start names the words that must stand in the same text, by which it is for good.
"""

from __future__ import annotations

LASTS = {
    r"systemctl (?:enable|disable)\b": "trial:chrony",
    r"systemctl (?:mask|unmask)\b": "trial:masked",
    r"apt-get (?:update|(?:-f )?install|remove|clean)\b": "trial:upgrades",
    r"snap (?:install|remove|refresh|ack|set)\b": "snapd keeps it in its own state; snapd wants"
    " squashfs and a store, which no lab machine has; tests/test_kubernetes_lab.py shows that what"
    " it installs comes up",
    r"apt-mark\b": "trial:held",
    r"usermod\b|gpasswd\b": "trial:groups",
    r"useradd\b": "trial:groups",
    r"ufw default\b": "trial:routed",
    r"ufw enable\b": "trial:let-in",
    r"ufw (?:\{|allow|delete|prepend|insert)": "trial:let-in",
    r"firewall-cmd\b": "trial:firewalld",
    r"hostnamectl set-hostname\b": "trial:hostname",
    r"timedatectl set-ntp\b": "trial:set-ntp",
    r"systemd-machine-id-setup\b": "trial:machine-id",
    r"update-grub\b": "a lab machine has no boot loader, and no line is printed that"
    " a program could judge: words are named that a person puts on a line of GRUB's file",
    r"update-ca-certificates\b": "trial:authority",
    r"sed -i": "a file of the disk: trial:sysctl, and swap's in test_swap_lab.py",
    r"tee \S": "a file of the disk: trial:sysctl",
    r"chmod\b": "the mode of a file of the disk; of one in /run see FLEETING",
    r"chown\b": "the owner of a file of the disk",
    r"wipefs --all|mkfs[.]|lvextend\b|mdadm \{\} --": "it is written on the disk itself",
    r"kubeadm reset\b": "its maker's own removal, not tried by us; the text says so",
    r"truncate\b|(?:mv|rm) ": "a file of the disk",
    r"netplan apply\b": "it reads what was written in /etc/netplan, as each start does;"
    " no text of such a file is printed, and podman gives a lab machine its network",
    r"exportfs -ra\b": "it reads /etc/exports, as each start does",
    r"dd if=": "it is written on the disk itself",
    r"lvremove\b": "it is written on the disk itself",
    r"microk8s (?:leave|reset|refresh-certs|ctr|helm3|kubectl (?:-n \S+ )?(?:delete|patch))": (
        "the cluster keeps it, and its members' disks"
    ),
    r"microceph cluster\b": "the cluster keeps it, and its members' disks",
    r"do-release-upgrade\b": "the packages of the system",
}
"""By the words of the command: the trial, or the reason why there is none."""

FLEETING = {
    r"sysctl -w\b": r"zz-site|sed -i '/\^\{\} =/d' \{\}",
    r"sysctl -p\b": r"zz-site|tee -a \{\}",
    r"modprobe (?!--dry|-r)": r"/etc/modules-load\.d|/etc/modprobe\.d",
    r"modprobe -r\b": r"rm /etc/modules-load\.d",
    r"swapoff\b": r"swap\.target|for every start",
    r"swapon -a\b": r"unmask|back\b|after the next start",
    r"iptables -[PAID]\b": r"systemctl (?:enable|disable)",
    r"ip (?:link|route|addr(?:ess)?) (?:set|add|del)\b": r"netplan|\{\}|take the line out",
    r"ethtool -s\b": r"next start|OLD",
    r"setenforce\b": r"/etc/selinux/config",
    r"mount -o\b": r"/etc/fstab|remount,ro",
    r"umount\b": r"/etc/fstab|mount it anew",
    r"chmod \S+ /(?:var/)?run/": r"at each start",
    r"systemctl (?:(?:re)?start|stop)\b": r"enable|disable|/etc/",
}
"""By the words of what is gone after a start: what stands beside it and lasts."""

LOOKS = (
    r"cat\b", r"ceph osd\b", r"dmesg\b", r"dmidecode\b", r"docker (?:ps|volume ls)\b", r"du\b",
    r"ethtool \{\}", r"iptables -S\b", r"journalctl -u\b", r"lvs\b", r"mdadm --detail\b",
    r"microceph status\b", r"microk8s (?:inspect|status)\b", r"microk8s kubectl\b",
    r"k3s crictl\b", r"/var/lib/rancher\b", r"modprobe --dry-run\b", r"multipath -ll\b",
    r"nft list\b", r"openssl x509\b", r"perccli64\b", r"pvs\b", r"smartctl -a\b", r"ss -",
    r"ssacli\b", r"sshd -t\b", r"storcli64\b", r"ufw status\b", r"wipefs --no-act\b",
)  # fmt: skip
"""What only looks, or what is under it by its own row above."""

ONCE = {
    r"reboot\b": "it is the start itself",
    r"journalctl --vacuum-size\b": "room is freed once",
    r"systemctl daemon-reload\b": "what it reads stands in files",
    r"kill\b": "it ends a job of ours, once",
}
"""What is done once, and has nothing to outlive."""

NO_COMMANDS = (
    r"\{",
    r"(?:asks|did|is|it|lets|must|of|on|password|plugins|src|was|without)\b",
)
"""Words after "sudo" in a sentence about it; a command of elsewhere, which is judged there."""

EXCUSED = {
    ("preflight/checks/swap.py", "sudo swapoff -a"): (
        "what keeps it off is added by where the swap comes from; test_swap_lab tries each"
    ),
    ("preflight/checks/swap.py", "sudo swapon -a"): (
        "what brings it back at each start is put back before it, in the same list"
    ),
    ("preflight/checks/limits.py", "sudo sysctl -w"): "it takes back, and the file's line goes too",
    ("foundation/hosts/jobs/jobs_scripts.py", "systemctl stop"): "it ends a job of ours, once",
    ("installer/running/work.py", "systemctl stop"): "it ends a job of ours, once",
    ("foundation/sentences/logins.py", "systemctl start systemd-user-sessions"): (
        "what it takes away is in /run, and gone with the next start anyhow"
    ),
    ("installer/steps/unit_state.py", "systemctl start {}"): (
        "the service was started already by what starts it each time, and fell over"
    ),
}
"""What stands alone, by its file and words, and why."""
