"""A cluster in plain lines: which one, how it is, what fails first, and a file of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from foundation.problems import Problem
from foundation.typed_paths import typed_path
from preflight.report.areas import area_rank, area_title
from preflight.report.clusters import begin_with
from screens.plain.prompt import BackWanted
from screens.services.cluster_way import look_and_judge, way_words
from screens.services.file_words import ABOUT, against_export_name, shown_path
from screens.services.services import ClusterWay
from screens.words.program_words import WHY
from screens.words.words import finding_word, to_mend, verdict_sentence

if TYPE_CHECKING:
    from preflight.assessment import Assessment
    from preflight.findings import Finding
    from screens.plain.plain import PlainWizard
    from screens.plain.prompt import Dialogue


def ask(wizard: PlainWizard) -> None:
    """Ask which cluster, and show it; back ends it without one."""
    talk = wizard.dialogue
    talk.topic = "cluster-way"
    try:
        show(wizard, ask_way(talk))
    except BackWanted:
        return
    except Problem as problem:
        talk.problem(problem)


def ask_way(talk: Dialogue) -> ClusterWay:
    """By which way a cluster is reached; raises BackWanted, InputProblem."""
    machine = talk.ask("A machine of it whose kubectl is asked; Enter for a kubeconfig")
    if machine:
        return ClusterWay(machine=machine)
    file = talk.ask("Kubeconfig; Enter for the one that kubectl takes")
    context = talk.ask("Context; Enter for its current one")
    return ClusterWay(context, typed_path(file) if file else None)


def show(wizard: PlainWizard, way: ClusterWay) -> None:
    """Look at a cluster, and say how it is until the person goes on; raises Problem."""
    talk = wizard.dialogue
    talk.topic = "cluster"
    assessment = _looked(wizard, way)
    while assessment is not None:
        shown = _told(talk, assessment)
        words = "Number of a finding, again, a form to write (" + ", ".join(ABOUT) + "), or go"
        try:
            answer = talk.ask_number(words, len(shown), others=("", "go", "again", *ABOUT))
        except BackWanted:
            return
        if answer in ("", "go"):
            return
        if answer == "again":
            if way.facts is not None:
                talk.say("These facts come from a file; there is no cluster to look at again.")
            else:
                assessment = _looked(wizard, way)
        elif isinstance(answer, int):
            _whole(talk, shown[answer - 1])
        else:
            _write(wizard, assessment, answer)


def _looked(wizard: PlainWizard, way: ClusterWay) -> Assessment | None:
    """The cluster judged; None where a program of its kubeconfig is not allowed."""
    talk = wizard.dialogue
    talk.say(f"Looking at {way_words(way)}.")

    def look() -> Assessment:
        return wizard.wait(look_and_judge(way, wizard.answers, wizard.access(), wizard.services))

    try:
        return look()
    except ProgramsNotAllowed as problem:
        return look() if allowed(wizard, problem) else None


def allowed(wizard: PlainWizard, problem: ProgramsNotAllowed) -> bool:
    """Show the programs that a kubeconfig starts for its login, and ask for a yes."""
    talk = wizard.dialogue
    talk.say("To log in, the kubeconfig would start on this machine:")
    for program in problem.programs:
        talk.say(f"{program.place}: {program.whole}")
    talk.say(WHY)
    if talk.ask("Allow exactly these, yes or no", "no").lower() not in ("y", "yes"):
        talk.say("The program is not started, so that the cluster is not looked at.")
        return False
    wizard.wait(wizard.services.allow_programs(problem.programs))
    return True


def _told(talk: Dialogue, assessment: Assessment) -> list[Finding]:
    """Say the verdict, where to begin, and what is to be mended, layer by layer and numbered."""
    cluster = assessment.clusters[0]
    talk.say()
    talk.say(f"{cluster.name}, {cluster.endpoint}. {verdict_sentence(assessment)}")
    if begin := begin_with(cluster):
        talk.say(f"Begin with {begin}")
    found = sorted(to_mend(cluster.findings), key=lambda finding: area_rank(finding.area))
    layer = ""
    for number, finding in enumerate(found, 1):
        if area_title(finding.area) != layer:
            layer = area_title(finding.area)
            talk.say(f"{layer}:")
        talk.say(f"{number}. {finding_word(finding)}: {finding.title}")
    well = len(cluster.findings) - len(found)
    talk.say(f"{well} of {len(cluster.findings)} checks hold.")
    return found


def _whole(talk: Dialogue, finding: Finding) -> None:
    talk.say()
    talk.say(f"{finding_word(finding)} {finding.id}: {finding.title}")
    talk.entry("expected", finding.expected)
    talk.entry("found", finding.actual)
    talk.entry("source", finding.source)
    if finding.evidence:
        talk.say("evidence:", indent="  ")
        talk.command(finding.evidence)
    talk.entry("remedy", finding.remedy)
    talk.entry("undo", finding.undo)


def _write(wizard: PlainWizard, assessment: Assessment, form: str) -> None:
    from screens.services.services import Export

    talk, kind = wizard.dialogue, Export(form)
    try:
        path = talk.ask_file_to_write(
            f"cluster-{ABOUT[kind][0]}", lambda path: against_export_name(kind, path)
        )
        wizard.wait(wizard.services.write_cluster(kind, path, assessment))
    except BackWanted:
        return
    except Problem as problem:
        talk.problem(problem)
    else:
        talk.say(f"Written: {shown_path(path)}")
