"""What a cluster's updates look like: a stand-in for what the live services read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bundles.format.reference import parse_reference
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.events import Event, Kind
from installer.updates.applying.gates import gates_of
from installer.updates.applying.plans import Way, update_plan
from installer.updates.applying.prepared import Prepared
from installer.updates.applying.workloads import Change, Workload
from installer.updates.lookup import PassedOver, Update
from installer.updates.owners import By, Owner
from installer.updates.review import Judged, Review
from installer.updates.running import Place, Running
from screens.answers.answers import Answers
from screens.services.live_install import site_of
from screens.services.live_updates import update_command
from screens.services.services import Access, ToApply, ToUpdate, UpdatesSeen
from tests.screens.saying import said
from tests.screens.scripted import RUN, Script

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


def told_plan(
    asked: ToUpdate, chosen: tuple[str, ...], answers: Answers, access: Access
) -> ToApply:
    """The update of some of them, with its gates as the site of the answers has them."""
    seen = told(asked)
    workloads = tuple(
        one for one in seen.workloads if f"{one.namespace}/{one.name}" in chosen and not one.left
    )
    site = site_of(answers)
    plan = update_plan(
        workloads,
        Way(),
        load_solution(answers.solution or ""),
        site,
        Path("/srv"),
        within_minutes=10,
        origin=_HUB,
    )
    prepared = Prepared(plan, seen.review, workloads)
    again = update_command(asked, chosen, answers)
    gates = gates_of(site, plan, prepared.migrates, again=again)
    return ToApply(asked, chosen, answers, access, plan, again, prepared, gates)


SITE: Final = said(
    solution="miniloop",
    environment="single-box",
    installable=True,
    machines=(Host("box", "10.10.0.11"),),
    roles={"box": ("box",)},
)
"""The site in whose record they stand."""


def updating(*, ended: str = "") -> list[Event]:
    """The events of an update: under way, or ended with an outcome."""
    script = Script()
    stage, step, host = "update-1", "rollout", "control"
    title = "Bring deployment moja/moja-als to v15.4.5"
    script.say(
        Kind.RUN_STARTED, run=RUN.id, solution="miniloop", environment="single-box",
        plan_sha256="", by="Thiri Aung",
    )  # fmt: skip
    script.say(Kind.STAGE_STARTED, stage, title=title)
    lines = ["0 of 2 pods are new", "1 of 2 pods are new", "1 old pods are still to end"]
    script.did(stage, step, host, title, *lines)
    if ended:
        words = "deployment moja/moja-als stands with the new images."
        script.ended(stage, step, host, ended, words)
        script.say(Kind.STAGE_FINISHED, stage, outcome=ended, seconds=30.0)
        script.say(Kind.RUN_FINISHED, outcome=ended, seconds=31.0)
    return script.events
