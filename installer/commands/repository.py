"""`sitewright repository`: begin a site's Git repository, look at it, bring it on."""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from foundation.problems import ExitCode, InputProblem
from foundation.wording import counted, listed
from installer.commands.options import add_output_options, text_style, write_result

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.repository.check import Point
    from installer.repository.kept_base import KeptBase
    from installer.repository.starter import Environment
    from installer.repository.update import Change

_SET = (
    "a setting of the starter (see `sitewright repository settings`); ENVIRONMENT:NAME=VALUE is one"
    " of that environment alone"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright repository`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    made = actions.add_parser(
        "create",
        help="write one for a site, to begin with",
        description="Writes the repository that a site is deployed from (guide, §6.1) into a new "
        "folder, with a first commit. Each site is an environment in the folder that its git_path "
        "names; what is the same everywhere lies in base/. No secret is in it.",
    )
    made.add_argument("sites", nargs="+", type=Path, metavar="SITE", help="a site file")
    made.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder, or an empty one")
    _add_set(made)
    looked = actions.add_parser(
        "check",
        help="judge one: the checklist (§6.3) and the gateways' contract",
        description="Judges a repository before anything is deployed from it. It changes nothing. "
        "Exit code 3 where something is denied.",
    )
    looked.add_argument("folder", type=Path, metavar="FOLDER", help="the repository's top")
    looked.add_argument(
        "--site", type=Path, metavar="FILE", help="a repository that Sitewright did not write"
    )
    add_output_options(looked, formats=("text", "json"))
    brought = actions.add_parser(
        "update",
        help="what a later starter has that it has not",
        description="Shows what the starter of this Sitewright has that the repository has not. "
        "What you changed is never written over; nothing is written without --apply.",
    )
    brought.add_argument("folder", type=Path, metavar="FOLDER", help="the repository's top")
    brought.add_argument(
        "--site", action="append", type=Path, default=[], metavar="FILE", dest="sites",
        help="take a site's settings anew, or add its environment",
    )  # fmt: skip
    _add_set(brought)
    brought.add_argument("--apply", action="store_true", help="write what can be")
    asked = actions.add_parser("settings", help="what the starter asks beside a site file")
    asked.add_argument("--solution", default="pm4ml", metavar="ID")
    known = actions.add_parser(
        "values",
        help="each key of a chart that the starter sets, where upstream has it, what it does",
    )
    known.add_argument("component", nargs="?", metavar="COMPONENT", help="of one chart alone")
    known.add_argument("--solution", default="pm4ml", metavar="ID")


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="given", help=_SET
    )


def run(options: argparse.Namespace) -> int:
    """Do what is asked."""
    actions: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "create": _create,
        "check": _check,
        "update": _update,
        "settings": _settings,
        "values": _values,
    }
    return actions[options.action](options)


@dataclass(frozen=True, slots=True)
class _Given:
    """What --set says: of every environment, and of one alone, by its id or its folder."""

    of_all: Mapping[str, str]
    of_one: Mapping[str, Mapping[str, str]]

    def of(self, environment: str, folder: str) -> dict[str, str]:
        """What is said of one environment; what is said of it alone counts more."""
        alone = {**self.of_one.get(environment, {}), **self.of_one.get(folder, {})}
        return {**self.of_all, **alone}

    def hits(self, there: Sequence[Environment]) -> None:
        """Raises InputProblem where something is said of an environment that is not there."""
        known = {name for one in there for name in (one.environment, one.folder)}
        strangers = sorted(set(self.of_one) - known)
        if strangers:
            raise InputProblem(
                f"the repository has no environment {listed(strangers)}",
                where="--set",
                remedy=f"Name one before the colon, by its kind or its folder: "
                f"{listed(sorted(known))}.",
            )


def _given(words: Sequence[str]) -> _Given:
    of_all: dict[str, str] = {}
    of_one: dict[str, dict[str, str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InputProblem(
                f'"{word}" is no setting', where="--set", remedy="Write it as --set name=value."
            )
        where, colon, name_there = name.rpartition(":")
        (of_one.setdefault(where, {}) if colon else of_all)[name_there] = value
    return _Given(of_all, of_one)


def _environments(
    sites: Sequence[Path], given: _Given, kept: Mapping[str, Environment] | None = None
) -> tuple[Solution, tuple[Environment, ...]]:
    """What sites come to, each with what was `kept` of it by its folder; raises InputProblem."""
    from installer.catalogue.solution import load_solution
    from installer.repository.starter import environment_of, folder_of, set_anew
    from installer.sites.site import load_site

    found = []
    solutions = set()
    for file in sites:
        site = load_site(file)
        if site.solution is None:
            raise InputProblem(
                "the site file names no solution", where=str(file), remedy="Add `solution: pm4ml`."
            )
        solutions.add(site.solution)
        solution = load_solution(site.solution)
        kind, folder = solution.environment(site.environment).id, folder_of(solution, site)
        own: Mapping[str, Any] = given.of(kind, folder)
        if kept:
            # A new one begins with what another has; one that was there, with its own.
            own = set_anew(solution, kept.get(folder) or next(iter(kept.values())), own)
        found.append(environment_of(solution, site, own, where=str(file)))
    if len(solutions) > 1:
        raise InputProblem(
            f"the sites are of {listed(sorted(solutions))}, and one repository is of one solution",
            where="the site files",
            remedy="Write a repository for each.",
        )
    if kept is None:
        given.hits(found)
    return load_solution(solutions.pop()), tuple(found)


def _create(options: argparse.Namespace) -> int:
    from installer.repository.create import create
    from installer.repository.starter import files_of

    solution, environments = _environments(options.sites, _given(options.given))
    files = files_of(solution, environments)
    made = create(options.folder, solution.id, environments, files)
    folder = quote(str(options.folder))
    print(f"{options.folder} was written: {counted(made.files, 'file')}, no secret among them.")
    if made.without_commit:
        print(f"It has no first commit: {made.without_commit}.")
    for one in environments:
        print(
            f"{one.environment}: Argo CD deploys it from {one.folder}/ of {one.values['git_url']} "
            f"at {one.values['git_revision']}."
        )
        _tell_kubernetes(solution, one)
        _tell_left_open(solution, one)
    print(f"Read {options.folder / 'README.md'}, look at it, and push it:")
    print(f"  sitewright repository check {folder}")
    url, branch = environments[0].values["git_url"], environments[0].values["git_revision"]
    print(f"  git -C {folder} push {quote(str(url))} HEAD:refs/heads/{quote(str(branch))}")
    return ExitCode.DONE


def _tell_kubernetes(solution: Solution, environment: Environment) -> None:
    """Say that the cluster's Kubernetes is mended no more, and what there is instead."""
    from installer.repository.matrix import said_of_end
    from installer.repository.starter import starter_folder

    told = said_of_end(
        starter_folder(solution),
        str(environment.values["microk8s_channel"]),
        datetime.datetime.now(tz=datetime.UTC).date(),
    )
    if told:
        print(f"Note: {told}", file=sys.stderr)


def _tell_left_open(solution: Solution, environment: Environment) -> None:
    """Say what a person must know of settings of the starter that stay empty."""
    from installer.repository.starter import starter_settings

    for one in starter_settings(solution).settings:
        if one.mind and not environment.values.get(one.name):
            print(f"Note: {environment.environment}: {' '.join(one.mind.split())}", file=sys.stderr)


def _order(solution: Solution, environment: Environment) -> tuple[str, ...]:
    """The applications of the guide's order that the site does not leave out."""
    from installer.catalogue.lists import entries_of

    listed_there = entries_of(
        solution.folder, "playbooks/vars/applications.yml", "ordered_applications"
    )
    out = {one.strip() for one in str(environment.values["applications_left_out"]).split(",")}
    return tuple(one.name for one in listed_there if one.name not in out)


def _check(options: argparse.Namespace) -> int:
    from installer.catalogue.solution import load_solution
    from installer.repository.check import Verdict, check
    from installer.repository.kept_base import read_base
    from installer.repository.starter import environment_for_check

    if options.site is not None:
        from installer.sites.site import load_site

        site = load_site(options.site)
        solution = load_solution(site.solution or "pm4ml")
        environments: tuple[Environment, ...] = (
            environment_for_check(solution, site, where=str(options.site)),
        )
    else:
        base = read_base(options.folder)
        solution = load_solution(base.solution)
        environments = _kept(options.folder, base, solution)
    found = [(one, check(options.folder, one, _order(solution, one))) for one in environments]
    _tell_diverged(options.folder)
    if options.format == "json":
        text = json.dumps(_as_json(found), indent=2, ensure_ascii=False)
    else:
        text = "\n".join(_points_text(one, points, text_style(options)[0]) for one, points in found)
    write_result(text, options.output)
    denied = any(point.verdict is Verdict.DENIED for _, points in found for point in points)
    return ExitCode.NOT_READY if denied else ExitCode.DONE


def _tell_diverged(folder: Path) -> None:
    """Say where what was looked at is not what Argo CD deploys, as far as the last fetch tells."""
    from installer.repository import git

    if not git.is_here() or not git.is_repository(folder):
        return
    behind, ahead = git.diverged(folder)
    if behind or ahead:
        print(
            f"Note: the remote branch has {counted(behind, 'commit')} that this one has not, and "
            f"lacks {ahead} of it. Argo CD deploys what is there.",
            file=sys.stderr,
        )


def _as_json(found: Sequence[tuple[Environment, Sequence[Point]]]) -> dict[str, Any]:
    return {
        "schema": "sitewright.repository-check/1",
        "environments": [
            {
                "folder": one.folder,
                "environment": one.environment,
                "points": [
                    {"name": point.name, "verdict": str(point.verdict), "said": list(point.said)}
                    for point in points
                ],
            }
            for one, points in found
        ],
    }


def _points_text(environment: Environment, points: Sequence[Point], width: int) -> str:
    import textwrap

    from installer.repository.check import Verdict, in_words

    marks = {Verdict.HOLDS: "ok  ", Verdict.DENIED: "FAIL", Verdict.ASK: "you "}
    denied = [point.name for point in points if point.verdict is Verdict.DENIED]
    asked = sum(point.verdict is Verdict.ASK for point in points)
    head = (
        f"DENIED: {counted(len(denied), 'point')} of {environment.folder}: {listed(denied)}."
        if denied
        else f"{environment.folder} ({environment.environment}): nothing is denied; "
        f"{counted(asked, 'point')} for a person to judge."
    )
    lines = [head]
    for point in points:
        lines += textwrap.wrap(
            f"{marks[point.verdict]}  {point.name:18}  {in_words(point)}",
            max(width, 60),
            subsequent_indent=" " * 26,
            break_long_words=False,
        )
    lines.append("What names resolve to is judged on a machine of the site (section 6.3).")
    return "\n".join(lines)


def _update(options: argparse.Namespace) -> int:
    from installer.catalogue.solution import load_solution
    from installer.repository.kept_base import read_base
    from installer.repository.starter import files_of
    from installer.repository.update import apply, changes

    base = read_base(options.folder)
    solution = load_solution(base.solution)
    given = _given(options.given)
    now = _kept(options.folder, base, solution, None if options.sites else given)
    kept = {one.folder: one for one in now}
    if options.sites:
        other, anew = _environments(options.sites, given, kept)
        if other.id != solution.id:
            raise InputProblem(
                f"the repository is of {solution.id} and the site of {other.id}",
                where=str(options.folder),
                remedy="Name a site of the same solution.",
            )
        kept |= {one.folder: one for one in anew}
    given.hits(tuple(kept.values()))
    environments = tuple(kept.values())
    new = files_of(solution, environments)
    found = changes(options.folder, base, new)
    print(_changes_text(found))
    if not options.apply:
        return ExitCode.DONE
    written = apply(options.folder, base, environments, new, found)
    print(f"{counted(written, 'file')} written. Look at them (git diff), and commit them.")
    return ExitCode.DONE


def _kept(
    folder: Path, base: KeptBase, solution: Solution, given: _Given | None = None
) -> tuple[Environment, ...]:
    """The environments that were written into a repository, with what is given anew of each."""
    from installer.repository.kept_base import NAME
    from installer.repository.starter import environment_anew

    found = []
    for one in (kept.environment_then() for kept in base.environments):
        own = given.of(one.environment, one.folder) if given is not None else {}
        found.append(environment_anew(solution, one, own, where=str(folder / NAME)))
    return tuple(found)


def _changes_text(found: Sequence[Change]) -> str:
    from installer.repository.update import SENTENCES, Fate

    lines = [one.difference for one in found if one.difference]
    if lines:
        lines.append("")
    for fate, sentence in SENTENCES.items():
        paths = [one.path for one in found if one.fate is fate]
        if paths:
            lines.append(f"{sentence}:")
            lines += [f"  {path}" for path in paths]
    if not any(one.fate not in (Fate.SAME, Fate.KEPT) for one in found):
        lines.append("The starter has nothing that this repository has not.")
    return "\n".join(lines)


def _settings(options: argparse.Namespace) -> int:
    from installer.catalogue.solution import load_solution
    from installer.repository.starter import starter_settings

    lines = []
    for one in starter_settings(load_solution(options.solution)).settings:
        what = "must be given" if one.default is None else f"else {one.default or 'empty'}"
        when = f", {one.when} yes" if one.when and not one.when.startswith("not ") else ""
        example = f", such as {one.example}" if one.example else ""
        lines.append(f"{one.name}: {one.title} ({what}{when}{example})")
    write_result("\n".join(lines), None)
    return ExitCode.DONE


def _values(options: argparse.Namespace) -> int:
    from installer.catalogue.solution import load_solution
    from installer.repository.known_values import load_known_values
    from installer.repository.starter import starter_folder

    known = {
        one.component: one
        for one in load_known_values(starter_folder(load_solution(options.solution)))
    }
    if options.component is not None and options.component not in known:
        raise InputProblem(
            f"the starter sets nothing of {options.component}",
            where="the command line",
            remedy=f"It sets values of {listed(sorted(known))}.",
        )
    lines = []
    for name in [options.component] if options.component else known:
        one = known[name]
        lines.append(f"{name} {one.version} ({one.source})")
        lines += [f"  {key}  [{said.at}]\n      {said.does}" for key, said in one.keys.items()]
    write_result("\n".join(lines), None)
    return ExitCode.DONE
