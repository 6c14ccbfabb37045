"""Planning: a solution, a site and what was seen of its machines, made into a plan.

A pure function but for reading the solution's own files. Everything is rendered here, so that a
missing value, an unknown role or a circle of stages is an InputProblem before anything starts, and
what is reviewed is what runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation.problems import InputProblem
from foundation.wording import nearest
from installer.catalogue.rendering import Renderer
from installer.catalogue.settings import Answers, answers, load_settings
from installer.catalogue.stages import StepData
from installer.events import Json
from installer.planning.each_machine import in_order, machines_one_by_one
from installer.planning.for_each import entries, parted, whole
from installer.planning.groups import (
    Machine,
    further_groups,
    groups_of,
    machine_of,
    machines_of,
    shown,
    variables_of,
)
from installer.planning.notes import accepted, maintained, minds, waived
from installer.planning.way_out import WAY_OUT, after_way_out, networks_in, way_out_of
from installer.planning.wrong_answers import WrongAnswers, check_names
from installer.plans import pinned_playbooks as carried
from installer.plans.plan import CONTROL_HOST, Carry, Plan, PlannedStage, PlannedStep, Whose
from installer.plans.playbooks_reach import reaching_out
from installer.sites.site import check_against
from installer.sites.ways import ways_of
from installer.steps.playbook import is_customers
from installer.steps.stage_files import EachMachine, Stage, each_machine_of, load_stages
from installer.supply.supplies import as_plan, template_values

if TYPE_CHECKING:
    from bundles.format.layout import Item
    from installer.catalogue.lists import Entry
    from installer.catalogue.solution import Solution
    from installer.catalogue.stages import ForEach
    from installer.sites.site import Site
    from installer.supply.supplies import Supplied
    from preflight.assessment import Seen

__all__ = ["load_settings", "make_plan"]

BUNDLE: Final = "bundle"
"""In a `when`: whether the site has a bundle."""
BACKUP: Final = "backup"
"""In a `when`: whether the site says where its backup goes."""

_WHOLE_SITE: Final = "all"
_THE_MACHINE: Final = "machine"
"""The one that an operation is about."""
_NOBODY_LOGS_IN: Final = frozenset({"backup"})
"""Roles of machines that are listed and never touched."""

_SHELL: Final = frozenset({"script"})
"""Fields of a step that a shell reads: values stand in them quoted."""

_AS_IT_STANDS: Final = frozenset({"id", "kind", "on", "when", "secrets"})
"""Fields of a step that are never rendered."""


def make_plan(
    solution: Solution,
    site: Site,
    seen: Sequence[Seen],
    *,
    playbooks: Path | None = None,
    supplied: Supplied | None = None,
    operation: Stage | None = None,
    leaving: str = "",
    then: Sequence[str] = (),
    one_by_one: Sequence[str] | None = None,
    knows: Mapping[str, Any] | None = None,
    base: Path | None = None,
    where: str = "the site file",
) -> Plan:
    """What will be done on which machine, in order, rendered; raises InputProblem.

    `seen` gives the order and addresses of machines that were looked at; the roles are the site's.
    `playbooks` is a customer's own folder of playbooks, which goes before the solution's.
    `supplied` is the bundle of the site, from which machines are given what they need. With an
    `operation` the plan is that alone, and the stages named in `then` behind it; the machine that
    is `leaving` has no role in it, and its steps know it as `machine`. `one_by_one` are those to
    which the operation is done one after another, in this order; `knows` are further values that
    its steps may name. `base` is the folder of the site file, from which its relative paths count;
    `where` is what that file is called. All that is wrong with the site is told at once.
    """
    wrong = WrongAnswers()
    machines = machines_of(site, seen, leaving)
    wrong.of(lambda: _known_words(solution, site, where))
    ansible = playbooks is not None or solution.playbooks.is_dir()
    groups = groups_of(solution, machines) if ansible else {}
    wrong.of(lambda: check_names(site, groups, ansible=ansible, where=where))
    settled = wrong.of(lambda: _settled(solution, site, supplied))
    variables = wrong.of(lambda: variables_of(solution, site))
    wrong.tell()
    assert settled is not None  # noqa: S101 - it was told else
    assert variables is not None  # noqa: S101 - the same
    environment = solution.environment(site.environment).id
    values = {**_values(solution, environment, settled, machines), **(knows or {})}
    if leaving:
        values["machine"] = machine_of(machines, leaving)
    values["supplies"] = template_values(site, supplied)
    platform = solution.needs(environment).platform
    networks = (*platform.cluster_networks, *networks_in(settled.values.values()))
    way_out = way_out_of(site, base or Path(), networks)
    values[WAY_OUT] = way_out.as_values()
    values["waived"] = waived(site)
    values["sizing"] = site.sizing or ""
    renderer = Renderer(values, solution.folder)
    planner = _Planner(solution, settled, machines, renderer, playbooks, supplied, bool(way_out))
    backs_up = site.backup is not None
    planner = replace(planner, leaving=leaving, machine=leaving, backup=backs_up)
    every = _ordered(load_stages(solution))
    offered = every if operation is None else [operation, *(s for s in every if s.id in then)]
    if way_out and operation is None:
        offered = after_way_out(offered)
    each = each_machine_of(solution, operation.id) if operation is not None else None
    names = one_by_one
    if each is not None:
        names = in_order(each, machines) if names is None else names
        chosen = [host for name in names for host in values["hosts"] if host["name"] == name]
        renderer = renderer.knowing(one_by_one=chosen)
        planner = replace(planner, renderer=renderer)
    stages = [s for s in offered if planner.holds(s.when)]
    planner = replace(planner, renderer=renderer.knowing(each_of=planner.each_of(stages)))
    left = {stage.id for stage in stages}
    planned = [stage for s in stages if (stage := planner.stage(s, left)) is not None]
    if operation is not None and each is not None:
        planned += planner.one_by_one(operation, each, names or ())
    needed = {name for stage in stages for step in stage.steps for name in step.secrets}
    needed |= {name for step in (each.steps if each is not None else ()) for name in step.secrets}
    carries = _carries(solution, playbooks, planner.named)
    own = [Path(folder) for name, folder, _ in carries if name == carried.SITE]
    return Plan(
        solution=solution.id,
        environment=environment,
        stages=tuple(planned),
        hosts=tuple((machine.name, machine.roles) for machine in machines),
        settings=tuple((name, shown(value)) for name, value in settled.values.items()),
        secrets=tuple(name for name in settled.secrets if name in needed),
        groups=further_groups(solution, machines),
        variables=variables,
        playbooks=str(playbooks or solution.playbooks),
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
            *(accepted(site) if operation is None else ()),
            *(maintained(supplied) if operation is None else ()),
            *(minds(solution, environment, site, settled) if operation is None else ()),
        ),
        ways=ways_of(site, base or Path()),
        leaving=leaving,
    )


def _carries(
    solution: Solution, playbooks: Path | None, named: Collection[str]
) -> tuple[Carry, ...]:
    """The folders whose playbooks the plan names: the solution's where the name is a whole path."""
    own = solution.playbooks
    folders: list[tuple[Whose, Path]] = []
    if playbooks is not None and not all(Path(name).is_absolute() for name in named):
        folders.append((carried.SITE, playbooks))
    if named if playbooks is None else any(Path(name).is_absolute() for name in named):
        folders.append((carried.SOLUTION, own))
    return tuple((name, str(folder), carried.digest(folder)) for name, folder in folders)


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


def _known_words(solution: Solution, site: Site, where: str) -> None:
    environments = [environment.id for environment in solution.environments]
    check_against(site, [role.id for role in solution.roles], environments, where=where)


def _values(
    solution: Solution, environment: str, settled: Answers, machines: Sequence[Machine]
) -> dict[str, Any]:
    """What a template may name: the settings, and the machines by role."""

    def one(machine: Machine) -> dict[str, Any]:
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
    machines: tuple[Machine, ...]
    renderer: Renderer
    playbooks: Path | None
    supplied: Supplied | None = None
    way_out: bool = False
    leaving: str = ""
    """The machine that is taken out of the site."""
    machine: str = ""
    """The machine that the steps are about."""
    backup: bool = False
    named: set[str] = field(default_factory=set)
    """The playbooks that steps run, as the plan names them."""

    @property
    def solution_playbooks(self) -> Path:
        """The solution's own."""
        return self.solution.playbooks

    @property
    def bundle(self) -> Sequence[Item] | None:
        """The items of the site's bundle; None where it has none."""
        return self.supplied.structure.index.items if self.supplied is not None else None

    @property
    def bundle_path(self) -> str:
        """Where it lies."""
        return str(self.supplied.path) if self.supplied is not None else ""

    def holds(self, condition: str) -> bool:
        """Whether a `when` holds: `bundle` is whether there is one, else it is a setting."""
        name = condition.removeprefix("not ")
        if name == BUNDLE:
            return (self.supplied is not None) is not condition.startswith("not ")
        if name == WAY_OUT:
            return self.way_out is not condition.startswith("not ")
        if name == BACKUP:
            return self.backup is not condition.startswith("not ")
        return self.settled.holds(condition)

    def stage(self, stage: Stage, left: set[str]) -> PlannedStage | None:
        """The stage with the steps that are due on this site; None where none is."""
        steps: list[PlannedStep] = []
        for step in stage.steps:
            where = f"stage {stage.id}, step {step.id}"
            self._known_names(step, where)
            if not self.holds(step.when):
                continue
            if not step.is_due(self):
                continue
            hosts = self._hosts(step, where)
            if not hosts:
                continue
            ids = [planned.id for planned in steps]
            if beside := step.behind or step.before:
                if beside in ids:
                    place = ids.index(beside)
                    made = self._step(stage, step, hosts, where, steps[place].group)
                    steps.insert(place + bool(step.behind), made)
                continue
            for one, entry in self._each(step):
                planner = self if entry is None else self._knowing(entry)
                whose = where if entry is None else f"{where}, {entry.name or 'all'}"
                group = "" if entry is None else entry.group
                steps.append(planner._step(stage, one, hosts, whose, group))
        if not steps:
            return None
        _once(stage.id, [step.id for step in steps])
        return PlannedStage(
            id=stage.id,
            title=stage.title,
            why=stage.why,
            source=stage.source,
            needs=tuple(need for need in stage.needs if need in left),
            recheck=stage.recheck,
            steps=tuple(steps),
        )

    def one_by_one(
        self, operation: Stage, each: EachMachine, names: Sequence[str]
    ) -> list[PlannedStage]:
        """A stage for each of these machines, OPERATION-MACHINE, none before the one before."""
        planned: list[PlannedStage] = []
        for one in machines_one_by_one(each, self.machines, names, where=operation.id):
            knowing = self.renderer.knowing(machine=machine_of(self.machines, one.name))
            own = replace(self, machine=one.name, renderer=knowing)
            title = knowing.text(each.title, where=f"operation {operation.id}, each, title")
            said: dict[str, Any] = {"title": title, "why": each.why, "steps": one.steps}
            before = planned[-1].id if planned else operation.id
            said |= {"id": f"{operation.id}-{one.name}", "needs": (before,), "recheck": ()}
            stage = own.stage(operation.model_copy(update=said), {before})
            planned += [stage] if stage is not None else []
        return planned

    def _each(self, step: StepData) -> list[tuple[StepData, Entry | None]]:
        """The step, or the steps that it is made into: one for each thing that it is done for."""
        asked = step.for_each
        if asked is None:
            return [(step, None)]
        found = entries(asked, self.solution.folder, self.settled.values)
        if self._at_once(asked):
            return [] if asked.alone_only else [whole(step, found)]
        return list(parted(step, found))

    def _at_once(self, asked: ForEach) -> bool:
        """Whether a playbook of the customer's does it for all at once."""
        return bool(asked.whole_with) and is_customers(self, asked.whole_with)

    def each_of(self, stages: Sequence[Stage]) -> dict[str, list[str]]:
        """By the step, for what it is done one by one; nothing where it is for all at once."""
        return {
            step.id: []
            if self._at_once(asked)
            else [one.name for one in entries(asked, self.solution.folder, self.settled.values)]
            for stage in stages
            for step in stage.steps
            if (asked := step.for_each) is not None
        }

    def _knowing(self, entry: Entry) -> _Planner:
        """One whose templates know this thing as `each`."""
        each = {"name": entry.name, "group": entry.group, **entry.knows}
        return replace(self, renderer=self.renderer.knowing(each=each))

    def _step(
        self,
        stage: Stage,
        step: StepData,
        hosts: tuple[str, ...],
        where: str,
        group: str = "",
    ) -> PlannedStep:
        # That it was one of several is not in a plan; a plan without such steps stays the same.
        left_out = {"for_each", "of", "behind", "before", *(() if step.by_hand else ("by_hand",))}
        data = step.model_dump(mode="json", exclude=left_out)
        spec = {name: self._rendered(value, name, where) for name, value in data.items()}
        # A secret that this site does not need is not asked for.
        spec["secrets"] = [name for name in step.secrets if name in self.settled.secrets]
        planned = step.planned(self, spec, hosts, where)
        spec = planned.data
        self.named.update(planned.playbooks)
        return PlannedStep(
            stage=stage.id,
            id=step.id,
            kind=step.kind,
            title=str(spec["title"]),
            hosts=hosts,
            spec=spec,
            files=planned.files,
            irreversible=str(spec["irreversible"]),
            expected_seconds=step.expected_minutes * 60,
            group=group,
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

    def _hosts(self, step: StepData, where: str) -> tuple[str, ...]:
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
        if word == _THE_MACHINE and self.machine:
            return [self.machine]
        if word == _WHOLE_SITE:
            here = [m for m in self.machines if m.name != self.leaving]
            return [m.name for m in here if not _NOBODY_LOGS_IN.issuperset(m.roles)]
        other = word.startswith("other:") and self.machine != ""
        first = word.startswith("first:") or other
        role = word.removeprefix("other:" if other else "first:")
        roles = [each.id for each in self.solution.roles]
        if role not in roles:
            raise _unknown("role", role, [*roles, CONTROL_HOST, _WHOLE_SITE], where=where)
        names = [machine.name for machine in self.machines if role in machine.roles]
        if other:
            names = [name for name in names if name != self.machine] or [self.machine]
        if first and not names:
            raise InputProblem(
                f'no machine of the site has the role "{role}"',
                where=where,
                remedy="Give a machine that role in the site file.",
            )
        return [min(names)] if first else names

    def _known_names(self, step: StepData, where: str) -> None:
        """Raise where a step hangs on a setting or needs a secret that nobody knows."""
        known = {setting.name: setting for setting in load_settings(self.solution).settings}
        condition = step.when.removeprefix("not ")
        if condition and condition not in (BUNDLE, WAY_OUT, BACKUP) and condition not in known:
            raise _unknown("setting", condition, list(known), where=f"{where}, when")
        secrets = [name for name, setting in known.items() if setting.type == "secret"]
        for name in step.secrets:
            if name not in secrets:
                raise _unknown("secret", name, secrets, where=where)
        asked = step.for_each
        for name in (asked.setting, asked.without, asked.file_of) if asked is not None else ():
            if name and name not in known:
                raise _unknown("setting", name, list(known), where=f"{where}, for_each")


def _once(stage: str, names: Sequence[str]) -> None:
    """Raise where two steps of a stage have one id, as a list's name and a step's own may."""
    for name in names:
        if names.count(name) > 1:
            raise InputProblem(
                f'two steps are called "{name}"',
                where=f"stage {stage}",
                remedy="Rename one of them.",
            )


def _unknown(kind: str, name: str, names: Sequence[str], *, where: str) -> InputProblem:
    close = nearest(name, names)
    hint = f'; did you mean "{close}"?' if close else ""
    return InputProblem(
        f'there is no {kind} "{name}"{hint}',
        where=where,
        remedy=f"Choose one of: {', '.join(names)}." if names else "",
    )
