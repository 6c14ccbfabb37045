"""Preflight and summary in plain lines."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from foundation.problems import InputProblem
from foundation.wording import counted
from installer.sites.site_paths import against_site_name
from preflight.report.words import clean, is_waived
from preflight.sizing import shape_words, table_notes
from preflight.waivers import waivable
from screens.plain.prompt import BackWanted
from screens.services.file_words import (
    ABOUT,
    CARRY_COMMAND,
    against_export_name,
    facts_command,
    repeat_command,
    shown_path,
    site_name,
    stem,
)
from screens.services.judging import assess_site, question_for, with_answers
from screens.services.services import Export
from screens.words.waiver_words import NOT_WAIVABLE, waiver_from
from screens.words.words import (
    VERDICT_WORDS,
    by_weight,
    clusters_beside,
    finding_word,
    host_sentence,
    to_mend,
    verdict_sentence,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foundation.hosts.model import Host
    from preflight.assessment import Assessment
    from preflight.findings import Finding, Waiver
    from screens.answers.wizard import StepId
    from screens.plain.plain import PlainWizard


def preflight(wizard: PlainWizard) -> StepId | None:
    """Look at every machine, judge, and show what was found until the person goes on."""
    talk, memory = wizard.dialogue, wizard.memory
    if memory.question is None:
        memory.question = wizard.wait(question_for(wizard.answers, memory, wizard.services))
    memory.question = with_answers(memory.question, wizard.answers)
    hosts = tuple(wizard.answers.inventory())
    _look(wizard, [host for host in hosts if host.name not in memory.seen])
    assessment = _assess(wizard, hosts)
    while True:
        rows = _table(wizard, assessment)
        words = ["again", "export", "go"]
        talk.say("A number opens it. again: look at all again. export: write a file. go: go on.")
        question = memory.question
        notes = () if question.carries_for else table_notes(question.needs)
        if notes:
            talk.say(f"notes: {len(notes)} that the tables have and no check can tell.")
            words.append("notes")
        answer = talk.ask_number("Number or word", rows, others=("", *words))
        if answer in ("", "go"):
            return None
        if answer == "again":
            if wizard.answers.facts_file is not None:
                talk.say("These facts come from a file; there is no machine to look at again.")
                continue
            memory.assigned = memory.mesh = memory.egress = memory.egress_of = None
            _look(wizard, hosts)
            assessment = _assess(wizard, hosts)
        elif answer == "export":
            _export(wizard, assessment)
        elif answer == "notes":
            for note in notes:
                talk.say(f"- {clean(note)}")
        else:
            assessment = _open(wizard, hosts, assessment, int(answer))


def _look(wizard: PlainWizard, hosts: Sequence[Host]) -> None:
    """Look at machines, each on its own, and tell each as soon as it has answered."""
    talk, memory = wizard.dialogue, wizard.memory
    if not hosts:
        return
    if wizard.answers.facts_file is not None:
        loaded = wizard.wait(wizard.services.load_facts(wizard.answers.facts_file))
        memory.seen.update({entry.host.name: entry for entry in loaded})
        return
    access = wizard.access()
    talk.say(f"Looking at {len(hosts)} at once.")

    async def all_of_them() -> None:
        looks = [asyncio.ensure_future(wizard.services.look(host, access)) for host in hosts]
        try:
            for done, look in enumerate(asyncio.as_completed(looks), 1):
                seen = await look
                memory.seen[seen.host.name] = seen
                met = "seen" if seen.problem is None else f"not seen; {seen.problem.cause}"
                talk.say(f"{done} of {len(hosts)}. {seen.host.name}: {met}.")
        finally:
            for one in looks:
                one.cancel()

    wizard.wait(all_of_them())


def _assess(wizard: PlainWizard, hosts: Sequence[Host]) -> Assessment:
    talk, memory = wizard.dialogue, wizard.memory
    judged = wizard.wait(
        assess_site(
            hosts,
            answers=wizard.answers,
            memory=memory,
            services=wizard.services,
            access=wizard.access(),
            tell=lambda text: talk.say(f"{text}."),
        )
    )
    if judged is None:
        raise InputProblem("no machine was seen", remedy="Go back and name one.")
    memory.question, memory.assessment = judged
    return memory.assessment


def _table(wizard: PlainWizard, assessment: Assessment) -> int:
    """Show the verdict and every machine; returns how many numbers there are."""
    talk = wizard.dialogue
    talk.say()
    talk.say(verdict_sentence(assessment))
    for number, host in enumerate(assessment.hosts, 1):
        roles = f" ({', '.join(host.roles)})" if host.roles else ""
        word = VERDICT_WORDS[host.verdict]
        talk.say(f"{number}. {host.seen.host.name}{roles}: {word}; {host_sentence(host)}")
    count = len(assessment.hosts)
    mend = to_mend(assessment.findings)
    if count > 1 or mend:
        word = _around(assessment)
        count += 1
        talk.say(f"{count}. {word}: {len(mend) or 'nothing'} to look at")
    return count


def _around(assessment: Assessment) -> str:
    """What to call the findings that are no machine's own."""
    return "Between them" if len(assessment.hosts) > 1 else "Around it"


def _findings(assessment: Assessment, number: int) -> tuple[str, list[Finding]]:
    if number <= len(assessment.hosts):
        host = assessment.hosts[number - 1]
        return host.seen.host.name, by_weight(host.findings)
    return _around(assessment), by_weight(assessment.findings)


def _open(
    wizard: PlainWizard, hosts: Sequence[Host], assessment: Assessment, number: int
) -> Assessment:
    """One machine's findings, until the person goes back to the list."""
    talk, memory = wizard.dialogue, wizard.memory
    everything = False
    while True:
        talk.topic = "machine"
        name, found = _findings(assessment, number)
        shown = found if everything else [f for f in found if f in to_mend(found) or is_waived(f)]
        talk.say()
        of = counted(len(found), "finding")
        talk.say(f"{name}: {len(to_mend(found)) or 'nothing'} to mend of {of}.")
        for place, finding in enumerate(shown, 1):
            talk.say(f"{place}. {finding_word(finding)} {finding.id}: {finding.title}")
        talk.say("A number opens it. all: every finding. again: look again. Enter: the list.")
        try:
            answer = talk.ask_number("Number or word", len(shown), others=("", "all", "again"))
            if answer == "":
                break
            if answer == "all":
                everything = not everything
            elif answer == "again":
                chosen = [host for host in hosts if host.name == name] or list(hosts)
                memory.assigned = memory.mesh = memory.egress = memory.egress_of = None
                _look(wizard, chosen)
                assessment = _assess(wizard, hosts)
            else:
                assessment = _one(wizard, hosts, assessment, shown[int(answer) - 1])
        except BackWanted:
            break
    talk.topic = "preflight"
    return assessment


def _one(
    wizard: PlainWizard, hosts: Sequence[Host], assessment: Assessment, finding: Finding
) -> Assessment:
    """One finding in full, and a waiver where a person wants one."""
    talk = wizard.dialogue
    talk.say()
    talk.say(f"{finding_word(finding)}: {finding.title}")
    talk.entry("expected", finding.expected)
    talk.entry("found", finding.actual)
    talk.entry("source", finding.source)
    if finding.evidence:
        talk.say("evidence:", indent="  ")
        talk.command(finding.evidence)
    talk.entry("remedy", finding.remedy)
    talk.entry("undo", finding.undo)
    if finding.waiver is not None:
        waiver = finding.waiver
        talk.entry("waived", f"by {waiver.by} until {waiver.until.isoformat()}: {waiver.reason}")
    if not to_mend([finding]):
        return assessment
    if talk.ask("waive it, or Enter to go on").lower() != "waive":
        return assessment
    if not waivable(finding):
        talk.say(NOT_WAIVABLE)
        return assessment
    waiver = _ask_waiver(wizard, finding)
    wizard.answers = wizard.answers.saying(waivers=(*wizard.answers.waivers, waiver))
    wizard.keep_place()
    if wizard.memory.question is not None:
        wizard.memory.question = with_answers(wizard.memory.question, wizard.answers)
    talk.say("Waived; it stands in every report.")
    return _assess(wizard, hosts)


def _ask_waiver(wizard: PlainWizard, finding: Finding) -> Waiver:
    talk = wizard.dialogue
    talk.topic = "waive"
    while True:
        try:
            return waiver_from(
                finding,
                talk.ask("Who accepts it"),
                talk.ask("Why"),
                talk.ask("Last day, as 2027-01-31"),
                wizard.services.now().date(),
            )
        except InputProblem as problem:
            talk.problem(problem)


def _export(wizard: PlainWizard, assessment: Assessment) -> None:
    talk = wizard.dialogue
    kinds = list(ABOUT)
    for number, kind in enumerate(kinds, 1):
        talk.say(f"{number}. {kind.value}: {ABOUT[kind][1]}")
    try:
        kind = kinds[int(talk.ask_number("Number of the form", len(kinds), default=1)) - 1]
        path = talk.ask_file_to_write(
            f"{stem(wizard.answers)}-{ABOUT[kind][0]}", partial(against_export_name, kind)
        )
        seen = [host.seen for host in assessment.hosts]
        wizard.wait(wizard.services.export(Export(kind), path, assessment, seen))
    except BackWanted:
        return
    except InputProblem as problem:
        talk.problem(problem)
        return
    talk.say(f"Written: {shown_path(path)}")


def summary(wizard: PlainWizard) -> StepId | None:
    """The verdict, the roles, what this machine carries, the site file."""
    from screens.answers.wizard import StepId, installs

    talk, memory = wizard.dialogue, wizard.memory
    if memory.assessment is None:
        return StepId.PREFLIGHT
    while True:
        assessment = memory.assessment
        answers = wizard.answers
        talk.say(verdict_sentence(assessment))
        for carries in assessment.carries:
            talk.say(
                f"{carries.title}, {carries.environment}: {VERDICT_WORDS[carries.verdict]}. "
                f"{carries.sentence}"
            )
        words = ["export", "go"]
        if answers.carry:
            talk.say("Again, without the wizard:")
            talk.command(CARRY_COMMAND)
        elif answers.facts_file is not None:
            talk.say("Again, without the wizard:")
            talk.command(facts_command(answers))
        else:
            _roles(wizard, assessment)
            words = ["roles", "site", *words]
        texts = {
            "roles": "roles: change the roles of a machine.",
            "site": "site: write the site file.",
            "export": "export: write a report.",
            "go": "go: go on to the installation." if installs(answers) else "go: finish.",
        }
        talk.say(" ".join(texts[word] for word in words))
        match talk.ask("Word", "go").lower():
            case "go":
                return None
            case "export":
                _export(wizard, assessment)
            case "roles" if "roles" in words:
                _change_roles(wizard, assessment)
            case "site" if "site" in words:
                _write_site(wizard)
            case other:
                talk.say(f'"{other}" is none of the words.')


def _roles(wizard: PlainWizard, assessment: Assessment) -> None:
    for number, host in enumerate(assessment.hosts, 1):
        roles = ", ".join(host.roles) or "no role"
        wizard.dialogue.say(f"{number}. {host.seen.host.name}: {roles}; {host_sentence(host)}")
    for sentence in wizard.memory.assigned.shortfalls if wizard.memory.assigned else ():
        wizard.dialogue.say(sentence)
    if beside := clusters_beside(assessment.needs):
        wizard.dialogue.say(beside)


def _change_roles(wizard: PlainWizard, assessment: Assessment) -> None:
    talk, memory = wizard.dialogue, wizard.memory
    known = [row.role for row in assessment.needs.sizing.roles]
    try:
        number = talk.ask_number("Number of the machine", len(assessment.hosts))
        host = assessment.hosts[int(number) - 1]
        for row in assessment.needs.sizing.roles:
            talk.say(f"{row.role}: {shape_words(row.shapes[0])}", indent="  ")
        text = talk.ask("Its roles, with commas, or none", ", ".join(host.roles) or "none")
    except BackWanted:
        return
    roles = tuple(word for part in text.split(",") if (word := part.strip()) not in ("", "none"))
    wrong = [role for role in roles if role not in known]
    if wrong:
        talk.say(f'There is no role "{wrong[0]}"; the roles are {", ".join(known)}.')
        return
    given = {**wizard.answers.roles, host.seen.host.name: roles}
    wizard.answers = wizard.answers.with_roles(given)
    wizard.keep_place()
    memory.assigned = memory.mesh = memory.egress = memory.egress_of = None
    _assess(wizard, tuple(wizard.answers.inventory()))


def _write_site(wizard: PlainWizard) -> None:
    talk, memory, answers = wizard.dialogue, wizard.memory, wizard.answers
    question = memory.question
    roles = dict(question.roles) if question and question.roles else answers.roles
    try:
        name = str(answers.site_file or site_name(answers))
        path = talk.ask_file_to_write(name, against_site_name)
        new = replace(answers.with_roles(roles), site_file=path)
        wizard.wait(wizard.services.write_site(new, path))
    except BackWanted:
        return
    except InputProblem as problem:
        talk.problem(problem)
        return
    wizard.answers = new
    wizard.keep_place()
    memory.last_words = [f"Site file: {shown_path(path)}", f"Again: {repeat_command(path)}"]
    talk.say("Written. Again, without the wizard:")
    talk.command(repeat_command(path))
