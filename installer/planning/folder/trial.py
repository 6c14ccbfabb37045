"""Trial: a solution's stages planned for a site that is made up, as a person's would be.

Planning is strict: a name that nobody knows, a role or a setting that is none, a file or a playbook
that is not there comes out here. The site is made up twice, once with every setting as it is unless
said otherwise and once with all that may be said; what hangs on a bundle, a way out or a backup is
in neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from foundation.problems import InputProblem
from installer.catalogue.hardening import FILE as HARDENING
from installer.catalogue.hardening import load_hardening
from installer.catalogue.settings import load_settings
from installer.planning.folder.wrong import Folder, Wrong
from installer.planning.hardening import questions
from installer.planning.make import make_plan
from installer.sites.site import Site
from installer.steps.stage_files import load_operations, load_stages

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.catalogue.stages import Setting
    from installer.steps.stage_files import Stage

_GIVEN: Final = {
    "text": "word", "number": "1", "yes-no": "yes", "address": "192.0.2.200",
    "network": "192.0.2.0/24", "domain": "site.example.org", "url": "https://site.example.org",
}  # fmt: skip
"""A value of each type."""


def planned(folder: Folder, solution: Solution) -> Iterator[Wrong]:
    """What planning says of the installation and of each operation."""
    stages = load_stages(solution)
    operations = load_operations(solution)
    for environment in solution.environments:
        if not stages or solution.why_not_in(environment.id):
            continue
        for full in (False, True):
            site = made_up(solution, environment.id, full=full)
            yield from _installation(folder, solution, site, stages)
            for name, operation in operations.items():
                found = _of_stage(solution, site, operation)
                for problem in found:
                    yield from folder.of_problem(problem, f"operations/{name}.yaml")


def _installation(
    folder: Folder, solution: Solution, site: Site, stages: Sequence[Stage]
) -> Iterator[Wrong]:
    """What is wrong with the first of the stages, and with those behind it by themselves."""
    try:
        make_plan(solution, site, ())
        return
    except InputProblem as problem:
        yield from folder.of_problem(problem, "")
    # What another stage is done for, one by one, none alone can know.
    others = {step.id for stage in stages for step in stage.steps if step.for_each is not None}
    for stage in stages:
        for one in _of_stage(solution, site, stage):
            if not any(one.cause.startswith(f'"{name}" has no value') for name in others):
                yield from folder.of_problem(one, "")


def _of_stage(solution: Solution, site: Site, stage: Stage) -> Iterator[InputProblem]:
    """What planning says of a stage alone, of each of its steps where it says anything."""
    try:
        make_plan(solution, site, (), operation=stage)
        return
    except InputProblem as problem:
        first = problem
    told = False
    for step in stage.steps:
        alone = stage.model_copy(update={"steps": (step,)})
        try:
            make_plan(solution, site, (), operation=alone)
        except InputProblem as problem:
            told = True
            yield problem
    if not told:
        yield first


def hardened(folder: Folder, solution: Solution) -> Iterator[Wrong]:
    """What is wrong in the list of hardening checks: roles, settings, names in its scripts."""
    checks = load_hardening(solution).checks
    known = {
        "role": {role.id for role in solution.roles},
        "environment": {environment.id for environment in solution.environments},
        "setting": {setting.name for setting in load_settings(solution).settings},
    }
    for at, check in enumerate(checks):
        asked = {
            "role": check.on,
            "environment": check.environments,
            "setting": (check.when.removeprefix("not "),) if check.when else (),
        }
        for what, names in asked.items():
            for name in names:
                if name not in known[what]:
                    says = f'there is no {what} "{name}"'
                    remedy = f"They are {', '.join(sorted(known[what]))}."
                    yield folder.wrong(HARDENING, ("checks", at), says, remedy)
    for environment in solution.environments if checks else ():
        site = made_up(solution, environment.id, full=True)
        for one in questions(solution, site).of_nobody:
            if not one.unasked.startswith("no machine"):
                at = next(i for i, check in enumerate(checks) if one.name == check.id)
                yield folder.wrong(HARDENING, ("checks", at), one.unasked, "Mend the script.")


def made_up(solution: Solution, environment: str, *, full: bool) -> Site:
    """A site with a machine for each role; `full` says all that may be said."""
    rows = solution.needs(environment).sizing.roles
    roles = [row.role for row in rows] or [role.id for role in solution.roles]
    names = {role: f"{role}-1" for role in dict.fromkeys(roles)}
    settings = {}
    for setting in load_settings(solution).settings:
        if setting.type != "secret" and (value := _value(setting, names, full=full)):
            settings[setting.name] = value
    return Site.model_validate(
        {
            "solution": solution.id,
            "environment": environment,
            "hosts": [
                {"name": name, "address": f"192.0.2.{at}", "roles": [role]}
                for at, (role, name) in enumerate(names.items(), 1)
            ],
            "settings": settings,
        }
    )


def _value(setting: Setting, names: dict[str, str], *, full: bool) -> str:
    """What is said of a setting; "" where nothing is."""
    if setting.default is not None and not full:
        return ""
    if setting.type == "yes-no":
        return "no" if setting.role and setting.role not in names else "yes"
    if setting.type == "choice":
        return setting.default or setting.choices[0]
    if setting.example or setting.default:
        return setting.example or setting.default or ""
    # A form that only its owner knows is left empty where it may be.
    return "" if setting.pattern and setting.default == "" else _GIVEN[setting.type]
