"""Ways: how a site's machines are reached, as lines of its plan: logins, bastions, an ssh config.

What a site's own ssh config says is told line by line, with the programs that it would start, so
that it is reviewed with the rest and stands under the plan's hash. A plan is shown, kept and
sent on, so a password in such a line is masked. What stands in the operator's own ~/.ssh/config is
theirs and no part of a plan.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.ssh_directives import NO_CONSEQUENCE
from foundation.hosts.openssh.ssh_files import Line, programs_in, read_lines
from foundation.problems import InputProblem
from foundation.secrets import MASK
from installer.sites.site import Site, dump_site, load_site_text

_MOST: Final = 40
"""Lines of an ssh config; the rest is counted."""
_LENGTH: Final = 300

_PIECE: Final = r"""\\.|[^\s"'\\]"""
_VALUE: Final = rf"""(?:"[^"]*"?|'[^']*'?|{_PIECE})(?:"[^"]*"|'[^']*'|{_PIECE})*"""
_NAMES: Final = (
    r"(?:password|passwd|passphrase|pass|pwd|pw|secret|token|auth|creds?|credentials?|api[-_]?key"
    r"|proxy-?user|remproxyauth|userpwd)"
)
_PASSWORDS: Final = tuple(
    re.compile(f"(?P<before>{before}){value}", re.IGNORECASE)
    for before, value in (
        # An option or a variable that is named for it: --proxy-auth u:p, -pw p, PASSWORD=p.
        (rf"(?<![\w-])(?:-[\w-]*?{_NAMES}\s+|[\w-]*?{_NAMES}=)", _VALUE),
        # Options of one letter: curl -U u:p, proxytunnel -P u:p; not a port or a forwarding.
        (r"(?<!\S)-[uUPR]\s*[\"']?[^\s\"':/%0-9][^\s\"':/]{0,255}:", r"[^\s\"':]+(?![^\s\"'])"),
        (r"\bsshpass\s+-p\s*", _VALUE),
        # Programs that take one without a name for it: a database's client, a machine's own power.
        (r"\b(?:mysql|mariadb)\w*\s(?:.*\s)?(?-i:-p)", _VALUE),
        (r"\bipmitool\s(?:.*\s)?(?-i:-P)\s*", _VALUE),
        (r"\bredis-cli\s(?:.*\s)?(?-i:-a)\s*", _VALUE),
        (r"\bauthorization:\s*(?:basic|bearer|digest|ntlm)\s+", r"[^\s\"']+"),
        # A login of which the password stands in quotes, or the whole, with blanks in it.
        (r":(?=([\"'])[^\"']*\2@)", _VALUE),
        (r"[\"'](?:[a-z0-9+]{1,16}://)?[^\s\"':@/]{0,256}:(?!//)", r"[^\"']*(?=@)"),
    )
)


def ways_of(site: Site, base: Path) -> tuple[str, ...]:
    """A sentence for each way, the shared ones first; `base` is the site file's folder."""
    inventory = site.inventory(base)
    if not inventory.hosts or all(host.local for host in inventory.hosts):
        return ()
    by_way: dict[str, list[str]] = {}
    for host in inventory.hosts:
        if not host.local and (way := _way(host)):
            by_way.setdefault(way, []).append(host.name)
    lines = [f"Reached {way}: {', '.join(names)}" for way, names in by_way.items()]
    if inventory.known_hosts:
        files = ", ".join(map(str, inventory.known_hosts))
        lines.append(f"Host keys are trusted as the site says, from {files}")
    return (*lines, *_of_config(inventory))


_NOT_SHOWN: Final = (
    "# It names a program (proxy_command), which may hold a password, and this version of\n"
    "# Sitewright cannot read the file: what stands in it is left out here.\n"
)


def without_passwords(text: str) -> str:
    """A site file's text with the passwords in its programs as stars; as it is where it has none.

    What is kept of a run is sent on, like its plan.
    """
    if "proxy_command" not in text:
        return text
    try:
        site = load_site_text(text, "the site file")
    except InputProblem:
        return _NOT_SHOWN  # of another version: nobody knows where the program's text ends
    hosts = tuple(
        host.model_copy(update={"proxy_command": masked_program(host.proxy_command)})
        if host.proxy_command
        else host
        for host in site.hosts
    )
    return text if hosts == site.hosts else dump_site(site.model_copy(update={"hosts": hosts}))


def _way(host: Host) -> str:
    """How one machine is reached, as the site says; empty where it says nothing."""
    told = [f"as {host.user}"] if host.user else []
    if host.port != 22:
        told.append(f"by port {host.port}")
    if host.bastion:
        told.append(f"through {host.bastion}")
    if host.proxy_command:
        told.append(f"through a program STARTED ON THIS MACHINE: {_program(host.proxy_command)}")
    if host.ssh_options:
        told.append(f"with {_shown(', '.join(host.ssh_options))}")
    if host.identity_files:
        told.append(f"with the key {', '.join(map(str, host.identity_files))}")
    return " ".join(told)


def _program(command: str) -> str:
    """A program of the site with its passwords masked, and a digest where that leaves any out."""
    shown = _shown(masked_program(command))
    return shown if shown == command else f"{shown} (digest {_digest([('proxycommand', command)])})"


def _of_config(inventory: Inventory) -> list[str]:
    if not inventory.use_ssh_config:
        return ["No ssh config is honoured, yours neither: the site says `config: false`"]
    if inventory.ssh_config is None or not inventory.config_of_site:
        return []
    file = inventory.ssh_config
    try:
        lines = read_lines(file.absolute(), inside=file.parent.resolve())
    except InputProblem as problem:
        return [f"The ssh config of the site is meant, {file}, and cannot be used: {problem.cause}"]
    told = [f"The ssh config of the site is honoured in place of yours, {file}:"]
    started = programs_in(lines)
    told += [
        f"  STARTS ON THIS MACHINE: {_shown(masked_program(program.whole))}" for program in started
    ]
    programs = {program.place for program in started}
    said = [line for line in lines if line.place not in programs and _tells(line)]
    told += [f"  {line.keyword} {_shown(_value(line))}" for line in said[:_MOST]]
    if len(said) > _MOST:
        told.append(f"  and {len(said) - _MOST} more lines")
    counted = [line for line in lines if line.place in programs or _tells(line)]
    digest = _digest([(line.keyword, line.value) for line in counted])
    told.append(f"  all of these lines, as they stand in full, have the digest {digest}")
    return told


def _digest(lines: Sequence[tuple[str, str]]) -> str:
    """What is other where one line is: what is cut, left out or masked above counts in it.

    It is slow to make, for it stands where a short password is masked, which could else be guessed.
    """
    text = json.dumps([list(line) for line in lines])
    salt = b"sitewright.ways/1"
    return hashlib.scrypt(text.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=16).hex()


def _tells(line: Line) -> bool:
    return line.number > 0 and (
        line.keyword in ("host", "match") or line.keyword not in NO_CONSEQUENCE
    )


def _value(line: Line) -> str:
    # A row of bastions holds no password, and looks like one: h1:22,ops@h2.
    return line.value if line.keyword == "proxyjump" else masked_program(line.value)


def masked_program(text: str) -> str:
    """A line with the passwords that its form gives away as stars."""
    for pattern in _PASSWORDS:
        text = pattern.sub(lambda found: found["before"] + MASK, text)
    return re.sub(r"(?:\\.|\S)+", lambda found: _without_login(found[0]), text)


def gives_away(command: Sequence[str]) -> bool:
    """Whether a program's words show a password by their form, to whoever lists processes.

    What a shell would put in stands there only later, and is known to whoever wrote it so.
    """
    text = re.sub(r"\$(?:\{[^}]*\}|\([^)]*\)|\w+)", "", " ".join(command))
    text = text.replace('""', "").replace("''", "")
    return masked_program(text) != text


def _without_login(word: str) -> str:
    """One word with the password of `name:password@` masked, up to its last "@"."""
    scheme = word.find("://")
    begin = scheme + 3 if scheme >= 0 else 0
    colon, at = word.find(":", begin), word.rfind("@")
    named = word.find("@", begin)  # of `name@host:22` nothing is a password
    return f"{word[: colon + 1]}{MASK}{word[at:]}" if begin <= colon < named else word


def _shown(text: str) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= _LENGTH else f"{shown[:_LENGTH]}… ({len(shown)} characters)"
