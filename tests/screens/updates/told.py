"""What a cluster's updates look like: a stand-in for what the live services read."""

from __future__ import annotations

from typing import Final

from bundles.format.reference import parse_reference
from foundation.problems import InputProblem
from installer.updates.applying.workloads import Change, Workload
from installer.updates.lookup import PassedOver, Update
from installer.updates.owners import By, Owner
from installer.updates.review import Judged, Review
from installer.updates.running import Place, Running
from screens.services.services import ToUpdate, UpdatesSeen

_DIGEST: Final = "sha256:" + "4f" * 32
_HUB: Final = "docker.io"


def _image(name: str, tag: str, newer: str, kind: str, workload: str) -> Judged:
    image = f"mojaloop/{name}:{tag}"
    place = Place(kind, workload, "moja", name)
    update = Update(parse_reference(image), newer, newer != tag, _DIGEST)
    return Judged(Running(image, (place,), _DIGEST), update)


def _workload(judged: Judged, **more: object) -> Workload:
    place, update = judged.running.places[0], judged.update
    assert update is not None
    change = Change(
        place.container,
        place.init,
        judged.running.image,
        f"{judged.target}@{_DIGEST}",
        update.tag,
        f"{update.tag} is newer",
    )
    found = Workload(place.kind, place.namespace, place.name, (change,), "1", "2")
    for name, value in more.items():
        object.__setattr__(found, name, value)
    return found


def told(asked: ToUpdate) -> UpdatesSeen:
    """Two that are changed, two that are left, one held back, one not told, two up to date."""
    ledger = _image("central-ledger", "v17.8.1", "v17.8.4", "deployment", "moja-centralledger")
    account = _image("account-lookup-service", "v15.4.2", "v15.4.5", "deployment", "moja-als")
    quoting = _image("quoting-service", "v16.1.0", "v16.1.3", "deployment", "moja-quoting")
    store = _image("mongodb", "4.4.11", "4.4.29", "statefulset", "store")
    held = Judged(
        Running("mojaloop/ml-api-adapter:v14.2.3", (Place("deployment", "ml-api", "moja", "api"),)),
        Update(
            parse_reference("mojaloop/ml-api-adapter:v14.2.3"),
            "v14.2.3",
            False,
            passed_over=(PassedOver("v14.2.4", "it is 5 hours old, and 3 days are asked for"),),
        ),
    )
    problem = InputProblem(
        "latest is no version", where="mojaloop/agent:latest", remedy="Name a tag that is one."
    )
    untold = Judged(
        Running("mojaloop/agent:latest", (Place("daemonset", "agent", "kube-system", "agent"),)),
        problem=problem,
    )
    well = [_image(name, "v1.0.2", "v1.0.2", "deployment", name) for name in ("sidecar", "wait")]
    helm = Owner(By.HELM, "the Helm release", "moja", "moja")
    argo = Owner(
        By.ARGO, "the Argo CD application", "hub", "argocd", "https://git.example/site (hub, main)"
    )
    workloads = (
        _workload(
            account, risks=("api has no readiness probe, and is taken for ready as it begins",)
        ),
        _workload(ledger, owner=helm, migrates="the init container wait-for-migration"),
        _workload(quoting, owner=argo),
        _workload(store, against="its rollout is paused: kubectl rollout resume"),
    )
    review = Review(
        (account, ledger, quoting, store, held, untold, *well), (), _HUB, asked.strategy
    )
    way = "the kubeconfig ~/.kube/config, context lab"
    return UpdatesSeen(asked, "https://10.10.0.11:6443", way, review, workloads)
