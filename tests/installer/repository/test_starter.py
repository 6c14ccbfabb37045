"""The starter: every application of the guide, values as they are, what a site does not need."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.repository.matrix import load_matrix, said_of_end
from installer.repository.starter import files_of, starter_folder
from preflight.cluster import support
from tests.installer import quick_yaml
from tests.installer.repository.made import PM4ML, environment, files, production, site

MATRIX = load_matrix(starter_folder(PM4ML))


def test_every_file_is_yaml_and_the_whole_is_what_it_is_for() -> None:
    for name, text in files().items():
        if name.endswith(".yaml"):
            assert all(
                isinstance(one, dict) or one is None for one in quick_yaml.safe_load_all(text)
            ), name
    values = quick_yaml.safe_load(files()["apps/vault/values/vault-server.yaml"])
    assert values["server"]["ha"]["replicas"] == 3
    assert values["server"]["dataStorage"]["storageClass"] == "local-nvme"
    assert "http://vault-2.vault-internal:8200" in values["server"]["ha"]["raft"]["config"]


def test_a_staging_site_has_one_of_each_and_no_budget_that_cannot_be_met() -> None:
    staging = environment(
        site("staging", 2, git_path="environments/staging", internal_ingress=False, ceph=False,
             external_proxy_protocol="no"),
        local_volumes="no",
    )  # fmt: skip
    both = files_of(PM4ML, (production(), staging))
    assert {name for name in both if name.startswith("apps/")} == {
        name for name in files() if name.startswith("apps/")
    }
    here = {n: t for n, t in both.items() if n.startswith("environments/staging/")}
    assert not any("kind: PodDisruptionBudget" in text for text in here.values())
    assert [said for said in _budgets(both, "environments/staging") if said[1]] == []
    assert all(enabled for _, enabled in _budgets(both, "apps"))
    assert "environments/staging/istio-gateways-app/proxy-protocol.yaml" not in here
    assert "environments/staging/storage-app/class.yaml" not in here
    assert "istio-ingress-int" not in "".join(here.values())
    assert "$site/environments/staging/vault/values" in "".join(here.values())


def _budgets(made: Mapping[str, str], folder: str) -> Iterator[tuple[str, bool]]:
    """Each disruption budget that a chart is told of in an environment, and whether it is made."""
    for name, text in made.items():
        ours = name.startswith("base/") or (name.startswith(f"{folder}/") and "/values/" in name)
        if ours and name.endswith(".yaml"):
            for path, value in _leaves(quick_yaml.safe_load(text)):
                if re.search(r"(?i)(pdb|disruptionbudget)\.enabled$", path):
                    yield f"{name}: {path}", value


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


@pytest.mark.parametrize(
    ("given", "file", "word"),
    [
        ({"corporate_authority": "yes"}, "certmanager-clusterissuers/issuer.yaml", "create secret"),
        ({"acme": "yes", "acme_email": "x@bank.test", "acme_nameserver": "10.0.0.9:53",
          "acme_tsig_name": "key"}, "certmanager-clusterissuers/issuer.yaml", "rfc2136"),
    ],
)  # fmt: skip
def test_whoever_signs_is_the_one_that_was_chosen(
    given: dict[str, str], file: str, word: str
) -> None:
    made = files_of(PM4ML, (environment(site(), **given),))
    assert word in made[f"apps/{file}"]
    assert "apps/certmanager-app/authority.yaml" not in made


def test_what_a_person_typed_is_a_value_and_never_a_template_or_a_piece_of_yaml() -> None:
    url = "https://git.bank.test/{{7*7}}/a#b.git"
    made = files_of(PM4ML, (environment(site(git_url=url), organisation="No, & (Sons) 'x'"),))
    application = quick_yaml.safe_load(made["apps/vault/application-vault-server.yaml"])
    assert application["spec"]["sources"][1]["repoURL"] == url
    values = quick_yaml.safe_load(made["apps/pm4ml/payment-manager/values.yaml"])
    asked = values["management-api"]["config"]["caCSRParametersData"]
    assert quick_yaml.safe_load(asked)["O"] == "No, & (Sons) 'x'"


def test_everything_that_is_missing_is_said_at_once() -> None:
    with pytest.raises(InputProblem) as told:
        environment(site(domain="FILL-IN"), hub_domain="", currencies="usd")
    for word in ("domain", "hub_domain", "currencies"):
        assert f'"{word}"' in told.value.cause
    with pytest.raises(InputProblem, match="asks for no hub"):
        environment(site(), hub="x")


def test_logs_go_to_the_siem_where_there_is_one_and_by_tls_unless_somebody_says_no() -> None:
    where = "apps/monitoring-install/values/alloy.yaml"

    def alloy(**given: str) -> dict[str, Any]:
        made: dict[str, Any] = quick_yaml.safe_load(
            files_of(PM4ML, (environment(site(), **given),))[where]
        )
        return made

    without = alloy()
    assert "siem" not in str(without)
    assert "stabilityLevel" not in without["alloy"]
    siem = alloy(siem="siem.bank.test:6514", siem_authority="yes")
    content = siem["alloy"]["configMap"]["content"]
    assert "[loki.write.site.receiver, otelcol.receiver.loki.siem.receiver]" in content
    assert "port                  = 6514" in content
    assert 'tls { ca_file = "/etc/siem/ca.crt" }' in content
    assert siem["alloy"]["stabilityLevel"] == "public-preview"
    (volume,) = siem["controller"]["volumes"]["extra"]
    assert volume["name"] == siem["alloy"]["mounts"]["extra"][0]["name"]
    clear = alloy(siem="10.0.0.9:514", siem_tls="no")["alloy"]
    assert "tls { insecure = true }" in clear["configMap"]["content"]
    assert "mounts" not in clear


@pytest.mark.parametrize("path", ["..", "/srv", "base", ".git/x", "."])
def test_an_environment_lies_in_a_folder_of_its_own(path: str) -> None:
    with pytest.raises(InputProblem, match="git_path"):
        environment(site(git_path=path))
    inner = environment(site(git_path="apps/staging"))
    with pytest.raises(InputProblem, match="apps/staging lies in apps"):
        files_of(PM4ML, (production(), inner))
    with pytest.raises(InputProblem, match="two sites"):
        files_of(PM4ML, (production(), production()))


def test_the_matrix_has_a_version_of_everything_and_says_where_it_has_not() -> None:
    assert [one.minor for one in MATRIX.whole()] == ["1.31", "1.32", "1.33", "1.34", "1.35"]
    assert MATRIX.chosen("1.31")["istiod"][1].version == "1.29.6"
    assert MATRIX.chosen("1.34")["istiod"][1].version == "1.30.3"
    with pytest.raises(InputProblem, match=r"Kubernetes 1\.29"):
        MATRIX.chosen("1.29")
    folder, day = starter_folder(PM4ML), datetime.date(2026, 11, 29)
    assert "since 2025-11-11" in said_of_end(folder, "1.31/stable", day)
    assert "1.35/stable" in said_of_end(folder, "1.31/stable", day)
    assert said_of_end(folder, "1.35/stable", day) == ""
    assert said_of_end(folder, "1.99/stable", day) == ""


def test_until_when_kubernetes_is_mended_has_one_source(monkeypatch: pytest.MonkeyPatch) -> None:
    for minor in ((1, 31), (1, 35)):
        monkeypatch.setitem(support.ENDS, minor, datetime.date(2031, 1, minor[1] - 20))
    matrix = load_matrix(starter_folder(PM4ML))
    ends = [one.ends for one in (matrix.release("1.31"), matrix.release("1.35")) if one]
    assert ends == [datetime.date(2031, 1, 11), datetime.date(2031, 1, 15)]
    assert {one.source for one in matrix.kubernetes} == {support.SOURCE}


def test_a_kubernetes_of_which_no_end_is_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "versions.yaml").write_text(
        'kubernetes: ["1.31", "1.99"]\nprograms: []\ncomponents: []\n'
    )
    with pytest.raises(InputProblem, match=r"1\.99"):
        load_matrix(tmp_path)
