"""Words of a site file: what each of them may be, judged by itself."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from bundles.format.recipe_words import Form
from foundation.hosts.ansible.ansible_ssh_args import option_fault
from foundation.hosts.ansible.inventory import hidden_in, name_fault, split_endpoint
from foundation.hosts.logins import user_fault
from foundation.problems import InputProblem
from installer.sites.site_paths import PATH


def addressable(text: str) -> bool:
    """Whether a URL, or a name with or without a port, is one that anybody can be asked by."""
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _addressable(value: str) -> str:
    if not addressable(value):
        raise ValueError("it names no machine, or a port above 65535")
    if "@" in urlsplit(value).netloc:
        raise ValueError(
            "there is a login in it, and a site file holds none; let the server give it out to the "
            "site's machines without one"
        )
    return value


Endpoint = Annotated[
    str,
    Form(
        r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9._/-]+)?$",
        "HOST:PORT without http:// before it, as registry.example.org:5000",
    ),
    AfterValidator(_addressable),
]
Url = Annotated[
    str,
    Form(r"^https?://[!-~]{1,500}$", "an address with http:// or https://"),
    AfterValidator(_addressable),
]


def _as_tuple(value: Any) -> Any:
    """One value where a list is meant is a list of one: `roles: master`."""
    return (value,) if isinstance(value, str) else value


def _bastion(value: str) -> str:
    for hop in value.split(","):
        try:
            split_endpoint(hop.strip())
        except InputProblem as problem:
            raise ValueError(f"{problem.cause}; write it as user@address:port") from problem
    return value


def _word(value: str) -> str:
    if not value or value != value.strip():
        raise ValueError("it is empty, or has spaces round it")
    if hidden := hidden_in(value):
        raise ValueError(f"it holds {hidden}, which cannot be seen or turns the order of letters")
    return value


def _program(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("it is empty, or holds signs that cannot be seen")
    if value.strip().lower() == "none":
        raise ValueError("a command is meant; leave it out where there is none")
    return value


def _ssh_option(value: str) -> str:
    if fault := option_fault(value):
        raise ValueError(fault)
    return value


def _login(value: str) -> str:
    if fault := user_fault(value):
        raise ValueError(fault)
    return value


def _machine(value: str) -> str:
    if fault := name_fault(value):
        raise ValueError(f"this cannot be the name of a machine: {fault}")
    return value


_ANSIBLES_OWN: Final = frozenset(
    (
        "environment", "group_names", "groups", "hostvars", "inventory_dir", "inventory_file",
        "inventory_hostname", "inventory_hostname_short", "item", "lookup", "namespace", "now",
        "omit", "play_hosts", "playbook_dir", "q", "query", "role_name", "role_names",
        "role_path", "undef", "vars",
    )
)  # fmt: skip
"""Names that mean something to Ansible itself, in every playbook."""


def _variable(value: str) -> str:
    """A variable of a machine says what the machine is, never how it is reached or what runs."""
    name = value.lower()
    if name.startswith("ansible_"):
        raise ValueError(
            "variables of Ansible itself decide how a machine is reached and which programs run, "
            "on this machine too, so that a site file has none; say user, port, bastion and keys "
            "under the machine itself, and leave the rest out"
        )
    if name in _ANSIBLES_OWN or name.startswith("sitewright_"):
        raise ValueError(f'"{value}" has a meaning of its own in playbooks; take another name')
    return value


Name = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_word)]
RecordKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,80}-[0-9a-f]{10}$")]
Login = Annotated[Name, AfterValidator(_login)]
MachineName = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_machine)]
Variable = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100), AfterValidator(_variable)
]
Port = Annotated[int, Field(ge=1, le=65535)]
PathText = Annotated[str, AfterValidator(_word)]
Paths = Annotated[tuple[PathText, ...], BeforeValidator(_as_tuple), PATH]
OnePath = Annotated[PathText | None, PATH]
Program = Annotated[str, Field(max_length=2000), AfterValidator(_program)]
SshOptions = Annotated[
    tuple[Annotated[str, Field(max_length=1000), AfterValidator(_ssh_option)], ...],
    BeforeValidator(_as_tuple),
]
Roles = Annotated[tuple[Name, ...], BeforeValidator(_as_tuple)]
Bastion = Annotated[str, AfterValidator(_bastion)]


def _proxy(value: str) -> str:
    """An address of a proxy that names no login; raises ValueError."""
    # urlsplit drops line breaks and tabs, so what it has read is not what the files would hold.
    if not re.fullmatch("[!-~]*", value):
        raise ValueError("there is a blank or a sign in it that an address does not have")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"it is no address: {error}") from error
    if parts.username is not None or parts.password is not None or "@" in value:
        # The text itself stays out of the message, for it holds a password.
        raise ValueError(
            "there is a login in it, and a site file holds none; have the proxy let the machines"
            " through by their addresses"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or port is None:
        raise ValueError("write it as http://host:port")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("it has a path, and a proxy has none; write it as http://host:port")
    if not re.fullmatch(r"[A-Za-z0-9.-]+|[0-9a-fA-F:]+", parts.hostname):
        raise ValueError("its host is no name and no address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"


def _past_the_proxy(value: str) -> str:
    if not re.fullmatch(r"\*|\.?[A-Za-z0-9*]([A-Za-z0-9.:*-]*[A-Za-z0-9])?(/[0-9]{1,3})?", value):
        raise ValueError("it is no name, no address and no network")
    return value


Proxy = Annotated[str, Field(max_length=300), AfterValidator(_proxy)]
PastTheProxy = Annotated[
    tuple[Annotated[str, Field(max_length=253), AfterValidator(_past_the_proxy)], ...],
    BeforeValidator(_as_tuple),
]
