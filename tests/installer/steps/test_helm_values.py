"""Whether a release has the values of its step, as Helm itself reads them."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from installer.steps.helm import Helm, HelmStep, named, taken_back


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
        # As Helm 3.17 was seen to read it: names, too, are YAML 1.1's before they are JSON's.
        ({"false": 1, "true": True}, "n: 1\non: yes\n", True),
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


@pytest.mark.parametrize(
    ("release", "verb"),
    [
        ({"revision": "1", "status": "pending-install"}, "uninstall"),
        ({"revision": "3", "status": "pending-upgrade"}, "rollback"),
        ({"revision": "3", "status": "uninstalling"}, "uninstall"),
    ],
)
def test_what_was_cut_off_is_taken_back_by_what_helm_takes(
    release: dict[str, str], verb: str
) -> None:
    """A first installation has no revision 0 to be rolled back to."""
    data: Any = SimpleNamespace(program=("microk8s", "helm3"), release="r", namespace="n")
    said = taken_back(data, release)
    waits = " --wait --timeout 10m" if verb == "rollback" else ""
    assert said == f"Take it back, then retry: microk8s helm3 {verb} r --namespace n{waits}"


@pytest.mark.parametrize(
    "chart", ["mojaloop", "repo/mojaloop", "/srv/charts/mojaloop-17.1.0.tgz", "oci://x/mojaloop"]
)
def test_a_packaged_chart_is_the_same_as_the_one_of_a_repository(chart: str) -> None:
    """What Helm lists of it has its name and its version, wherever it came from."""
    data = HelmStep(
        id="a", title="A", kind="helm", release="r", namespace="n", chart=chart, version="17.1.0"
    )
    assert named(data)[0] == "mojaloop-17.1.0"
