"""What OpenSSH itself makes of a client configuration for one machine, asked with `ssh -G`."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import Final

from foundation.hosts.logins import login_name
from foundation.hosts.openssh.ssh_directives import KNOWN, UNTAKEN, notes_on
from foundation.isolation import NOWHERE, environment
from foundation.problems import InputProblem
from foundation.typed_paths import typed_path

_SECONDS: Final = 20.0
"""`Match exec` of the user's own file and canonical names may take their time."""
_OUTPUT_LIMIT: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything of a configuration that a login depends on; empty where it says nothing."""

    hostname: str
    port: int | None = None
    user: str | None = None
    identity_files: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    identities_only: bool = False
    identity_agent: str | None = None
    proxy_jump: str | None = None
    proxy_command: str | None = None
    host_key_alias: str | None = None
    host_key_algorithms: str = ""
    kex_algorithms: str = ""
    ciphers: str = ""
    macs: str = ""
    signature_algorithms: str = ""
    user_known_hosts: tuple[str, ...] | None = None
    global_known_hosts: tuple[str, ...] | None = None
    connect_timeout: int | None = None
    address_family: str = ""
    """"inet" or "inet6" where only one is to be used."""
    bind_address: str | None = None
    methods: tuple[str, ...] | None = None
    """The ways to log in that may be tried, in their order; None leaves them to us."""
    alive_interval: int | None = None
    """Seconds, where the configuration asks more often than we do."""
    bind_interface: str | None = None
    check_host_ip: bool = False
    """Whether a key that is known for the address may not be another than the one for the name."""
    known_hosts_command: str | None = None
    """A program of this machine that tells host keys, with its tokens."""
    revoked_host_keys: tuple[str, ...] = ()
    """Files of host keys that nobody may show."""
    notes: tuple[str, ...] = ()
    """What could not be judged, as sentences."""


_NOT_KNOWN = re.compile(
    r"(?:bad configuration option: |unsupported (?:option|match attribute) )(?P<word>\S+)"
    r"|unsupported configuration"
    r"|bad (?:ssh2 )?(?:mac|cipher|kex|key|proto)\w*[ \w]* (?:spec|types|algorithms)"
    r"|bad \w*algorithms",
    re.IGNORECASE,
)
"""What an OpenSSH says of a directive, or an algorithm, that it does not know."""
_OF_MATCH: Final = frozenset(
    ("address", "command", "localaddress", "localnetwork", "sessiontype", "tagged", "version")
)
"""Conditions of a Match that came with later versions of OpenSSH."""


_FOLLOWS: Final = re.compile(
    r"terminating, \d+ bad configuration options|bad match condition", re.IGNORECASE
)
"""What it says behind a complaint, whatever that was about."""


def _only_unknown(complaints: Sequence[str]) -> bool:
    """Whether all that an OpenSSH complains of is what only a later one knows.

    The rest it refuses, a word that no OpenSSH knows among it.
    """
    told = [line for line in complaints if line.strip() and not _FOLLOWS.search(line)]
    return bool(told) and all(map(_of_a_later_one, told))


def _of_a_later_one(complaint: str) -> bool:
    found = _NOT_KNOWN.search(complaint)
    if found is None:
        return False
    word = (found["word"] or "").strip("\"'").lower()
    return not word or word in KNOWN or word in _OF_MATCH


class CannotSay(Exception):
    """OpenSSH is not there, or does not know a directive; why is the text."""


def _refused(words: str, address: str) -> InputProblem:
    """What OpenSSH refuses is refused here too: another reader may see less in it."""
    return InputProblem(
        f"OpenSSH refuses the way to the machine: {words}",
        where=address,
        remedy="Mend that in the ssh config, the inventory or the site file; "
        "`ssh -G HOST` shows what OpenSSH makes of it. To honour no ssh config: "
        "--ssh-config /dev/null",
    )


def available() -> str | None:
    """The `ssh` on the path, or None."""
    return shutil.which("ssh")


def ask(
    address: str, *, file: Path | None, user: str | None, port: int | None, options: Iterable[str]
) -> Settings:
    """What `ssh` would do for a machine; `file` None means its usual files. Raises CannotSay."""
    told = _asked(address, file=file, user=user, port=port, options=options)
    usual = _usual()
    values = {key: found for key, found in told.items() if found != usual.get(key)}
    settings = Settings(hostname=_one(told, "hostname") or address)
    number = _one(told, "port")
    settings = replace(
        settings,
        port=int(number) if number and number.isdigit() else None,
        user=_one(values, "user"),
        identity_files=tuple(values.get("identityfile", ())),
        certificate_files=tuple(
            name for name in values.get("certificatefile", ()) if name.lower() != "none"
        ),
        identities_only=_one(told, "identitiesonly") == "yes",
        identity_agent=_one(values, "identityagent"),
        proxy_jump=_unless_none(_one(values, "proxyjump")),
        proxy_command=_unless_none(_one(values, "proxycommand")),
        host_key_alias=_unless_none(_one(values, "hostkeyalias")),
        host_key_algorithms=_one(values, "hostkeyalgorithms") or "",
        kex_algorithms=_one(values, "kexalgorithms") or "",
        ciphers=_one(values, "ciphers") or "",
        macs=_one(values, "macs") or "",
        signature_algorithms=_one(values, "pubkeyacceptedalgorithms")
        or _one(values, "pubkeyacceptedkeytypes")
        or "",
        user_known_hosts=_files(values, "userknownhostsfile"),
        global_known_hosts=_files(values, "globalknownhostsfile"),
        connect_timeout=_seconds(_one(values, "connecttimeout")),
        address_family=_one(values, "addressfamily") or "",
        bind_address=_unless_none(_one(values, "bindaddress")),
        bind_interface=_unless_none(_one(values, "bindinterface")),
        check_host_ip=_one(values, "checkhostip") == "yes",
        known_hosts_command=_unless_none(_one(values, "knownhostscommand")),
        methods=methods_of(
            {key: _one(told, key) for key in (*SWITCHES, "preferredauthentications")}
        ),
        alive_interval=_seconds(_one(values, "serveraliveinterval")),
        revoked_host_keys=_files(values, "revokedhostkeys") or (),
        notes=notes_on({k: v for k, v in values.items() if k not in ("host", "hostname")}),
    )
    refuse_what_forbids(values, address)
    return expanded(settings, address)


SWITCHES: Final = {
    "pubkeyauthentication": "publickey",
    "kbdinteractiveauthentication": "keyboard-interactive",
    "passwordauthentication": "password",
}
"""Directives that turn a way to log in off, in the order in which OpenSSH tries them."""


def methods_of(said: Mapping[str, str | None]) -> tuple[str, ...] | None:
    """The ways to log in that a configuration leaves, None where it leaves them all."""
    off = {
        method
        for directive, method in SWITCHES.items()
        if (said.get(directive) or "yes").lower() in ("no", "false")
    }
    preferred = said.get("preferredauthentications")
    if not off and not preferred:
        return None
    listed = [word.strip() for word in preferred.split(",")] if preferred else SWITCHES.values()
    return tuple(method for method in listed if method not in off)


def refuse_what_forbids(said: Mapping[str, Sequence[str]], address: str) -> None:
    """Raise InputProblem for a directive by which nobody is to connect."""
    for keyword, untaken in UNTAKEN.items():
        value = _one(said, keyword) or "no"
        beside = _unless_none(_one(said, untaken.refused_with))
        if value.lower() not in untaken.off and beside is not None:
            raise InputProblem(
                f"{untaken.spelled} {value[:200]} stands in the ssh config: {untaken.sentence}",
                where=address,
                remedy="Ask who wrote that line why, before it is taken out.",
            )


def _asked(
    address: str, *, file: Path | None, user: str | None, port: int | None, options: Iterable[str]
) -> dict[str, list[str]]:
    ssh = available()
    if ssh is None:
        raise CannotSay("there is no ssh on the path")
    command = [ssh, "-G", "-T"]
    command += ["-F", str(file)] if file is not None else []
    command += [word for option in options for word in ("-o", option)]
    command += ["-l", user] if user else []
    command += ["-p", str(port)] if port else []
    try:
        done = subprocess.run(
            [*command, "--", address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            cwd=NOWHERE,
            env=environment({"LC_ALL": "C"}),
        )
    except OSError as error:
        raise CannotSay(f"`ssh -G` cannot be started: {error}") from error
    except (ValueError, subprocess.TimeoutExpired) as error:
        raise _refused(f"`ssh -G` did not answer: {error}", address) from error
    if done.returncode != 0:
        complaints = done.stderr.decode("utf-8", "replace").splitlines()
        words = " ".join(" ".join(complaints).split())
        words = "".join(c for c in words if c.isprintable())[:240] or "`ssh -G` failed"
        if _only_unknown(complaints):
            raise CannotSay(words)
        raise _refused(words, address)
    told: dict[str, list[str]] = {}
    for line in done.stdout[:_OUTPUT_LIMIT].decode("utf-8", "surrogateescape").splitlines():
        key, _, value = line.partition(" ")
        told.setdefault(key.lower(), []).append(value)
    return told


@cache
def _usual() -> Mapping[str, list[str]]:
    """What `ssh` says where no file says anything."""
    told = _asked("usual", file=Path("/dev/null"), user=None, port=None, options=())
    return {key: value for key, value in told.items() if key not in ("host", "hostname")}


def _one(told: Mapping[str, Sequence[str]], key: str) -> str | None:
    return told[key][0] if told.get(key) else None


def _unless_none(value: str | None) -> str | None:
    return None if value is None or value.strip().lower() in ("", "none") else value


def _files(values: Mapping[str, list[str]], key: str) -> tuple[str, ...] | None:
    value = _one(values, key)
    if value is None:
        return None
    found: list[str] = []
    for quoted, bare in re.findall(r'"([^"]*)"|([^\s"]+)', value):
        # `ssh -G` prints names without the quotes that they had: what begins as no name of a
        # file is the rest of one with a blank in it.
        if bare and found and not bare.startswith(("/", "~", "%", "$")) and bare.lower() != "none":
            found[-1] += f" {bare}"
        else:
            found.append(quoted or bare)
    return tuple(name for name in found if name.lower() != "none")


def _seconds(value: str | None) -> int | None:
    return int(value) if value and value.isdigit() and int(value) > 0 else None


def expanded(settings: Settings, original: str) -> Settings:
    """The settings with OpenSSH's %-tokens, ~ and ${VARIABLES} filled in where it fills them in.

    Raises InputProblem where a ProxyCommand would be given words that a shell does not take as one,
    and for a file in the home of nobody, for which OpenSSH ends too.
    """
    tokens = _tokens(settings, original)

    def file(text: str) -> str:
        filled = _filled(_variables(text), tokens)
        return str(typed_path(filled)) if filled.startswith("~") else filled

    return replace(
        settings,
        identity_files=tuple(file(name) for name in settings.identity_files),
        certificate_files=tuple(file(name) for name in settings.certificate_files),
        identity_agent=None
        if settings.identity_agent is None
        else file(settings.identity_agent)
        if not settings.identity_agent.startswith("$")
        else settings.identity_agent,
        proxy_command=None
        if settings.proxy_command is None
        else _command(settings.proxy_command, tokens, original),
        user_known_hosts=None
        if settings.user_known_hosts is None
        else tuple(file(name) for name in settings.user_known_hosts),
        revoked_host_keys=tuple(file(name) for name in settings.revoked_host_keys),
    )


_ONE_WORD = re.compile(r"(?:[\w.@:%+,/=][\w.@:%+,/=-]*)?")
"""What a shell takes as one plain word, and a program as no option."""


def _command(command: str, tokens: Callable[[str], str | None], original: str) -> str:
    """A ProxyCommand with its tokens, none of which a shell would run or take apart."""
    for token in set(re.findall(r"%(.)", command)) & set("hrnkj"):
        value = tokens(token) or ""
        if not _ONE_WORD.fullmatch(value):
            shown = "".join(c if c.isprintable() else "?" for c in value[:80])
            raise InputProblem(
                f'"{shown}" cannot be given to the ProxyCommand as %{token}: a shell would take '
                "it for more than a name",
                where=original,
                remedy="Check the user and the name of the machine where they are written: they "
                "may hold letters, digits, dots, dashes and _.",
            )
    return _filled(command, tokens)


def _tokens(settings: Settings, original: str) -> Callable[[str], str | None]:
    local = socket.gethostname()
    port = str(settings.port or 22)
    me = login_name()
    user = settings.user or me
    jump = settings.proxy_jump or ""
    values = {
        "%": "%", "d": str(Path.home()), "h": settings.hostname, "i": str(os.getuid()), "j": jump,
        "k": settings.host_key_alias or settings.hostname, "L": local.partition(".")[0], "l": local,
        "n": original, "p": port, "r": user, "u": me,
        "C": sha1(f"{local}{settings.hostname}{port}{user}{jump}".encode()).hexdigest(),  # noqa: S324 - OpenSSH's own token, a name and no secret
    }  # fmt: skip
    return values.get


def _filled(text: str, tokens: Callable[[str], str | None]) -> str:
    return re.sub(r"%(.)", lambda found: tokens(found[1]) or found[0], text)


def filled(text: str, settings: Settings, original: str, more: Mapping[str, str]) -> str:
    """A word of a command with its %-tokens, `more` beside the usual ones."""
    usual = _tokens(settings, original)
    return _filled(text, lambda token: more.get(token) or usual(token))


def _variables(text: str) -> str:
    return re.sub(
        r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", lambda found: os.environ.get(found[1], ""), text
    )
