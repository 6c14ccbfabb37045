"""Who the machine is and what the login may do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from preflight.facts import ABSENT, Fact, IdentityFacts, Unknown
from preflight.parse.frames import Answer
from preflight.parse.text import assignments, plain, told, unique, whole

_NO_LOGIN: Final = frozenset({"nologin", "false", "sync", "halt", "shutdown", "git-shell", ""})
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")


def without_password(value: str) -> str:
    """A proxy's address with the user and password in it replaced by ***."""
    value = value.strip()
    # A password may have any character in it that somebody forgot to escape, "@" and "/" too.
    before, at, address = value.rpartition("@")
    if not at:
        return plain(value)
    scheme = _SCHEME.match(before)
    return plain(f"{scheme.group() if scheme else ''}***@{address}")


def login_of(answer: Answer) -> dict[str, str]:
    """The NAME=value lines of the login section."""
    return assignments(answer.text("login"))


def is_root(answer: Answer) -> bool:
    """Whether the probe ran with root's rights."""
    return login_of(answer).get("uid") == "0"


def parse_identity(answer: Answer) -> IdentityFacts:
    """The identity facts from the sections login, passwd, system, sudo and own_name."""
    if "login" not in answer.sections:
        return IdentityFacts()
    login = login_of(answer)
    system = answer.files("system")
    root = login.get("uid") == "0"
    accounts = [
        line.split(":") for line in answer.files("passwd").get("/etc/passwd", "").split("\n")
    ]
    accounts = [account for account in accounts if len(account) == 7]
    extra = answer.text("account").strip().split(":")
    if answer.succeeded("account") and len(extra) == 7:
        accounts.append(extra)
    uid = whole(login.get("sudo_uid") or login.get("uid"))
    account = next((one for one in accounts if whole(one[2]) == uid), None)
    user = login.get("sudo_user") or (account[0] if account else login.get("user", ""))
    limits = system.get("/proc/self/limits", "")
    return IdentityFacts(
        hostname=told(system.get("/proc/sys/kernel/hostname"), Unknown("/proc does not tell")),
        fqdn=_own_name(answer),
        machine_id=told(system.get("/etc/machine-id"), ABSENT),
        product_uuid=_product_uuid(answer, system, root),
        user=told(user, Unknown("the login has no name")),
        uid=uid if uid is not None and uid >= 0 else Unknown("the probe could not tell"),
        groups=_groups(answer, user, account),
        root=root,
        sudo=_sudo(answer, root, login.get("sudo_user", "")),
        home=told(account[5] if account else login.get("home"), Unknown("the login has no home")),
        login_users=(
            sum(one[6].strip().rpartition("/")[2] not in _NO_LOGIN for one in accounts)
            if accounts
            else Unknown("/etc/passwd cannot be read")
        ),
        limits={
            "open_files": _limit(limits, "Max open files"),
            "processes": _limit(limits, "Max processes"),
            "locked_memory": _limit(limits, "Max locked memory"),
        },
        proxies=_proxies(login, system.get("/etc/environment", "")),
    )


def _own_name(answer: Answer) -> Fact[str]:
    """The name that the machine's own hostname resolves to, where it has a domain."""
    if not answer.succeeded("own_name"):
        status = answer.status("own_name")
        return ABSENT if status == "2" else answer.why_not("own_name", "getent")
    for line in answer.lines("own_name"):
        words = line.split()
        if len(words) >= 3 and "." in words[2]:
            return plain(words[2])
    return ABSENT


def _product_uuid(answer: Answer, system: Mapping[str, str], root: bool) -> Fact[str]:
    text = system.get("/sys/class/dmi/id/product_uuid")
    if text:
        return told(text.lower(), ABSENT)
    if not root:
        return Unknown("needs root")
    # A machine without DMI (Arm boards, some virtual machines) has no such number.
    return ABSENT if answer.complete else Unknown("the probe was cut short")


def _groups(answer: Answer, user: str, account: list[str] | None) -> Fact[tuple[str, ...]]:
    if answer.succeeded("groups"):
        return unique(plain(name) for name in answer.text("groups").split()[:200])
    names = []
    for line in answer.files("passwd").get("/etc/group", "").split("\n"):
        parts = line.split(":")
        if len(parts) == 4 and (
            (account and parts[2] == account[3]) or (user and user in parts[3].split(","))
        ):
            names.append(plain(parts[0]))
    if names:
        return unique(names[:200])
    return Unknown("the login is in no group of /etc/group")


def _sudo(answer: Answer, root: bool, sudo_user: str) -> Fact[str]:
    """What sudo allows; the listing of `sudo -l` is read in the C locale."""
    text = answer.text("sudo")
    if root:
        if not sudo_user or sudo_user == "root":
            return "passwordless"
        if not answer.succeeded("sudo"):
            return answer.why_not("sudo", "sudo")
        return "passwordless" if "NOPASSWD: ALL" in text else "password"
    status = answer.status("sudo")
    if status == "missing":
        return "none"
    if "password is required" in text or "a terminal is required" in text:
        return "asks"
    if "may not run sudo" in text or "not in the sudoers" in text or "not allowed" in text:
        return "none"
    if status == "0":
        return "passwordless" if "NOPASSWD: ALL" in text else "asks"
    return answer.why_not("sudo", "sudo")


def _limit(text: str, name: str) -> Fact[str]:
    """The soft limit of a line of /proc/self/limits."""
    for line in text.split("\n"):
        if line.startswith(name):
            words = line[len(name) :].split()
            if words:
                return plain(words[0])
    return Unknown("/proc does not tell")


def _proxies(login: Mapping[str, str], environment: str) -> dict[str, str]:
    """Proxy settings by name; what the login itself has wins over /etc/environment."""
    found = {
        name: value
        for name, value in assignments(environment).items()
        if name.lower().endswith("_proxy")
    }
    found.update(
        {name[4:]: value for name, value in login.items() if name.startswith("env.") and value}
    )
    return {
        plain(name, 40): without_password(value)
        for name, value in list(found.items())[:50]
        if value
    }
