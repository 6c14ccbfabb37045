"""Site: the answers of one installation, as a YAML file that a person can read and keep."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from foundation.documents import dump_yaml, load_yaml, nearest, parse_yaml, validate
from foundation.hosts.inventory import (
    HOST_LIMIT,
    checked_address,
    hidden_in,
    name_fault,
    split_endpoint,
)
from foundation.hosts.logins import user_fault
from foundation.hosts.model import Host, Inventory
from foundation.problems import InputProblem
from installer.site_paths import PATH, each_path, resolved_paths, whole_path, written_path
from preflight.findings import Waiver

Plain = str | int | float | bool | None
"""A value of a setting."""

_HEAD: Final = """\
# A site of Sitewright: the answers of one installation.
# Look at the machines:  sitewright preflight --site THIS-FILE
# Every key there is:    sitewright schema
# Secrets do not belong here; Sitewright asks for them.
"""

FILL_IN: Final = "FILL-IN"
"""What stands in a new site file for what only a person can know (`sitewright init`)."""

_ONE_LINE_AN_ENTRY: Final = ("ssh", "hosts", "supplies", "waivers")


Endpoint = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[a-z0-9._/-]+)?$")]
Url = Annotated[str, Field(pattern=r"^https?://[!-~]{1,500}$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, ser_json_inf_nan="constants"
    )


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
Login = Annotated[Name, AfterValidator(_login)]
MachineName = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_machine)]
Variable = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100), AfterValidator(_variable)
]
Port = Annotated[int, Field(ge=1, le=65535)]
PathText = Annotated[str, AfterValidator(_word)]
Paths = Annotated[tuple[PathText, ...], BeforeValidator(_as_tuple), PATH]
OnePath = Annotated[PathText | None, PATH]
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


class Ssh(_Part):
    """What the logins to all machines have in common."""

    user: Login | None = None
    """The login name where a machine names none."""
    identity_files: Paths = ()
    """Private keys to try; relative paths count from the site file's folder."""
    known_hosts: Paths = ()
    """Files of trusted host keys; new ones go to the first."""
    bastion: Bastion | None = None
    """`user@address:port` of the machine to go through; several, parted by commas, in order."""
    config: Annotated[str | bool | None, PATH] = None
    """An OpenSSH client configuration to honour instead of your own; false honours none."""
    port: Port | None = None


class SiteHost(_Part):
    """One machine of the site."""

    name: MachineName
    address: str
    port: Port | None = None
    user: Login | None = None
    roles: Roles = ()
    identity_files: Paths = ()
    bastion: Bastion | None = None
    machine: Literal["vm", "physical"] | None = None
    """What kind of machine it is, where the machine itself may not know."""
    variables: dict[Variable, Plain] = {}
    """What your own playbooks want to know of it, beside its roles; never a secret."""

    @field_validator("address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            return checked_address(value)
        except InputProblem as problem:
            raise ValueError(problem.cause) from problem


class Supplies(_Part):
    """What is brought to a site without the internet."""

    bundle: OnePath = None
    """A folder or a file; relative paths count from the site file's folder."""
    keys: OnePath = None
    """allowed_signers: who may have made it; Sitewright's own list, where it is, holds as well."""
    unsigned: Literal["accepted"] | None = None
    """That nobody is asked who made it, where neither list is there."""
    registry: Endpoint | None = None
    """host:port of a registry of the site, or of one that serves the bundle."""
    apt: Url | None = None
    charts: Url | None = None
    git: Url | None = None
    files: Url | None = None

    def online(self) -> Supplies:
        """What is brought where no bundle is: the site's own servers, if it names any."""
        return self.model_copy(update={"bundle": None, "keys": None, "unsigned": None})

    def from_bundle(self, bundle: Path, keys: Path | None, *, unsigned: bool) -> Supplies:
        """What is brought with this bundle; `unsigned` where a person accepts that it is so."""
        told = {"bundle": str(bundle), "keys": str(keys) if keys else None}
        return self.model_copy(update={**told, "unsigned": "accepted" if unsigned else None})


class Site(_Part):
    """The answers of one installation."""

    solution: Name | None = None
    environment: Name | None = None
    sizing: Name | None = None
    """The id of a sizing table; the solution's default where it is left out."""
    ssh: Ssh = Ssh()
    control: Name | None = None
    """The machine on which Ansible, Helm and kubectl run; this one where none is named."""
    hosts: tuple[SiteHost, ...] = Field(default=(), max_length=HOST_LIMIT)
    settings: dict[Annotated[str, Field(min_length=1)], Plain] = {}
    playbooks: OnePath = None
    """A folder of playbooks of your own that go before the solution's."""
    supplies: Supplies = Supplies()
    proxy: Proxy | None = None
    """http://host:port of the proxy by which the machines get out; never with a login in it."""
    no_proxy: PastTheProxy = Field(default=(), max_length=200)
    """Names, .domains, addresses and networks that are reached past it; the site's own machines
    and its cluster's networks are added."""
    authorities: OnePath = None
    """A PEM file of authorities that the machines are to believe; relative to the site file."""
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _each_machine_once(self) -> Site:
        names: set[str] = set()
        endpoints: dict[tuple[str, int, str | None], str] = {}
        for host in self.hosts:
            if host.name in names:
                raise ValueError(f'two hosts are called "{host.name}"')
            names.add(host.name)
            if host.address == FILL_IN:
                continue
            bastion = host.bastion or self.ssh.bastion
            endpoint = (host.address.lower(), host.port or self.ssh.port or 22, bastion)
            other = endpoints.setdefault(endpoint, host.name)
            if other != host.name:
                raise ValueError(
                    f'the hosts "{other}" and "{host.name}" have the same address '
                    f"{host.address}, port {endpoint[1]}"
                )
        return self

    @model_validator(mode="after")
    def _control_is_a_machine(self) -> Site:
        names = [host.name for host in self.hosts]
        if self.control is not None and self.control not in names:
            close = nearest(self.control, names)
            hint = f'; did you mean "{close}"?' if close else ""
            raise ValueError(f'the control host "{self.control}" is no machine of the site{hint}')
        return self

    def without_lost_control(self) -> Site:
        """The site, without a control host that is no machine of it any more."""
        if self.control is None or any(host.name == self.control for host in self.hosts):
            return self
        return self.model_copy(update={"control": None})

    def inventory(self, base: Path, *, source: str | None = None) -> Inventory:
        """The machines with the site's defaults filled in; `base` is the site file's folder."""
        shared = self.ssh
        hosts = tuple(
            Host(
                name=host.name,
                address=host.address,
                port=host.port or shared.port or 22,
                user=host.user or shared.user,
                roles=host.roles,
                identity_files=resolved_paths(host.identity_files or shared.identity_files, base),
                bastion=host.bastion or shared.bastion,
                machine=host.machine,
                variables=tuple(host.variables.items()),
            )
            for host in self.hosts
        )
        return Inventory(
            hosts=hosts,
            known_hosts=resolved_paths(shared.known_hosts, base),
            ssh_config=whole_path(shared.config, base) if isinstance(shared.config, str) else None,
            use_ssh_config=shared.config is not False,
            config_of_site=isinstance(shared.config, str),
            source=source if source is not None else "the site file",
        )

    def playbooks_path(self, base: Path) -> Path | None:
        """Where your own playbooks lie, if the site names any."""
        return whole_path(self.playbooks, base) if self.playbooks else None

    def bundle_path(self, base: Path) -> Path | None:
        """Where the bundle lies, if the site names one; `base` is the site file's folder."""
        return whole_path(self.supplies.bundle, base) if self.supplies.bundle else None

    def authorities_path(self, base: Path) -> Path | None:
        """Where the authorities lie, if the site names a file of them."""
        return whole_path(self.authorities, base) if self.authorities else None

    def keys_path(self, base: Path) -> Path | None:
        """Where the keys of the bundle's makers lie, if the site names a file of them."""
        return whole_path(self.supplies.keys, base) if self.supplies.keys else None


def resolved(site: Site, base: Path) -> Site:
    """The site with every path absolute, so that its file may lie in another folder."""
    return each_path(site, lambda text: str(whole_path(text, base)))


def beside(site: Site, base: Path) -> Site:
    """The site with its whole paths as a person would write them in a file of this folder."""
    return each_path(site, lambda text: written_path(text, base))


def load_site(path: Path) -> Site:
    """A site file; raises one InputProblem with every mistake and its line.

    A file whose machines are still to be filled in is refused with all that is left.
    """
    site = load_yaml(Site, path)
    left = unfilled(site)
    if any(not place.startswith("settings.") for place in left):
        raise InputProblem(
            f"what only you can know is still to be filled in: {', '.join(left)}",
            where=str(path),
            remedy=f"Put the value where {FILL_IN} stands, or remove the line of a machine that "
            "there is not.",
        )
    return site


def load_site_text(text: str, where: str) -> Site:
    """A site from the text of its file, filled in or not; raises InputProblem."""
    return validate(Site, parse_yaml(text, where=where), where=where, text=text)


def unfilled(site: Site) -> tuple[str, ...]:
    """What is still to be filled in, by the places in the site file, in their order."""
    places = [
        f"{key} of {host.name}"
        for host in site.hosts
        for key in ("address", "user", "bastion")
        if FILL_IN in str(getattr(host, key) or "")
    ]
    places += [
        f"{part}.{key}"
        for part, model in (("ssh", site.ssh), ("supplies", site.supplies))
        for key in type(model).model_fields
        if FILL_IN in str(getattr(model, key) or "")
    ]
    places += [f"settings.{name}" for name, value in site.settings.items() if value == FILL_IN]
    return tuple(places)


def dump_site(site: Site) -> str:
    """The site as YAML in a fixed order, with a head of comments; loads to an equal site."""
    value = site.model_dump(mode="json", exclude_defaults=True)
    ordered = {key: value[key] for key in type(site).model_fields if key in value}
    parts = []
    for key, part in ordered.items():
        if key in _ONE_LINE_AN_ENTRY:
            parts.append(_compact(key, part))
        else:
            parts.append(dump_yaml({key: part}, default_flow_style=False, width=100))
    return _HEAD + "".join(parts)


def _compact(key: str, part: Any) -> str:
    """A part with one line an entry, as people write a list of machines."""

    def line(value: Any) -> str:
        return dump_yaml(value, default_flow_style=True, width=10**9).strip()

    if isinstance(part, list):
        return f"{key}:\n" + "".join(f"  - {line(item)}\n" for item in part)
    return f"{key}: {line(part)}\n"


def check_against(
    site: Site,
    roles: Iterable[str],
    environments: Iterable[str] = (),
    sizings: Iterable[str] = (),
    *,
    where: str | None = None,
) -> None:
    """Raise InputProblem that names each role, environment or sizing the solution has not."""
    known = list(roles)
    mistakes = []
    for host in site.hosts:
        mistakes += [
            f'the host "{host.name}" has the role "{role}"' + _instead(role, known)
            for role in host.roles
            if role not in known
        ]
    for word, kind, there in (
        (site.environment, "environment", list(environments)),
        (site.sizing, "sizing", list(sizings)),
    ):
        if word is not None and there and word not in there:
            mistakes.append(f'there is no {kind} "{word}"' + _instead(word, there))
    if mistakes:
        raise InputProblem(
            "; ".join(mistakes),
            where=where,
            remedy=f"The roles of {site.solution or 'this solution'} are {', '.join(known)}."
            if known
            else "Check the words against `sitewright solutions`.",
        )


def _instead(word: str, words: list[str]) -> str:
    folded = {other.lower().replace("_", "-"): other for other in words}
    close = nearest(word, words) or folded.get(word.lower().replace("_", "-"))
    if close is None:
        found = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.5)
        close = folded[found[0]] if found else None
    return f'; did you mean "{close}"?' if close else ", which this solution does not have"
