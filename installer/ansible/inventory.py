"""The inventory for Ansible: machines by role, and how to reach them; it never holds a secret.

Machines and groups stand in an INI file, in words that are checked. What people wrote (settings and
the variables of machines) never does, for Ansible takes a text there for a template and fills it in
on the control host: it goes into files of variables beside the inventory, as `!unsafe`,
which to Ansible is data and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from foundation.hosts.ansible.inventory import split_endpoint
from foundation.hosts.logins import user_fault
from foundation.hosts.model import Host
from foundation.hosts.openssh.openssh import Settings
from foundation.problems import InputProblem

_GROUP: Final = re.compile(r"[^A-Za-z0-9_]")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,~-]+")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_TEMPLATE: Final = re.compile(r"\{[{%#]")

KnownAs: TypeAlias = Mapping[tuple[str, str], str]
"""Names under which known_hosts keep an address, where they differ: by the machine that is reached
and the address, its own or that of a bastion on its way."""

OWN_FILE: Final = "+sitewright.yaml"
"""The name of a file of variables; before all others in its folder, so that those have the last
word, as they have over an inventory."""


def export_inventory(
    hosts: Sequence[Host],
    *,
    known_hosts: Sequence[Path | str] = (),
    ssh_configs: str | None = None,
    roles: Mapping[str, Sequence[str]] | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """An INI inventory with a group for each role (hyphens become underscores).

    With `ssh_configs`, a folder, each machine is reached by the file of its name there alone; else
    the options stand here, so that it can be used by hand. `roles` goes before the hosts' own.
    `groups` are further groups with the names of their machines. Raises InputProblem for a name
    that Ansible would misread.
    """
    members: dict[str, list[str]] = {name: list(names) for name, names in (groups or {}).items()}
    lines = ["# Made by Sitewright; holds no secret.", ""]
    for host in hosts:
        lines.append(_host(host, known_hosts, ssh_configs))
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


def _host(host: Host, known_hosts: Sequence[Path | str], ssh_configs: str | None) -> str:
    name = _machine(host.name)
    if host.local:
        return f"{name} ansible_connection=local"
    words = [name, f"ansible_host={_word(host.address)}", f"ansible_port={host.port}"]
    if host.user:
        words.append(f"ansible_user={_login(host.user)}")
    # Ansible would name its open connection by address, port and user, which two machines behind
    # different bastions may share: the tasks of one would run on the other.
    connection = hashlib.sha256(name.encode()).hexdigest()[:10]
    words.append(f"ansible_control_path=%(directory)s/{connection}")
    if ssh_configs is not None:
        file = _quoted(f"-F {_word(ssh_configs)}/{name}")
        words.append(f"ansible_ssh_common_args={file}")
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


def _login(user: str) -> str:
    """A login as a value of an inventory, where a backslash and a $ stay what they are."""
    if fault := user_fault(user):
        raise InputProblem(fault, where="the inventory")
    return user if _PLAIN.fullmatch(user) else f"'{user}'"


def _quoted(text: str) -> str:
    if "'" in text or "\n" in text or _TEMPLATE.search(text):
        raise InputProblem(
            f'"{text[:100]}" cannot stand in an inventory',
            where="the inventory",
            remedy="Use file names without quotes, line breaks and double braces.",
        )
    return f"'{text}'"


def ssh_config(
    host: Host,
    known_hosts: str,
    *,
    known_as: KnownAs | None = None,
    settings: Mapping[tuple[str, str], Settings] | None = None,
    own_keys: bool = True,
) -> str:
    """An ssh_config for one machine and its bastions, each checked against `known_hosts`.

    Each machine has a file of its own: OpenSSH tells blocks by the address that it was given, which
    machines behind different bastions, or on different ports, may share. It hands `-F` on to the
    jumps of ProxyJump, and no other option. `settings` are what the person's own configuration
    says of each, by the machine's name and the address. Without `own_keys` no other key is tried.
    """
    way = [split_endpoint(hop.strip())[1] for hop in (host.bastion or "").split(",") if hop]
    blocks = []
    for address in dict.fromkeys([host.address, *way]):
        block = [f"Match originalhost {_word(address)}"]
        alias = (known_as or {}).get((host.name, address))
        if alias:
            block.append(f"  HostKeyAlias {_word(alias)}")
        if address == host.address and host.bastion:
            block.append(f"  ProxyJump {_word(host.bastion)}")
        elif address == host.address and host.proxy_command:
            # Its tokens are filled in already; nothing in it may be taken for another.
            block.append(f"  ProxyCommand {_line(host.proxy_command)}")
        keys = [str(file) for file in host.identity_files]
        said = (settings or {}).get((host.name, address))
        if said is not None:
            block += _as_said(said, known_hosts)
            keys += [key for key in said.identity_files if key.lower() != "none"]
        block += [f'  IdentityFile "{_file(key)}"' for key in dict.fromkeys(keys)]
        blocks.append(block)
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


def _as_said(said: Settings, known_hosts: str) -> Iterator[str]:
    """What a person's configuration says of a login beside its address, way and keys."""
    for name in said.certificate_files:
        yield f'  CertificateFile "{_file(name)}"'
    if said.address_family in ("inet", "inet6"):
        yield f"  AddressFamily {said.address_family}"
    if said.bind_address:
        yield f"  BindAddress {_word(said.bind_address)}"
    elif said.bind_interface:
        yield f"  BindInterface {_word(said.bind_interface)}"
    if said.check_host_ip:
        yield "  CheckHostIP yes"
    if said.known_hosts_command:
        # Its tokens are for the ssh that reads this.
        yield f"  KnownHostsCommand {_line(said.known_hosts_command).replace('%%', '%')}"
    if said.methods is not None:
        yield f"  PreferredAuthentications {_word(','.join(said.methods) or 'none')}"
    if said.revoked_host_keys:
        files = " ".join(f'"{_file(name)}"' for name in said.revoked_host_keys)
        yield f"  RevokedHostKeys {files}"
    if said.identities_only:
        yield "  IdentitiesOnly yes"
    if said.identity_agent:
        yield f'  IdentityAgent "{_file(said.identity_agent)}"'
    if said.user_known_hosts:
        files = " ".join(f'"{_file(name)}"' for name in said.user_known_hosts)
        yield f'  UserKnownHostsFile "{_file(known_hosts)}" {files}'
    for keyword, names in (
        ("HostKeyAlgorithms", said.host_key_algorithms),
        ("KexAlgorithms", said.kex_algorithms),
        ("Ciphers", said.ciphers),
        ("MACs", said.macs),
        ("PubkeyAcceptedKeyTypes", said.signature_algorithms),
    ):
        if names:
            yield f"  {keyword} {_line(names)}"


def _line(command: str) -> str:
    if "\n" in command or "\r" in command:
        raise InputProblem(f'the command "{command[:100]}" cannot stand in an ssh_config')
    return command.replace("%", "%%")


def _file(name: str) -> str:
    if '"' in name or "\n" in name:
        raise InputProblem(f'the file name "{name[:100]}" cannot stand in an ssh_config')
    return name.replace("%", "%%")
