"""PM4ML's Argo CD and its applications with the real Argo CD: what comes up, and why one does not.

One cluster for all; each test has applications and namespaces of its own. What is real and what
stands in is said in tests/installer/argocd_site.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.installer.argocd_site import (
    SECRETS,
    ArgoSite,
    Thing,
    argo_site,
    config,
    deployment,
    namespace,
)
from tests.installer.pm4ml_site import Played
from tests.lab.host import wait_until
from tests.lab.kubernetes import served
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def argo(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoSite]:
    """A site whose Argo CD runs; why it did not at first is kept."""
    factory = MachineFactory(lab)
    try:
        with argo_site(lab, factory, tmp_path_factory.mktemp("argo")) as made:
            short = ("--extra-vars", '{"argocd_wait_seconds": 20}')
            made.before = made.site.play("2.argocd_setup.yml", *short, secrets=SECRETS)
            served.add_argo_cd(made.registry)
            whole = made.site.play("2.argocd_setup.yml", secrets=SECRETS, timeout=1200)
            assert whole.status == 0, whole.output
            yield made
    finally:
        factory.remove_all()


def well(argo: ArgoSite, application: str) -> bool:
    """Whether Argo CD says that an application is."""
    state = argo.state(application)
    return (state["sync"]["status"], state["health"]["status"]) == ("Synced", "Healthy")


def test_argo_cd_says_why_it_does_not_run_and_then_runs(argo: ArgoSite) -> None:
    """Images that were not there are named with their pods; then they are, and it comes up."""
    assert isinstance(argo.before, Played)
    assert argo.before.status != 0
    assert "Argo CD does not run: argocd-" in argo.before.flat
    assert "PullBackOff" in argo.before.flat or "ErrImagePull" in argo.before.flat
    assert any("ns=quay.io" in line for line in argo.registry.asked)


def test_applications_come_up_in_order_and_again_nothing_is_done(argo: ArgoSite) -> None:
    """Each one Synced and Healthy, with what its folder holds in the cluster, before the next."""
    argo.push("base-utils", namespace("utils"), config("words", "utils", a="b"))
    argo.push("storage-app", namespace("storage"), deployment("d1", "storage", "serve", ":8080"))
    deployed = argo.apps("base-utils", "storage-app")
    assert deployed.status == 0, deployed.output
    assert well(argo, "base-utils")
    assert well(argo, "storage-app")
    assert argo.kubectl("-n", "utils", "get", "cm", "words", "-o", "jsonpath={.data.a}") == "b"
    made = argo.kubectl(
        *("-n", "argocd", "get", "app", "--sort-by=.metadata.creationTimestamp", "-o", "name")
    )
    assert [line.rpartition("/")[2] for line in made.split()] == ["base-utils", "storage-app"]
    assert deployed.flat.find("base-utils: it is Synced") < deployed.flat.find("storage-app: hand")
    again = argo.apps("base-utils", "storage-app")
    assert again.status == 0, again.output
    assert again.changed == {"m1": 0}


@dataclass(frozen=True)
class Fault:
    """What keeps an application from coming up, and what an engineer reads of it."""

    application: str
    """One of its own, and a namespace of this name."""
    holds: tuple[Thing | str, ...]
    shown: str
    """A part of what Argo CD or a pod says once it has come to it."""
    why: str
    mended: tuple[Thing | str, ...] | None = None
    """What its folder holds afterwards; None: what was wrong lay in the cluster."""


def of_one_pod(inside: str, *words: str, **more: Any) -> tuple[Thing, ...]:
    """A namespace with a Deployment of one pod."""
    return namespace(inside), deployment("d1", inside, *words, **more)


SERVES = ("serve", ":8080")
FAULTS = [
    Fault(
        "certmanager-helm",
        of_one_pod("certmanager-helm", image="quay.io/example/nothing:1"),
        "ImagePullBackOff",
        "certmanager-helm does not come up: Pod d1-",
        of_one_pod("certmanager-helm", *SERVES),
    ),
    Fault(
        "certmanager-app",
        of_one_pod("certmanager-app", "crash"),
        "CrashLoopBackOff",
        "CrashLoopBackOff: its container pod ended with status 1",
        of_one_pod("certmanager-app", *SERVES),
    ),
    Fault(
        "istio-app",
        of_one_pod("istio-app", *SERVES, needs={"memory": "900Ti"}),
        "Unschedulable",
        "Unschedulable: 0/1 nodes are available: 1 Insufficient memory",
        of_one_pod("istio-app", *SERVES),
    ),
    Fault(
        # What Argo CD itself calls Synced and Healthy.
        "external-dns-app",
        ("# nothing yet",),
        '"Healthy"',
        "external-dns-app is Synced and Healthy, and nothing was deployed: its folder",
        (namespace("external-dns-app"), config("words", "external-dns-app", a="b")),
    ),
    Fault(
        "vault-app",
        # A file that is no YAML and has not these three words Argo CD passes over without a word.
        (namespace("vault-app"), "apiVersion: v1\nmetadata: {}\nkind: [oops"),
        "ComparisonError",
        "vault-app does not come up: ",
        of_one_pod("vault-app", *SERVES),
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.application)
def test_what_is_wrong_is_told_and_mended_by_a_push(argo: ArgoSite, fault: Fault) -> None:
    """The sentence begins with the cause; the repair is taken up by the next run, at once."""
    argo.push(fault.application, *fault.holds)
    argo.apps(fault.application, seconds=1)
    wait_until(lambda: fault.shown in argo.said(fault.application), fault.shown, seconds=600)
    last = []

    def told() -> bool:
        # On a busy machine the lab's DNS may fail Argo CD for a moment, which is told as well.
        last.append(argo.apps(fault.application, seconds=1))
        assert last[-1].status != 0
        return fault.why in last[-1].flat

    wait_until(told, f"{fault.why!r} among what is told", seconds=300)
    if fault.mended is not None:
        argo.push(fault.application, *fault.mended)
    mended = argo.apps(fault.application)
    assert mended.status == 0, mended.output


def inner(argo: ArgoSite, folder: str) -> Thing:
    """An application that another one's folder holds, deployed from a folder beside it."""
    source = {"repoURL": argo.site.settings["git_url"], "path": f"apps/{folder}"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "inner", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {**source, "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc"},
            "syncPolicy": {"automated": {"prune": True}},
        },
    }


def test_an_application_that_holds_another_is_well_when_that_one_is(argo: ArgoSite) -> None:
    """Else the next in the order would be begun while a chart of this one does not run."""
    argo.push("inner-ill", *of_one_pod("inner", "crash"))
    argo.push("inner-well", *of_one_pod("inner", *SERVES))
    argo.push("istio-main-app", inner(argo, "inner-ill"))
    argo.apps("istio-main-app", seconds=1)
    wait_until(
        lambda: argo.state("istio-main-app").get("sync", {}).get("status") == "Synced",
        "the outer one to hold the inner one",
        seconds=600,
    )
    assert not well(argo, "istio-main-app")
    argo.push("istio-main-app", inner(argo, "inner-well"))
    mended = argo.apps("istio-main-app")
    assert mended.status == 0, mended.output
    # Its own turn may come a moment after: it takes away what its old folder held.
    wait_until(lambda: well(argo, "inner"), "the inner one to be well", seconds=300)
