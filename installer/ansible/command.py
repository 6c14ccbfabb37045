"""How ansible-playbook is run on the control host: one command, everything else by its input."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.hostkeys import KEYS_LIMIT, host_pattern, known_hosts_files
from foundation.hosts.openssh.openssh import Settings
from foundation.isolation import ISOLATED
from foundation.problems import InputProblem
from foundation.secrets import Secret
from installer.ansible.inventory import (
    KnownAs,
    as_data,
    export_inventory,
    ssh_config,
    variable_files,
)
from installer.plans.plan import CONTROL_HOST

FLOOR: Final = (2, 18)
"""The oldest ansible-core that playbooks are written for."""
ARCHIVE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a folder of playbooks that is brought to another control host."""
FORKS: Final = 16
_HERE: Final = Path(__file__).parent / "on_control_host"

# The driver comes first over standard input: an argument would be long, and shown by ps.
_BOOT: Final = (
    "import sys; f = sys.stdin.buffer; n = int(f.readline()); "
    "exec(compile(f.read(n), 'sitewright-ansible', 'exec'))"
)


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """One run of a playbook against machines of a site."""

    playbook: str
    """Relative to `folder`."""
    folder: Path
    """The playbooks, on this machine."""
    inventory: Inventory
    word: str
    """With which each line of the callback plugin begins; nobody on a machine can guess it."""
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limit: Sequence[str] = ()
    """Machines to which it is held; all where there is none."""
    tags: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further groups, with the names of their machines."""
    host_variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of all machines."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Extra variables, which win over all others."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """Extra variables that nobody may see."""
    become_password: Secret | None = None
    connection_password: Secret | None = None
    check: bool = False
    forks: int = FORKS
    near: str = ""
    """The folder of the ansible-playbook to use on a control host that is another machine."""
    run_id: str = ""
    """Of the run that holds the machines: the playbook ends where another's does."""
    known_as: KnownAs = field(default_factory=dict)
    """Names under which known_hosts keeps machines and bastions, where they differ."""
    ssh_settings: Mapping[tuple[str, str], Settings] = field(default_factory=dict)
    """What the person's own ssh config says of them, by machine and address."""


def command(control: Host) -> tuple[str, ...]:
    """The command for the control host; everything that matters goes to its standard input."""
    return (sys.executable if control.local else "python3", ISOLATED, "-c", _BOOT)


def payload(run: PlaybookRun, control: Host) -> bytes:
    """The standard input of that command; holds secrets. Raises InputProblem."""
    driver = (_HERE / "drive.py").read_bytes()
    told = json.dumps(_told(run, control)).encode()
    return str(len(driver)).encode() + b"\n" + driver + told


def _told(run: PlaybookRun, control: Host) -> dict[str, object]:
    hosts = [host for host in run.inventory if host.name != CONTROL_HOST]
    folder = _folder_word(run)
    secrets = [*run.secrets.values(), run.become_password, run.connection_password]
    files = {
        "inventory.ini": export_inventory(
            hosts, ssh_configs=f"{folder}/ssh", roles=run.roles, groups=run.groups
        ),
        **variable_files(run.settings, run.host_variables),
        **{
            f"ssh/{host.name}": ssh_config(
                host,
                f"{folder}/known_hosts",
                known_as=run.known_as,
                settings=run.ssh_settings,
                own_keys=control.local,
            )
            for host in hosts
            if not host.local
        },
        "known_hosts": _known_hosts(run, here=control.local),
        "variables.yaml": _variables(run),
        # Ansible takes no /dev/null for it; an empty file keeps every other one out.
        "ansible.cfg": "[defaults]\n",
        "redact.json": json.dumps([s.reveal() for s in secrets if s]),
        "plugins/sitewright_events.py": (_HERE / "sitewright_events.py").read_text("utf-8"),
        "tmp/.keep": "",
        "control/.keep": "",
    }
    arguments = ["--inventory", f"{folder}/inventory.ini", "--forks", str(run.forks)]
    arguments += ["--extra-vars", f"@{folder}/variables.yaml"]
    for secret, name in (
        (run.become_password, "become"),
        (run.connection_password, "connection"),
    ):
        if secret is not None:
            files[f"{name}-password"] = secret.reveal()
            arguments += [f"--{name}-password-file", f"{folder}/{name}-password"]
    if run.limit:
        arguments += ["--limit", ",".join(run.limit)]
    if run.tags:
        arguments += ["--tags", ",".join(run.tags)]
    if run.check:
        arguments += ["--check"]
    return {
        "folder": folder,
        "near": str(Path(sys.executable).parent) if control.local else run.near,
        "floor": list(FLOOR),
        "files": files,
        "playbooks": str(run.folder),
        "archive": "" if control.local else _archive(run.folder),
        "arguments": [*arguments, "--", run.playbook],
        "environment": _environment(run),
    }


def _environment(run: PlaybookRun) -> dict[str, str]:
    """Everything that Ansible is told by its environment; no other ansible.cfg is read."""
    folder = _folder_word(run)
    return {
        "ANSIBLE_CONFIG": f"{folder}/ansible.cfg",
        "ANSIBLE_HOME": f"{folder}/ansible",
        "ANSIBLE_LOCAL_TEMP": f"{folder}/tmp",  # noqa: S108 - in the driver's own folder
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{folder}/control",
        "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=30s",
        "ANSIBLE_TIMEOUT": "20",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "ANSIBLE_CALLBACK_PLUGINS": f"{folder}/plugins",
        # Of the folder of playbooks, in which Ansible is started: by itself it looks for filters
        # beside a playbook alone, and not where that lies in a folder of its own.
        "ANSIBLE_FILTER_PLUGINS": "filter_plugins:/usr/share/ansible/plugins/filter",
        "ANSIBLE_STDOUT_CALLBACK": "sitewright_events",
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "False",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SITEWRIGHT_WORD": run.word,
        "SITEWRIGHT_RUN": run.run_id,
        "SITEWRIGHT_REDACT": f"{folder}/redact.json",
    }


def _folder_word(run: PlaybookRun) -> str:
    """What stands for the driver's folder, which only the driver knows; in no value of anybody."""
    return f"@FOLDER-OF-{run.word}@"


def _variables(run: PlaybookRun) -> str:
    values = {**run.variables, **{name: s.reveal() for name, s in run.secrets.items()}}
    return as_data({re.sub("[-.]", "_", name): value for name, value in values.items()})


def _known_hosts(run: PlaybookRun, *, here: bool) -> str:
    """The trusted host keys; to another machine go those of the site's machines alone.

    What else the operator's own files say tells where they work, and is nobody's business there.
    """
    parts = []
    for file in known_hosts_files(run.inventory):
        try:
            parts.append(bounded_files.read_text(file, KEYS_LIMIT, errors="replace"))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputProblem(
                f"the file of trusted host keys cannot be read: {error.strerror}", where=str(file)
            ) from error
    if not here:
        # Reading keys takes asyncssh, which a playbook that runs here need not wait for.
        from foundation.hosts.openssh.trusted import lines_about

        parts = lines_about("\n".join(parts), _names(run))
    return "\n".join(parts) + "\n"


def _names(run: PlaybookRun) -> set[str]:
    """The names under which known_hosts files keep the machines of a run."""
    names: set[str] = set()
    for host in run.inventory:
        if not host.local:
            name = run.known_as.get((host.name, host.address), host.address)
            names |= {host_pattern(name, 22), host_pattern(name, host.port)}
    return names


def _archive(folder: Path) -> str:
    """A folder of playbooks as base64 of a tar.gz, without its version control."""
    packed = io.BytesIO()
    size = 0

    def taken(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        nonlocal size
        if ".git" in Path(member.name).parts or not (member.isfile() or member.isdir()):
            return None
        size += member.size
        if size > ARCHIVE_LIMIT:
            raise InputProblem(
                f"the folder of playbooks is larger than {ARCHIVE_LIMIT} bytes",
                where=str(folder),
                remedy="Take out of it what the playbooks do not need.",
            )
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(folder, arcname=".", filter=taken)
    return base64.b64encode(packed.getvalue()).decode()
