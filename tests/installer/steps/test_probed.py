"""What a person reads of a command that failed, and of what can be taken back."""

from __future__ import annotations

from typing import Any

import pytest

from foundation.hosts.jobs.jobs_model import JobState
from installer.steps.kind import CHANGES_NOTHING, KINDS, Ended, step_kind, taken_back
from installer.steps.probed import Probed, meant, remedy_for, said, why
from tests.installer.engine_site import step

FAILED, LATE = JobState.FAILED, JobState.TIMED_OUT


@pytest.mark.parametrize(
    ("state", "status", "result", "lines", "told"),
    [
        (FAILED, 9, "exit-code", ["begun", "E: the disk is full"],
         "E: the disk is full (the script ended with exit status 9)"),
        (FAILED, 1, "exit-code", ["cp: cannot create x: Permission denied", "cleaning up", ""],
         "cp: cannot create x: Permission denied (the script ended with exit status 1)"),
        (FAILED, 1, "exit-code", ["first", "second"],
         'the script ended with exit status 1; its last words: "second"'),
        (FAILED, 1, "exit-code", [" "], "the script ended with exit status 1; it said nothing"),
        (FAILED, 127, "exit-code", ["sh: 1: microk8s: not found"],
         ("sh: 1: microk8s: not found (the script ended with exit status 127: a command in it is "
          "not installed there)")),
        (FAILED, None, "oom-kill", ["x"],
         'the script was killed, because the machine ran out of memory; its last words: "x"'),
        (FAILED, None, "stopped", [],
         "the script was stopped on the machine, not by this run; it said nothing"),
        (FAILED, None, "odd", [], "the script failed (odd); it said nothing"),
        (LATE, None, "timeout", ["waiting for the node"],
         ("the script was not done after 30 min, and the machine ended it; its last words: "
          '"waiting for the node"')),
    ],
)  # fmt: skip
def test_the_reason_is_the_machines_own_words(
    state: JobState, status: int | None, result: str, lines: list[str], told: str
) -> None:
    assert why(Ended(state, status, result, tuple(lines)), "the script", 1800) == told


def test_a_long_line_is_cut() -> None:
    told = why(Ended(FAILED, 1, "", ("error " + "x" * 5000,)), "the script", 60)
    assert len(told) < 400


def test_what_a_person_agrees_to_is_not_cut_in_silence() -> None:
    long = f"SHA-256 {'0' * 64}: {'made on m1, ' * 30}and that is lost"
    assert said(f"first\n{long}\n") == f": {long}"
    assert said("x" * 5_000).endswith("x …")


def test_the_kinds_that_take_themselves_back_are_those_that_know_how() -> None:
    """A kind that learns it must be put into the list; kubectl and playbooks need a word, and of
    Vault an undo only tells what may still be alive.
    """
    own = {name for name in KINDS if getattr(type(step_kind(name)), "undo", None) != Probed.undo}
    knowing = {name for name, traits in KINDS.items() if traits.knows_undo}
    assert own - {"kubectl", "playbook", "vault"} == knowing
    assert not knowing & CHANGES_NOTHING


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        ("script", {}, "by hand"),
        ("script", {"undo": {"script": "true"}}, "yes"),
        ("file", {}, "yes"),
        ("deliver", {}, "yes"),
        ("kubectl", {}, "by hand"),
        ("wait", {}, "nothing"),
        ("compose-status", {}, "nothing"),
    ],
)
def test_whether_a_step_can_be_taken_back(kind: str, spec: dict[str, Any], told: str) -> None:
    assert taken_back(step("a", kind=kind, **spec)) == told


def test_a_known_sentence_of_a_program_comes_with_its_remedy() -> None:
    tail = ("Reading package lists...", "E: dpkg was interrupted, you must manually run 'dpkg …'")
    known = meant(tail)
    assert known is not None
    assert "dpkg --configure -a" in known.remedy
    assert meant(("sudo: a password is required",)) is None  # a login was had already


def test_a_known_sentence_of_a_playbook_s_module_has_its_remedy() -> None:
    """As ansible.builtin.get_url says it, of a machine whose resolver does not know the name."""
    said = "Request failed: <urlopen error [Errno -2] Name or service not known> (https://a.test/m)"
    remedy = remedy_for([said])
    assert remedy is not None
    assert "A name does not resolve there" in remedy
    assert "getent hosts" in remedy
    assert remedy_for(["Something of its own"]) is None
