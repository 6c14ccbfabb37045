"""Ansible inventories: the machines and the way to each, as Ansible itself understands them.

Ansible says what the files mean (`ansible_process`), their lines are found by us
(`ansible_lines`). Each variable that a connection depends on is honoured, or refused with its line;
what says only how Ansible works is left to Ansible. The groups of a machine, and a variable `role`
or `roles`, become its roles. Sources: Ansible's documentation, "How to build your inventory", and
the options of its plugins `ssh` and `sudo`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shlex import quote
from typing import Any, Final

from foundation.hosts.ansible import ansible_process, ansible_ssh_args
from foundation.hosts.ansible.ansible_cfg import notes_on_cfg
from foundation.hosts.ansible.ansible_lines import (
    SECRETS,
    TEMPLATE,
    Index,
    index_of,
    looks_like_ini,
    looks_like_yaml,
)
from foundation.hosts.ansible.ansible_process import Answer, Ask, Refused
from foundation.hosts.ansible.ansible_sources import Source, Sources, gather
from foundation.hosts.ansible.inventory import (
    Named,
    checked_address,
    name_fault,
    port_from,
    split_endpoint,
)
from foundation.hosts.ansible.near_names import meant
from foundation.hosts.ansible.playbook_vars import notes_on_playbook_vars
from foundation.hosts.logins import user_fault
from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.problems import InputProblem
from foundation.typed_paths import typed_path

_SSH: Final = frozenset(("ssh", "smart", "ansible.builtin.ssh", "paramiko", "paramiko_ssh",
                         "ansible.builtin.paramiko_ssh", "ansible.netcommon.libssh"))  # fmt: skip
_LOCAL: Final = frozenset(("local", "ansible.builtin.local"))
_SSH_ARGS: Final = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
"""In the order in which Ansible gives them to ssh, of which the first of a kind counts."""
_HOW_ANSIBLE_WORKS: Final = frozenset(
    (
        "ansible_become", "ansible_become_exe", "ansible_become_flags", "ansible_sudo",
        "ansible_sudo_exe", "ansible_sudo_flags", "ansible_sudo_user",
        "ansible_become_password_prompt", "ansible_connection_timeout", "ansible_timeout",
        "ansible_control_path", "ansible_control_path_dir", "ansible_ssh_control_path",
        "ansible_ssh_control_path_dir", "ansible_ssh_control_persist", "ansible_pipelining",
        "ansible_ssh_pipelining", "ansible_ssh_retries", "ansible_ssh_timeout",
        "ansible_ssh_transfer_method", "ansible_scp_if_ssh", "ansible_ssh_use_tty",
        "ansible_ssh_verbosity", "ansible_sshpass_prompt", "ansible_ssh_password_mechanism",
        "ansible_sftp_batch_mode", "ansible_sftp_extra_args", "ansible_scp_extra_args",
        "ansible_sftp_executable", "ansible_scp_executable", "ansible_shell_executable",
        "ansible_python_interpreter", "ansible_remote_tmp", "ansible_async_dir",
        "ansible_paramiko_timeout", "ansible_paramiko_pty", "ansible_paramiko_look_for_keys",
    )
)  # fmt: skip
"""Understood, and of no consequence for where a machine is and who logs in."""
_PASSWORDS: Final = "Sitewright asks for passwords (--password-file, --sudo-password-file)"
_UNVERIFIED: Final = frozenset(("ansible_host_key_checking", "ansible_ssh_host_key_checking",
                                "ansible_paramiko_host_key_checking"))  # fmt: skip
_OF_A_CONNECTION = re.compile(
    r"ansible_(?:ssh|connection|become|sudo|su|network|httpapi|winrm|psrp|paramiko|libssh|docker"
    r"|podman|kubectl|lxc|lxd|chroot|netconf|persistent|terminal|private_key|host$|port$|user$"
    r"|shell_type$|password)\w*"
)
"""Variables by which Ansible connects; one of them that is not known here is refused."""
_HONOURED: Final = frozenset(
    (
        "ansible_host", "ansible_ssh_host", "ansible_port", "ansible_ssh_port", "ansible_user",
        "ansible_ssh_user", "ansible_private_key_file", "ansible_ssh_private_key_file",
        "ansible_connection", "ansible_become_method", "ansible_become_user", "ansible_su",
        "ansible_shell_type", "ansible_ssh_executable", *_SSH_ARGS,
    )
)  # fmt: skip


@dataclass(slots=True)
class Read:
    """The machines of an inventory, and what a person should know of how it was read."""

    machines: list[Named] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def is_inventory(path: Path, text: str) -> bool:
    """Whether a file is an inventory of Ansible, and not a plain list of machines."""
    return (
        path.suffix.lower() in (".yml", ".yaml", ".json", ".ini", ".toml")
        or text.startswith(("#!", "$ANSIBLE_VAULT;", "{"))
        or looks_like_yaml(text)
        or looks_like_ini(text)
        or (path.parent / "group_vars").is_dir()
        or (path.parent / "host_vars").is_dir()
    )


def read(path: Path, ask: Ask = ansible_process.ask, *, text: str | None = None) -> Read:
    """The machines of an inventory, a file (whose text may be at hand) or a folder.

    Raises InputProblem.
    """
    sources = gather(path, text)
    if (saved := _saved_answer(sources)) is not None:
        return _machines(saved, Index(files={path}), path, [])
    for source in sources.files:
        if source.text.startswith("\ufeff") and not looks_like_yaml(source.text[1:]):
            raise InputProblem(
                "line 1: the file begins with a byte order mark, as Windows writes it, which "
                "Ansible takes for a part of the first word",
                where=str(source.path),
                remedy=f"Take it out: sed -i '1s/^\\xEF\\xBB\\xBF//' {quote(str(source.path))}",
            )
    index = index_of(sources)
    files = {source.name: source.text for source in sources.files}
    try:
        answer = ansible_process.with_copy(files, sources.inventory, ask)
    except Refused as refused:
        raise _refused(str(refused), sources, path) from refused
    return _machines(
        answer, index, path, [*sources.notes, *notes_on_cfg(path), *notes_on_playbook_vars(path)]
    )


_WAYS_OF_PLAYBOOKS: Final = frozenset(("bastion", "bastions", "jumphost", "jumphosts", "jumpbox"))
"""Groups by which playbooks know a machine to go through; Kubespray writes an ssh config of it."""


def _way_of_a_playbook(machines: Sequence[Host]) -> Iterator[str]:
    """A note where a group names a bastion that only a playbook would make a way of."""
    bastions = [host for host in machines if _WAYS_OF_PLAYBOOKS & set(host.roles)]
    straight = [host for host in machines if host not in bastions and not host.local]
    straight = [host for host in straight if not (host.bastion or host.proxy_command)]
    if bastions and straight:
        first = bastions[0]
        port = "" if first.port == 22 else f":{first.port}"
        login = f"{first.user}@" if first.user else ""
        yield (
            f"{first.name} is in a group of bastions, which playbooks such as Kubespray's make a "
            f"way of, and Ansible itself does not: {straight[0].name} "
            + (f"and {len(straight) - 1} more are " if len(straight) > 1 else "is ")
            + f"reached straight. To go through it: --bastion {login}{first.address}{port}"
        )


def _saved_answer(sources: Sources) -> Answer | None:
    """What `ansible-inventory --list` printed, where somebody saved that as an inventory."""
    if len(sources.files) != 1 or not sources.files[0].text.lstrip().startswith("{"):
        return None
    try:
        return ansible_process.answer_of(sources.files[0].text)
    except Refused:
        return None


def _refused(words: str, sources: Sources, path: Path) -> InputProblem:
    """Ansible's own words about an inventory that it does not take, as one problem."""
    text = " ".join(words.split())
    line = ""
    for source in sources.files:
        if found := re.search(rf"Origin: (?:\S*/)?{re.escape(source.name)}:(\d+)", words):
            line, path = f"line {found[1]}: ", source.path
            break
    asked: Source | None = next((s for s in sources.files if s.owner is None), None)
    kind = "yaml" if asked is not None and looks_like_yaml(asked.text) else "ini"
    told = re.findall(rf"Failed to parse inventory with '{kind}' plugin: (.+?)(?: \[WARNING\]|"
                      r" Failed to parse| <<< caused by| Origin:|$)", text)  # fmt: skip
    told = told or re.findall(r"(?:ERROR\]?:|ERROR!)\s*(.+?)(?: Origin:|<<<|$)", text)
    cause = (told[0] if told else text)[:400] or "it gave no reason"
    return InputProblem(
        f"{line}Ansible cannot read the inventory: {cause.strip()}",
        where=str(path),
        remedy="Mend that; this shows what Ansible makes of it: ansible-inventory --list -i "
        f"{quote(str(path))}",
    )


def _machines(answer: Answer, index: Index, path: Path, notes: list[str]) -> Read:
    found = Read(notes=[*notes, *answer.warnings])
    noted: dict[str, None] = {}
    lost = [name for name in index.machines if name not in answer.variables]
    if lost:
        file, line, _ = index.machines[lost[0]]
        raise InputProblem(
            f'line {line}: Ansible does not see the machine "{lost[0]}"', where=str(file),
            remedy="Look at what it makes of it: ansible-inventory --list -i "
            f"{quote(str(path))}",
        )  # fmt: skip
    order = {name: number for number, name in enumerate(index.machines)}
    for name in sorted(answer.variables, key=lambda name: (order.get(name, len(order)), name)):
        reader = _Machine(name, answer, index, path, noted)
        line = index.machines[name][1] if name in index.machines else 0
        found.machines.append(Named(reader.host(), line))
    found.notes += noted
    found.notes += _way_of_a_playbook([named.host for named in found.machines])
    if len(found.machines) > 1 and not any(named.host.roles for named in found.machines):
        found.notes.append(NO_ROLES)
    return found


NO_ROLES: Final = (
    "no machine of this inventory is in a group or has a variable role, so that it does not tell "
    "which machine plays which role"
)
"""What a person would otherwise learn only from a judgement without roles."""


class _Machine:
    """One machine's variables, turned into the way to it."""

    def __init__(
        self, name: str, answer: Answer, index: Index, path: Path, noted: dict[str, None]
    ) -> None:
        self._name = name
        self._variables: Mapping[str, Any] = answer.variables[name]
        self._groups = answer.groups.get(name, ())
        self._index = index
        self._path = path
        self._noted = noted

    def _wrong(self, key: str, cause: str, remedy: str = "") -> InputProblem:
        place = self._index.place(key, self._name, self._groups)
        if place is None and self._name in self._index.machines:
            file, line, _ = self._index.machines[self._name]
        else:
            file, line = (place.file, place.line) if place is not None else (self._path, 0)
        return InputProblem(
            f"line {line}: {cause}" if line else f'{cause}, for "{self._name}"',
            where=str(file),
            remedy=remedy
            or f"See what Ansible makes of it: ansible-inventory "
            f"--host {quote(self._name)} -i {quote(str(self._path))}",
        )

    def _wrong_words(self, key: str, cause: str, remedy: str) -> InputProblem:
        return self._wrong(key, f"{key}: {cause}", remedy)

    def _note(self, key: str, sentence: str) -> None:
        """Tell something once an inventory, with the line where it first stands."""
        known = f"{key}: {sentence}"
        if any(known in note for note in self._noted):
            return
        place = self._index.place(key, self._name, self._groups)
        at = f"{place.file} line {place.line}: " if place is not None else ""
        self._noted[f"{at}{known}"] = None

    def _text(self, key: str) -> str | None:
        """A variable as text, None where it is not there; refused where only Ansible knows it."""
        value = self._variables.get(key)
        if isinstance(value, dict) and set(value) == {"__ansible_unsafe"}:
            return str(value["__ansible_unsafe"])
        if isinstance(value, dict) and "__ansible_vault" in value:
            raise self._wrong(
                key, f'"{key}" is encrypted, and Sitewright has no vault password',
                "Say it in the clear, or in a site file; what is no secret need not be encrypted.",
            )  # fmt: skip
        if value is None or value == "":
            return None
        if not isinstance(value, str | int | float):
            raise self._wrong(key, f'"{key}" is not one word')
        text = str(value)
        if TEMPLATE.search(text):
            raise self._wrong(
                key, f'"{key}" is a template, which only Ansible can resolve',
                f"Write the value itself; this shows it: ansible {quote(self._name)} "
                f"-i {quote(str(self._path))} -m debug -a var={key}",
            )  # fmt: skip
        return text

    def _opaque(self, key: str) -> str | None:
        """Why a secret does not lie open in the file; None where it does."""
        value = self._variables[key]
        if isinstance(value, dict) and "__ansible_vault" in value:
            return "it is encrypted"
        if value is None or value == "":
            return "it is empty"
        if isinstance(value, str) and TEMPLATE.search(value):
            return "it is a template"
        return None

    def _last(self, *keys: str) -> tuple[str | None, str]:
        """The last of some names of one variable that is set, as Ansible's plugin takes it."""
        for key in reversed(keys):
            if (text := self._text(key)) is not None:
                return text, key
        return None, keys[0]

    def _truth(self, key: str) -> bool | None:
        text = self._text(key)
        if text is None:
            return None
        return text.lower() in ("true", "yes", "on", "1", "y", "t", "1.0")

    def host(self) -> Host:
        """The machine as a value; raises InputProblem."""
        if fault := name_fault(self._name):
            raise self._wrong("", f"{self._name[:80]!a} cannot be the name of a machine: {fault}")
        connection, key = self._last("ansible_connection")
        if connection is not None and connection not in (*_SSH, *_LOCAL):
            # Before its other variables, which are of that connection too.
            raise self._wrong(
                key, f'"{self._name}" is reached by "{connection[:40]}", and not over SSH',
                "Leave machines out that are not reached over SSH.",
            )  # fmt: skip
        self._refuse_what_is_not_known()
        roles = self._roles()
        if connection in _LOCAL:
            return Host(name=self._name, address=LOCAL_ADDRESS, roles=roles)
        self._check_rights()
        told = ansible_ssh_args.SshWords()
        for name in _SSH_ARGS:
            if (text := self._text(name)) is not None:
                ansible_ssh_args.read(text, told, partial(self._wrong_words, name))
        for note in told.notes:
            self._note(self._key_of_args(), note)
        address, address_key = self._last("ansible_host", "ansible_ssh_host")
        user, user_key = self._last("ansible_user", "ansible_ssh_user")
        port, port_key = self._last("ansible_port", "ansible_ssh_port")
        options = []
        for option in told.options:
            name, _, value = option.partition("=")
            if name.lower() == "port" and port not in (None, value):
                raise self._wrong(port_key, f"port {port} here and {value} in the words for ssh")
            if name.lower() == "user" and user not in (None, value):
                raise self._wrong(user_key, f"user {user} here and {value} in the words for ssh")
            if name.lower() == "port":
                port, port_key = value, self._key_of_args()
            elif name.lower() == "user":
                user, user_key = value, self._key_of_args()
            else:
                if name.lower() == "hostname":
                    self._check_real_name(value)
                options.append(option)
        if user is not None and (fault := user_fault(user)):
            raise self._wrong(user_key, fault)
        place = self._index.place(self._key_of_args(), self._name, self._groups)
        keys = self._keys(told)
        try:
            return Host(
                name=self._name,
                address=checked_address(self._bare(address or self._name)),
                port=port_from(port) if port is not None else 22,
                user=user,
                roles=roles,
                identity_files=keys,
                bastion=self._bastion(told),
                ssh_options=(*options, *(["ProxyJump=none"] if told.jump == "none" else [])),
                proxy_command=told.program,
                proxy_place=""
                if told.program is None
                else f"{place.file} line {place.line}"
                if place is not None
                else str(self._path),
                port_stated=port is not None,
            )
        except InputProblem as problem:
            raise self._wrong(
                port_key if "port" in problem.cause else address_key, problem.cause, problem.remedy
            ) from problem

    def _check_real_name(self, value: str) -> None:
        """A HostName among the words for ssh, where %h stands for the name that is asked for."""
        try:
            checked_address(value.replace("%h", "h"))
        except InputProblem as problem:
            raise self._wrong(self._key_of_args(), problem.cause, problem.remedy or "") from problem

    @staticmethod
    def _bare(address: str) -> str:
        return address.removeprefix("[").removesuffix("]")

    def _key_of_args(self) -> str:
        return next((key for key in _SSH_ARGS if self._variables.get(key)), _SSH_ARGS[1])

    def _keys(self, told: ansible_ssh_args.SshWords) -> tuple[Path, ...]:
        file, key = self._last("ansible_private_key_file", "ansible_ssh_private_key_file")
        names = [(file, key)] if file is not None else []
        names += [(name, self._key_of_args()) for name in told.bastion_keys]
        found: list[Path] = []
        for name, key in names:
            try:
                found.append(typed_path(name))
            except InputProblem as problem:
                raise self._wrong(key, problem.cause, problem.remedy) from problem
        return tuple(dict.fromkeys(found))

    def _bastion(self, told: ansible_ssh_args.SshWords) -> str | None:
        if told.jump is None or told.jump == "none":
            return None
        for hop in told.jump.split(","):
            try:
                split_endpoint(hop.strip().removeprefix("ssh://").rstrip("/"))
            except InputProblem as problem:
                raise self._wrong(
                    self._key_of_args(),
                    f'the bastion "{told.jump[:80]}" cannot be used: {problem.cause}',
                    "Write the bastion as user@address:port.",
                ) from problem
        return told.jump

    def _roles(self) -> tuple[str, ...]:
        roles = list(self._groups)
        for key in ("roles", "role"):
            value = self._variables.get(key)
            if isinstance(value, list):
                roles += [str(item) for item in value if isinstance(item, str | int | float)]
            elif isinstance(value, str | int | float) and not TEMPLATE.search(str(value)):
                roles += re.split(r"[,\s]+", str(value))
        return tuple(dict.fromkeys(role for role in roles if role))

    def _check_rights(self) -> None:
        """What is said of becoming root: Sitewright does it by sudo, and as root alone."""
        method, key = self._last("ansible_become_method")
        if method is not None and method not in ("sudo", "ansible.builtin.sudo"):
            raise self._wrong(key, f'root is become by "{method[:40]}", and Sitewright uses sudo')
        user, key = self._last("ansible_become_user")
        if user not in (None, "root") and self._truth("ansible_become") is not False:
            raise self._wrong(
                key, f'the tasks run as "{str(user)[:40]}", and Sitewright needs root'
            )
        if self._truth("ansible_become") is False:
            self._note("ansible_become", "whether sudo is used is asked of Sitewright (--no-sudo)")
        if self._truth("ansible_su"):
            raise self._wrong("ansible_su", "root is become by su, and Sitewright uses sudo")
        shell, key = self._last("ansible_shell_type")
        if shell in ("powershell", "cmd"):
            raise self._wrong(key, "the machine runs Windows, on which Sitewright does nothing")
        program, key = self._last("ansible_ssh_executable")
        if program not in (None, "ssh", "/usr/bin/ssh"):
            raise self._wrong(
                key, f'another program than ssh should be used, "{str(program)[:60]}"',
                "Take it out: Sitewright speaks SSH itself.",
            )  # fmt: skip
        exe, key = self._last("ansible_sudo_exe", "ansible_become_exe")
        if exe not in (None, "sudo", "/usr/bin/sudo"):
            self._note(key, f"{str(exe)[:60]} is not used: Sitewright uses the sudo of the path")
        for name in _UNVERIFIED:
            if self._truth(name) is False:
                self._note(name, ansible_ssh_args.VERIFIED)

    def _refuse_what_is_not_known(self) -> None:
        for key in self._variables:
            if key.lower() in SECRETS:
                if (why := self._opaque(key)) is not None:
                    self._note(key, f"{why}, and not used: {_PASSWORDS}")
                    continue
                raise self._wrong(
                    key, f'"{key}" is a secret, and a secret does not belong in a file of machines',
                    "Take it out of the file (and change it, if others could read the file); "
                    "Sitewright asks for passwords, or use an SSH key.",
                )  # fmt: skip
            if key in _HONOURED or key in _HOW_ANSIBLE_WORKS or key in _UNVERIFIED:
                continue
            if key.startswith("ansible_ssh_host_key_"):
                continue  # a fact of the machine, which somebody saved with the rest
            if key == "ansible_network_os" or _OF_A_CONNECTION.fullmatch(key):
                raise self._wrong(
                    key, f'Ansible connects by "{key}", and Sitewright does not know it',
                    (f"Is {slip} meant? Else take" if (slip := meant(key)) else "Take")
                    + " it out, or name these machines in a site file.",
                )  # fmt: skip
            if slip := meant(key):
                self._note(key, f"Ansible heeds no such variable: is {slip} meant?")
