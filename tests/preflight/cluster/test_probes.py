"""What pods of a probe come to, against an API in memory; a real one is in the lab's test."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from foundation.clusters.problems import ApiRefused, ClusterProblem
from preflight.cluster.facts import (
    ClusterFacts,
    Node,
    Outcome,
    StorageClass,
    Trial,
    TrialOf,
    known,
)
from preflight.cluster.objects import OwnPod
from preflight.cluster.probes import objects, trials
from preflight.cluster.probes.objects import Image
from preflight.cluster.probes.states import Became, became
from preflight.cluster.probes.trials import Asked, try_out
from preflight.cluster.probes.wish import Wish, tried

IMAGE = Image("docker.io/library/busybox:1", "docker.io")
ENDED = {"terminated": {"exitCode": 0, "reason": "Completed"}}
NO_PROGRAM = {"terminated": {"exitCode": 128, "reason": "StartError"}}


def failed(message: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": 1, "reason": "Error", "message": message}}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


@dataclass
class Server:
    """An API that makes what it is sent, and lets each job's pod become what the test says."""

    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By job; a job that is not named ends well."""
    refuses: dict[str, str] = field(default_factory=dict)
    """What is refused, by the end of a path."""
    objects: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    silent: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    stays: bool = False
    """Whether the namespace does not end."""

    where = "https://x"
    way = "a test"
    serving_ends = client_ends = ""

    async def get(self, path: str, *, limit: int) -> bytes:
        await asyncio.sleep(0)
        if self.silent:
            raise ClusterProblem("nobody answers", where=self.where)
        bare = path.partition("?")[0]
        if bare.endswith("/pods"):
            return _list([_pod(name, self._state(name)) for name in self._jobs()])
        if bare.endswith("/events"):
            return _list(self.events)
        if bare == "/api/v1/namespaces":
            found = [one for path, one in self.objects.items() if path.count("/") == 4]
            return _list([one for one in found if one["kind"] == "Namespace"])
        if bare not in self.objects:
            raise ApiRefused("NotFound", f"{bare} not found")
        return json.dumps(self.objects[bare]).encode()

    async def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        await asyncio.sleep(0)
        self.sent.append((method, path))
        for end, why in self.refuses.items():
            if path.endswith(end):
                raise ApiRefused("Forbidden", why)
        if method == "DELETE":
            if not self.stays:
                self.objects = {
                    key: one for key, one in self.objects.items() if not key.startswith(path)
                }
            return b"{}"
        thing = json.loads(body or b"{}")
        if path.endswith("/jobs"):
            self.begun.set()
        if method == "PUT":
            self.objects[path] = thing
            return body or b""
        name = thing["metadata"]["name"]
        thing["metadata"] |= {"uid": f"uid-{name}", "creationTimestamp": "2026-11-01T10:00:00Z"}
        if thing["kind"] == "Namespace":
            thing["status"] = {"phase": "Active"}
        if thing["kind"] == "PersistentVolumeClaim":
            thing["spec"]["volumeName"] = "pv-1"
            thing["status"] = {"phase": "Bound"}
        self.objects[f"{path}/{name}"] = thing
        return json.dumps(thing).encode()

    def _jobs(self) -> list[str]:
        return [path.rpartition("/")[2] for path, one in self.objects.items()
                if one.get("kind") == "Job"]  # fmt: skip

    def _state(self, name: str) -> dict[str, Any]:
        if name.startswith("pull-"):
            return self.states.get(name, NO_PROGRAM)
        return self.states.get(name, {"running": {}} if name == "server" else ENDED)


def _pod(name: str, state: dict[str, Any]) -> dict[str, Any]:
    running = "running" in state
    return {
        "metadata": {"name": f"{name}-abcde", "labels": {"sitewright/probe": name}},
        "spec": {"nodeName": "n2" if name == "server" else "n1"},
        "status": {
            "phase": "Running" if running else "Pending",
            "podIP": "10.1.2.3",
            "conditions": [{"type": "Ready", "status": "True" if running else "False"}],
            "containerStatuses": [{"name": "probe", "state": state}],
        },
    }


def _list(items: list[Any]) -> bytes:
    return json.dumps({"kind": "List", "metadata": {}, "items": items}).encode()


async def _tried(server: Server, **more: Any) -> dict[str, Trial]:
    asked = Asked(**{"image": IMAGE, "nodes": ("n1",), **more})
    found = await try_out(server, asked, pause=0.001, seconds=0.3)
    return {f"{one.of.value} {one.subject}".strip(): one for one in found}


def _namespaces(server: Server) -> list[str]:
    return [one["metadata"]["name"] for one in server.objects.values()
            if one["kind"] == "Namespace"]  # fmt: skip


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_REMOVAL_SECONDS", 0.05)


async def test_all_is_well_and_nothing_is_left() -> None:
    server = Server()
    server.objects["/api/v1/persistentvolumes/pv-1"] = _volume("Delete")
    removing = asyncio.create_task(_goes_with_its_claim(server))
    found = await _tried(server, classes=("kept",))
    removing.cancel()
    assert {name: one.outcome for name, one in found.items()} == dict.fromkeys(
        ("pull docker.io/library/busybox:1 on n1", "reach n1 to n2", "policy n1 to n2",
         "dns-inside kubernetes.default.svc", "dns-outside docker.io", "volume kept"),
        Outcome.WELL,
    )  # fmt: skip
    assert _namespaces(server) == []


def _volume(reclaim: str, claim: str = "uid-volume-0", by: str = "a.driver") -> dict[str, Any]:
    about = {"annotations": {"pv.kubernetes.io/provisioned-by": by} if by else {}}
    spec = {"persistentVolumeReclaimPolicy": reclaim, "claimRef": {"uid": claim}, "more": 1}
    return {"kind": "PersistentVolume", "metadata": about, "spec": spec}


async def _goes_with_its_claim(server: Server) -> None:
    """As a provisioner does once the claim is gone, where the volume says Delete."""
    path = "/api/v1/persistentvolumes/pv-1"
    while True:
        await asyncio.sleep(0.001)
        kinds = [one["kind"] for one in server.objects.values()]
        spec = server.objects.get(path, {}).get("spec", {})
        deletes = spec.get("persistentVolumeReclaimPolicy") == "Delete"
        if deletes and ("DELETE", "/api/v1/namespaces") in [
            (method, path.rpartition("/")[0]) for method, path in server.sent
        ]:
            assert "PersistentVolumeClaim" not in kinds
            server.objects.pop(path, None)


async def test_a_volume_of_a_class_that_retains_goes_too() -> None:
    server = Server()
    path = "/api/v1/persistentvolumes/pv-1"
    server.objects[path] = _volume("Retain")
    removing = asyncio.create_task(_goes_with_its_claim(server))
    found = await _tried(server, classes=("kept",))
    removing.cancel()
    assert ("PUT", path) in server.sent
    assert path not in server.objects
    assert not [one for one in found.values() if one.of is TrialOf.REMOVAL]


@pytest.mark.parametrize(
    "volume", [_volume("Retain", claim="another"), _volume("Retain", by="")], ids=["claim", "made"]
)
async def test_a_volume_that_was_not_made_for_us_is_left_alone_and_told(
    volume: dict[str, Any],
) -> None:
    server = Server()
    server.objects["/api/v1/persistentvolumes/pv-1"] = volume
    found = await _tried(server, classes=("kept",))
    assert not [path for method, path in server.sent if method == "PUT"]
    assert "was not made for the probe" in found["removal pv-1"].told


async def test_each_thing_that_is_wrong_is_told_with_its_words() -> None:
    server = Server(states={
        "pull-0-0": waits("ImagePullBackOff", "Back-off: not found"),
        "inside": failed("wget: bad address"),
        "during": failed(""),
        "volume-0": failed("sh: can't create /volume/x: Permission denied"),
    })  # fmt: skip
    found = await _tried(server, classes=("kept",))
    assert found["pull docker.io/library/busybox:1 on n1"].outcome is Outcome.WRONG
    assert "not found" in found["pull docker.io/library/busybox:1 on n1"].told
    assert "bad address" in found["dns-inside kubernetes.default.svc"].told
    assert found["policy n1 to n2"].outcome is Outcome.WRONG
    assert found["reach n1 to n2"].outcome is Outcome.WELL
    assert "Permission denied" in found["volume kept"].told


@pytest.mark.parametrize(
    ("states", "policy"),
    [
        ({"before": failed("timed out")}, "without a policy, too"),
        ({"after": failed("timed out")}, "once the policy was gone, too"),
        ({"server": waits("CreateContainerConfigError", "no")}, "is not ready: CreateContainer"),
        ({"during": {"running": {}}}, "had not ended"),
        ({"during": {"terminated": {"exitCode": 139}}}, "ended with 139"),
    ],
)
async def test_a_policy_that_could_not_be_tried_is_unknown(
    states: dict[str, Any], policy: str
) -> None:
    found = await _tried(Server(states=states))
    (seen,) = [one for one in found.values() if one.of is TrialOf.POLICY]
    assert seen.outcome is Outcome.UNKNOWN
    assert policy in seen.told


async def test_what_does_not_end_says_the_last_warning_about_it() -> None:
    about = {"involvedObject": {"name": "volume-0-abcde"}, "reason": "FailedMount",
             "message": "driver not found"}  # fmt: skip
    job = {"involvedObject": {"name": "inside"}, "reason": "FailedCreate", "message": "quota"}
    states = {"volume-0": waits("ContainerCreating"), "inside": waits("ContainerCreating")}
    found = await _tried(Server(states=states, events=[about, job]), classes=("kept",))
    assert found["volume kept"].outcome is Outcome.WRONG
    assert found["volume kept"].told == "FailedMount: driver not found"
    assert found["dns-inside kubernetes.default.svc"].outcome is Outcome.UNKNOWN
    assert "FailedCreate: quota" in found["dns-inside kubernetes.default.svc"].told


@pytest.mark.parametrize(("end", "left"), [("/namespaces", 0), ("/jobs", 0)])
async def test_a_right_that_is_missing_makes_it_unknown(end: str, left: int) -> None:
    server = Server(refuses={end: 'User "support" cannot create resource "x"'})
    found = await _tried(server, classes=("kept",))
    assert {one.outcome for one in found.values()} == {Outcome.UNKNOWN}
    assert all('"support" cannot create' in one.told for one in found.values())
    assert len(_namespaces(server)) == left


async def test_a_namespace_that_does_not_end_is_told() -> None:
    server = Server(stays=True)
    found = await _tried(server)
    (name,) = _namespaces(server)
    assert found[f"removal {name}"].told == "it is still there"


async def test_a_cluster_that_goes_silent_makes_all_unknown() -> None:
    server = Server(silent=True)
    found = await _tried(server)
    told = {one.of: one for one in found.values()}
    assert told[TrialOf.INSIDE].told == "nobody answers"
    assert told[TrialOf.REMOVAL].outcome is Outcome.WRONG


async def test_a_run_that_is_interrupted_removes_what_it_made() -> None:
    server = Server(states={"inside": {"running": {}}})
    running = asyncio.create_task(
        try_out(server, Asked(IMAGE, nodes=("n1",)), pause=0.001, seconds=60)
    )
    await server.begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert _namespaces(server) == []


async def test_only_old_namespaces_of_ours_are_cleared() -> None:
    server = Server()
    for name, created in (
        ("sitewright-probe-old", "2026-11-01T09:00:00Z"),
        ("sitewright-probe-new", "2026-11-01T09:59:00Z"),
        ("shop", "2026-01-01T00:00:00Z"),
    ):
        server.objects[f"/api/v1/namespaces/{name}"] = {
            "kind": "Namespace", "status": {"phase": "Active"},
            "metadata": {"name": name, "creationTimestamp": created},
        }  # fmt: skip
    await _tried(server)
    assert _namespaces(server) == ["sitewright-probe-new", "shop"]


async def test_classes_that_are_made_by_hand_or_are_not_there_are_not_tried() -> None:
    facts = ClusterFacts(
        nodes=(Node("n1", ready=True), Node("n2", ready=False)),
        storage_classes=(
            StorageClass("hand", True, "kubernetes.io/no-provisioner", "Retain", "Immediate"),
        ),
    )
    seen = await tried(Server(states={"inside": failed("x")}), facts, Wish(IMAGE))
    volumes = [one for one in known(seen.trials) or () if one.of is TrialOf.VOLUME]
    assert [(one.subject, one.outcome) for one in volumes] == [("hand", Outcome.UNKNOWN)]
    pulls = [one for one in known(seen.trials) or () if one.of is TrialOf.PULL]
    assert [one.subject for one in pulls] == [f"{IMAGE.name} on n1"]


def _became(status: dict[str, Any], before: Became | None = None) -> Became:
    return became(OwnPod.model_validate({"status": status}), before)


def test_the_fuller_word_of_a_failed_pull_is_kept() -> None:
    def pulling(*words: str) -> dict[str, Any]:
        return {"containerStatuses": [{"state": waits(*words)}]}

    first = _became(pulling("ErrImagePull", "no such host: x.y"))
    assert (first.pulled, first.settled) == (False, False)
    later = _became(
        {"containerStatuses": [{"state": waits("ImagePullBackOff", "Back-off")}]}, first
    )
    assert later.settled
    assert "no such host" in later.why


def test_a_pod_that_no_node_takes_says_why() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                 "message": "0/3 nodes are available"}  # fmt: skip
    seen = _became({"phase": "Pending", "conditions": [condition]})
    assert "0/3 nodes" in seen.why
    assert not seen.settled


def test_a_pod_that_its_node_ended_is_no_answer() -> None:
    seen = _became({"phase": "Failed", "reason": "Evicted", "message": "disk"})
    assert (seen.ended, seen.pulled, seen.settled) == (None, None, True)
    assert seen.why == "Evicted: disk"


async def test_a_program_that_crashed_is_no_name_that_resolved() -> None:
    states = {"inside": {"terminated": {"exitCode": 139}}}
    seen = (await _tried(Server(states=states)))["dns-inside kubernetes.default.svc"]
    assert (seen.outcome, seen.told) == (Outcome.UNKNOWN, "its program ended with 139")


def test_every_pod_keeps_to_the_restricted_level_and_ends_by_itself() -> None:
    made = [
        objects.pull("a", "x", "n1"), objects.server("x"), objects.write("v", "x"),
        objects.client("c", "x", "fd00::1", barred=True), objects.resolve("r", "x", "name"),
    ]  # fmt: skip
    for job in made:
        spec = job["spec"]
        assert spec["activeDeadlineSeconds"] <= objects.LONGEST
        assert spec["ttlSecondsAfterFinished"]
        assert spec["backoffLimit"] == 0
        pod = spec["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        (container,) = pod["containers"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]
    assert {"name": "TARGET", "value": "fd00::1"} in (
        made[3]["spec"]["template"]["spec"]["containers"][0]["env"]
    )


async def test_a_heading_names_a_digest_shortly_and_what_was_seen_whole() -> None:
    digest = "sha256:" + "73aaf090f3d8" + "5" * 52
    found = await _tried(Server(), image=Image(f"lab.example.org/busybox:1@{digest}", ""))
    seen = found["pull lab.example.org/busybox:1@sha256:73aaf090f3d8… on n1"]
    assert seen.told == f"pulled by its digest {digest}"
    assert not [one for one in found.values() if one.of is TrialOf.OUTSIDE]
