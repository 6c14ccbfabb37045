"""What is said of a repository: a fresh one passes, and what is broken by hand is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from foundation.problems import InputProblem
from installer.commands.repository import _order
from installer.repository.check import (
    Documents,
    Point,
    Verdict,
    check,
    own_points,
    read_documents,
)
from tests.installer import quick_yaml
from tests.installer.repository.made import PM4ML, files, production, written

GATEWAYS = "apps/istio-gateways-app/gateways.yaml"
PROXY = "apps/istio-gateways-app/proxy-protocol.yaml"
NODE_PORTS = "base/istio-gateways-app/gateway-external.yaml"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="module")
def documents(fresh: Path) -> Documents:
    return MappingProxyType(dict(read_documents(fresh, ("apps", "base"))))


def denied(points: Sequence[Point]) -> dict[str, str]:
    return {one.name: "; ".join(one.said) for one in points if one.verdict is Verdict.DENIED}


@pytest.mark.parametrize(
    ("file", "old", "new", "point", "word"),
    [
        (NODE_PORTS, "nodePort: 32443", "nodePort: 32444", "gateways-contract", "32443 for 443"),
        (NODE_PORTS, "port: 80,", "port: 81,", "gateways-contract", "HAProxy means 80"),
        (GATEWAYS, "httpsRedirect: true", "httpsRedirect: false", "gateways-contract", "redirect"),
        (GATEWAYS, "{number: 80,", "{number: 8080,", "gateways-contract", "nothing listens"),
        (GATEWAYS, "kind: DestinationRule", "kind: Sidecar", "gateways-contract", "without end"),
        (GATEWAYS, "host: argocd-server", "host: other", "gateways-contract", "no VirtualService"),
        (PROXY, "portNumber: 443", "name: any", "gateways-contract", "every port"),
        (PROXY, "gateway: external", "gateway: internal", "gateways-contract", "no other"),
        (PROXY, "proxy_protocol", "other", "gateways-contract", "no EnvoyFilter"),
        ("apps/vault/application-vault-server.yaml", "0.32.0", "0.x", "versions", "vault"),
        ("apps/vault/application-vault-server.yaml", "name: vault-server", "name: vault", "values",
         "called vault too"),
        ("apps/pm4ml/payment-manager/kustomization.yaml", "version: 10.3.4", "", "versions",
         "mojaloop-payment-manager"),
        ("base/vault/vault-server.yaml", "ui:", "adminPassword: abc\nui:", "secrets",
         "adminPassword has a value"),
    ],
)  # fmt: skip
def test_what_is_broken_by_hand_is_told(
    documents: Documents, file: str, old: str, new: str, point: str, word: str
) -> None:
    text = files()[file]
    assert old in text
    changed = list(quick_yaml.safe_load_all(text.replace(old, new)))
    told = denied(own_points({**documents, file: changed}, files().keys(), production().values))
    assert word in told.get(point, ""), told


def test_a_fresh_one_passes_and_a_spoilt_one_is_told_with_its_places(fresh: Path) -> None:
    one = production()
    order = _order(PM4ML, one)
    assert denied(check(fresh, one, order)) == {}
    (fresh / "apps/base-utils/s.yaml").write_text(
        "kind: Secret\ndata: {a: aGVsbG8=}\n---\nx: |\n  -----BEGIN RSA PRIVATE KEY-----\n"
    )
    (fresh / "apps/base-utils/broken.yaml").write_text("a: {b: c\n")
    (fresh / "apps/vault/values/vault-server.yaml").unlink()
    for each in (fresh / "apps/consul-app").iterdir():
        each.unlink()
    gateways = fresh / GATEWAYS
    gateways.write_text(gateways.read_text().replace("argocd.pm4ml.bank", "argocd.other.bank"))
    told = denied(check(fresh, one, order))
    assert told.keys() == {
        "yaml", "applications", "gateways", "virtual-services", "secrets", "values",
    }  # fmt: skip
    assert "holds a Secret" in told["secrets"]
    assert "x holds a private key" in told["secrets"]
    assert "aGVsbG8" not in told["secrets"]
    assert "which is not there" in told["values"]
    assert "consul-app holds nothing" in told["applications"]
    assert "broken.yaml" in told["yaml"]
    with pytest.raises(InputProblem, match="no folder environments"):
        check(fresh, replace(one, folder="environments/x"), ())


def test_a_site_without_proxy_protocol_wants_no_filter_for_it(documents: Documents) -> None:
    values = {**production().values, "external_proxy_protocol": "no"}
    told = denied(own_points(documents, files().keys(), values))
    assert "HAProxy sends none" in told["gateways-contract"]
