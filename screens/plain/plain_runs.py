"""What Welcome offers beside the steps, in plain lines: the runs kept here, and a new site file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import Problem
from foundation.typed_paths import typed_path
from installer.hand_over.later import ACCEPTANCE
from installer.sites.site_paths import against_site_name
from screens.answers.wizard import StepId
from screens.plain.prompt import BackWanted, ask_yes
from screens.services.file_words import HAND_OVER, home_path, shown_path
from screens.welcome.runs_list import Wish, errand_words
from screens.welcome.welcome_words import said_when

if TYPE_CHECKING:
    from installer.hand_over.model import HandOver
    from installer.record.kept_runs import KeptRun, KeptRuns
    from screens.plain.plain import PlainWizard
    from screens.plain.prompt import Dialogue

WISHES = {
    Wish.WATCH: "Read it again, as it happened",
    Wish.REPORT: "Its report",
    Wish.OPEN: "Open its site, from its machines on",
    Wish.GO_ON: "Go on with it",
}
"""What can be done with a run, in words."""


def runs(wizard: PlainWizard) -> StepId | None:
    """The runs of every site: one is read, reported, opened or gone on with; None to go back."""
    kept = wizard.wait(wizard.services.kept_runs())
    while True:
        _list(wizard, kept)
        try:
            number = wizard.dialogue.ask_number("Number of the run", len(kept.runs))
            run = kept.runs[int(number) - 1]
            following = _do(wizard, run)
        except BackWanted:
            return None
        except Problem as problem:
            wizard.dialogue.problem(problem)
            continue
        if following is not None:
            return following


def _list(wizard: PlainWizard, kept: KeptRuns) -> None:
    from installer.record.runs import runs_folder

    talk, site = wizard.dialogue, ""
    for number, run in enumerate(kept.runs, 1):
        if run.site != site:
            site = run.site
            talk.say(f"{run.name}, {site}")
        when = said_when(run.when, wizard.services.now())
        talk.say(
            f"{number}. {when}, {run.stands}, {run.done} of {run.total} steps, {errand_words(run)}"
        )
    if kept.more:
        talk.say(f"{kept.more} older ones are in {home_path(runs_folder())}.")


def _do(wizard: PlainWizard, run: KeptRun) -> StepId | None:
    """What the person wants of a run; the step to take then, if any."""
    talk = wizard.dialogue
    wishes = [wish for wish in WISHES if wish is not Wish.GO_ON or run.open]
    for number, wish in enumerate(wishes, 1):
        talk.say(f"{number}. {WISHES[wish]}")
    try:
        wish = wishes[int(talk.ask_number("What of it", len(wishes), default=1)) - 1]
    except BackWanted:
        return None
    if wish is Wish.GO_ON:
        return wizard.reopen(run.folder)
    if wish is Wish.OPEN:
        wizard.answers, _ = wizard.wait(wizard.services.reopen(run.folder))
        wizard.memory.forget_results()
        wizard.read_record()
        return StepId.MACHINES
    if wish is Wish.WATCH:
        _read_again(talk, run)
        return None
    report = wizard.wait(wizard.services.hand_over(run.folder))
    try:
        tell_report(wizard, report, f"{report.solution}-{report.environment}")
    except BackWanted:
        return None
    return None


def _read_again(talk: Dialogue, run: KeptRun) -> None:
    """The lines of a run, from its record alone."""
    from installer.plans.plan import CONTROL_HOST, told_host
    from installer.record.journal import read
    from installer.record.record_check import check_record
    from installer.record.recorded_run import recorded_run
    from screens.run.run_lines import RunLines

    with recorded_run(str(run.folder)) as (found, _):
        plan = found.plan()
        width = max(map(len, (*dict(plan.hosts), told_host(CONTROL_HOST, plan.control))))
        lines = RunLines(plan, width, lambda _now: None)
        for event in read(found.journal):
            for line in lines.of(event):
                talk.say(line.text)
        check_record(found)


def tell_report(wizard: PlainWizard, report: HandOver, stem: str) -> None:
    """Say a hand-over report, and write it to as many files as are wanted."""
    from installer.hand_over.text import report_lines

    talk = wizard.dialogue
    for line in report_lines(report, 76):
        if line.startswith("  sitewright "):
            talk.command(line.strip())
        else:
            talk.say(line.strip(), indent=" " * (len(line) - len(line.lstrip())))
    forms = list(HAND_OVER)
    while True:
        talk.say()
        for number, form in enumerate(forms, 1):
            talk.say(f"{number}. {form.value}: {HAND_OVER[form][1]}")
        talk.say("later: what can be done with the site from now on.")
        words = "Number of a form to write, later, or go"
        answer = talk.ask_number(words, len(forms), others=("", "go", "later"))
        if answer in ("", "go"):
            return
        if answer == "later":
            _tell_later(wizard, Path(report.record.folder))
            continue
        form = forms[int(answer) - 1]
        try:
            path = talk.ask_file_to_write(f"{stem}-{HAND_OVER[form][0]}")
            wizard.wait(wizard.services.write_hand_over(form, path, report))
        except Problem as problem:
            talk.problem(problem)
        else:
            talk.say(f"Written: {shown_path(path)}")


def _tell_later(wizard: PlainWizard, run: Path) -> None:
    """Each thing that can be done later, with its command."""
    talk, group = wizard.dialogue, ""
    pages: list[str] = []
    for one in wizard.wait(wizard.services.later(run)):
        if one.group != group:
            group = one.group
            talk.say(f"{group}:")
        talk.say(one.what, indent="  ")
        talk.command(one.command)
        pages.append(one.page)
    if ACCEPTANCE in pages and ask_yes(talk, "Prove the hub's figures here", "no"):
        from screens.plain import plain_acceptance

        plain_acceptance.ask(wizard)


def new_site(wizard: PlainWizard) -> StepId | None:
    """Write a commented site file, as `sitewright init`; the step to take with it, or None."""
    from screens.services.opening import open_file

    talk, memory = wizard.dialogue, wizard.memory
    if not memory.solutions:
        memory.solutions = wizard.wait(wizard.services.solutions())
    goals = [(one, each) for one in memory.solutions for each in one.environments]
    for number, (solution, environment) in enumerate(goals, 1):
        talk.say(f"{number}. {solution.title}, {environment.title or environment.id}")
    try:
        goal = goals[int(talk.ask_number("For which of them", len(goals))) - 1]
        while True:
            path = typed_path(talk.ask("Name of the file; it must not be there yet", "site.yaml"))
            if not (wrong := against_site_name(path)):
                break
            talk.say(wrong)
    except BackWanted:
        return None
    path = path.absolute()
    hosts = wizard.answers.machines
    written = wizard.wait(wizard.services.new_site(goal[0].id, goal[1].id, hosts, path))
    talk.say(f"Written: {shown_path(path)}")
    if written.left:
        talk.say(f"What only you can know is to be filled in: {', '.join(written.left)}.")
    try:
        answer = talk.ask("Open it here? yes or no", "no").lower()
    except BackWanted:
        return None
    if answer not in ("yes", "y"):
        return None
    step, wizard.answers = wizard.wait(open_file(path, memory, wizard.services))
    return step
