"""Starter: the files of a repository for a site, made from the solution's templates.

Nothing of a site is ever a template, and each value is written by a writer of YAML. What a site
does not need is a file that comes out empty, and is not written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from foundation.documents import dump_yaml
from foundation.problems import InputProblem
from foundation.version import __version__
from foundation.wording import listed
from installer.catalogue.rendering import Renderer
from installer.catalogue.settings import Value, answers, load_settings
from installer.catalogue.stages import Settings
from installer.repository.matrix import Component, Fit, load_matrix, minor_of

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.catalogue.stages import Setting
    from installer.sites.site import Site

_FROM_SITE: Final = frozenset((
    "domain", "pm4ml_id", "microk8s_channel", "internal_ingress",
    "external_proxy_protocol", "ceph", "ceph_class", "applications", "git_url",
    "git_revision", "git_path", "applications_left_out", "local_disks", "local_volume_group",
    "local_class",
))  # fmt: skip
"""The settings of a site that its repository says again."""
_TEMPLATE: Final = ".j2"
_PART: Final = ".part"
"""A piece that templates share; it is no file of a repository."""
OWN: Final = ".sitewright"
"""The folder of the repository that is ours; nothing is deployed from it."""
BASE: Final = "base"
"""The folder of what is the same in every environment."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment of a repository: the folder that a cluster is deployed from, and why so."""

    folder: str
    """The site's `git_path`."""
    environment: str
    values: Mapping[str, Value]
    """The settings of the site that matter here, and those of the starter."""
    workers: int
    """Machines that carry workloads."""

    @property
    def highly_available(self) -> bool:
        """Whether it has machines enough for a quorum, and is meant to outlive one of them."""
        return self.environment == "production" and self.workers >= 3


def starter_folder(solution: Solution) -> Path:
    """Where the solution keeps what a repository is made of; raises InputProblem if nowhere."""
    folder = solution.folder / "repository"
    if not folder.is_dir():
        raise InputProblem(
            f"{solution.title} is deployed from no repository of its own",
            where="solution",
            remedy="There is a starter for PM4ML on premises: `solution: pm4ml` in the site file.",
        )
    return folder


def starter_settings(solution: Solution) -> Settings:
    """What a starter asks beside the site's settings; raises InputProblem."""
    from foundation.documents import load_yaml

    return load_yaml(Settings, starter_folder(solution) / "settings.yaml")


def environment_of(
    solution: Solution, site: Site, given: Mapping[str, Any], *, where: str
) -> Environment:
    """What a site file and the words beside it come to; raises one InputProblem for all of it."""
    of_site = {name: value for name, value in site.settings.items() if name in _FROM_SITE}
    values = _answered(solution, of_site, given, where=where)
    return Environment(
        _folder(str(values["git_path"]), where),
        solution.environment(site.environment).id,
        values,
        _workers(solution, site),
    )


def folder_of(solution: Solution, site: Site) -> str:
    """The folder that a site names, before anything else of it is looked at; "" if none."""
    settings = load_settings(solution).settings
    default = next((one.default for one in settings if one.name == "git_path"), None)
    return str(PurePosixPath(str(site.settings.get("git_path") or default or "")))


def environment_anew(
    solution: Solution, before: Environment, given: Mapping[str, Any], *, where: str
) -> Environment:
    """An environment that was written earlier, as the settings are now; raises InputProblem.

    What a later starter asks besides has its default, what it asks no more is left out, and every
    value is looked at as if it were typed: it comes out of a file that anybody may have changed.
    """
    known = _from_site(solution)
    of_site = {
        name: value for name, value in before.values.items() if name in known and value != ""
    }
    own = set_anew(solution, before, given)
    values = _answered(
        solution,
        of_site,
        own,
        where=f"--set, or {where}" if given else where,
        remedy="Give what is named with --set NAME=VALUE; what nobody typed there stands in "
        "Sitewright's own file: bring it back from the last commit (git checkout).",
    )
    return Environment(
        _folder(before.folder, where),
        solution.environment(before.environment).id,
        values,
        before.workers,
    )


def _from_site(solution: Solution) -> dict[str, Setting]:
    settings = load_settings(solution).settings
    return {one.name: one for one in settings if one.name in _FROM_SITE}


def _answered(
    solution: Solution,
    of_site: Mapping[str, Any],
    given: Mapping[str, Any],
    *,
    where: str,
    remedy: str = "",
) -> dict[str, Value]:
    """Every setting of a site and of the starter; raises one InputProblem for all of them."""
    own = starter_settings(solution)
    names = {one.name for one in own.settings}
    strangers = sorted(set(given) - names)
    if strangers:
        raise InputProblem(
            f"the starter asks for no {listed(strangers)}",
            where="--set",
            remedy=f"It asks for: {', '.join(sorted(names))}. What the site says stands in its "
            "file.",
        )
    values = answers(
        Settings(settings=(*_from_site(solution).values(), *own.settings)),
        {**of_site, **given},
        where=where,
        remedy=remedy
        or f"Give {', '.join(sorted(names & _asked(own)))} with --set NAME=VALUE, and the rest "
        "under `settings:` in the site file.",
    ).values
    if not values["applications"]:
        raise InputProblem(
            "this site deploys no applications, and so it is deployed from no repository",
            where=where,
            remedy="Set `applications: yes` in the site file.",
        )
    return values


def _asked(own: Settings) -> set[str]:
    return {one.name for one in own.settings if one.default is None and not one.when}


def _folder(path: str, where: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/") or parts[0] in (BASE, OWN, ".git"):
        raise InputProblem(
            f'git_path is "{path}", and that is no folder in which an environment can lie',
            where=where,
            remedy="Name a folder of its own, such as apps or environments/production.",
        )
    return str(PurePosixPath(path))


def _workers(solution: Solution, site: Site) -> int:
    counted = sum("worker" in host.roles for host in site.hosts)
    row = solution.needs(site.environment, site.sizing).sizing.role("worker")
    return counted or (row.count.min if row else 1)


def files_of(solution: Solution, environments: Sequence[Environment]) -> dict[str, str]:
    """Every file of a repository by its path in it; raises InputProblem."""
    twice = {one.folder for one in environments if _times(environments, one.folder) > 1}
    if twice:
        raise InputProblem(
            f"two sites have the folder {listed(sorted(twice))} (git_path)",
            where="the site files",
            remedy="Give each a folder of its own: environments/production, environments/staging.",
        )
    for one in environments:
        inside = [o.folder for o in environments if o.folder.startswith(f"{one.folder}/")]
        if inside:
            raise InputProblem(
                f"{listed(inside)} lies in {one.folder}, and a cluster that is deployed from that "
                "would be given both (git_path)",
                where="the site files",
                remedy="Let them lie beside each other: environments/production, "
                "environments/staging.",
            )
    top = starter_folder(solution) / "starter"
    made: dict[str, str] = {}
    for path, text in _filled_in(top / "everywhere", _values(solution, environments[0])):
        made[path] = text
    for environment in environments:
        values = _values(solution, environment)
        for path, text in _filled_in(top / "environment", values):
            made[f"{environment.folder}/{path}"] = text
        made[f"{environment.folder}/versions.yaml"] = _versions(values)
    return {path: text for path, text in sorted(made.items()) if text.strip()}


def _times(environments: Sequence[Environment], folder: str) -> int:
    return sum(one.folder == folder for one in environments)


@cache
def _renderer(folder: Path) -> Renderer:
    """What fills in the templates of a folder, each of which is read once."""
    return Renderer({}, folder)


def _filled_in(folder: Path, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each file below a folder of the starter, by its path there, as it is in the repository."""
    renderer = _renderer(folder).knowing(**values)
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.suffix == _PART:
            continue
        path = file.relative_to(folder)
        text = file.read_text(encoding="utf-8")
        if file.suffix != _TEMPLATE:
            yield path.as_posix(), text
            continue
        # Its own folder is the name of the application; on the same line, for the sake of numbers.
        text = f'{{% set application = "{path.parts[0]}" %}}{text}'
        fill_in = renderer.yaml if file.with_suffix("").suffix == ".yaml" else renderer.text
        yield path.with_suffix("").as_posix(), fill_in(text, where=f"{folder.name}/{path}")


def _values(solution: Solution, environment: Environment) -> dict[str, Any]:
    minor = minor_of(str(environment.values["microk8s_channel"]))
    matrix = load_matrix(starter_folder(solution))
    components = {
        name: _component(component, fit) for name, (component, fit) in matrix.chosen(minor).items()
    }
    ha = environment.highly_available
    return {
        **environment.values,
        "environment": environment.environment,
        "folder": environment.folder,
        "workers": environment.workers,
        "highly_available": ha,
        "quorum": 3 if ha else 1,
        "replicas": 2 if ha else 1,
        "kubernetes": minor,
        "components": components,
        "sitewright": __version__,
    }


def _component(component: Component, fit: Fit) -> dict[str, str]:
    return {
        "repository": component.repository,
        "chart": component.chart,
        "path": component.path,
        "version": fit.version,
        "basis": fit.basis,
        "source": " ".join(fit.source.split()),
        "looked": " ".join(fit.looked.split()),
        "kubernetes": f"{fit.first} to {fit.last}",
    }


def _versions(values: Mapping[str, Any]) -> str:
    """The versions of an environment as data, for the people who keep it."""
    head = (
        "# What this environment is made of, for which Kubernetes each is, and who says so.\n"
        "# Nothing is deployed from this file; the versions stand in application*.yaml.\n"
    )
    return head + dump_yaml(
        {"kubernetes": values["kubernetes"], "components": values["components"]}, width=100
    )


def environment_for_check(solution: Solution, site: Site, *, where: str) -> Environment:
    """What a site file says of a repository that Sitewright did not write."""
    of_site = _from_site(solution)
    told = {name: value for name, value in site.settings.items() if name in of_site}
    values = answers(Settings(settings=tuple(of_site.values())), told, where=where).values
    return Environment(
        str(PurePosixPath(str(values["git_path"]))),
        solution.environment(site.environment).id,
        values,
        _workers(solution, site),
    )


def set_anew(solution: Solution, before: Environment, given: Mapping[str, Any]) -> dict[str, Any]:
    """The starter's own settings as they were, with what is given anew over them."""
    names = {one.name for one in starter_settings(solution).settings}
    kept = {name: value for name, value in before.values.items() if name in names and value != ""}
    return {name: value for name, value in {**kept, **given}.items() if value != ""}
