"""Check: all that is wrong in a solution's folder, by file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from foundation.problems import InputProblem
from installer.catalogue.hardening import FILE as HARDENING
from installer.catalogue.settings import load_settings
from installer.catalogue.solution import Solution, disagreements, load_solution
from installer.planning.folder import reading, trial, use, words
from installer.planning.folder.wrong import Folder, Wrong
from installer.steps.stage_files import load_operations, load_stages


def check_folder(path: Path) -> tuple[Wrong, ...]:
    """All that is wrong in a folder, in the order of its files; raises InputProblem for none.

    A file that cannot be read leaves out what is asked of several files together.
    """
    path = path.resolve()
    if not path.is_dir():
        raise InputProblem(
            "there is no such folder",
            where=str(path),
            remedy="Name the folder of one solution: the one with solution.yaml in it.",
        )
    folder = Folder(path)
    found = list(reading.broken(folder))
    if not found:
        found = list(_contradictions(folder))
    if not found:
        found = list(_whole(folder, load_solution(path.name, path.parent)))
    return tuple(sorted(set(found)))


def _contradictions(folder: Folder) -> Iterator[Wrong]:
    """Where two files, or two places of one, say what cannot both be."""
    for problem in disagreements(folder.path):
        yield from folder.of_problem(problem)
    try:
        solution = load_solution(folder.path.name, folder.path.parent)
    except InputProblem:
        return  # it was told
    for read, file in (
        (load_settings, "settings.yaml"),
        (load_stages, "stages"),
        (load_operations, "operations"),
    ):
        try:
            read(solution)
        except InputProblem as problem:
            yield from folder.of_problem(problem, file)


def _whole(folder: Folder, solution: Solution) -> Iterator[Wrong]:
    """What is asked of a folder whose files can all be read."""
    files = [*reading.BASIC]
    if load_settings(solution).settings:
        files.append("settings.yaml")
    files += [file for file, _, _ in reading.stages(folder)]
    lists = {
        asked.file
        for _, stage, _ in reading.stages(folder)
        for step in stage.steps
        if (asked := step.for_each) is not None
    }
    yield from reading.unread(folder, lists)
    yield from words.without_standard(folder, iter(files))
    if (folder.path / HARDENING).exists():
        yield from words.without_standard(
            folder, iter([HARDENING]), sentences=("title", "otherwise")
        )
        files.append(HARDENING)
    yield from words.without_source(folder, iter(files))
    yield from use.unused_roles(folder, solution)
    yield from use.unused_settings(folder, solution)
    yield from use.unused_files(folder, solution)
    yield from use.left_for_good(folder)
    yield from trial.planned(folder, solution)
    yield from trial.hardened(folder, solution)
    if solution.installable and not load_stages(solution):
        says = "it is said to be installable, and there is no stage"
        yield folder.wrong("solution.yaml", ("installable",), says, "Add stages/NN-NAME.yaml.")
    recipe = (folder.path / "bundle.yaml").exists()
    if solution.installable and not recipe and not solution.file.no_bundle:
        says = "it is said to be installable, and nothing says what a bundle of it holds"
        do = 'Add the recipe of its bundle, bundle.yaml, or "no_bundle" with why there is none.'
        yield folder.wrong("solution.yaml", ("installable",), says, do)
