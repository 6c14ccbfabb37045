"""Planning: a solution, a site and what was seen of its machines, made into a plan.

A pure function but for reading the solution's own files. Everything is rendered here, so that a
missing value, an unknown role or a circle of stages is an InputProblem before anything starts, and
what is reviewed is what runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation import bounded_files
from foundation.documents import SIZE_LIMIT, nearest
from foundation.problems import InputProblem
from installer import carried
from installer.events import Json
from installer.plan import CONTROL_HOST, Carry, Plan, PlannedStage, PlannedStep, Whose
from installer.playbooks_reach import reaching_out
from installer.rendering import Renderer
from installer.settings import Answers, answers, load_settings
from installer.stage_files import load_stages
from installer.steps.model import (
    DeliverStep,
    FileStep,
    HelmStep,
    KubectlStep,
    PlaybookStep,
    PushStep,
    ScriptStep,
    Stage,
    Step,
)
from installer.supplies import as_plan, items_text, template_values
from installer.way_out import WAY_OUT, after_way_out, networks_in, way_out_of
from installer.ways import ways_of

if TYPE_CHECKING:
    from bundles.layout import Item
    from installer.site import Site
    from installer.solution import Solution
    from installer.supplies import Supplied
    from preflight.assessment import Seen

__all__ = ["load_settings", "make_plan"]

BUNDLE: Final = "bundle"
"""In a `when`: whether the site has a bundle."""

_WHOLE_SITE: Final = "all"
_NOBODY_LOGS_IN: Final = frozenset({"backup"})
"""Roles of machines that are listed and never touched."""

_SHELL: Final = frozenset({"script"})
"""Fields of a step that a shell reads: values stand in them quoted."""

_AS_IT_STANDS: Final = frozenset({"id", "kind", "on", "when", "secrets"})
"""Fields of a step that are never rendered."""


@dataclass(frozen=True, slots=True)
class _Machine:
    name: str
    address: str
    roles: tuple[str, ...]


def make_plan(
    solution: Solution,
    site: Site,
    seen: Sequence[Seen],
    *,
    playbooks: Path | None = None,
    supplied: Supplied | None = None,
    operation: Stage | None = None,
    base: Path | None = None,
) -> Plan:
    """What will be done on which machine, in order, rendered; raises InputProblem.

    `seen` gives the order and addresses of machines that were looked at; the roles are the site's.
    `playbooks` is a customer's own folder of playbooks, which goes before the solution's.
    `supplied` is the bundle of the site, from which machines are given what they need. With an
    `operation` the plan is that alone. `base` is the folder of the site file, from which its
    relative paths count.
    """
    environment = solution.environment(site.environment).id
    settled = _settled(solution, site, supplied)
    machines = _machines(site, seen)
    _known_roles(solution, machines)
    values = _values(solution, environment, settled, machines)
    values["supplies"] = template_values(site, supplied)
    platform = solution.needs(environment).platform
    networks = (*platform.cluster_networks, *networks_in(settled.values.values()))
    way_out = way_out_of(site, base or Path(), networks)
    values[WAY_OUT] = way_out.as_values()
    renderer = Renderer(values, solution.folder)
    planner = _Planner(solution, settled, machines, renderer, playbooks, supplied, bool(way_out))
    offered = _ordered(load_stages(solution)) if operation is None else [operation]
    if way_out and operation is None:
        offered = after_way_out(offered)
    stages = [s for s in offered if planner.holds(s.when)]
    left = {stage.id for stage in stages}
    planned = [stage for s in stages if (stage := planner.stage(s, left)) is not None]
    needed = {name for stage in stages for step in stage.steps for name in step.secrets}
    carries = _carries(solution, playbooks, planned)
    own = [Path(folder) for name, folder, _ in carries if name == carried.SITE]
    return Plan(
        solution=solution.id,
        environment=environment,
        stages=tuple(planned),
        hosts=tuple((machine.name, machine.roles) for machine in machines),
        settings=tuple((name, _shown(value)) for name, value in settled.values.items()),
        secrets=tuple(name for name in settled.secrets if name in needed),
        groups=_further_groups(solution, machines),
        variables=_variables(solution, site),
        playbooks=str(playbooks or solution.folder / "playbooks"),
        carries=carries,
        control=site.control or "",
        supplies=as_plan(supplied),
        pages=tuple(
            (page.title, renderer.text(page.url, where=f"solution.yaml, page {page.title}"))
            for page in solution.file.pages
            if operation is None and settled.holds(page.when)
        ),
        notes=(
            *(carried.told_in_numbers(folder) for folder in own),
            *(note for folder in own for note in reaching_out(folder)),
            *(_minds(solution, environment, site, settled) if operation is None else ()),
        ),
        ways=ways_of(site, base or Path()),
    )


def _minds(solution: Solution, environment: str, site: Site, settled: Answers) -> tuple[str, ...]:
    """What a person must know of settings that stay empty, and of the tables."""
    from preflight.sizing import table_notes

    left_open = [
        " ".join(setting.mind.split())
        for setting in load_settings(solution).settings
        if setting.mind and settled.holds(setting.when) and not settled.values.get(setting.name)
    ]
    return (*left_open, *table_notes(solution.needs(environment, site.sizing), rows=False))


def _carries(
    solution: Solution, playbooks: Path | None, stages: Sequence[PlannedStage]
) -> tuple[Carry, ...]:
    """The folders whose playbooks the plan names: the solution's where the name is a whole path."""
    named = {
        str(step.spec["playbook"]) for s in stages for step in s.steps if step.kind == "playbook"
    }
    own = solution.folder / "playbooks"
    folders: list[tuple[Whose, Path]] = []
    if playbooks is not None and not all(Path(name).is_absolute() for name in named):
        folders.append((carried.SITE, playbooks))
    if named if playbooks is None else any(Path(name).is_absolute() for name in named):
        folders.append((carried.SOLUTION, own))
    return tuple((name, str(folder), carried.digest(folder)) for name, folder in folders)


def _further_groups(
    solution: Solution, machines: Sequence[_Machine]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The groups by which customers' playbooks know the roles, with their machines."""
    groups: dict[str, list[str]] = {}
    for machine in machines:
        for role in solution.roles:
            for group in role.playbook_groups if role.id in machine.roles else ():
                if machine.name not in groups.setdefault(group, []):
                    groups[group].append(machine.name)
    return tuple((name, tuple(hosts)) for name, hosts in groups.items())


def _variables(solution: Solution, site: Site) -> tuple[tuple[str, dict[str, str]], ...]:
    """What each machine's roles say of it there, and the site, which says it of nothing else.

    Raises InputProblem where a variable of the site would speak over a setting, a secret or a role.
    """
    settings = {setting.name for setting in load_settings(solution).settings}
    found = []
    for host in site.hosts:
        values: dict[str, str | None] = {}
        for role in solution.roles:
            for name, value in role.playbook_variables.items() if role.id in host.roles else ():
                values[name] = value if values.get(name, value) == value else None
        known = {name: value for name, value in values.items() if value is not None}
        for name, given in host.variables.items():
            if name in settings:
                raise _spoken_over(host.name, name, "a setting of the whole site")
            if known.get(name, _shown(given)) != _shown(given):
                raise _spoken_over(host.name, name, f"{known[name]} by the role of the machine")
            known[name] = _shown(given)
        if known:
            found.append((host.name, known))
    return tuple(found)


def _spoken_over(host: str, name: str, what: str) -> InputProblem:
    return InputProblem(
        f'the variable "{name}" of the machine {host} is {what}',
        where=f"the site file, hosts, {host}, variables",
        remedy="Take it away there, and say it where it belongs: under `settings:`, or by the "
        "roles of the machine.",
    )


def _settled(solution: Solution, site: Site, supplied: Supplied | None) -> Answers:
    """The site's settings; with a bundle, those that it has an answer for and the site has not."""
    settings = load_settings(solution)
    given = dict(site.settings)
    if supplied is not None:
        known = {one.name: given.get(one.name) or one.default or "" for one in settings.settings}
        values = {**known, "supplies": template_values(site, supplied)}
        renderer = Renderer(values, solution.folder)
        for setting in settings.settings:
            if setting.supplied and given.get(setting.name) is None:
                where = f"setting {setting.name}, supplied"
                answer = renderer.text(setting.supplied, where=where)
                if answer:
                    given[setting.name] = answer
    return answers(settings, given, where="the site's settings")


def _shown(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _machines(site: Site, seen: Sequence[Seen]) -> tuple[_Machine, ...]:
    addresses = {one.host.name: one.host.address for one in seen}
    return tuple(
        _Machine(host.name, addresses.get(host.name, host.address), host.roles)
        for host in site.hosts
    )


def _known_roles(solution: Solution, machines: Iterable[_Machine]) -> None:
    roles = [role.id for role in solution.roles]
    for machine in machines:
        for role in machine.roles:
            if role not in roles:
                raise _unknown("role", role, roles, where=f"machine {machine.name}")


def _values(
    solution: Solution, environment: str, settled: Answers, machines: Sequence[_Machine]
) -> dict[str, Any]:
    """What a template may name: the settings, and the machines by role."""

    def one(machine: _Machine) -> dict[str, Any]:
        return {"name": machine.name, "address": machine.address, "roles": list(machine.roles)}

    return {
        **settled.values,
        "solution": solution.id,
        "environment": environment,
        "hosts": [one(machine) for machine in machines],
        "hosts_by_role": {
            role.id.replace("-", "_"): [one(m) for m in machines if role.id in m.roles]
            for role in solution.roles
        },
    }


def _ordered(stages: Sequence[Stage]) -> list[Stage]:
    """The stages with those they need before them, otherwise in the order of their files."""
    by_id = {stage.id: stage for stage in stages}
    for stage in stages:
        for need in stage.needs:
            if need not in by_id:
                raise _unknown("stage", need, list(by_id), where=f"stage {stage.id}, needs")
    done: list[Stage] = []
    left = list(stages)
    while left:
        ready = next((s for s in left if all(by_id[n] in done for n in s.needs)), None)
        if ready is None:
            raise InputProblem(
                "these stages need one another in a circle: " + ", ".join(s.id for s in left),
                where="the solution's stages",
                remedy="Take one of the needs away.",
            )
        done.append(ready)
        left.remove(ready)
    return done


@dataclass(frozen=True, slots=True)
class _Planner:
    """Turns stages into planned ones for one site."""

    solution: Solution
    settled: Answers
    machines: tuple[_Machine, ...]
    renderer: Renderer
    playbooks: Path | None
    supplied: Supplied | None = None
    way_out: bool = False

    def holds(self, condition: str) -> bool:
        """Whether a `when` holds: `bundle` is whether there is one, else it is a setting."""
        name = condition.removeprefix("not ")
        if name == BUNDLE:
            return (self.supplied is not None) is not condition.startswith("not ")
        if name == WAY_OUT:
            return self.way_out is not condition.startswith("not ")
        return self.settled.holds(condition)

    def stage(self, stage: Stage, left: set[str]) -> PlannedStage | None:
        """The stage with the steps that are due on this site; None where none is."""
        steps = []
        for step in stage.steps:
            where = f"stage {stage.id}, step {step.id}"
            self._known_names(step, where)
            if not self.holds(step.when):
                continue
            if isinstance(step, DeliverStep | PushStep) and self.supplied is None:
                continue
            hosts = self._hosts(step, where)
            if hosts:
                steps.append(self._step(stage, step, hosts, where))
        if not steps:
            return None
        return PlannedStage(
            id=stage.id,
            title=stage.title,
            why=stage.why,
            source=stage.source,
            needs=tuple(need for need in stage.needs if need in left),
            recheck=stage.recheck,
            steps=tuple(steps),
        )

    def _step(self, stage: Stage, step: Step, hosts: tuple[str, ...], where: str) -> PlannedStep:
        spec = {
            name: self._rendered(value, name, where)
            for name, value in step.model_dump(mode="json").items()
        }
        # A secret that this site does not need is not asked for.
        spec["secrets"] = [name for name in step.secrets if name in self.settled.secrets]
        if isinstance(step, PlaybookStep):
            spec["playbook"] = self._playbook(step.playbook, where)
        if isinstance(step, ScriptStep) and step.file:
            spec["script"] = self.renderer.script(
                self.renderer.source(step.file), where=f"{where}, {step.file}"
            )
        files = self._files(step, spec)
        if isinstance(step, DeliverStep):
            chosen = self._delivered(spec, hosts, where)
            spec["size"] = sum(item.content_size for item in chosen)
            files = (("items", items_text(chosen)),)
        return PlannedStep(
            stage=stage.id,
            id=step.id,
            kind=step.kind,
            title=str(spec["title"]),
            hosts=hosts,
            spec=spec,
            files=files,
            irreversible=str(spec["irreversible"]),
            expected_seconds=step.expected_minutes * 60,
        )

    def _rendered(self, value: Json, name: str, where: str) -> Json:
        if name in _AS_IT_STANDS:
            return value
        if isinstance(value, str):
            place = f"{where}, {name}"
            return (self.renderer.script if name in _SHELL else self.renderer.text)(
                value, where=place
            )
        if isinstance(value, list):
            return [
                self._rendered(each, name, f"{where}, {name}" if isinstance(each, dict) else where)
                for each in value
            ]
        if isinstance(value, dict):
            return {key: self._rendered(each, key, where) for key, each in value.items()}
        return value

    def _files(self, step: Step, spec: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
        """The rendered files that a step brings, by the name they have or will have."""
        if isinstance(step, FileStep):
            text = self.renderer.file(step.template) if step.template else str(spec["content"])
            return ((str(spec["path"]), text),)
        if isinstance(step, HelmStep) and step.values:
            return ((step.values, self.renderer.file(step.values)),)
        if isinstance(step, KubectlStep):
            return ((step.manifest, self.renderer.file(step.manifest)),)
        if isinstance(step, ScriptStep) and step.file:
            return ((step.file, str(spec["script"])),)
        if isinstance(step, PlaybookStep):
            path = self._folder(step.playbook) / step.playbook
            return ((step.playbook, bounded_files.read_text(path, SIZE_LIMIT)),)
        return ()

    def _delivered(
        self, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> tuple[Item, ...]:
        """The items of the bundle that a step brings; raises InputProblem where there are none."""
        from bundles.deliver.selection import check_target, select

        assert self.supplied is not None  # noqa: S101 - left out of the plan without a bundle
        if CONTROL_HOST in hosts:
            raise InputProblem(
                "a bundle is delivered to machines, and the step names none",
                where=where,
                remedy="Say `on:` with roles, or all.",
            )
        items = spec["items"]
        selectors = [str(item) for item in items] if isinstance(items, list) else []
        check_target(selectors, str(spec["to"]), where=where)
        return select(
            self.supplied.structure.index.items,
            selectors,
            where=f"{where}, {self.supplied.path}",
        )

    def _hosts(self, step: Step, where: str) -> tuple[str, ...]:
        """The machines of a step in the site's order; the control host where it names none."""
        if not step.on:
            return (CONTROL_HOST,)
        chosen: set[str] = set()
        for word in step.on:
            chosen.update(self._named(word, where))
        order = [CONTROL_HOST, *(machine.name for machine in self.machines)]
        return tuple(name for name in order if name in chosen)

    def _named(self, word: str, where: str) -> list[str]:
        if word == CONTROL_HOST:
            return [CONTROL_HOST]
        if word == _WHOLE_SITE:
            return [m.name for m in self.machines if not _NOBODY_LOGS_IN.issuperset(m.roles)]
        first, role = word.startswith("first:"), word.removeprefix("first:")
        roles = [each.id for each in self.solution.roles]
        if role not in roles:
            raise _unknown("role", role, [*roles, CONTROL_HOST, _WHOLE_SITE], where=where)
        names = [machine.name for machine in self.machines if role in machine.roles]
        if first and not names:
            raise InputProblem(
                f'no machine of the site has the role "{role}"',
                where=where,
                remedy="Give a machine that role in the site file.",
            )
        return [min(names)] if first else names

    def _known_names(self, step: Step, where: str) -> None:
        """Raise where a step hangs on a setting or needs a secret that nobody knows."""
        known = {setting.name: setting for setting in load_settings(self.solution).settings}
        condition = step.when.removeprefix("not ")
        if condition and condition not in (BUNDLE, WAY_OUT) and condition not in known:
            raise _unknown("setting", condition, list(known), where=f"{where}, when")
        secrets = [name for name, setting in known.items() if setting.type == "secret"]
        for name in step.secrets:
            if name not in secrets:
                raise _unknown("secret", name, secrets, where=where)

    def _playbook(self, name: str, where: str) -> str:
        """The playbook's name, or its whole path where it does not lie in the plan's folder."""
        folder = self._folder(name)
        if not (folder / name).is_file():
            raise InputProblem(
                f'there is no playbook "{name}"',
                where=f"{where} ({folder})",
                remedy="Bring the playbook under that name, or name another folder of playbooks.",
            )
        return name if folder == (self.playbooks or folder) else str(folder / name)

    def _folder(self, name: str) -> Path:
        """Where a playbook lies: the document's six, which have numbers, are the customer's."""
        own = self.solution.folder / "playbooks"
        if self.playbooks is None:
            return own
        theirs = (self.playbooks / name).is_file() or name[:1].isdigit()
        return self.playbooks if theirs else own


def _unknown(kind: str, name: str, names: Sequence[str], *, where: str) -> InputProblem:
    close = nearest(name, names)
    hint = f'; did you mean "{close}"?' if close else ""
    return InputProblem(
        f'there is no {kind} "{name}"{hint}',
        where=where,
        remedy=f"Choose one of: {', '.join(names)}." if names else "",
    )
