"""What the kernel, polkit, systemd and snapd say when a machine cannot go on."""

from __future__ import annotations

from typing import Final

from foundation.sentences.model import SUDOERS, Sentence

SENTENCES: Final = (
    # -- what every program says when the machine is at an end
    Sentence(
        "kernel",
        r"no space left on device|disk is full|enough free space in /",
        "a disk of the machine is full",
        "Find it and make room: df -h; df -i; then journalctl --vacuum-size=200M and apt-get clean "
        "are safe",
        "errno(3) ENOSPC; apt-pkg/acquire.cc",
        "mkdir: cannot create directory '/var/lib/sitewright': No space left on device",
    ),
    Sentence(
        "kernel",
        r"read-only file ?system",
        "a disk of the machine can only be read",
        "See which, and why the kernel made it so: findmnt -O ro; dmesg | grep -i remount",
        "errno(3) EROFS",
        "touch: cannot touch '/var/lib/x': Read-only file system",
    ),
    Sentence(
        "kernel",
        r"disk quota exceeded",
        "the login's quota on a disk of the machine is used up",
        "See it: quota -s; as root: edquota {user}",
        "errno(3) EDQUOT",
        "cp: error writing 'x': Disk quota exceeded",
    ),
    Sentence(
        "kernel",
        r"cannot allocate memory|out of memory|fork: retry|can(no|')t fork|"
        r"resource temporarily unavailable.{0,20}fork",
        "the machine has no memory or no processes left",
        "See who holds them: free -h; ps aux --sort=-rss | head; ulimit -u",
        "errno(3) ENOMEM, EAGAIN of fork(2)",
        "bash: fork: retry: Resource temporarily unavailable",
    ),
    Sentence(
        "kernel",
        r"too many open files",
        "a program of the machine has no files left that it may open",
        "See the bounds: cat /proc/sys/fs/file-nr; ulimit -n; sysctl fs.inotify",
        "errno(3) EMFILE, ENFILE",
        "accept: Too many open files",
    ),
    # -- systemd and polkit
    Sentence(
        "polkit",
        r"interactive authentication required",
        "the machine wants a person to confirm it (polkit), since it was not asked as root",
        SUDOERS,
        "systemd src/shared/bus-polkit.c",
        "Failed to start x.service: Interactive authentication required.",
    ),
    Sentence(
        "systemd",
        r"has not been booted with systemd|failed to connect to (system )?(scope )?bus|"
        r"transport endpoint is not connected",
        "systemd does not answer on this machine",
        "Look whether it runs: ps -p 1; systemctl is-system-running; after an update of libc it "
        "is started anew with: systemctl daemon-reexec",
        "systemd src/systemctl; src/libsystemd/sd-bus",
        "System has not been booted with systemd as init system (PID 1). Can't operate.",
    ),
    Sentence(
        "systemd",
        r"unit \S+ is masked",
        "the service was switched off for good (masked)",
        "See who did it and why, then: systemctl unmask NAME && systemctl enable --now NAME",
        "systemd src/core/dbus-manager.c",
        "Failed to start docker.service: Unit docker.service is masked.",
    ),
    Sentence(
        "systemd",
        r"start request repeated too quickly|start-limit-hit",
        "the service fell over at every start, so systemd gave it up",
        "See why it falls: journalctl -u NAME -n 50; then: systemctl reset-failed NAME",
        "systemd src/core/unit.c",
        "haproxy.service: Start request repeated too quickly.",
    ),
    Sentence(
        "kernel",
        r"input/output error|structure needs cleaning",
        "a disk of the machine fails, or its filesystem is broken",
        "See what the kernel says of it, and save what is on it: dmesg | tail -n 50; "
        "smartctl -a /dev/DISK",
        "errno(3) EIO, EUCLEAN",
        "cat: /var/lib/x: Input/output error",
    ),
    Sentence(
        "kernel",
        r"stale (nfs )?file handle",
        "a network share of the machine is not there any more in this form",
        "See which: findmnt -t nfs,nfs4; umount -l FOLDER, then mount it anew",
        "errno(3) ESTALE",
        "ls: cannot access '/mnt/x': Stale file handle",
    ),
    Sentence(
        "kernel",
        r"modprobe: fatal: module \S+ not found in directory|"
        r"could not open moddep file|/lib/modules/\S+: no such file",
        "the kernel that runs does not find its modules: it was updated since the machine started, "
        "or is a small one of a cloud without them",
        "Compare uname -r with ls /lib/modules. If they differ, start the machine anew; on a small "
        "kernel of Ubuntu: apt-get install linux-modules-extra-$(uname -r)",
        "kmod tools/modprobe.c",
        "modprobe: FATAL: Module br_netfilter not found in directory /lib/modules/6.8.0-31-generic",
    ),
    Sentence(
        "kernel",
        r"bad interpreter: permission denied",
        "programs may not be started in the folder where this one lies (it is mounted noexec)",
        "See which, and by whom: findmnt -O noexec; a hardened /tmp or /var is often so.",
        "mount(8), noexec; bash execute_cmd.c",
        "bash: /tmp/x: /bin/sh: bad interpreter: Permission denied",
    ),
    Sentence(
        "kernel",
        r"unknown filesystem type '?squashfs|squashfs.{0,40}not supported",
        "the machine's kernel cannot mount snaps (squashfs)",
        "Load it: modprobe squashfs. Where that is refused, or the next start lacks it, a line of "
        "/etc/modprobe.d denies it (grep -rw squashfs /etc/modprobe.d): take that out, or boot "
        "the distribution's own kernel; a container of LXC needs nesting and fuse.",
        "util-linux mount; snapd sanity",
        "mount: /snap/core/1: unknown filesystem type 'squashfs'.",
    ),
    Sentence(
        "snapd",
        r'snap "[^"]+" has "[^"]+" change in progress',
        "snapd is at work on this snap just now (a refresh by itself, most often)",
        "See it and wait for it: snap changes; snap watch --last=auto-refresh",
        "snapd overlord/snapstate/conflict.go",
        'error: snap "microk8s" has "auto-refresh" change in progress',
    ),
    Sentence(
        "snapd",
        r'snap "[^"]+" has running (apps|hooks)',
        "programs of the snap run, so that snapd does not replace it",
        "See which by the pids, stop them, and try again: snap services NAME; snap stop NAME",
        "snapd overlord/snapstate/refresh.go",
        'cannot refresh "lxd": snap "lxd" has running apps (lxc), pids: 1842',
    ),
    Sentence(
        "snapd",
        r"too early for operation, device",
        "snapd is not ready yet on this machine",
        "Wait for it: snap wait system seed.loaded",
        "snapd overlord/devicestate, snapstate",
        "error: too early for operation, device not yet seeded or device model not acknowledged",
    ),
    Sentence(
        "snapd",
        r"cannot communicate with server: .{0,120}snapd.*\.socket",
        "snapd does not answer on this machine",
        "Start it, and look why it fell: systemctl enable --now snapd.socket snapd; "
        "journalctl -u snapd -n 50",
        "snapd client/client.go",
        'error: cannot communicate with server: Post "http://localhost/v2/snaps": dial '
        "unix /run/snapd.socket: connect: no such file or directory",
    ),
    Sentence(
        "snapd",
        r'snap "[^"]+" (assumes unsupported features|requires snapd)',
        "snapd of this machine is too old for the snap",
        "Renew it: apt-get install --only-upgrade snapd; snap refresh snapd",
        "snapd overlord/snapstate",
        'error: snap "microk8s" assumes unsupported features: snapd2.55 (try to '
        "refresh the core or snapd snaps)",
    ),
    Sentence(
        "snapd",
        r"cannot find signatures with metadata for snap",
        "the snap's assertion is not there, by which snapd knows that it is genuine",
        "Acknowledge it first: snap ack FILE.assert; it lies beside the snap.",
        "snapd overlord/assertstate",
        'error: cannot find signatures with metadata for snap "core_1.snap"',
    ),
    Sentence(
        "snapd",
        r'^error: (unable to contact snap store|cannot (install|refresh) "[^"]+": '
        r"persistent network)|unable to contact snap store",
        "the snap store cannot be reached from this machine",
        "Ask for it: curl -I https://api.snapcraft.io; a proxy is set by: snap set "
        "system proxy.https=http://NAME:PORT",
        "snapd store/errors.go, cmd/snap",
        "error: unable to contact snap store",
    ),
    Sentence(
        "systemd",
        r"unit \S+ (could not be found|not found)",
        "the machine has no such service",
        "See what there is: systemctl list-unit-files | grep NAME; its package may not "
        "be installed.",
        "systemd src/systemctl, src/core",
        "Failed to restart haproxy.service: Unit haproxy.service not found.",
    ),
    Sentence(
        "systemd",
        r"job for \S+ failed because|failed to start \S+\.(service|socket)",
        "a service of the machine did not start",
        "Its own words: systemctl status NAME; journalctl -u NAME -n 50",
        "systemd src/shared/bus-wait-for-jobs.c",
        "Job for haproxy.service failed because the control process exited with error code.",
    ),
)
