"""Whether a release has the values of its step, as Helm itself reads them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from installer.steps.helm import Helm


class Deployed:
    """A stand-in for a step's context, which says what `helm get values` would."""

    def __init__(self, values: Any) -> None:
        self.values = values

    async def look(self, _command: Any) -> Any:
        """What Helm says of the release."""
        return SimpleNamespace(status=0, stdout=json.dumps(self.values))


@pytest.mark.parametrize(
    ("there", "values", "same"),
    [
        ({"operator": "=", "since": "2024-01-01"}, "operator: =\nsince: 2024-01-01\n", True),
        ({"n": 1, "on": "yes"}, "n: 1\non: yes\n", True),
        ({"n": 1}, "n: 2\n", False),
        (None, "", True),
        ({}, "# nothing\n", True),
        ({}, "- a list\n", False),
        ({}, "a: [\n", False),
        ({"a": 1}, "", False),
    ],
)
async def test_values_are_compared_as_helm_reads_them(
    monkeypatch: pytest.MonkeyPatch, there: Any, values: str, same: bool
) -> None:
    monkeypatch.setattr("installer.steps.helm.text_of", lambda *_: values)
    data: Any = SimpleNamespace(program=("helm",), release="r", namespace="n", values="")
    context: Any = Deployed(there)
    assert await Helm()._same_values(context, data) is same
