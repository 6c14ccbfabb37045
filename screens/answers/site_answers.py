"""Site file and answers: a site file opened by the wizard, and the site that it writes."""

from __future__ import annotations

from pathlib import Path

from installer.sites.site import Site, beside, check_against, resolved
from screens.answers.answers import Answers


def opened_answers(site: Site, file: Path, solutions: Path | None = None) -> Answers:
    """The answers that a site file gives, held against its solution; raises InputProblem.

    Where the file names no environment, the solution's own default is meant, as for the command.
    """
    answers = answers_from_site(site, file)
    if site.solution is None:
        return answers
    from installer.catalogue.solution import load_solution

    solution = load_solution(site.solution, solutions)
    check_against(
        site,
        [role.id for role in solution.roles],
        [environment.id for environment in solution.environments],
        where=str(file),
    )
    return answers.saying(environment=solution.environment(site.environment).id)


def answers_from_site(site: Site, file: Path) -> Answers:
    """The answers that a site file gives: the site, with every path whole.

    For the file may be written to another folder.
    """
    whole = resolved(site, file.absolute().parent)
    # As the command reads it: beside the file itself, also where a link leads to it.
    playbooks = site.playbooks_path(file.resolve().parent)
    if playbooks is not None:
        whole = whole.model_copy(update={"playbooks": str(playbooks)})
    return Answers(told=whole, site_file=file)


def site_from_answers(answers: Answers, file: Path, *, where: str | None = None) -> Site:
    """The site of these answers; paths beside the file are written relative to it.

    Raises InputProblem, naming the file or `where`, if what was said does not go together.
    """
    from foundation.documents import validate

    site = beside(answers.site, file.absolute().parent).without_lost_control()
    return validate(Site, site.model_dump(), where=where or str(file))
