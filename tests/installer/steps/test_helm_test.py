"""How the tests of a release are judged: by exit code and summary both, each test by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from installer.steps.helm_test import HelmTestStep, Ran, among_pods, judge

DATA = HelmTestStep(
    id="tests",
    title="Run the tests",
    kind="helm-test",
    release="moja",
    namespace="demo",
    summary="Passed percentage[^0-9N]*([0-9.]+|NaN)%",
    at_least=100,
    must_run=("test-setup", "test-val-gp"),
)
GOOD = "│ Passed percentage │ 100.00% │"


def ran(name: str, code: int | None = 0, *said: str) -> Ran:
    """A test that ended so."""
    return Ran(f"moja-{name}", "Succeeded" if code == 0 else "Failed", code, said or (GOOD,))


def test_all_passed_is_said_of_each() -> None:
    problem, sentence = judge(DATA, [ran("test-setup"), ran("test-val-gp")])
    assert problem == ""
    assert sentence == (
        "moja-test-setup: Passed percentage 100.00%, it ended with 0; "
        "moja-test-val-gp: Passed percentage 100.00%, it ended with 0."
    )


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (ran("test-val-gp", 1, "Passed percentage 99.10%"),
         "moja-test-val-gp: Passed percentage 99.10%; 100 is needed, and it ended with 1"),
        (ran("test-val-gp", 0, "Passed percentage 99.10%"), "although it ended with 0"),
        (ran("test-val-gp", 0, "Passed percentage NaN%"), "100 is needed, although"),
        (ran("test-val-gp", 1), "moja-test-val-gp ended with 1, although it says: Passed"),
        (ran("test-val-gp", 0, "nothing"), "printed no summary, although it ended with 0"),
        (ran("test-val-gp", None), "moja-test-val-gp is Failed and did not end"),
        # A summary of before does not count for one that came after.
        (ran("test-val-gp", 0, GOOD, "Passed percentage 50%"), "50%; 100 is needed"),
    ],
)  # fmt: skip
def test_neither_word_is_believed_alone(last: Ran, says: str) -> None:
    problem, sentence = judge(DATA, [ran("test-setup"), last])
    assert says in problem
    assert sentence == ""


def test_a_test_that_was_not_run_is_missed() -> None:
    """Unless one before it failed, which is then the reason."""
    assert judge(DATA, [ran("test-setup")])[0] == "the test test-val-gp was not run"
    failed = ran("test-setup", 1, "Passed percentage 1%")
    assert judge(DATA, [failed])[0].startswith("moja-test-setup: Passed percentage 1%")
    assert judge(DATA.model_copy(update={"must_run": ()}), [])[0] == "the release moja has no test"


def a_pod(name: str, weight: str = "0", hook: str = "test") -> dict[str, Any]:
    """A pod as the API gives it."""
    return {
        "metadata": {
            "name": name,
            "annotations": {"helm.sh/hook": hook, "helm.sh/hook-weight": weight},
        },
        "status": {
            "phase": "Succeeded",
            "containerStatuses": [{"state": {"terminated": {"exitCode": 0}}}],
        },
    }


def test_the_tests_of_the_release_alone_in_the_order_in_which_they_ran() -> None:
    items = [
        *(a_pod("moja-b", "2"), a_pod("moja-a", "-9"), a_pod("other-a")),
        a_pod("moja-c", hook="post-install"),
        {"metadata": {"name": "moja-d"}, "status": {}},
    ]
    answer = json.dumps({"items": items}).encode()
    assert among_pods(answer, "moja") == [("moja-a", "Succeeded", 0), ("moja-b", "Succeeded", 0)]
    assert among_pods(b"no", "moja") is None
