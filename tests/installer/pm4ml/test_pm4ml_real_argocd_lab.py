"""PM4ML's Argo CD and its applications with the real Argo CD: what comes up, and why one does not.

One cluster for all; each test has applications and namespaces of its own. What is real and what
stands in is said in tests/installer/argocd_site.py.
"""

from __future__ import annotations

import base64
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
from tests.installer.pm4ml_site import SEARCH, Played
from tests.lab.host import wait_until
from tests.lab.kubernetes import served
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.stand_ins import vault_pod

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def argo(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArgoSite]:
    """A site whose Argo CD runs; why it did not at first is kept."""
    factory = MachineFactory(lab)
    try:
        with argo_site(lab, factory, tmp_path_factory.mktemp("argo")) as made:
            short = ("--extra-vars", '{"argocd_wait_seconds": 20}')

            def told() -> bool:
                # On a busy machine no pod may have come to its image in these seconds.
                made.before = made.site.play("2.argocd_setup.yml", *short, secrets=SECRETS)
                assert made.before.status != 0
                return any(word in made.before.flat for word in NO_IMAGE)

            wait_until(told, "what its pods wait for", seconds=600)
            served.add_argo_cd(made.registry)
            made.whole = made.site.play("2.argocd_setup.yml", secrets=SECRETS, timeout=1200)
            assert made.whole.status == 0, made.whole.output
            yield made
    finally:
        factory.remove_all()


NO_IMAGE = ("PullBackOff", "ErrImagePull")


def well(argo: ArgoSite, application: str) -> bool:
    """Whether Argo CD says that an application is."""
    state = argo.state(application)
    return (state["sync"]["status"], state["health"]["status"]) == ("Synced", "Healthy")


def test_argo_cd_says_why_it_does_not_run_and_then_runs(argo: ArgoSite) -> None:
    """Images that were not there are named with their pods; then they are, and it comes up."""
    assert isinstance(argo.before, Played)
    assert "Argo CD does not run: argocd-" in argo.before.flat
    assert any("ns=quay.io" in line for line in argo.registry.asked)


def nowhere(argo: ArgoSite, word: str) -> bool:
    """Whether a text stands in no file, no line of the journal and no call on the machine."""
    return argo.machine.exec(["sh", "-c", SEARCH, "sh", word], check=False).stdout == ""


def test_the_repository_is_asked_and_its_secrets_lie_nowhere(argo: ArgoSite) -> None:
    """By a password and by SSH with a key: told to Argo CD alone, with the server's host key."""
    site, by_password = argo.site, dict(argo.site.settings)
    site.settings["git_revision"] = "no-such-branch"
    refused = site.play("2.argocd_setup.yml", secrets=SECRETS)
    assert refused.status != 0
    assert "answers and has no branch or tag no-such-branch" in refused.flat
    site.settings = dict(by_password)
    assert "is missing" in site.play("2.argocd_setup.yml").flat

    address, key = argo.machine.address, site.lab.key.read_text()
    site.settings |= {
        "git_url": f"ssh://ubuntu@{address}/srv/site.git",
        "git_by_key": True,
        "git_host_keys": f"{address} {argo.machine.host_key}",
    }
    keyed = site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key})
    assert keyed.status == 0, keyed.output
    stored = argo.kubectl("-n", "argocd", "get", "secret", "sitewright-repository",
                          "-o", "jsonpath={.data.sshPrivateKey}")  # fmt: skip
    assert base64.b64decode(stored).decode().strip() == key.strip()
    hosts = argo.kubectl("-n", "argocd", "get", "cm", "argocd-ssh-known-hosts-cm", "-o", "yaml")
    assert argo.machine.host_key in hosts
    again = site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key})
    assert again.changed == {"m1": 0}, again.output
    site.settings["git_host_keys"] = f"{address} ssh-ed25519 {'A' * 68}"
    stranger = site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key})
    assert stranger.status != 0
    assert "cannot be read" in stranger.flat

    site.settings = by_password
    back = site.play("2.argocd_setup.yml", secrets=SECRETS)
    assert back.status == 0, back.output
    middle = key.splitlines()[2]
    for secret, played in ((middle, keyed), (SECRETS["git_password"], argo.whole)):
        assert isinstance(played, Played)
        assert secret not in played.output
        assert nowhere(argo, secret)


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

    wait_until(told, f"{fault.why!r} among what is told", seconds=600)
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
    failed = argo.apps("istio-main-app", "pm4ml", seconds=1)
    assert failed.status != 0
    assert "istio-main-app does not come up: " in failed.flat
    assert "successfully synced" not in failed.flat
    wait_until(
        lambda: argo.state("istio-main-app").get("sync", {}).get("status") == "Synced",
        "the outer one to hold the inner one",
        seconds=600,
    )
    assert not well(argo, "istio-main-app")
    assert "/pm4ml" not in argo.kubectl("-n", "argocd", "get", "app", "-o", "name")
    argo.push("istio-main-app", inner(argo, "inner-well"))
    mended = argo.apps("istio-main-app")
    assert mended.status == 0, mended.output
    # Its own turn may come a moment after: it takes away what its old folder held.
    wait_until(lambda: well(argo, "inner"), "the inner one to be well", seconds=600)


def test_the_hub_s_secret_comes_to_vault_over_standard_input_alone(argo: ArgoSite) -> None:
    """Into a pod of the cluster; a token that may not write it is told, without either secret."""
    vault_pod.begin(argo.registry, argo.machine)
    secrets = {"vault_token": "root-token", "mcmdev_client_secret": "known-hub-secret"}
    wrong = argo.site.play("hub_secret.yml", secrets={**secrets, "vault_token": "wrong-token"})
    assert wrong.status != 0
    assert "permission denied" in wrong.flat
    written = argo.site.play("hub_secret.yml", secrets=secrets)
    assert written.status == 0, written.output
    place = "/var/lib/stand-in/vault/secret_bank-one/mcmdev_client_secret"
    assert argo.machine.exec(["cat", place]).stdout == "known-hub-secret"
    for secret, played in (("wrong-token", wrong), ("known-hub-secret", written)):
        assert secret not in played.output
        assert nowhere(argo, secret)


def test_it_is_taken_back_once_nothing_is_deployed_with_it(argo: ArgoSite) -> None:
    """Refused before; then with all that it made in the cluster, and MicroK8s after it."""
    argo.apply(inner(argo, "inner-well"))
    refused = argo.site.play("undo/argocd.yml")
    assert refused.status != 0
    assert "Argo CD has deployed" in refused.flat

    def gone() -> bool:
        # One that holds another has it made anew, until it is gone itself.
        argo.kubectl("-n", "argocd", "delete", "app", "--all")
        return argo.kubectl("-n", "argocd", "get", "app", "-o", "name") == ""

    wait_until(gone, "the end of every application")
    for playbook in ("undo/argocd.yml", "undo/checklist.yml"):
        undone = argo.site.play(playbook)
        assert undone.status == 0, undone.output
    assert "argocd" not in argo.kubectl("get", "ns,crd,clusterroles", "-o", "name")
    assert argo.site.play("undo/argocd.yml").changed == {"m1": 0}
    removed = argo.site.play("undo/microk8s.yml")
    assert removed.status == 0, removed.output
    left = argo.machine.exec(["sh", "-c", "command -v microk8s; ls /var/snap"], check=False)
    assert left.stdout == ""
