"""The front door: one command, `sitewright`, that wires everything together.

This module is imported at every start, so it imports nothing heavy: a command's own module is
imported when that command is called.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

from foundation.problems import ExitCode, InputProblem, Problem
from foundation.terminal import gated
from foundation.version import __version__


@dataclass(frozen=True, slots=True)
class Command:
    """One command: the module that has it, and a line of help."""

    module: str
    help: str


COMMANDS: Final = {
    "init": Command("installer.commands.init", "a commented site file for a solution"),
    "preflight": Command("installer.commands.preflight", "can these machines carry it?"),
    "facts": Command("installer.commands.facts", "look at machines and save what was seen"),
    "guide": Command("installer.commands.guide", "which way of deploying suits whom, and why"),
    "solutions": Command("installer.commands.solutions", "what can be judged, and what it asks"),
    "sizing": Command("installer.commands.sizing", "how large a site must be, from its numbers"),
    "checks": Command("installer.commands.checks", "every question that preflight asks"),
    "plan": Command("installer.commands.plan", "what an installation would do, and where"),
    "install": Command("installer.commands.install", "carry an installation through"),
    "resume": Command("installer.commands.resume", "go on with the last run"),
    "status": Command("installer.commands.status", "how far the runs are"),
    "replay": Command("installer.commands.replay", "show a run again as it happened"),
    "accept": Command("installer.commands.accept", "does a hub keep the figures of its document?"),
    "report": Command("installer.commands.report", "what a run installed, for those who take over"),
    "support-bundle": Command(
        "installer.commands.support_bundle", "everything about a run in one file"
    ),
    "verify": Command("installer.commands.verify", "does what was installed still work?"),
    "undo": Command("installer.commands.undo", "take back what a stage did"),
    "services": Command("installer.commands.operate", "how the services of an installation stand"),
    "stop": Command("installer.commands.operate", "stop what was installed; it keeps everything"),
    "start": Command("installer.commands.operate", "start it again"),
    "unseal": Command("installer.commands.operate", "open a sealed Vault with the persons' shares"),
    "remove": Command("installer.commands.operate", "remove it, with or without its data"),
    "renew": Command(
        "installer.commands.operate", "renew a cluster's certificates before their last day"
    ),
    "changes": Command(
        "installer.commands.operate", "what an installation would change now, in words"
    ),
    "back": Command("installer.commands.operate", "take a hub back to its revision before"),
    "transfer": Command("installer.commands.operate", "send a transfer, and see what happens"),
    "reboot": Command(
        "installer.commands.reboot", "restart the machines that wait for it, one after another"
    ),
    "upgrade": Command(
        "installer.commands.upgrade", "raise a cluster's Kubernetes by one minor version"
    ),
    "machine": Command(
        "installer.commands.machine", "take one machine out of a site, bring it in, replace it"
    ),
    "backup": Command(
        "installer.commands.backup", "back a site up, and see that it can be restored"
    ),
    "restore": Command(
        "installer.commands.restore", "a site onto a fresh first master, from a backup"
    ),
    "export": Command("installer.commands.export", "inventory and playbooks, to run by hand"),
    "bundle": Command("installer.commands.bundle", "make, verify and move air-gapped bundles"),
    "repository": Command(
        "installer.commands.repository", "the Git repository that a site is deployed from"
    ),
    "environments": Command(
        "installer.commands.environments", "those of a control centre: plan, apply, drift"
    ),
    "environments schedule": Command(
        "installer.commands.environments_schedule", "look for drift every few hours, by a timer"
    ),
    "environments site": Command(
        "installer.commands.environments_site", "a site file whose machines are its outputs"
    ),
    "environments tools": Command(
        "installer.commands.environments_tools", "what a line wants of this computer"
    ),
    "environments verify": Command(
        "installer.commands.environments_verify", "does one stand, the earliest fault first"
    ),
    "updates": Command("installer.commands.updates", "which images that run have something newer"),
    "updates apply": Command(
        "installer.commands.updates_apply", "bring what is old to newer images, one by one"
    ),
    "updates schedule": Command(
        "installer.commands.updates_schedule",
        "look for updates every few hours, by a timer here or a CronJob",
    ),
    "image-watcher": Command(
        "installer.commands.image_watcher", "which newer versions of an image there are, over HTTP"
    ),
    "self-update": Command(
        "installer.commands.self_update", "bring Sitewright itself on, from a signed bundle"
    ),
    "trust": Command("installer.commands.trust", "look at host keys and confirm them"),
    "doctor": Command("installer.commands.doctor", "find out why a login fails"),
    "schema": Command("installer.commands.schema", "the JSON schema of a file or a result"),
}

_EPILOG: Final = """\
without a command: the wizard on a terminal, else the preflight of this machine

exit codes: 0 done or ready · 1 our error · 2 wrong usage or input · 3 not ready
            4 machines unreachable or not trusted · 5 a stage failed
            6 a bundle is invalid · 7 refused · 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose mistakes are problems like any other: what, and what to do, no whole usage."""

    def __init__(self, *, prog: str | None = None, **more: Any) -> None:
        super().__init__(prog=prog, **more)
        # The innermost parser of a line is the last to say it.
        self.set_defaults(taken_by=self.prog)

    def error(self, message: str) -> NoReturn:
        """Raise InputProblem with what argparse has against the line."""
        raise InputProblem(
            message.partition("\n")[0],
            where="the command line",
            remedy=f"See what it takes: {self.prog} -h",
        )


def build_parser(chosen: str | None = None, *, alone: bool = False) -> argparse.ArgumentParser:
    """The parser; only the chosen command's own options are built, since its module costs time.

    With `alone` the other commands are left out, which is for a line that begins with the chosen.
    """
    parser = _Parser(
        prog="sitewright",
        description="A terminal installer for digital public infrastructure on machines you own.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sitewright {__version__}")
    parser.add_argument("--text", action="store_true", help="the wizard as plain numbered lines")
    parser.add_argument("--site", type=Path, metavar="FILE", help="begin with a site file")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, command in COMMANDS.items():
        if alone and name != chosen:
            continue
        sub = commands.add_parser(
            name,
            help=command.help,
            description=f"sitewright {name}: {command.help}",
            allow_abbrev=False,
        )
        if name == chosen:
            import_module(command.module).add_options(sub)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Without `arguments` this is where the process begins; with them it is somebody else's.
    """
    with gated():
        words = list(sys.argv[1:] if arguments is None else arguments)
        if words == ["--version"]:
            print(f"sitewright {__version__}")
            return ExitCode.DONE
        if arguments is None:
            from foundation.isolation import leave_no_dumps

            leave_no_dumps()
        from foundation.secrets import taken_from_environment

        with taken_from_environment():
            return _main(words)


def _main(words: list[str]) -> int:
    # No package beside ours has a say in how files are read, and the search for one takes 20 ms.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        code = int(_run(words))
        _tell_where_it_is()
        return code
    except Problem as problem:
        _tell(problem)
        _tell_where_it_is()
        return int(problem.exit_code)
    except KeyboardInterrupt:
        print("\nInterrupted; nothing was changed on any machine.", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`): that is no error, and nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except OSError as error:
        from foundation.paths import ABOUT_FILES, file_problem

        if error.filename is None and error.errno == errno.EIO and _terminal_is_gone():
            # Its window was closed, or the login that held it was lost: nobody is left to be told,
            # and whatever is still written there would fail the same way.
            _log(error)
            _silence()
            return ExitCode.INTERRUPTED
        if error.filename is None and error.errno not in ABOUT_FILES:
            return _our_error(error)
        _log(error)
        told = file_problem(error)
        _tell(told)
        return int(told.exit_code)
    except Exception as error:
        return _our_error(error)


def _terminal_is_gone() -> bool:
    """Whether the terminal of this process was hung up (tty(4): all that is asked of it is EIO)."""
    import termios

    for number in range(3):
        try:
            termios.tcgetattr(number)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                return True
        except OSError:
            continue
    return False


def _silence() -> None:
    """Send what is still to be written nowhere, so that the end of the process meets no fault."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        os.dup2(nowhere, number)


def _check_command(words: Sequence[str]) -> None:
    """Refuse a word that stands where a command does and is none, with the nearest that is."""
    rest = iter(words)
    for word in rest:
        if word == "--site":
            next(rest, None)
        elif word == "--" or not word.startswith("-"):
            break
    else:
        return
    if word in COMMANDS:
        return
    import difflib

    # A slip is a letter or two; a word that merely shares some, as "explain" and "plan", is none.
    near = difflib.get_close_matches(word, COMMANDS, n=1, cutoff=0.75)
    raise InputProblem(
        f'"{word}" is no command of Sitewright',
        where="the command line",
        remedy=(f"Did you mean: sitewright {near[0]}" if near else "See them all: sitewright -h"),
    )


def _refuse_unknown(
    unknown: Sequence[str],
    words: Sequence[str],
    taken_by: str,
    parser: argparse.ArgumentParser,
) -> NoReturn:
    """What no option takes; a file is mostly the site file, which has an option of its own.

    `taken_by` is the command that took the rest of the line, with those that it lies in.
    """
    file = next((word for word in unknown if Path(word).suffix in (".yaml", ".yml")), None)
    if file is not None and "--site" not in words:
        import shlex

        place = words.index(file)
        meant = [*words[:place], *words[place + 1 :], "--site", file]
        # Not every command takes a site file: only what would be taken is a remedy.
        try:
            left = parser.parse_known_args(meant)[1]
        except InputProblem:
            left = [file]
        if not left:
            raise InputProblem(
                f"{file} is named without the option for it",
                where="the command line",
                remedy=f"A site file is named so: {shlex.join(['sitewright', *meant])}",
            )
    raise InputProblem(
        f"unrecognized arguments: {' '.join(unknown)}",
        where="the command line",
        remedy=f"See what it takes: {taken_by} -h",
    )


def _joined(words: list[str]) -> list[str]:
    """The words of a line, with a command of two words as one."""
    two = " ".join(words[:2])
    return [two, *words[2:]] if len(words) > 1 and two in COMMANDS else words


def _run(words: list[str]) -> int:
    words = _joined(words)
    _check_command(words)
    from foundation.own_log import keep_own_log
    from foundation.paths import settle_home

    for said in settle_home():
        print(said, file=sys.stderr)

    keep_own_log()
    chosen = next((word for word in words if word in COMMANDS), None)
    # Who asks for help is done here, and none of our folders was looked into.
    parser = build_parser(chosen, alone=words[:1] == [chosen])
    options, unknown = parser.parse_known_args(words)
    if unknown:
        _refuse_unknown(unknown, words, options.taken_by, parser)
    from foundation.paths import check_own_folders

    check_own_folders()
    if options.command == "replay" and not (options.lines or options.json_lines) and _drawable():
        return _replay(options)
    if options.command is not None:
        _check_named(options)
        return int(import_module(COMMANDS[options.command].module).run(options))
    if options.text:
        return _wizard(options, plain=True)
    if sys.stdin.isatty() and sys.stdout.isatty():
        return _wizard(options, plain=not _drawable())
    if options.site is not None:
        return _run(["preflight", "--site", str(options.site)])
    return _run(["preflight"])


def _check_named(options: argparse.Namespace) -> None:
    """Refuse to begin where a file is named that is somebody else's, before any work is done."""
    if not hasattr(options, "overwrite"):
        return
    for word in ("output", "save_facts", "write_lock", "one_file"):
        path: Path | None = getattr(options, word, None)
        if path is not None:
            from foundation.named_files import check_named

            check_named(path, overwrite=options.overwrite)


def _drawable() -> bool:
    """Whether there is a terminal that a screen can be drawn on."""
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return on_terminal and os.environ.get("TERM", "dumb") not in ("dumb", "")


def _replay(options: argparse.Namespace) -> int:
    from installer.commands.which_run import named_run
    from screens.run.replay import run_replay

    with named_run(options) as (run, name):
        return run_replay(run, name, speed=options.speed, longest_wait=options.longest_wait)


def _wizard(options: argparse.Namespace, *, plain: bool) -> int:
    if plain:
        from screens.plain.plain import run_plain

        return run_plain(site_file=options.site)
    from screens.shell.app import run_wizard

    return run_wizard(site_file=options.site)


def _tell_where_it_is() -> None:
    """Say what `sitewright` is in the commands that were shown, where no shell would find it.

    Whoever begins with ./install.sh has it on no path yet.
    """
    program = Path(sys.argv[0])
    if program.name != "sitewright" or not sys.stderr.isatty():
        return
    import shlex
    import shutil

    if shutil.which("sitewright") is None:
        folder = shlex.quote(str(program.absolute().parent))
        print(
            f"No shell here finds sitewright yet; for this one: export PATH={folder}:$PATH",
            file=sys.stderr,
        )


def _tell(problem: Problem) -> None:
    from foundation.secrets import redact

    place = f" ({problem.where})" if problem.where else ""
    print(redact(f"{problem.title}{place}:\n  {problem.sentence}"), file=sys.stderr)
    if problem.remedy:
        print(redact(f"  Do: {problem.remedy}"), file=sys.stderr)


def _log(error: Exception) -> str:
    """Keep an error with its traceback in the log; what to tell a person of where that is."""
    import traceback

    from foundation.own_log import note

    return note("".join(traceback.format_exception(error)))


def _our_error(error: Exception) -> int:
    from foundation.secrets import redact

    print(
        redact(
            f"Sitewright met an error of its own: {type(error).__name__}: {error}\n{_log(error)}"
        ),
        file=sys.stderr,
    )
    return ExitCode.OUR_ERROR
