"""Every key that the starter sets stands in the table with its place upstream, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import pytest

from installer.cli import main
from installer.repository.known_values import keys_in, load_known_values
from installer.repository.matrix import load_matrix
from installer.repository.starter import files_of, starter_folder
from tests.installer import quick_yaml
from tests.installer.repository.made import PM4ML, environment, files, site

FOLDER = starter_folder(PM4ML)
MATRIX = load_matrix(FOLDER)
TABLE = {one.component: one for one in load_known_values(FOLDER)}


@cache
def written() -> dict[str, set[str]]:
    """The keys of each component in every file of values, of a large site and of a small one."""
    small = environment(
        site("staging", 2, git_path="environments/staging", internal_ingress=False, ceph=False),
        organisation="Bank One", country="GB", siem="siem.bank.test:6514", siem_authority="yes",
    )  # fmt: skip
    found: dict[str, set[str]] = defaultdict(set)
    for made in (files(), files_of(PM4ML, (small,))):
        for name, text in made.items():
            if not name.endswith(".yaml"):
                continue
            for one in quick_yaml.safe_load_all(text):
                for component, path in _values_of(name, one or {}):
                    found[component] |= set(keys_in(quick_yaml.safe_load(made[path]) or {}))
    return found


def _values_of(name: str, one: Any) -> Iterator[tuple[str, str]]:
    if one.get("kind") == "Application":
        source = one["spec"]["sources"][0]
        for path in source.get("helm", {}).get("valueFiles", ()):
            yield _component(source["chart"], source["repoURL"]), path.removeprefix("$site/")
    for chart in one.get("helmCharts", ()):
        file = str(PurePosixPath(name).parent / chart["valuesFile"])
        yield _component(chart["name"], chart["repo"]), file


def _component(chart: str, repository: str) -> str:
    (one,) = (o for o in MATRIX.components if (o.chart, o.repository) == (chart, repository))
    return one.name


def test_each_chart_has_a_table_at_a_version_that_the_starter_knows() -> None:
    assert set(TABLE) == set(written()) == {one.name for one in MATRIX.components if one.chart}
    for name, (_, fit) in MATRIX.chosen("1.31").items():
        if name in TABLE:
            assert TABLE[name].version == fit.version, name


@pytest.mark.parametrize("component", sorted(TABLE))
def test_what_is_written_stands_there_once_and_what_stands_there_is_written(component: str) -> None:
    table, used = TABLE[component], set()
    for key in sorted(written()[component]):
        covering = table.covering(key)
        assert len(covering) == 1, (key, covering)
        used.add(covering[0])
    assert set(table.keys) - used == set(), "nothing writes these"


def test_what_does_nothing_is_not_set() -> None:
    """The first three were; the chart of each looks at another key before."""
    assert "autoscaling.enabled" not in written()["istio-gateway"]  # of a Deployment alone
    assert "server.standalone.enabled" not in written()["vault"]  # server.ha.enabled counts first
    # Of no effect today, and set all the same: the table says why.
    for key in (
        "experience-api.env.authClientSecret",
        "management-api.env.AUTH_CLIENT_SECRET",
        "scheme-adapter.sdk-scheme-adapter-api-svc.env.OAUTH_CLIENT_SECRET",
    ):
        assert "which everybody knows" in TABLE["pm4ml"].keys[key].does
    assert "--include-crds" in TABLE["alloy"].keys["crds.create"].does


def test_the_command_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repository", "values"]) == 0
    assert main(["repository", "values", "vault"]) == 0
    told = capsys.readouterr().out
    assert "server.ha.enabled" in told
    assert "values.yaml:928" in told
    assert "hashicorp/vault-helm at v0.32.0" in told
    assert main(["repository", "values", "valt"]) == 2
    assert "vault" in capsys.readouterr().err
