"""Judging: from the answers to a question, and from what was seen to an assessment.

Both faces of the wizard go this way, so that they cannot come to different results.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from foundation.problems import InputProblem, Problem
from installer.catalogue.solution import load_solution
from screens.answers.answers import Answers
from screens.services.live_install import base_of, site_of
from screens.services.memory import Memory
from screens.services.services import Access, Question, Services

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from foundation.hosts.model import Host
    from preflight.assessment import Assessment, Seen
    from preflight.findings import Finding


async def question_for(answers: Answers, memory: Memory, services: Services) -> Question:
    """What the machines are judged against; raises InputProblem if the goal does not exist."""
    if answers.carry:
        candidates = await services.single_machine()
        return Question(candidates[0], candidates, waivers=answers.waivers)
    if not memory.solutions:
        memory.solutions = await services.solutions()
    for solution in memory.solutions:
        for environment in solution.environments:
            if (solution.id, environment.id) == (answers.solution, answers.environment):
                needs = environment.needs
                other = next((t for t in needs.other_sizings if t.id == answers.sizing), None)
                if other is None and answers.sizing and answers.solution:
                    whole = load_solution(answers.solution)
                    other = whole.calculated(environment.id, answers.sizing)
                if other is not None:
                    rest = (t for t in needs.other_sizings if t.id != answers.sizing)
                    needs = needs.model_copy(
                        update={"sizing": other, "other_sizings": (needs.sizing, *rest)}
                    )
                return with_answers(Question(needs), answers)
    raise InputProblem(
        f'there is no solution "{answers.solution}" with an environment "{answers.environment}"',
        where=str(answers.site_file) if answers.site_file else None,
        remedy="Go back and choose the goal again.",
    )


def with_answers(question: Question, answers: Answers) -> Question:
    """The question with the roles, waivers and settings that the answers hold now."""
    needs = question.needs.with_settings(answers.site.settings)
    roles = dict(answers.roles) or None
    return replace(question, needs=needs, roles=roles, waivers=answers.waivers)


async def assess_site(
    hosts: Sequence[Host],
    *,
    answers: Answers,
    memory: Memory,
    services: Services,
    access: Access,
    tell: Callable[[str], None],
    count: Callable[[int, int], None] = lambda _done, _all: None,
) -> tuple[Question, Assessment] | None:
    """The whole site judged, with roles for the machines that have none; None if some is unseen.

    `tell` hears what is done meanwhile, `count` how far that is. The memory keeps the roles, what
    the machines reach of one another and of the places that are fetched from, which a second
    judgement does not need to find out again.
    """
    question = memory.question
    seen = [memory.seen[host.name] for host in hosts if host.name in memory.seen]
    if question is None or not seen or len(seen) < len(hosts):
        return None
    if not question.carries_for:
        given = answers.roles
        seen = [_with_roles(entry, given.get(entry.host.name)) for entry in seen]
        if memory.assigned is None:
            memory.assigned = await services.assign(seen, question.needs)
            # Who reaches whom, and who fetches what, are asked by the roles.
            memory.mesh = memory.egress = memory.egress_of = None
        site = answers.site if answers.site.settings else None
        told = await asyncio.to_thread(_of_bundle, answers, services.now().date())
        roles = {**memory.assigned.roles, **given}
        question = replace(question, roles=roles, site=site, told=told)
        if (
            memory.mesh is None
            and answers.facts_file is None
            and sum(entry.reachable for entry in seen) > 1
        ):
            tell("Trying the ports between the machines")
            memory.mesh = await services.measure(access, question, seen)
        if memory.egress_of != fetched_by(answers) and answers.facts_file is None:
            of = fetched_by(answers)
            tell("Trying what is fetched")
            memory.egress = await services.fetch(access, question, seen, answers, count)
            memory.egress_of = of
    return question, await services.assess(seen, question, memory.mesh, memory.egress)


def _of_bundle(answers: Answers, today: date) -> tuple[Finding, ...]:
    """What preflight says of the site's bundle, as the command does; nothing where it has none."""
    if answers.site.supplies.bundle is None:
        return ()
    from installer.supply.judged_bundle import judged_bundle

    return judged_bundle(site_of(answers), base_of(answers).absolute(), today)


def fetched_by(answers: Answers) -> object:
    """What says what is fetched, and by which way: two that are equal need no second try."""
    site = answers.site
    goal = (site.solution, site.environment, answers.site_file)
    way = (site.proxy, site.no_proxy, site.authorities)
    accepted = any(one.check.startswith("egress.") for one in site.waivers)
    return (*goal, site.supplies, site.settings, *way, accepted)


def stands_against(answers: Answers, memory: Memory) -> tuple[Problem, ...]:
    """What of the judgement stands against beginning.

    What was tried or demanded for other supplies or settings says nothing of these; before a run
    begins it is tried again.
    """
    from installer.planning.named_disks import of_settings
    from installer.running.gate import objections

    assessment = memory.assessment
    if assessment is None:
        return ()
    site = None if memory.question is None else memory.question.site
    if site is not None and site.settings != answers.site.settings:
        kept = tuple(one for one in assessment.findings if not of_settings(one))
        assessment = replace(assessment, findings=kept)
    if memory.egress_of != fetched_by(answers):
        kept = tuple(one for one in assessment.findings if one.area != "egress")
        assessment = replace(assessment, findings=kept)
    # Of the bundle that it names the plan asks, which is answered there by name.
    kept = tuple(one for one in assessment.findings if one.area != "bundle")
    assessment = replace(assessment, findings=kept)
    return objections(assessment)


def with_settled_roles(answers: Answers, memory: Memory) -> Answers:
    """The answers with the roles that were proposed and not changed, as a plan needs them."""
    question = memory.question
    roles = question.roles if question is not None and question.roles else answers.roles
    return answers.with_roles(roles)


def _with_roles(seen: Seen, roles: tuple[str, ...] | None) -> Seen:
    """A machine with the roles that a person gave it, which the assignment then keeps."""
    return seen if roles is None else replace(seen, host=replace(seen.host, roles=roles))
