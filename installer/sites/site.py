"""Site: the answers of one installation, as a YAML file that a person can read and keep."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from foundation.documents import dump_yaml, load_yaml, parse_yaml, validate
from foundation.hosts.ansible.inventory import (
    HOST_LIMIT,
    checked_address,
)
from foundation.hosts.model import Host, Inventory
from foundation.problems import InputProblem
from foundation.wording import nearest
from installer.sites.site_backup import Backup
from installer.sites.site_paths import PATH, each_path, resolved_paths, whole_path, written_path
from installer.sites.site_updates import Updates
from installer.sites.site_words import (
    Bastion,
    Endpoint,
    Login,
    MachineName,
    Name,
    OnePath,
    PastTheProxy,
    Paths,
    Port,
    Program,
    Proxy,
    RecordKey,
    Roles,
    SshOptions,
    Url,
    Variable,
)
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


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, ser_json_inf_nan="constants"
    )


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
    proxy_command: Program | None = None
    """A program of this computer to reach it through, as in an ssh config; whoever uses the file
    is shown it, and asked once."""
    ssh_options: SshOptions = ()
    """Further options of ssh for it, each as `Name=value`: HostKeyAlias, Ciphers and their kin."""
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

    @model_validator(mode="after")
    def _one_way(self) -> SiteHost:
        if self.bastion is not None and self.proxy_command is not None:
            raise ValueError(
                f'"{self.name}" is reached through a bastion or a program (proxy_command), not both'
            )
        return self

    def bastion_of(self, shared: str | None) -> str | None:
        """The bastion it is behind; what it says itself goes before what all share."""
        return self.bastion or (shared if self.proxy_command is None else None)


PROGRAM_PLACE: Final = "proxy_command of the site file"
"""Where such a program stands, as whoever is asked about it sees it."""


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
    record: RecordKey | None = None
    """Which record of this computer is meant, as `sitewright status` names it, where that has to
    be said; else it is found by the machines."""
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
    backup: Backup | None = None
    """Where the site's backup goes, and who can open it."""
    updates: Updates | None = None
    """When updates may be applied, who approves them, and after which backup."""
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
            way = host.proxy_command or host.bastion_of(self.ssh.bastion)
            endpoint = (host.address.lower(), host.port or self.ssh.port or 22, way)
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
                port_stated=bool(host.port or shared.port),
                user=host.user or shared.user,
                roles=host.roles,
                identity_files=resolved_paths(host.identity_files or shared.identity_files, base),
                bastion=host.bastion_of(shared.bastion),
                proxy_command=host.proxy_command,
                proxy_place=PROGRAM_PLACE if host.proxy_command else "",
                ssh_options=host.ssh_options,
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
