"""The operating system, from os-release, /proc and the files that hold its settings."""

from __future__ import annotations

import re

from preflight.facts import ABSENT, Fact, OsFacts, Unknown
from preflight.parse.frames import Answer
from preflight.parse.identity import login_of
from preflight.parse.text import assignments, plain, real, told


def parse_system(answer: Answer) -> OsFacts:
    """The facts of the operating system from the sections system, machine and links."""
    if "system" not in answer.sections:
        return OsFacts()
    files = answer.files("system")
    unread = Unknown("/proc does not tell")
    release = assignments(files.get("/etc/os-release") or files.get("/usr/lib/os-release") or "")
    no_release: Unknown = Unknown("there is no /etc/os-release")
    uptime = real(files.get("/proc/uptime", "").partition(" ")[0])
    locale = assignments(
        files.get("/etc/default/locale") or files.get("/etc/locale.conf") or ""
    ).get("LANG") or login_of(answer).get("locale")
    architecture = files.get("/proc/sys/kernel/arch") or answer.text("machine")
    return OsFacts(
        id=told(release.get("ID"), no_release),
        id_like=tuple(plain(word) for word in release.get("ID_LIKE", "").split()[:10]),
        version=told(release.get("VERSION_ID"), ABSENT if release else no_release),
        pretty_name=told(release.get("PRETTY_NAME"), ABSENT if release else no_release),
        kernel=told(files.get("/proc/sys/kernel/osrelease"), unread),
        architecture=told(architecture, answer.why_not("machine", "uname")),
        init=told(files.get("/proc/1/comm"), Unknown("process 1 is hidden from this user")),
        boot_id=told(files.get("/proc/sys/kernel/random/boot_id"), unread),
        uptime_seconds=uptime if uptime is not None and uptime >= 0 else unread,
        newest_kernel=_newest(answer, files.get("/proc/sys/kernel/osrelease", "").strip()),
        restart_for=_restart_for(answer),
        locale=told(locale, ABSENT),
        timezone=told(
            files.get("/etc/timezone") or _zone(answer.text("links")),
            Unknown("neither /etc/timezone nor /etc/localtime tells"),
        ),
    )


def _newest(answer: Answer, running: str) -> Fact[str]:
    """The newest installed kernel of the flavour that runs (generic, lowlatency, amd64…)."""
    if "restart" not in answer.sections:
        return answer.why_not("restart", "/boot")
    flavour = running.rpartition("-")[2]
    lines = [plain(line, 100) for line in answer.lines("restart")]
    found = [line.removeprefix("kernel ") for line in lines if line.startswith("kernel ")]
    alike = [name for name in found if name.rpartition("-")[2] == flavour]
    return max(alike, key=_numbers, default=ABSENT)


def _numbers(release: str) -> list[int]:
    return [int(number[:9]) for number in re.findall(r"[0-9]+", release)]


def _restart_for(answer: Answer) -> Fact[tuple[str, ...]]:
    if "restart" not in answer.sections:
        return answer.why_not("restart", "/run")
    asked = answer.files("restart").get("/run/reboot-required.pkgs", "")
    names = dict.fromkeys(plain(line, 100) for line in asked.split("\n") if line.strip())
    if names:
        return tuple(names)[:100]
    return ("a package that gave no name",) if "required" in answer.lines("restart") else ()


def _zone(links: str) -> str:
    """The zone that /etc/localtime points to."""
    match = re.search(r"/etc/localtime -> \S*/zoneinfo/(\S{1,100})", links)
    return match.group(1) if match else ""
