"""The inventory for Ansible: machines by role, and how to reach them; it never holds a secret.

Machines and groups stand in an INI file, in words that are checked. What people wrote (settings and
the variables of machines) never does, for Ansible takes a text there for a template and fills it in
on the control host: it goes into files of variables beside the inventory, as `!unsafe`,
which to Ansible is data and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from foundation.hosts.inventory import split_endpoint
from foundation.hosts.model import Host
from foundation.problems import InputProblem

_GROUP: Final = re.compile(r"[^A-Za-z0-9_]")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,~-]+")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_TEMPLATE: Final = re.compile(r"\{[{%#]")

OWN_FILE: Final = "+sitewright.yaml"
"""The name of a file of variables; before all others in its folder, so that those have the last
word, as they have over an inventory."""


def export_inventory(
    hosts: Sequence[Host],
    *,
    known_hosts: Sequence[Path | str] = (),
    ssh_config: str | None = None,
    roles: Mapping[str, Sequence[str]] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """An INI inventory with a group for each role (hyphens become underscores).

    With `ssh_config` the machines are reached by that file alone; else the options stand here, so
    that it can be used by hand. `roles` goes before the hosts' own. `groups` are further groups
    with the names of their machines. Raises InputProblem for a name that Ansible would misread.
    """
    members: dict[str, list[str]] = {name: list(names) for name, names in (groups or {}).items()}
    lines = ["# Made by Sitewright; holds no secret.", ""]
    for host in hosts:
        lines.append(_host(host, known_hosts, ssh_config))
        for role in (roles or {}).get(host.name, host.roles):
            names = members.setdefault(_GROUP.sub("_", role), [])
            if host.name not in names:
                names.append(host.name)
    for group in sorted(members):
        lines += ["", f"[{group}]", *members[group]]
    return "\n".join(lines) + "\n"


def variable_files(
    variables: Mapping[str, str], host_variables: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, str]:
    """What stands beside the inventory: files by their names, each value as data.

    `variables` are settings of the site, `host_variables` those of single machines; never secrets.
    Raises InputProblem for a name that is none.
    """
    files = {}
    if variables:
        files[f"group_vars/all/{OWN_FILE}"] = as_data(variables)
    for name, values in (host_variables or {}).items():
        if values:
            # A folder each: a machine "m1.yaml" is another than the file of "m1".
            files[f"host_vars/{_machine(name)}/{OWN_FILE}"] = as_data(values)
    return files


def as_data(values: Mapping[str, str]) -> str:
    """Variables as YAML that Ansible never takes for templates; raises InputProblem.

    The mapping as a whole is `!unsafe`: on a single value the tag would have Ansible 2.19 guess
    its type, and make 7 of "007".
    """
    if not values:
        return "--- {}\n"
    # Quoted, a name such as "yes" stays a name.
    lines = (f'"{_variable(name)}": {_text(value)}\n' for name, value in values.items())
    return "--- !unsafe\n" + "".join(lines)


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise InputProblem(f'"{name}" cannot be the name of a variable', where="settings")
    return name


def _machine(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputProblem(
            f'Ansible would misread the machine name "{name}"',
            where="the inventory",
            remedy="Use letters, digits, dots, hyphens and underscores, none but the first two "
            "and the last at its beginning.",
        )
    return name


def _host(host: Host, known_hosts: Sequence[Path | str], ssh_config: str | None) -> str:
    name = _machine(host.name)
    if host.local:
        return f"{name} ansible_connection=local"
    words = [name, f"ansible_host={_word(host.address)}", f"ansible_port={host.port}"]
    if host.user:
        words.append(f"ansible_user={_word(host.user)}")
    if ssh_config is not None:
        words.append(f"ansible_ssh_common_args={_quoted(f'-F {_word(ssh_config)}')}")
        # The file has an entry under the machine's name, so that a bastion is found too.
        return " ".join(words)
    if host.identity_files:
        words.append(f"ansible_ssh_private_key_file={_quoted(str(host.identity_files[0]))}")
    options = ["-o StrictHostKeyChecking=yes"]
    if known_hosts:
        # ssh parts file names by blanks; a name with one cannot be given on this way.
        options.append(f"-o UserKnownHostsFile={_word(str(known_hosts[0]))}")
    if host.bastion:
        options.append(f"-o ProxyJump={_word(host.bastion)}")
    words.append(f"ansible_ssh_common_args={_quoted(' '.join(options))}")
    return " ".join(words)


def _text(value: str) -> str:
    """A text as a literal that JSON and YAML read alike, on one line for everybody."""
    return _NOT_IN_YAML.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False)
    )


def _word(text: str) -> str:
    if not _PLAIN.fullmatch(text) or text.startswith("-"):
        raise InputProblem(
            f'"{text[:100]}" cannot be given to ssh through Ansible',
            where="the inventory",
            remedy="Use names without blanks, quotes and other special characters.",
        )
    return text


def _quoted(text: str) -> str:
    if "'" in text or "\n" in text or _TEMPLATE.search(text):
        raise InputProblem(
            f'"{text[:100]}" cannot stand in an inventory',
            where="the inventory",
            remedy="Use file names without quotes, line breaks and double braces.",
        )
    return f"'{text}'"


def ssh_config(
    hosts: Iterable[Host],
    known_hosts: str,
    *,
    identities: Mapping[str, Sequence[str]] | None = None,
    known_as: Mapping[str, str] | None = None,
    own_keys: bool = True,
) -> str:
    """An ssh_config with which every machine and every bastion is checked against `known_hosts`.

    OpenSSH hands `-F` on to the jumps of ProxyJump, and no other option. `identities` gives the
    key files of a machine by its name; the host's own otherwise. `known_as` gives the names under
    which `known_hosts` keeps addresses. Without `own_keys` no other key is tried.
    """
    blocks = []
    seen: set[tuple[str, int]] = set()
    for host in hosts:
        if host.local:
            continue
        keys = (identities or {}).get(host.name, [str(file) for file in host.identity_files])
        if (host.address, host.port) not in seen:
            seen.add((host.address, host.port))
            block = [f"Match originalhost {_word(host.address)}"]
            if known_as and host.address in known_as:
                block.append(f"  HostKeyAlias {_word(known_as[host.address])}")
            if host.bastion:
                block.append(f"  ProxyJump {_word(host.bastion)}")
            elif host.proxy_command:
                # Its tokens are filled in already; nothing in it may be taken for another.
                block.append(f"  ProxyCommand {_line(host.proxy_command)}")
            blocks.append(block + [f'  IdentityFile "{_file(key)}"' for key in keys])
        for hop in (host.bastion or "").split(","):
            if hop:
                _, address, port = split_endpoint(hop.strip())
                if (address, port or 22) not in seen:
                    seen.add((address, port or 22))
                    files = [f'  IdentityFile "{_file(key)}"' for key in keys]
                    hop_block = [f"Match originalhost {_word(address)}", *files]
                    if known_as and address in known_as:
                        hop_block.append(f"  HostKeyAlias {_word(known_as[address])}")
                    blocks.append(hop_block)
    shared = [
        "Match all",
        *([] if own_keys else ["  IdentitiesOnly yes", "  IdentityAgent none"]),
        "  StrictHostKeyChecking yes",
        f'  UserKnownHostsFile "{_file(known_hosts)}"',
        "  GlobalKnownHostsFile none",
        "  UpdateHostKeys no",
        "  ServerAliveInterval 15",
        "  ServerAliveCountMax 4",
        "  ConnectTimeout 15",
    ]
    return "\n".join("\n".join(block) for block in [*blocks, shared]) + "\n"


def _line(command: str) -> str:
    if "\n" in command or "\r" in command:
        raise InputProblem(f'the command "{command[:100]}" cannot stand in an ssh_config')
    return command.replace("%", "%%")


def _file(name: str) -> str:
    if '"' in name or "\n" in name:
        raise InputProblem(f'the file name "{name[:100]}" cannot stand in an ssh_config')
    return name.replace("%", "%%")
