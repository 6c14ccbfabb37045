"""Settings and plan in plain lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foundation.wording import counted, duration
from installer.supply.review import beside_the_steps
from screens.answers.wizard import StepId
from screens.plain.prompt import BackWanted
from screens.services.judging import stands_against, with_settled_roles
from screens.services.services import Order
from screens.settings.settings_form import Form
from screens.words.plan_words import (
    final_steps,
    not_ready,
    size_sentence,
    step_lines,
    touched,
    undo_word,
    where,
)
from screens.words.words import OLDER_WORD, older_lines

if TYPE_CHECKING:
    from foundation.secrets import Secret
    from installer.catalogue.stages import Setting
    from installer.plans.plan import Plan
    from screens.answers.answers import Answers
    from screens.plain.plain import PlainWizard
    from screens.plain.prompt import Dialogue


def settings(wizard: PlainWizard) -> StepId | None:
    """Ask for what has no default, then show what else there is until the person goes on."""
    talk, memory = wizard.dialogue, wizard.memory
    asked = wizard.wait(wizard.services.settings(wizard.answers))
    form, strangers = Form.filled(asked, wizard.answers.site.settings, memory.secrets)
    for name in strangers:
        talk.say(f'The site file gives "{name}", which is no setting here; it is left out.')
    everything = False
    while True:
        while (wrong := form.first_wrong()) is not None:
            _ask(talk, form, wrong)
            _keep(wizard, form)
        shown = [one for one in form.asked() if everything or _stands_out(form, one)]
        talk.say()
        for number, setting in enumerate(shown, 1):
            talk.say(f"{number}. {setting.title}: {_value(form, setting)}")
        hidden = len(form.asked()) - len(shown)
        more = f" all: the {hidden} with their defaults too." if hidden else ""
        talk.say(f"A number changes it.{more} go: go on.")
        answer = talk.ask_number("Number or word", len(shown), others=("", "go", "all"))
        if answer in ("", "go"):
            return None
        if answer == "all":
            everything = not everything
            continue
        try:
            _ask(talk, form, shown[int(answer) - 1])
        except BackWanted:
            continue
        _keep(wizard, form)


def _keep(wizard: PlainWizard, form: Form) -> None:
    given = form.given()
    if given != wizard.answers.site.settings:
        wizard.memory.plan = None
        wizard.answers = wizard.answers.saying(settings=given)
        wizard.keep_place()


def _stands_out(form: Form, setting: Setting) -> bool:
    return setting.default is None or setting.name in form.typed


def _value(form: Form, setting: Setting) -> str:
    if setting.type == "secret":
        return "asked for unseen, before it begins"
    text = form.text(setting) or "empty"
    return text if setting.name in form.typed else f"{text} (default)"


def _ask(talk: Dialogue, form: Form, setting: Setting) -> None:
    """Ask for one setting until it can stand."""
    if setting.type == "secret":
        talk.say("A secret stands in no file; it is asked for before the installation begins.")
        return
    talk.say()
    if setting.help:
        talk.say(" ".join(setting.help.split()))
    if setting.example:
        talk.say(f"For example: {setting.example}")
    options = form.options(setting)
    while True:
        if options:
            for number, option in enumerate(options, 1):
                talk.say(f"{number}. {option}", indent="  ")
            here = options.index(form.text(setting)) + 1 if form.text(setting) in options else None
            chosen = talk.ask_number(setting.title, len(options), default=here, others=options)
            text = chosen if isinstance(chosen, str) else options[chosen - 1]
        else:
            text = talk.ask(setting.title, form.text(setting))
            if text == "-" and setting.default == "":
                text = ""  # a line alone keeps what is there
        form.take(setting, text)
        wrong = form.wrong(setting)
        if not wrong:
            return
        talk.say(wrong)


# ---- the plan


def plan(wizard: PlainWizard) -> StepId | None:
    """Show what will be done, open its steps, and begin only on a whole yes."""
    talk, memory = wizard.dialogue, wizard.memory
    if memory.assessment is None:
        return StepId.PREFLIGHT
    answers = with_settled_roles(wizard.answers, memory)
    made = memory.plan = _planned(wizard, answers)
    memory.first_time = wizard.wait(wizard.services.first_time(made, answers))
    steps = [(stage, step) for stage in made.stages for step in stage.steps]
    while True:
        _show(talk, made, memory.first_time)
        talk.say("A number opens a step: its commands and files. begin: begin.")
        answer = talk.ask_number("Number or word", len(steps), others=("begin",))
        if answer != "begin":
            for line in step_lines(*steps[int(answer) - 1], made):
                talk.command(line)
            continue
        order = _order(wizard, made)
        if order is not None:
            memory.order, memory.installed = order, None
            return StepId.INSTALL


def _planned(wizard: PlainWizard, answers: Answers) -> Plan:
    """The plan; an older bundle than the site had is taken on a person's word alone."""
    from installer.supply.bundle_order import OlderBundle

    talk, memory = wizard.dialogue, wizard.memory
    while True:
        try:
            return wizard.wait(wizard.services.plan(answers, memory.older))
        except OlderBundle as problem:
            for line in older_lines(str(problem.this), str(problem.before)):
                talk.say(line)
            if talk.ask(f"Install from it all the same? Type {OLDER_WORD}", "no") != OLDER_WORD:
                raise
            memory.older[problem.this.index] = ask_name(wizard)


def _show(talk: Dialogue, made: Plan, first_time: Sequence[str]) -> None:
    talk.say(size_sentence(made))
    for line in first_time:
        talk.say(line)
    for line in beside_the_steps(made):
        talk.say(line)
    number = 0
    for place, stage in enumerate(made.stages, 1):
        talk.say()
        talk.say(f"Stage {place} of {len(made.stages)}: {stage.title}")
        for step in stage.steps:
            number += 1
            never = " CANNOT BE TAKEN BACK." if undo_word(step) == "NEVER" else ""
            usual = duration(step.expected_seconds)
            on = where(step, made.control)
            talk.say(f"{number}. {step.title}; on {on}, usually {usual}.{never}")
    talk.say()


def _order(wizard: PlainWizard, made: Plan) -> Order | None:
    """The confirmed order, or None where something stands against it or the person says no."""
    talk, memory = wizard.dialogue, wizard.memory
    against = stands_against(wizard.answers, memory)
    if against:
        talk.problem(not_ready(against))
        return None
    secrets = ask_secrets(wizard, made.secrets)
    if secrets is None:
        return None
    names = touched(made)
    talk.say(f"{counted(len(names), 'machine')} will be changed: {', '.join(names)}.")
    for step in final_steps(made):
        talk.say(f"Cannot be taken back: {step.title}: {step.irreversible}")
    by = ask_name(wizard)
    if talk.ask("Begin? Type yes", "no").lower() != "yes":
        talk.say("It was not begun; nothing was changed on any machine.")
        return None
    answers = with_settled_roles(wizard.answers, memory)
    return Order(answers, made, wizard.access(), secrets, by)


def ask_name(wizard: PlainWizard) -> str:
    """Who does it, for the record."""
    memory = wizard.memory
    person = memory.person or wizard.services.person()
    while not (by := wizard.dialogue.ask("Your name, for the record", person).strip()):
        wizard.dialogue.say("It stands in the record, so it cannot be left out.")
    memory.person = by
    return by


def ask_secrets(wizard: PlainWizard, names: tuple[str, ...]) -> dict[str, Secret] | None:
    """The secrets of a plan, each asked for once a session; None where one was not given."""
    kept = wizard.memory.secrets
    for name in names:
        if name not in kept:
            secret = wizard.dialogue.ask_secret(f"Secret {name}")
            if secret is None:
                wizard.dialogue.say(f"It cannot begin without {name}.")
                return None
            kept[name] = secret
    return {name: kept[name] for name in names}
