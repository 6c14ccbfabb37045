"""What a release would change, what a quota would refuse, and what Helm's refusals mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from installer.steps.releases.quotas import refusals
from installer.steps.releases.refused import refusal
from installer.steps.releases.rendered import Manifest, changes, manifest_of, shown


def workload(
    name: str, image: str = "a:1", replicas: int = 1, resources: Any = None
) -> dict[str, Any]:
    """A Deployment of one container."""
    container = {"name": "main", "image": image, "resources": resources or {}}
    spec = {"replicas": replicas, "template": {"spec": {"containers": [container]}}}
    return {"kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def manifest(*objects: dict[str, Any]) -> Manifest:
    """As Helm renders it."""
    return manifest_of(yaml.safe_dump_all(objects))


def test_what_changes_is_told_in_words() -> None:
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {}}
    config = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "secret"}}
    before = manifest(workload("ledger"), workload("same"), claim, config)
    other = {**config, "data": {"a": "1", "b": "other"}}
    after = manifest(
        workload("ledger", "a:2", 3), workload("same"), workload("new", "n:1", 2), other
    )
    assert changes(before, after) == [
        "Deployment new is new, 2 pods.",
        "PersistentVolumeClaim data is removed. What it holds goes with it.",
        "Deployment ledger: 1 -> 3 replicas; main runs a:2 instead of a:1; its pods start anew.",
        "ConfigMap c: other data.b.",
    ]
    assert after.images == ("a:1", "a:2", "n:1")
    assert changes(after, after) == []
    assert shown(["a", "b", "c"], 2) == ["a", "b", "And 1 more of the kind."]


def test_a_manifest_of_any_shape_is_read() -> None:
    found = manifest_of(
        "kind: List\nitems: [{kind: A, metadata: {name: a}}]\n---\n- 1\n---\na: [\n"
    )
    assert list(found.objects) == [("A", "a")]
    assert len(found.broken) == 1
    named = manifest_of("kind: A\nmetadata: {name: a, namespace: other}\n")
    assert list(named.objects) == [("A", "other/a")]


def quota(hard: dict[str, str], used: dict[str, str], *limits: dict[str, Any]) -> bytes:
    """What kubectl says of a quota and of a limit range."""
    items: list[dict[str, Any]] = [
        {"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard},
         "status": {"used": used}}
    ]  # fmt: skip
    items += [{"kind": "LimitRange", "spec": {"limits": [one]}} for one in limits]
    return json.dumps({"items": items}).encode()


ASKS = {"requests": {"cpu": "500m", "memory": "1Gi"}}


@pytest.mark.parametrize(
    ("hard", "used", "says"),
    [
        ({"pods": "3"}, {"pods": "0"}, "leaves 3 of pods (3 in all), and the release wants 4"),
        ({"pods": "4"}, {"pods": "0"}, ""),
        # What the release has now is free for those that replace it.
        ({"requests.cpu": "2"}, {"requests.cpu": "500m"}, ""),
        ({"requests.cpu": "1"}, {"requests.cpu": "500m"}, "leaves 1 of requests.cpu"),
        ({"requests.memory": "3Gi"}, {}, "leaves 3072Mi of requests.memory"),
        ({"limits.memory": "9Gi"}, {}, "counts limits.memory, and Deployment a says none"),
        ({"count/deployments.apps": "1"}, {}, ""),
    ],
)
def test_a_quota_is_held_against_what_the_pods_want(
    hard: dict[str, str], used: dict[str, str], says: str
) -> None:
    after, before = (
        manifest(workload("a", replicas=4, resources=ASKS)),
        manifest(workload("a", resources=ASKS)),
    )
    found = refusals(quota(hard, used), after, before)
    assert found is not None
    assert bool(found) is bool(says)
    assert says in "".join(found)


def test_the_limit_range_gives_what_a_container_does_not_say() -> None:
    limit = {"type": "Container", "default": {"memory": "2Gi"}}
    answer = quota({"limits.memory": "1Gi"}, {}, limit)
    found = refusals(answer, manifest(workload("a")), Manifest({}))
    assert found is not None
    (said,) = found
    assert said.endswith(
        "leaves 1024Mi of limits.memory (1024Mi in all), and the release wants 2048Mi"
    )
    assert refusals(b"no", manifest(), manifest()) is None


@pytest.mark.parametrize(
    ("said", "means"),
    [
        (('Error: unable to build kubernetes objects: resource mapping not found for name: "x" from'
         ' "": no matches for kind "Certificate" in version "cert-manager.io/v1"\nensure CRDs are'
         ' installed first'), 'does not know "Certificate" of cert-manager.io/v1'),
        (('Error: Unable to continue with install: Service "moja" in namespace "hub" exists and'
         ' cannot be imported into the current release: invalid ownership metadata'),
         'Service "moja" is there in hub already and is not of this release'),
        (("Error: values don't meet the specifications of the schema(s) in the following"
         " chart(s):\n"
         "mojaloop:\n- pdb.maxUnavailable: Invalid type"), "schema refuses the values: mojaloop:"),
        (("Error: execution error at (mojaloop/templates/a.yaml:3:4): hub.licence is needed\n\nUse"
         " --debug"), "the chart refuses the values: hub.licence is needed"),
        (('Error: query: failed to query with labels: secrets is forbidden: User "reader"'
         ' cannot list'
         ' resource "secrets" in API group "" in the namespace "hub"'), 'the user "reader"'),
        ("error: You must be logged in to the server (Unauthorized)", "refuses the login"),
        ('Error from server: admission webhook "no.example" denied the request: not today',
         "the admission webhook no.example refuses it: not today"),
        ("Warning: old\nError: something else", "something else"),
        ("", "it ended without a word"),
    ],
)  # fmt: skip
def test_what_helm_and_the_server_refuse_is_told_by_what_it_means(said: str, means: str) -> None:
    found = refusal(said)
    assert means in found.why
    assert found.remedy
    assert "\n" not in found.why


def test_a_quota_that_is_set_later_is_held_as_it_will_be() -> None:
    """The one that is there now must not keep a larger one from being set."""
    answer, after = quota({"pods": "1"}, {"pods": "0"}), manifest(workload("a", replicas=4))
    named = answer.replace(b'"q"', b'"sitewright"')
    assert refusals(named, after, Manifest({}), will_hold={"pods": "4"}) == []
    (said,) = refusals(b'{"items": []}', after, Manifest({}), will_hold={"pods": "3"}) or [""]
    assert "the release wants 4" in said
    later = {"requests.cpu": "1"}
    assert refusals(b'{"items": []}', after, Manifest({}), will_hold=later) != []
    free = refusals(
        b'{"items": []}', after, Manifest({}), will_hold=later, will_request={"cpu": "50m"}
    )
    assert free == []
