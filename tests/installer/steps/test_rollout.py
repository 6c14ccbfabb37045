"""A workload brought to other images: when it stands, when it is taken back, when it is left.

The cluster is a stand-in that keeps one object, tests patches as the API does (RFC 6902) and says
what a test has it say of pods; it hides how long things take. The real one: test_apply_lab.
"""

from __future__ import annotations

import copy
import gzip
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from installer.steps.on_machine import kube, rollout, watching
from installer.steps.on_machine.kube import Silent, Workload, digest

Json = dict[str, Any]
OLD, NEW = "a/b:1", "a/b:2@sha256:" + "1" * 64


def test_an_answer_is_taken_up_to_a_bound_and_within_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kube, "MOST_BYTES", 1000)
    assert kube.answer(["sh", "-c", "cat; echo more"], "x", seconds=20, stdin="in ") == "in more\n"
    for where in ("", ">&2"):
        with pytest.raises(Silent, match="x says more than 0 MiB"):
            kube.answer(["sh", "-c", f"yes {where}"], "x", seconds=20)
    with pytest.raises(Silent, match="did not end within"):
        kube.answer(["sleep", "30"], "x", seconds=0.05)
    with pytest.raises(Silent, match="last"):
        kube.answer(["sh", "-c", "printf 'first\\nlast\\n' >&2; exit 3"], "x", seconds=20)
    with pytest.raises(Silent, match="cannot be started"):
        kube.answer(["/no/such"], "x", seconds=20)


def thing(kind: str = "deployment", **spec: Any) -> Json:
    main = {"name": "main", "image": OLD, "env": [{"name": "X"}]}
    template = {"spec": {"containers": [{"name": "side", "image": "s:1"}, main]}}
    whole: Json = {"selector": {"matchLabels": {"app": "b"}}, "template": template, **spec}
    if kind == "cronjob":
        whole = {"jobTemplate": {"spec": {"template": template}}}
    meta = {"uid": "u1", "resourceVersion": "1", "generation": 1, "name": "b"}
    return {"metadata": meta, "spec": whole, "status": {}}


class FakeCluster(Workload):
    """One object, its pods, and what somebody else does between two looks."""

    def __init__(self, made: Json, kind: str = "deployment") -> None:
        template = made["spec"].get("template") or made["spec"]["jobTemplate"]["spec"]["template"]
        super().__init__({
            "kubectl": ["kubectl"], "kind": kind, "namespace": "n", "name": "b", "uid": "u1",
            "template": digest(template), "owned": {}, "seconds": 5, "settle": 0,
            "changes": [{"container": "main", "init": False, "from": OLD, "to": NEW}],
        })  # fmt: skip
        self.object = made
        self.bad: Json | None = None
        """What the container of a pod of the new image says; None: it stands."""
        self.before_patch: Callable[[], None] = lambda: None
        self.patches: list[list[Json]] = []
        self.refuses = ""

    @property
    def image(self) -> str:
        return str(self.template(self.object)["spec"]["containers"][1]["image"])

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        match words[:2]:
            case ("get", "pods"):
                return json.dumps({"items": [self.pod()]})
            case ("get", "replicasets"):
                owned = {"uid": "r", "ownerReferences": [{"uid": "u1"}],
                         "labels": {"pod-template-hash": "h"}}  # fmt: skip
                return json.dumps({"items": [{"metadata": owned}]})
            case ("get", "events"):
                return json.dumps({"items": [{"message": "Back-off", "type": "Warning"}]})
            case ("get", _):
                return json.dumps(self.settled())
            case ("logs", _):
                return "no database\n"
            case ("patch", _):
                self.before_patch()
                return self.patched(json.loads(words[words.index("--patch") + 1]))
        raise AssertionError(words)

    def pod(self) -> Json:
        bad = self.image == NEW and self.bad is not None
        status: Json = {"name": "main", "restartCount": 0, "ready": not bad}
        status |= (self.bad or {}) if bad else {}
        meta = {"name": "b-1", "uid": self.image, "labels": {"pod-template-hash": "h"}}
        conditions = [{"type": "Ready", "status": "False" if bad else "True"}]
        return {"metadata": meta, "status": {"containerStatuses": [status],
                                             "conditions": conditions}}  # fmt: skip

    def settled(self) -> Json:
        available = 0 if self.image == NEW and self.bad is not None else 1
        self.object["status"] = {
            "observedGeneration": self.object["metadata"]["generation"], "replicas": 1,
            "updatedReplicas": 1, "availableReplicas": available,
        }  # fmt: skip
        return copy.deepcopy(self.object)

    def patched(self, patch: list[Json]) -> str:
        if self.refuses:
            raise Silent(self.refuses)
        made = copy.deepcopy(self.object)
        for one in patch:
            *way, last = one["path"].strip("/").split("/")
            place: Any = made
            for step in way:
                place = place[int(step)] if isinstance(place, list) else place[step]
            if one["op"] == "test" and place[last] != one["value"]:
                raise Silent("the server rejected our request due to an error in our request")
            if one["op"] == "replace":
                place[last] = one["value"]
        made["metadata"]["generation"] += 1
        made["metadata"]["resourceVersion"] += "1"
        self.object = made
        self.patches.append(patch)
        return ""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kube, watching):
        monkeypatch.setattr(module, "EVERY", 0.001)
    monkeypatch.setattr(watching, "HOPELESS_SECONDS", 0.01)


def ended(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, **order: Any) -> int:
    cluster.order |= order
    monkeypatch.setattr(rollout, "Workload", lambda _: cluster)
    return rollout.main([json.dumps(cluster.order)])


CRASHES = {"restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
           "lastState": {"terminated": {"reason": "Error", "exitCode": 3}}}  # fmt: skip


def test_it_is_changed_by_a_patch_that_tests_what_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = FakeCluster(thing())
    assert ended(cluster, monkeypatch) == 0
    assert cluster.image == NEW
    assert cluster.patches == [[
        {"op": "test", "path": "/metadata/uid", "value": "u1"},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "test", "path": "/spec/template/spec/containers/1/image", "value": OLD},
        {"op": "replace", "path": "/spec/template/spec/containers/1/image", "value": NEW},
    ]]  # fmt: skip


def test_what_crashes_is_taken_back_to_the_former_template(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = FakeCluster(thing())
    former = copy.deepcopy(cluster.object["spec"])
    cluster.bad = CRASHES
    assert ended(cluster, monkeypatch) == kube.BACK
    assert cluster.object["spec"] == former
    told = capsys.readouterr().out
    assert "last event of b-1: Back-off" in told
    assert "main: no database" in told
    assert "main of b-1 crashes again and again (Error, exit code 3); its former" in told


def test_what_cannot_be_pulled_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster(thing())
    cluster.bad = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}}
    assert ended(cluster, monkeypatch) == kube.BACK
    assert cluster.image == OLD


@pytest.mark.parametrize("odd", [{"metadata": []}, {}, [], "x"])
def test_an_odd_answer_after_the_change_is_no_end_of_it(
    odd: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A workload that cannot be seen to stand is taken back, whatever the cluster answers."""
    cluster = FakeCluster(thing())
    former, seen = cluster.pod, [0]

    def pod() -> Json:
        seen[0] += 1
        return former() if cluster.image == OLD else odd

    monkeypatch.setattr(cluster, "pod", pod)
    assert ended(cluster, monkeypatch, seconds=0.05) == kube.BACK
    assert cluster.image == OLD
    assert "the cluster's answer is an odd one" in capsys.readouterr().out


def test_nobody_says_that_nothing_was_done_once_something_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = FakeCluster(thing())
    cluster.bad = CRASHES
    nothing: Json = {}
    monkeypatch.setattr(rollout, "taken_back", lambda *_: nothing["metadata"])
    assert ended(cluster, monkeypatch) == kube.LEFT
    assert ended(FakeCluster({**thing(), "metadata": {"uid": "u1"}}), monkeypatch) == kube.REFUSED
    assert capsys.readouterr().out.count("an odd one (KeyError)") == 2


@pytest.mark.parametrize(
    "read",
    [
        lambda: int(json.loads("1e999")),
        lambda: gzip.decompress(b"x" * 20),
        lambda: gzip.decompress(gzip.compress(b"x" * 99)[:12]),
        lambda: zlib.decompress(b"x"),
    ],
)
def test_no_form_of_an_odd_answer_ends_in_a_traceback(
    read: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number without a bound, and what is said to be compressed: by kubectl, by Helm."""
    cluster = FakeCluster(thing())
    cluster.bad = CRASHES
    monkeypatch.setattr(rollout, "taken_back", lambda *_: read())
    assert ended(cluster, monkeypatch) == kube.LEFT


def test_a_pod_that_restarts_once_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster(thing())
    cluster.bad = {**CRASHES, "restartCount": 1}
    assert ended(cluster, monkeypatch, seconds=0.05) == kube.BACK
    cluster.bad = None
    assert ended(cluster, monkeypatch, seconds=5) == 0


def test_what_was_changed_since_the_list_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = FakeCluster(thing())
    cluster.object["spec"]["template"]["spec"]["containers"][1]["env"] = []
    assert ended(cluster, monkeypatch) == kube.CHANGED
    assert not cluster.patches
    assert "changed since the list was made; nothing was done" in capsys.readouterr().out

    made_anew = FakeCluster(thing())
    made_anew.object["metadata"]["uid"] = "u2"
    assert ended(made_anew, monkeypatch) == kube.CHANGED


def test_an_owner_that_came_since_the_list_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster(thing())
    cluster.object["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "hub:apps/x"}
    assert ended(cluster, monkeypatch) == kube.CHANGED
    assert not cluster.patches


def test_two_at_once_change_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one's patch comes between our look and ours: the test in it fails."""
    cluster = FakeCluster(thing())

    def other() -> None:
        cluster.object["metadata"]["resourceVersion"] = "7"
        cluster.object["spec"]["template"]["spec"]["containers"][1]["image"] = "a/b:3"

    cluster.before_patch = other
    assert ended(cluster, monkeypatch) == kube.CHANGED
    assert cluster.image == "a/b:3"


def test_a_status_that_moves_is_no_other_change(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster(thing())

    def moves() -> None:
        if len(cluster.object["metadata"]["resourceVersion"]) < 4:
            cluster.object["metadata"]["resourceVersion"] += "0"

    cluster.before_patch = moves
    assert ended(cluster, monkeypatch) == 0


def test_what_somebody_changes_while_it_is_watched_is_not_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = FakeCluster(thing())
    cluster.bad = CRASHES
    shown = watching.show

    def others(*words: Any) -> None:
        cluster.object["spec"]["template"]["spec"]["containers"][1]["image"] = "a/b:3"
        shown(*words)

    monkeypatch.setattr(rollout, "show", others)
    assert ended(cluster, monkeypatch) == kube.LEFT
    assert cluster.image == "a/b:3"


def test_a_cut_off_update_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster(thing())
    assert ended(cluster, monkeypatch) == 0
    cluster.bad = CRASHES
    assert ended(cluster, monkeypatch) == kube.BACK
    assert cluster.image == OLD
    assert len(cluster.patches) == 2


def test_a_refusal_of_the_api_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = FakeCluster(thing())
    cluster.refuses = "Error from server (Forbidden): deployments is forbidden"
    ticks = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))
    assert ended(cluster, monkeypatch) == kube.REFUSED
    assert "the API did not take the change: Error from server (Forb" in capsys.readouterr().out


def test_an_undo_puts_the_former_back_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster(thing())
    assert ended(cluster, monkeypatch) == 0
    assert ended(cluster, monkeypatch, back=True) == 0
    assert cluster.image == OLD
    cluster.object["spec"]["template"]["spec"]["containers"][1]["image"] = "a/b:3"
    assert ended(cluster, monkeypatch, back=True) == kube.CHANGED


def test_a_cronjob_is_changed_in_its_own_place(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster(thing("cronjob"), "cronjob")
    assert ended(cluster, monkeypatch) == 0
    assert cluster.image == NEW


DEPLOYMENT = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
STATEFUL = {"observedGeneration": 2, "readyReplicas": 3, "updatedReplicas": 3,
            "updateRevision": "b", "currentRevision": "b"}  # fmt: skip
DAEMON = {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2,
          "numberAvailable": 2}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "status", "spec", "stands", "words"),
    [
        ("deployment", DEPLOYMENT, {}, True, "3 of 3 new pods are available"),
        ("deployment", {**DEPLOYMENT, "observedGeneration": 1}, {}, False, "not seen"),
        ("deployment", {**DEPLOYMENT, "updatedReplicas": 1}, {}, False, "1 of 3 pods are new"),
        ("deployment", {**DEPLOYMENT, "replicas": 4}, {}, False, "1 old pods are still to end"),
        ("deployment", {**DEPLOYMENT, "availableReplicas": 2}, {}, False, "2 of 3 new pods"),
        ("statefulset", STATEFUL, {}, True, "3 of 3 pods are new"),
        ("statefulset", {**STATEFUL, "observedGeneration": 0}, {}, False, "not seen"),
        ("statefulset", {**STATEFUL, "readyReplicas": 2}, {}, False, "2 of 3 pods are ready"),
        ("statefulset", {**STATEFUL, "currentRevision": "a"}, {}, False, "3 of 3 pods are new"),
        ("statefulset", {**STATEFUL, "updatedReplicas": 1, "currentRevision": "a"},
         {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, True, "1 of 1 pods are new"),
        ("daemonset", DAEMON, {}, True, "2 of 2 new pods are available"),
        ("daemonset", {**DAEMON, "updatedNumberScheduled": 1}, {}, False, "1 of 2 pods are new"),
        ("daemonset", {**DAEMON, "numberAvailable": 1}, {}, False, "1 of 2 new pods"),
        ("cronjob", {}, {}, True, "its next run has it"),
    ],
)  # fmt: skip
def test_it_stands_as_kubectl_has_it(
    kind: str, status: Json, spec: Json, stands: bool, words: str
) -> None:
    """Cases of kubectl's rollout_status_test.go."""
    found = {"metadata": {"generation": 2}, "spec": {"replicas": 3, **spec}, "status": status}
    done, said, never = watching.rollout(kind, found)
    assert (done, never) == (stands, "")
    assert words in said


def test_a_progress_deadline_that_is_over_ends_the_waiting() -> None:
    late = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    status = {**DEPLOYMENT, "updatedReplicas": 1, "conditions": [late]}
    found = {"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}
    assert watching.rollout("deployment", found)[2] == "its progress deadline is over: timed out"
