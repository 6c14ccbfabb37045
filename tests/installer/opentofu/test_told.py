"""Lines of OpenTofu and what its errors mean, in words that it and Terraform were seen to say."""

from __future__ import annotations

import json

import pytest

from installer.opentofu.told import for_this, meaning, understand

HELD = (
    "Error message: resource temporarily unavailable\nLock Info:\n"
    "  ID:        8479166f-0760-7323-a7b6-ff47cfd7bc64\n  Path:      terraform.tfstate\n"
    "  Operation: OperationTypeApply\n  Who:       root@vm\n  Version:   1.11.4\n"
    "  Created:   2026-11-30 08:03:33.291892497 +0000 UTC\n  Info:      \n\n\n"
    "Terraform acquires a state lock to protect the state from being written\n"
)


def _error(summary: str, detail: str = "") -> str:
    told = {"severity": "error", "summary": summary, "detail": detail}
    return json.dumps({"@message": f"Error: {summary}", "type": "diagnostic", "diagnostic": told})


def _cause(summary: str, detail: str = "") -> str:
    said = understand(_error(summary, detail))
    assert said is not None
    return meaning([said]).cause


def test_a_held_state_is_told_with_who_since_when_and_how_to_go_on() -> None:
    said = understand(_error("Error acquiring the state lock", HELD))
    assert said is not None
    meant = meaning([said])
    assert meant.cause == "root@vm has held the state since 2026-11-30 08:03:33 UTC for apply"
    assert "8479166f-0760-7323-a7b6-ff47cfd7bc64" in meant.remedy
    assert "rm " not in meant.remedy


@pytest.mark.parametrize(
    ("summary", "detail", "cause"),
    [
        ("Saved plan is stale", "The given plan file can no longer be applied", "changed after"),
        (
            "Error acquiring the state lock",
            (
                "Error message: Unsupported state file format: The state file uses format "
                "version 5, which is not supported by Terraform 1.11.4."
            ),
            "newer program",
        ),
        ("No value for required variable", 'The variable "size" is not set', "nobody gives"),
        ("Something else", "of its own", "Something else: of its own"),
    ],
)
def test_known_errors_are_told_as_what_they_mean(summary: str, detail: str, cause: str) -> None:
    assert cause in _cause(summary, detail)


def test_values_of_outputs_are_told_to_nobody() -> None:
    outputs = {"pw": {"sensitive": False, "value": "plainly"}}
    assert understand(json.dumps({"@message": "Outputs: 1", "type": "outputs",
                                  "outputs": outputs})) is None  # fmt: skip


def test_an_apply_is_told_by_resource() -> None:
    hook = {"resource": {"addr": "a.b"}, "action": "delete", "elapsed_seconds": 3}
    said = understand(json.dumps({"@message": "x", "type": "apply_complete", "hook": hook}))
    assert said is not None
    assert said.text == "a.b: destroyed after 3 s"


def test_a_line_that_is_no_message_is_told_as_it_is_without_control_characters() -> None:
    said = understand("panic: \x1b[31mruntime error")
    assert said is not None
    assert said.text == "panic: runtime error"
    assert understand("  ") is None


def test_a_remedy_names_the_environment_it_is_about() -> None:
    told = for_this("Make it anew: sitewright environments plan", "hub-a --centre c")
    assert told == "Make it anew: sitewright environments plan hub-a --centre c"
