"""The wizard in plain numbered lines (`--text`): the same steps, the same answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from foundation.paths import ABOUT_FILES, file_problem
from foundation.problems import ExitCode, Problem
from foundation.typed_paths import typed_path
from screens.answers.answers import Answers, load_answers, save_answers
from screens.answers.wizard import (
    StepId,
    after,
    before,
    later_of,
    missing,
    position,
    resume_at,
    step_of,
)
from screens.plain.prompt import BackWanted, Dialogue, LeaveWanted
from screens.services.memory import Memory
from screens.services.opening import is_cluster, is_hub, open_file
from screens.services.services import Access, ClusterWay, Order, Services
from screens.services.under_way import leave_what_is_under_way

Result = TypeVar("Result")


class PlainWizard:
    """What the steps share: the dialogue, the answers, the floors below."""

    def __init__(
        self,
        services: Services,
        runner: asyncio.Runner,
        dialogue: Dialogue,
        *,
        state_file: Path | None = None,
    ) -> None:
        self.services = services
        self.runner = runner
        self.dialogue = dialogue
        self.state_file = state_file
        self.answers = Answers()
        self.memory = Memory()

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do something to its end."""
        return self.runner.run(work)

    def read_record(self) -> None:
        """Read what was done to the site's machines."""
        addresses = tuple(host.address for host in self.answers.machines)
        self.memory.changed = self.wait(self.services.touched(addresses))

    def access(self) -> Access:
        """The machines as answered so far, with this session's secrets."""
        answers = self.answers
        return Access(answers.inventory(), self.memory.credentials, answers.login.sudo)

    def keep_place(self) -> None:
        """Write the answers down, if there are any."""
        answers = self.answers
        if answers.solution is None and not answers.carry and not answers.machines:
            return
        try:
            save_answers(replace(answers, saved_at=self.services.now()), self.state_file)
        except OSError as error:
            self.dialogue.say(f"Your place could not be kept: {error.strerror}.")

    def farewell(self, first: str = "") -> None:
        """Say what was written and where, what became of the machines, and how to go on."""
        answers = self.answers
        kept = answers.solution is not None or answers.carry or bool(answers.machines)
        *before, sentence = self.memory.farewell(kept=kept)
        for line in before:
            self.dialogue.say(line)
        self.dialogue.say(first + sentence)

    def run(self, site_file: Path | None) -> int:
        """From the welcome to the end; returns the exit code."""
        say = self.dialogue.say
        self.read_record()
        say(f"Sitewright, in plain lines. {self.memory.changed.sentence}.")
        step = StepId.WELCOME
        if site_file is not None:
            step, self.answers = self.wait(open_file(site_file, self.memory, self.services))
        following: StepId | None = step
        while following is not None:
            following = self._take(following)
        self.keep_place()
        self.farewell("Done. ")
        return int(ExitCode.DONE)

    def _take(self, step: StepId) -> StepId | None:
        """Take one step; the step to take then, or None at the end."""
        self._begin(step)
        try:
            going_to = _STEPS[step](self)
        except BackWanted:
            earlier = before(step, self.answers)
            if earlier is None:
                self.dialogue.say("This is the first step; q leaves.")
            return earlier or step
        except Problem as problem:
            self.dialogue.problem(problem)
            return before(step, self.answers) or step
        except OSError as error:
            earlier = before(step, self.answers)
            # What is no file's, and what meets the first step, would meet it for ever.
            if earlier is None or (error.filename is None and error.errno not in ABOUT_FILES):
                raise
            from screens.shell.crash import write_log

            write_log(error)
            self.dialogue.problem(file_problem(error))
            return earlier
        why_not = missing(step, self.answers)
        if going_to is None and why_not is not None:
            self.dialogue.say(why_not)
            return step
        following = going_to or after(step, self.answers)
        return following if following in _STEPS else None

    def _begin(self, step: StepId) -> None:
        self.answers = replace(
            self.answers,
            step=step.value,
            furthest=later_of(self.answers.furthest, step.value),
            installable=self._installable(),
        )
        self.keep_place()
        self.dialogue.topic = step.value
        number, count = position(step, self.answers)
        entry = step_of(step)
        self.dialogue.say()
        self.dialogue.say(f"Step {number} of {count}: {entry.title} ({self.answers.name})")
        self.dialogue.say(entry.why)

    def _installable(self) -> bool:
        """As the solution's own folder says, once it was read."""
        answers = self.answers
        known = {solution.id: solution for solution in self.memory.solutions}
        if known and answers.solution is not None:
            chosen = known.get(answers.solution)
            return chosen is not None and chosen.installs(answers.environment)
        return answers.installable and answers.solution is not None

    # ---- the first step, which belongs to no other file

    def welcome(self) -> StepId | None:
        """Begin, go on, or open a file."""
        from screens.welcome.welcome_words import (
            left_words,
            runs_words,
            said_when,
            saved_words,
            unfinished_words,
        )

        say = self.dialogue.say
        saved = load_answers(self.state_file)
        if saved.sentence:
            say(saved.sentence)
        choices = ["new", "open"]
        unfinished = self.wait(self.services.unfinished())
        if saved.answers is not None:
            choices.insert(0, "resume")
        left = self.wait(self.services.left_update())
        if left is not None:
            choices.insert(0, "left")
        if unfinished is not None:
            choices.insert(0, "run")
            say(f"1. Installation: {unfinished_words(unfinished)}")
        if left is not None:
            say(f"{choices.index('left') + 1}. Update: {left_words(left)}")
        if saved.answers is not None:
            when = said_when(saved.answers.saved_at, self.services.now())
            say(f"{choices.index('resume') + 1}. Go on: {saved_words(saved.answers)}, kept {when}")
        say(f"{choices.index('new') + 1}. New site")
        say(f"{choices.index('open') + 1}. Open a file: a site file, or facts seen before")
        choices.append("file")
        say(f"{len(choices)}. Write a site file to fill in, every setting explained")
        kept = self.wait(self.services.counted_runs())
        if kept.runs:
            choices.append("runs")
            say(f"{len(choices)}. Runs kept here: {runs_words(kept)}")
        choices.append("cluster")
        say(f"{len(choices)}. A cluster: how it is, and what fails first")
        choices.append("updates")
        say(f"{len(choices)}. Updates: what of a cluster has something newer")
        number = self.dialogue.ask_number("Your choice", len(choices), default=1)
        choice = choices[int(number) - 1]
        if choice == "resume" and saved.answers is not None:
            self.answers = saved.answers
            return resume_at(self.answers)
        if choice == "left" and left is not None:
            from screens.plain import plain_apply

            plain_apply.see_to_its_end(self, left.run)
            return StepId.WELCOME
        if choice in ("file", "runs"):
            from screens.plain import plain_runs

            aside = plain_runs.new_site if choice == "file" else plain_runs.runs
            return aside(self) or StepId.WELCOME
        if choice == "cluster":
            from screens.plain import plain_cluster

            plain_cluster.ask(self)
            return StepId.WELCOME
        if choice == "updates":
            from screens.plain import plain_updates

            plain_updates.ask(self)
            return StepId.WELCOME
        self.memory.forget_results()
        if choice == "run" and unfinished is not None:
            return self.reopen(unfinished.run)
        if choice == "open":
            name = self.dialogue.ask("Name of the file")
            if is_cluster(typed_path(name)):
                from screens.plain import plain_cluster

                plain_cluster.show(self, ClusterWay(facts=typed_path(name)))
                return StepId.WELCOME
            if is_hub(typed_path(name)):
                from screens.plain import plain_acceptance

                plain_acceptance.ask(self, typed_path(name))
                return StepId.WELCOME
            step, self.answers = self.wait(open_file(typed_path(name), self.memory, self.services))
            return step
        self.answers = Answers()
        return None

    def reopen(self, run: Path) -> StepId:
        """An unfinished installation, as its own folder tells it; it is not begun again yet."""
        answers, plan = self.wait(self.services.reopen(run))
        # What this session installed before is another run: this one is asked about first.
        self.memory.forget_results()
        self.answers = answers
        self.read_record()
        self.memory.person = self.memory.person or self.services.person()
        self.memory.plan = plan
        self.memory.order = Order(answers, plan, self.access(), {}, self.memory.person, run)
        return StepId.INSTALL


def _step(module: str, name: str) -> Callable[[PlainWizard], StepId | None]:
    def step(wizard: PlainWizard) -> StepId | None:
        from importlib import import_module

        result: StepId | None = getattr(import_module(module), name)(wizard)
        return result

    return step


_STEPS: Final[dict[StepId, Callable[[PlainWizard], StepId | None]]] = {
    StepId.WELCOME: PlainWizard.welcome,
    StepId.GOAL: _step("screens.plain.plain_goal", "goal"),
    StepId.MACHINES: _step("screens.plain.plain_machines", "machines"),
    StepId.TRUST: _step("screens.plain.plain_trust", "trust"),
    StepId.PREFLIGHT: _step("screens.plain.plain_results", "preflight"),
    StepId.SUMMARY: _step("screens.plain.plain_results", "summary"),
    StepId.SETTINGS: _step("screens.plain.plain_settings", "settings"),
    StepId.SUPPLIES: _step("screens.plain.plain_supplies", "supplies"),
    StepId.PLAN: _step("screens.plain.plain_settings", "plan"),
    StepId.INSTALL: _step("screens.plain.plain_run", "install"),
    StepId.VERIFY: _step("screens.plain.plain_run", "verify"),
    StepId.HAND_OVER: _step("screens.plain.plain_run", "hand_over"),
}


def run_plain(
    services: Services | None = None,
    *,
    site_file: Path | None = None,
    dialogue: Dialogue | None = None,
    state_file: Path | None = None,
) -> int:
    """Run the wizard in plain lines over standard input and output; returns the exit code."""
    if services is None:
        from screens.services.live import LiveServices

        services = LiveServices()
    talk = dialogue or Dialogue()
    with asyncio.Runner() as runner:
        wizard = PlainWizard(services, runner, talk, state_file=state_file)
        try:
            return wizard.run(site_file)
        except LeaveWanted:
            wizard.keep_place()
            wizard.farewell()
            return int(ExitCode.DONE)
        except KeyboardInterrupt:
            wizard.keep_place()
            talk.say()
            wizard.farewell("Interrupted. ")
            return int(ExitCode.INTERRUPTED)
        except Problem:
            raise
        except Exception as error:
            from screens.shell.crash import crash_sentence

            wizard.keep_place()
            changed = wizard.memory.changed.sentence
            print(crash_sentence(error, changed[:1].lower() + changed[1:]), file=sys.stderr)
            return int(ExitCode.OUR_ERROR)
        finally:
            leave_what_is_under_way()
            runner.run(services.close())
