"""An ssh config read by asyncssh, where there is no `ssh` to ask, or an older one than the file.

What it cannot judge is left out and told: a `Match` block with conditions that it does not know,
a directive that it cannot take.
"""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from asyncssh.config import ConfigParseError, SSHClientConfig

from foundation.hosts.logins import login_name
from foundation.hosts.model import Host
from foundation.hosts.openssh.openssh import Settings, expanded, methods_of, refuse_what_forbids
from foundation.hosts.openssh.ssh_directives import NO_CONSEQUENCE, OF_A_LOGIN, UNTAKEN, notes_on
from foundation.hosts.openssh.ssh_files import Line
from foundation.problems import InputProblem

_KNOWN: Final = frozenset(
    ("all", "host", "originalhost", "user", "localuser", "exec", "tagged", "final", "canonical")
)
_BLOCKS: Final = ("host", "match")
_TRIES: Final = 40
_UNSET: Final = object()
_LINE = re.compile(r"line (\d+): (.*)")


_TIMES: Final = frozenset(("connecttimeout", "serveraliveinterval"))
_PART: Final = re.compile(r"([0-9]{1,6})([smhdwSMHDW]?)")
_TIME: Final = re.compile(rf"(?:{_PART.pattern})+")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

_SAID: Final = "said"


def _note_down(config: Any, keyword: str, words: list[str]) -> None:
    """Keep what a directive says that asyncssh does not take; the first of its kind counts."""
    config._options.setdefault(_SAID, {}).setdefault(keyword, " ".join(words))
    words.clear()


def _unless(stood: Callable[[Mapping[str, Any]], bool], handler: Any) -> Any:
    """A handler that counts only where no other way stood before it."""

    def kept(config: Any, option: str, words: list[str]) -> None:
        if stood(config._options):
            words.clear()
        else:
            handler(config, option, words)

    return kept


def _by_openssh(handlers: Mapping[str, Any]) -> dict[str, Any]:
    """asyncssh's handlers, where of ProxyCommand and ProxyJump the first is the way.

    A command of "none" says that there is no jump either; a jump of "none" leaves a command.
    """
    made = {keyword: found for keyword, found in handlers.items() if keyword not in UNTAKEN}
    before: dict[str, Callable[[Mapping[str, Any]], bool]] = {
        "proxycommand": lambda said: said.get("ProxyJump") is not None,
        "proxyjump": lambda said: "ProxyCommand" in said,
    }
    for keyword, stood in before.items():
        option, handler = made[keyword]
        made[keyword] = (option, _unless(stood, handler))
    return made


class _Handlers(dict[str, Any]):
    """asyncssh's own, and for every other directive with a consequence one that notes it down."""

    def __missing__(self, keyword: str) -> Any:
        if keyword in NO_CONSEQUENCE:
            raise KeyError(keyword)
        return keyword, _note_down


class _Config(SSHClientConfig):
    """A config whose ProxyCommand keeps its tokens, for they are filled in by `expanded` alone.

    What asyncssh passes over is kept beside its own options.
    """

    _percent_expand = SSHClientConfig._percent_expand - {"ProxyCommand"}
    _handlers = _Handlers(_by_openssh(SSHClientConfig._handlers))

    def _match_val(self, match: str) -> Any:
        value: Any = super()._match_val(match)
        # Names are compared in lower case, whatever case they were typed in.
        of_a_name = match in ("host", "originalhost") and isinstance(value, str)
        return value.lower() if of_a_name else value


def parse(host: Host, lines: Sequence[Line], reason: str) -> Settings:
    """What some lines say of a machine; `reason` is why OpenSSH could not say it itself.

    Raises InputProblem where hardly anything can be read.
    """
    notes = [f"OpenSSH cannot read the ssh config ({reason}); it was read without it"] * bool(
        reason
    )
    given = [Line(Path("the inventory"), 0, *_option(option)) for option in host.ssh_options]
    kept, skipped = _judged([*given, *lines])
    notes += skipped
    for _ in range(_TRIES):
        try:
            config = _load(host, kept)
            break
        except ConfigParseError as error:
            found = _LINE.search(str(error))
            if found is None or not 0 < int(found[1]) <= len(kept):
                raise _unusable(lines, str(error)) from error
            bad = kept.pop(int(found[1]) - 1)
            if bad.keyword in OF_A_LOGIN or bad.keyword in _BLOCKS:
                raise _unusable(lines, f"line {bad.number}: {found[2]}", bad.file) from error
            notes.append(f"{bad.place} is left out of the ssh config: {found[2]}")
        except (ValueError, OSError) as error:
            raise _unusable(lines, str(error)) from error
    else:
        raise _unusable(lines, "it has too many lines that cannot be read")
    return _settings(host, config, tuple(notes))


def _option(option: str) -> tuple[str, str]:
    key, value = re.split(r"\s*[=\s]\s*", option.strip(), maxsplit=1)
    return key.lower(), value


def _unusable(lines: Sequence[Line], cause: str, file: Path | None = None) -> InputProblem:
    return InputProblem(
        f"the ssh config cannot be used: {cause}",
        where=str(file or lines[0].file) if lines else "the options of ssh",
        remedy="Mend that line, install OpenSSH's client (ssh -G HOST shows what it makes of the "
        "file), or honour none: --ssh-config /dev/null, or `config: false` under `ssh` in the "
        "site file.",
    )


def _judged(lines: Sequence[Line]) -> tuple[list[Line], list[str]]:
    """The lines without the blocks whose condition cannot be judged, and a sentence for each."""
    kept: list[Line] = []
    notes: list[str] = []
    within = True
    for one in lines:
        line = _as_openssh(one, lines)
        if line.keyword in _BLOCKS:
            unknown = _unknown(line) if line.keyword == "match" else None
            within = unknown is None
            if unknown is not None:
                notes.append(
                    f"{line.place}: the block `Match {line.value}` is left out, for `{unknown}` "
                    "can be judged by OpenSSH alone"
                )
        # A time of "none" says nothing: a later line may still say one.
        if within and not (line.keyword in _TIMES and line.value.strip().lower() == "none"):
            kept.append(line)
    return kept, notes


def _as_openssh(line: Line, lines: Sequence[Line]) -> Line:
    """A line as OpenSSH reads it where asyncssh would see more; raises what OpenSSH refuses."""
    if line.keyword == "match":
        return _as_match(line, lines)
    if line.keyword in (OF_A_LOGIN | {"host"}) - _WHOLE_LINES:
        line = replace(line, value=" ".join(map(_requoted, _words(line, lines))))
    bare = line.value.strip().strip('"').strip()
    alone = bare if not line.keyword and re.fullmatch(r"\w+", bare) else ""
    if alone or (not bare and line.keyword and line.keyword not in NO_CONSEQUENCE):
        after = alone or line.keyword
        raise _unusable(lines, f"line {line.number}: no argument after {after}", line.file)
    if line.keyword == "port" and bare.isdecimal() and not 0 < int(bare) < 65536:
        raise _unusable(lines, f"line {line.number}: {bare} is no port", line.file)
    if line.keyword == "port" and bare and not bare.isdecimal():
        # A service by its name, as /etc/services has it.
        with contextlib.suppress(OSError):
            return replace(line, value=str(socket.getservbyname(bare, "tcp")))
    if line.keyword in _TIMES and bare.lower() != "none":
        if (seconds := _seconds(bare)) is None:
            raise _unusable(lines, f"line {line.number}: {bare[:40]} is no time", line.file)
        return replace(line, value=str(seconds))
    if line.keyword == "pubkeyauthentication" and bare.lower() in ("unbound", "host-bound"):
        return replace(line, value="yes")
    if line.keyword == "host" and "," in line.value:
        # Patterns are parted by blanks alone: one with a comma in it is no machine's name.
        patterns = [word for word in line.value.split() if "," not in word]
        return replace(line, value=" ".join(patterns) or "!*")
    return line


_WHOLE_LINES: Final = frozenset(("proxycommand", "knownhostscommand"))
"""Directives whose value is the rest of the line, as it is typed."""


def _words(line: Line, lines: Sequence[Line]) -> list[str]:
    """The words of a value as OpenSSH parts them (argv_split), up to a comment.

    A backslash stands for itself but before a quote, another backslash and a blank.
    """
    words: list[str] = []
    text, place = line.value, 0
    while place < len(text):
        if text[place] in " \t":
            place += 1
            continue
        if text[place] == "#":
            break
        word, quote = "", ""
        while place < len(text) and (quote or text[place] not in " \t"):
            sign, after = text[place], text[place + 1 : place + 2]
            place += 1
            if sign == "\\" and after and after in ("'\"\\" if quote else "'\"\\ "):
                word += after
                place += 1
            elif sign == quote:
                quote = ""
            elif not quote and sign in "'\"":
                quote = sign
            else:
                word += sign
        if quote:
            raise _unusable(lines, f"line {line.number}: a quote has no end", line.file)
        words.append(word)
    return words


def _requoted(word: str) -> str:
    """A word so that asyncssh, which parts lines as a shell does, reads the same."""
    if re.search(r"[\s'\"\\]", word) is None:
        return word
    inside = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inside}"'


_ALONE: Final = ("all", "canonical", "final")


def _as_match(line: Line, lines: Sequence[Line]) -> Line:
    """A Match up to its comment, the names in it in lower case, as OpenSSH compares them."""
    found: list[str] = []
    attribute = ""
    for quoted, bare in re.findall(r'"([^"]*)"|([^\s"=]+)', line.value):
        word: str = quoted or bare
        if not attribute and word.startswith("#"):
            break
        if attribute:
            found.append(word.lower() if attribute in ("host", "originalhost") else word)
            attribute = ""
            continue
        name = word.lower().removeprefix("!")
        if "all" in found or (name == "all" and any(one not in _ALONE for one in found)):
            raise _unusable(
                lines, f'line {line.number}: "all" stands beside other conditions', line.file
            )
        found.append(word.lower())
        attribute = "" if name in _ALONE else name
    return replace(line, value=" ".join(_requoted(word) for word in found))


def _seconds(text: str) -> int | None:
    """A time as OpenSSH takes it, 90 or 1m30s, where asyncssh takes a number; None for others."""
    if not _TIME.fullmatch(text):
        return None
    return sum(int(number) * _UNITS[unit.lower()] for number, unit in _PART.findall(text))


def _unknown(line: Line) -> str | None:
    """The first condition of a Match that is not known here."""
    words = [a or b for a, b in re.findall(r'"([^"]*)"|([^\s"]+)', line.value)]
    expect_value = False
    for word in words:
        if expect_value:
            expect_value = False
            continue
        name: str = word.lower().removeprefix("!").partition("=")[0]
        if name not in _KNOWN:
            return name
        expect_value = name not in ("all", "final", "canonical") and "=" not in word
    return None


def _load(host: Host, lines: Sequence[Line]) -> Any:
    text = "".join(f"{line.keyword} {line.value}\n".lstrip() for line in lines)
    port: Any = host.own_port or ()
    arguments: Any = (login_name(), host.user or (), host.address, port)
    config: Any
    with tempfile.NamedTemporaryFile("w", suffix=".config", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        config = _Config.load(None, [file.name], False, False, False, *arguments)
        if config.has_match_final():
            config = _Config.load(None, [file.name], False, False, True, *arguments)
    return config


def _settings(host: Host, config: Any, notes: tuple[str, ...]) -> Settings:
    def text(option: str) -> str | None:
        value: Any = config.get(option)
        word: str = "none" if value is None else str(value)
        return None if word.lower() == "none" else word

    def words(option: str) -> tuple[str, ...]:
        value: Any = config.get(option) or ()
        return tuple(str(word) for word in value)

    def files(option: str) -> tuple[str, ...] | None:
        # "none" is no file at all, which is another thing than the usual ones.
        value: Any = config.get(option, _UNSET)
        return None if value is _UNSET else tuple(str(one) for one in value or () if one != "none")

    said: dict[str, str] = config.get(_SAID) or {}
    if config.get("CanonicalizeHostname"):
        alone = "CanonicalizeHostname of the ssh config can be judged by OpenSSH alone"
        notes = (*notes, f"{alone}: the name is taken as it is")
    forbidding = {**said, "proxycommand": text("ProxyCommand") or ""}
    refuse_what_forbids({key: [value] for key, value in forbidding.items()}, host.address)
    ways = {key: _word(config.get(spelled)) for key, spelled in _WAYS_IN.items()}
    ways["kbdinteractiveauthentication"] = ways["kbdinteractiveauthentication"] or _word(
        config.get("ChallengeResponseAuthentication")
    )
    port: Any = config.get("Port")
    timeout: Any = config.get("ConnectTimeout")
    # "none" is kept as None, which is another thing than not to be there.
    agent: Any = config.get("IdentityAgent", _UNSET)
    return expanded(
        Settings(
            hostname=text("Hostname") or host.address,
            port=int(port) if port else None,
            user=text("User"),
            identity_files=tuple(dict.fromkeys(words("IdentityFile"))),
            certificate_files=words("CertificateFile"),
            identities_only=bool(config.get("IdentitiesOnly")),
            identity_agent=None if agent is _UNSET else str(agent or "none"),
            proxy_jump=(text("ProxyJump") or "").replace("ssh://", "") or None,
            proxy_command=text("ProxyCommand"),
            host_key_alias=text("HostKeyAlias"),
            host_key_algorithms=text("HostKeyAlgorithms") or "",
            kex_algorithms=text("KexAlgorithms") or "",
            ciphers=text("Ciphers") or "",
            macs=text("MACs") or "",
            user_known_hosts=files("UserKnownHostsFile"),
            global_known_hosts=files("GlobalKnownHostsFile"),
            connect_timeout=int(timeout) if timeout else None,
            signature_algorithms=said.get("pubkeyacceptedalgorithms")
            or said.get("pubkeyacceptedkeytypes")
            or "",
            address_family=_FAMILIES.get(config.get("AddressFamily"), ""),
            bind_address=text("BindAddress"),
            bind_interface=_unless_none(said.get("bindinterface")),
            check_host_ip=(said.get("checkhostip") or "no").lower() in ("yes", "true"),
            known_hosts_command=_unless_none(said.get("knownhostscommand")),
            methods=methods_of(ways),
            alive_interval=int(config.get("ServerAliveInterval") or 0) or None,
            revoked_host_keys=tuple(said.get("revokedhostkeys", "").split()),
            notes=(*notes, *notes_on({key: [value] for key, value in said.items()})),
        ),
        host.address,
    )


_FAMILIES: Final[Mapping[Any, str]] = {socket.AF_INET: "inet", socket.AF_INET6: "inet6"}
_WAYS_IN: Final = {
    "pubkeyauthentication": "PubkeyAuthentication",
    "kbdinteractiveauthentication": "KbdInteractiveAuthentication",
    "passwordauthentication": "PasswordAuthentication",
    "preferredauthentications": "PreferredAuthentications",
}


def _unless_none(value: str | None) -> str | None:
    return None if value is None or value.lower() == "none" else value


def _word(value: Any) -> str | None:
    return None if value is None else "no" if value is False else str(value)
