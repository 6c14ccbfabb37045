"""`sitewright environments`: those of a control centre, each with a state of its own."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from foundation.hosts.logins import person_here
from foundation.problems import ExitCode, InputProblem, Refused
from foundation.secrets import secret_from_file
from foundation.wording import listed
from installer.commands.asking import forget_typed_ahead
from installer.commands.environments_alert import add_webhook_options, alert
from installer.commands.install import add_run_options, read_secrets
from installer.commands.operate import carry_operation
from installer.commands.options import add_overwrite_option, text_style, write_result

if TYPE_CHECKING:
    from foundation.secrets import Secret
    from installer.environments.centre import Environment
    from installer.opentofu.program import Asker, Tool
    from installer.opentofu.saved import Kept
    from installer.plans.plan import Plan
    from preflight.report.layout import Page

_HELP: Mapping[str, str] = {
    "list": "which there are, with version, state, last verdict and drift",
    "new": "begin one: its folder, and that of the centre where there is none",
    "init": "make ready what its configuration needs",
    "plan": "what would be created, changed and destroyed; the plan is saved",
    "apply": "apply the plan that was saved, and no other",
    "drift": "what was changed outside, and what its configuration says otherwise",
    "unlock": "give back a lock that a program which died left behind",
    "destroy": "plan to destroy all of it, and do it after its name was typed",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright environments`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, told in _HELP.items():
        one = actions.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
        if name != "list":
            one.add_argument("name", metavar="NAME", help="the environment")
        one.add_argument(
            "--centre", type=Path, default=Path(), metavar="FOLDER",
            help="the control centre's folder (default: this one)",
        )  # fmt: skip
        if name == "new":
            one.add_argument("--line", metavar="ID", default="", help="of a new centre")
            one.add_argument(
                "--environment", required=True, metavar="ID", help="hub, pm4ml, iac-lite-tps-1 …"
            )
            one.add_argument("--version-of-line", default="", metavar="VERSION")
            continue
        _add_output(one, json_too=name in ("list", "plan", "drift"))
        if name in ("apply", "destroy"):
            one.add_argument(
                "--destroys",
                action="append",
                default=[],
                metavar="ADDRESS",
                help="a resource that may be destroyed, by its whole address; destroy asks for "
                "the environment's name here",
            )
        if name == "unlock":
            one.add_argument("--lock", required=True, metavar="ID", help="as it was told")
        if name == "drift":
            add_webhook_options(one)
        if name != "list":
            add_run_options(one)


def _add_output(parser: argparse.ArgumentParser, *, json_too: bool) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=("text", "json") if json_too else ("text",),
                       default="text")  # fmt: skip
    group.add_argument("--output", type=Path, metavar="FILE", help="a file instead of the screen")
    add_overwrite_option(group)
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    group.add_argument("--ascii", action="store_true", help="plain ASCII text")
    group.add_argument("--width", type=int, metavar="COLUMNS", help="of the text")


def run(options: argparse.Namespace) -> int:
    """Do what is asked."""
    actions: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "list": _list,
        "new": _new,
        "init": _init,
        "plan": _plan,
        "apply": _apply,
        "drift": _drift,
        "destroy": _destroy,
        "unlock": _unlock,
    }
    return actions[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from installer.environments.centre import read_centre
    from installer.environments.listing import entries
    from installer.environments.text import list_text

    centre = read_centre(options.centre)
    found = entries(options.centre)
    if options.format == "json":
        told = {"schema": "sitewright.environments/1", "line": centre.line,
                "environments": [asdict(one) for one in found]}  # fmt: skip
        _result(json.dumps(told, indent=2, ensure_ascii=False), options)
    else:
        _result(list_text(found, _page(options)), options)
    return ExitCode.REFUSED if any(one.problems for one in found) else ExitCode.DONE


def _new(options: argparse.Namespace) -> int:
    from installer.environments.begin import begin

    for line in begin(
        options.centre,
        options.name,
        line=options.line,
        kind=options.environment,
        version=options.version_of_line,
    ):
        print(line)
    return ExitCode.DONE


def _init(options: argparse.Namespace) -> int:
    from installer.environments.plans import ready_plan

    environment, tool = read_named(options)
    plan = ready_plan(environment, tool)
    return _carry("tofu-init", environment, plan, secrets_of(environment, plan, options), options)


def _plan(options: argparse.Namespace) -> int:
    from installer.environments.plans import making_plan
    from installer.environments.text import kept_json, plan_text
    from installer.opentofu.saved import read_kept

    environment, tool = read_named(options)
    code, _ = _made(environment, tool, options, making_plan(environment, tool))
    if code != ExitCode.DONE:
        return code
    kept = read_kept(environment.place(tool).saved)
    if kept is None:
        raise InputProblem("the plan was not kept", where=str(environment.root))
    if options.format == "json":
        told = {"schema": "sitewright.environment-plan/1", **kept_json(environment.name, kept)}
        _result(json.dumps(told, indent=2, ensure_ascii=False), options)
    else:
        _result(plan_text(environment.name, kept, _page(options)), options)
    if not kept.differs:
        print("There is nothing to be applied.", file=sys.stderr)
    else:
        print(f"To apply it: {_again('apply', options)}", file=sys.stderr)
    return ExitCode.DONE


def _made(
    environment: Environment, tool: Tool, options: argparse.Namespace, plan: Plan
) -> tuple[int, Mapping[str, Secret]]:
    """Make a plan anew: one that was saved before goes first, so that it is never taken for it."""
    place = environment.place(tool)
    for path in (place.saved, place.saved.with_suffix(".json")):
        path.unlink(missing_ok=True)
    secrets = secrets_of(environment, plan, options)
    return _carry("tofu-plan", environment, plan, secrets, options), secrets


def _apply(options: argparse.Namespace) -> int:
    environment, tool = read_named(options)
    under_way = _under_way("tofu-apply", environment, tool)
    if under_way is not None:
        secrets = secrets_of(environment, _applying(environment, tool, under_way), options)
        return _applied(environment, tool, under_way, secrets, options)
    kept = _kept(environment, tool, options)
    if kept.destroy:
        raise Refused(
            "the plan that was saved destroys the whole environment",
            where=environment.name,
            remedy=f"If that is meant: {_again('destroy', options)}",
        )
    secrets = secrets_of(environment, _applying(environment, tool, kept), options)
    _show(environment, kept, options)
    _before(environment, tool, kept, secrets, options)
    _destruction(kept.destroyed, options)
    return _applied(environment, tool, kept, secrets, options)


def _destroy(options: argparse.Namespace) -> int:
    from installer.environments.plans import making_plan

    environment, tool = read_named(options)
    plan = making_plan(environment, tool, destroy=True)
    under_way = _under_way("tofu-destroy", environment, tool)
    if under_way is not None:
        secrets = secrets_of(environment, plan, options)
        return _applied(environment, tool, under_way, secrets, options)
    asked, options.yes = options.yes, True  # to make the plan changes nothing
    code, secrets = _made(environment, tool, options, plan)
    options.yes = asked
    if code != ExitCode.DONE:
        return code
    kept = _kept(environment, tool, options)
    if not kept.changes:
        print(f"{environment.name} has nothing that could be destroyed.", file=sys.stderr)
        return ExitCode.DONE
    _show(environment, kept, options)
    _before(environment, tool, kept, secrets, options)
    _destruction((environment.name,), options)
    return _applied(environment, tool, kept, secrets, options)


def _under_way(operation: str, environment: Environment, tool: Tool) -> Kept | None:
    """The plan that a session which was cut off applies: it may still run, and is attached to.

    What it destroys was named when it began.
    """
    from installer.opentofu.saved import read_kept
    from installer.running.unfinished import cut_off

    kept = read_kept(environment.place(tool).saved)
    if kept is None:
        return None
    before = cut_off(environment.site(), operation, of=_applying(environment, tool, kept))
    if before is None or not any(one.running for one in before.state().steps.values()):
        return None
    print(
        f"Goes on with the run {before.id}, whose plan was confirmed when it began.",
        file=sys.stderr,
    )
    return kept


def _drift(options: argparse.Namespace) -> int:
    from installer.environments.plans import looking_plan
    from installer.environments.text import drift_text, kept_json
    from installer.opentofu.saved import read_kept

    webhook = secret_from_file(options.webhook_file) if options.webhook_file else None
    environment, tool = read_named(options)
    plan = looking_plan(environment, tool)
    secrets = secrets_of(environment, plan, options)
    asker_of(environment, tool, secrets).held()
    place = environment.place(tool)
    place.look.with_suffix(".json").unlink(missing_ok=True)
    code = _carry("tofu-drift", environment, plan, secrets, options)
    kept = read_kept(place.look)
    if code != ExitCode.DONE or kept is None:
        return code or ExitCode.OUR_ERROR
    if options.format == "json":
        told = {"schema": "sitewright.environment-drift/1", **kept_json(environment.name, kept)}
        _result(json.dumps(told, indent=2, ensure_ascii=False), options)
    else:
        _result(
            drift_text(environment.name, kept, _page(options), words=environment.words), options
        )
    if webhook is not None:
        alert(environment, kept, webhook, options.webhook)
    return ExitCode.NOT_READY if kept.differs else ExitCode.DONE


def _unlock(options: argparse.Namespace) -> int:
    from installer.environments.plans import unlocking_plan

    environment, tool = read_named(options)
    plan = unlocking_plan(environment, tool, options.lock)
    secrets = secrets_of(environment, plan, options)
    return _carry("tofu-unlock", environment, plan, secrets, options)


def _applied(
    environment: Environment,
    tool: Tool,
    kept: Kept,
    secrets: Mapping[str, Secret],
    options: argparse.Namespace,
) -> int:
    """Apply, and note which state the environment has; the exit code."""
    from installer.environments.centre import Applied, now

    operation = "tofu-destroy" if kept.destroy else "tofu-apply"
    code = _carry(operation, environment, _applying(environment, tool, kept), secrets, options)
    # Of an apply that failed in its middle a part stands: its state is noted as well.
    head = asker_of(environment, tool, secrets).head()
    if head.lineage and (head.lineage, head.serial) != (kept.lineage, kept.serial):
        environment.note_applied(
            Applied(
                lineage=head.lineage,
                serial=head.serial,
                resources=head.resources,
                at=now(),
                by=options.by or person_here(),
                program=tool.title,
                version=tool.version,
                of=environment.file.version,
            )
        )
    return code


def _applying(environment: Environment, tool: Tool, kept: Kept) -> Plan:
    from installer.environments.plans import applying_plan

    return applying_plan(environment, tool, kept)


def read_named(options: argparse.Namespace) -> tuple[Environment, Tool]:
    """The environment that the command names, judged, and the program for it; raises Problem."""
    from installer.environments.centre import read_environment
    from installer.environments.judged import judge
    from installer.opentofu.program import find

    environment = read_environment(options.centre, options.name)
    tool = find(environment.centre.program)
    judge(environment, tool)
    return environment, tool


def secrets_of(
    environment: Environment, plan: Plan, options: argparse.Namespace
) -> Mapping[str, Secret]:
    """Its secrets, by the names that a person gives them by; raises InputProblem."""
    return read_secrets(replace(plan, secrets=environment.secret_names()), options)


def asker_of(environment: Environment, tool: Tool, secrets: Mapping[str, Secret]) -> Asker:
    """Who asks the program of an environment what changes nothing."""
    from installer.opentofu.program import Asker

    place = environment.place(tool)
    place.prepare()
    file = environment.file
    named = {f"TF_VAR_{name}": secrets[name] for name in file.secrets}
    named |= {name: secrets[name.lower()] for name in file.environment_secrets}
    return Asker(place, named, environment.name, environment.words)


def _kept(environment: Environment, tool: Tool, options: argparse.Namespace) -> Kept:
    """The plan that was saved; raises Refused where there is none that still holds."""
    from installer.environments.judged import still_holds
    from installer.opentofu.saved import read_kept

    place = environment.place(tool)
    kept = read_kept(place.saved) if place.saved.exists() else None
    again = _again("plan", options)
    if kept is None:
        raise Refused(
            "there is no plan that waits to be applied",
            where=environment.name,
            remedy=f"Make one, and look at it: {again}",
        )
    still_holds(environment, place, kept, again=again)
    return kept


def _before(
    environment: Environment,
    tool: Tool,
    kept: Kept,
    secrets: Mapping[str, Secret],
    options: argparse.Namespace,
) -> None:
    """Raise where the state is held, newer, of another environment, or moved on."""
    from installer.environments.judged import of_this_environment

    asker = asker_of(environment, tool, secrets)
    asker.held()
    of_this_environment(environment, asker.head(), kept, again=_again("plan", options))


def _destruction(names: tuple[str, ...], options: argparse.Namespace) -> None:
    """Have each that is destroyed named by a person; raises Refused."""
    left = [name for name in names if name not in options.destroys]
    strangers = [name for name in options.destroys if name not in names]
    if strangers:
        raise InputProblem(
            f"the plan destroys no {listed(strangers)}",
            where="--destroys",
            remedy=f"It destroys {listed(names) or 'nothing'}.",
        )
    if left and not sys.stdin.isatty():
        raise Refused(
            f"it destroys {listed(left)}, and nobody has named that",
            where=options.name,
            remedy="Where it is meant, name each: "
            + " ".join(f"--destroys {quote(name)}" for name in left),
        )
    for name in left:
        forget_typed_ahead()
        print(f"It DESTROYS {name}. To agree, type its name: ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip() != name:
            raise Refused(
                f"{name} was not named, and nothing was changed",
                where=options.name,
                remedy="Give the same command again, and type what is destroyed as it is written.",
            )


def _show(environment: Environment, kept: Kept, options: argparse.Namespace) -> None:
    from foundation.terminal import styled
    from installer.environments.text import plan_text

    styled(plan_text(environment.name, kept, _page(options)), sys.stderr)


def _page(options: argparse.Namespace) -> Page:
    from preflight.report.layout import Page

    width, color, ascii_only = text_style(options)
    return Page(width, color=color, ascii_only=ascii_only)


def _result(text: str, options: argparse.Namespace) -> None:
    write_result(text, options.output, overwrite=options.overwrite, colored=True)


def _again(action: str, options: argparse.Namespace) -> str:
    where = "" if options.centre == Path() else f" --centre {quote(str(options.centre))}"
    return f"sitewright environments {action} {options.name}{where}"


def _carry(
    operation: str,
    environment: Environment,
    plan: Plan,
    secrets: Mapping[str, Secret],
    options: argparse.Namespace,
) -> int:
    """Carry a plan through on the engine; what changes nothing is not asked for."""
    from installer.catalogue.solution import load_solution
    from installer.environments.centre import ENVIRONMENT
    from installer.running.unfinished import cut_off
    from installer.supply.opened_before import remember_own

    options.site = environment.folder.absolute() / ENVIRONMENT
    if not environment.root.exists():
        print(
            f"The configuration in {environment.folder} is used here for the first time. It is a "
            "program: its providers, and what they start, run with your rights. Read it.",
            file=sys.stderr,
        )
    remember_own(options.site)  # the sentence about it was said
    if operation in ("tofu-init", "tofu-plan", "tofu-drift"):
        options.yes = True
    site = environment.site()
    before = cut_off(site, operation, of=plan)
    with contextlib.ExitStack() as held:
        if options.action in ("plan", "drift"):
            # What they find out is the result, and how the run goes is narration.
            held.enter_context(contextlib.redirect_stdout(sys.stderr))
        return carry_operation(
            operation,
            (site, load_solution("iac"), plan),
            options,
            run=before,
            opens=secrets,
            again=_again(options.action, options),
            named=f" {options.name}",
        )
