"""The read of a cluster: few questions, pages, and what each gap becomes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.clusters import https
from foundation.clusters.https import HttpsApi
from foundation.clusters.kubeconfig import read_access
from foundation.clusters.problems import ClusterLoginRefused, ClusterProblem
from foundation.problems import InputProblem
from preflight.assessment import SeenCluster
from preflight.cluster import read as reading
from preflight.cluster.facts import ABSENT, ClusterFacts, PodState, Unknown, known
from preflight.cluster.read import CALLS, read_cluster
from preflight.cluster.recorded import cluster_facts_text, load_cluster_facts
from tests.preflight.cluster import fake_api as fake
from tests.preflight.cluster.fake_api import FakeApi


@pytest.fixture
def served(tmp_path: Path) -> Iterator[FakeApi]:
    with fake.fake_api(tmp_path) as api:
        yield api


async def _read(served: FakeApi) -> ClusterFacts:
    async with HttpsApi(read_access([served.way_in()])) as api:
        return await read_cluster(api)


async def test_a_cluster_that_is_well(served: FakeApi) -> None:
    facts = await _read(served)
    nodes = known(facts.nodes)
    assert nodes is not None
    assert [node.name for node in nodes] == ["n1", "n2", "n3"]
    assert (nodes[2].cpu_millis, nodes[2].used_cpu_millis) == (16_000, 600)
    assert (nodes[2].memory_bytes, nodes[2].used_memory_bytes) == (
        64 << 30,
        (1 << 30) + (128 << 20),
    )
    pods = known(facts.pods)
    assert pods is not None
    assert (pods.total, pods.running, pods.troubled) == (6, 6, ())
    assert facts.network == "calico"
    assert facts.distribution is ABSENT
    assert facts.gateway_classes is ABSENT
    assert [pod.name for pod in known(facts.dns) or ()] == ["coredns-a", "coredns-b"]
    assert facts.notes == ()
    assert facts.calls == len(served.asked) <= CALLS


async def test_it_only_reads(served: FakeApi) -> None:
    """Each question is a GET of a list with a bound."""
    await _read(served)
    assert all("limit=" in one or one == "/version" for one in served.asked)


async def test_pages_are_followed_and_counted(
    served: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_POD_PAGE", 30)
    monkeypatch.setattr(reading, "_POD_PAGE_LAST", 500)
    served.objects[fake.PODS] = [fake.pod(f"p{n}", "shop", node="n1") for n in range(100)]
    facts = await _read(served)
    pods = known(facts.pods)
    assert pods is not None
    assert pods.total == 100
    assert facts.calls <= CALLS
    assert facts.notes == ()
    assert (known(facts.nodes) or ())[0].used_pods == 100


async def test_what_is_not_read_whole_is_told(
    served: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_POD_PAGE", 10)
    monkeypatch.setattr(reading, "_POD_PAGE_LAST", 10)
    monkeypatch.setattr(reading, "_PAGE", 2)
    served.objects[fake.PODS] = [fake.pod(f"p{n}", "shop", node="n1") for n in range(100)]
    facts = await _read(served)
    assert facts.calls == CALLS
    assert any(note.startswith("nodes: the first 2 of 3") for note in facts.notes)
    assert any(note.startswith("pods: the first 30 of 100") for note in facts.notes)
    assert isinstance(facts.dns, Unknown)  # it may be among those that were not read
    assert isinstance(facts.network, Unknown)


EVERY = {
    fake.NODES: "nodes",
    fake.PODS: "pods",
    fake.NAMESPACES: "namespaces",
    fake.CLAIMS: "claims",
    fake.QUOTAS: "quotas",
    fake.LIMITS: "limit_ranges",
    fake.CLASSES: "storage_classes",
    fake.INGRESSES: "ingress_classes",
    fake.SERVICES: "api_services",
    fake.VALIDATING: "webhooks",
    fake.MUTATING: "webhooks",
}


@pytest.mark.parametrize("path", EVERY)
async def test_a_forbidden_read_is_unknown_and_names_the_right_and_the_user(
    path: str, served: FakeApi
) -> None:
    served.forbidden.add(path)
    fact = getattr(await _read(served), EVERY[path])
    assert isinstance(fact, Unknown)
    what = path.rsplit("/", 1)[1]
    assert f'User "nobody" cannot list resource "{what}"' in fact.reason


@pytest.mark.parametrize("path", EVERY)
async def test_an_answer_that_breaks_off_is_unknown(path: str, served: FakeApi) -> None:
    served.cut.add(path)
    fact = getattr(await _read(served), EVERY[path])
    assert isinstance(fact, Unknown)
    assert "no list as Kubernetes writes it" in fact.reason


async def test_a_cluster_that_stops_answering_is_not_waited_for_each_time(
    served: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "_SILENT_SECONDS", 1.0)
    served.silent.update(EVERY)
    facts = await _read(served)
    assert facts.version == "v1.31.14"
    assert isinstance(facts.nodes, Unknown)
    assert isinstance(facts.pods, Unknown)
    assert "stopped answering" in facts.pods.reason
    assert len(served.asked) == 3


async def test_what_answers_and_is_no_kubernetes(served: FakeApi) -> None:
    served.answers["/version"] = (200, b'{"name": "vault"}')
    with pytest.raises(ClusterProblem, match="no Kubernetes API"):
        await _read(served)


async def test_a_login_that_ends_on_the_way_is_no_cluster_that_is_well(served: FakeApi) -> None:
    """Anonymous may ask for the version in many a cluster: the next question tells."""
    served.answers[fake.SERVICES] = (401, b"")
    with pytest.raises(ClusterLoginRefused):
        await _read(served)


async def test_pods_that_are_not_well_have_their_last_word(served: FakeApi) -> None:
    pods = served.objects[fake.PODS]
    pods += [
        fake.pod("ended", "shop", node="n1", phase="Succeeded"),
        fake.pod("crash", "shop", node="n1", waiting={"reason": "CrashLoopBackOff"},
                 ended={"reason": "OOMKilled", "exitCode": 137}),
        fake.pod("image", "shop", node="n1", waiting={"reason": "ImagePullBackOff",
                                                      "message": "not \x1b[31mfound"}),
        fake.pod("begins", "shop", node="n1", phase="Pending",
                 waiting={"reason": "ContainerCreating"}),
        fake.pod("mount", "shop", node="n1", phase="Pending",
                 waiting={"reason": "ContainerCreating"}),
        fake.pod("gone", "shop", node="n1", phase="Failed", reason="Evicted",
                 message="The node was low on resource: memory."),
        fake.pod("none", "shop", phase="Pending", conditions=[
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
             "message": "0/3 nodes are available"}]),
    ]  # fmt: skip
    served.objects[fake.EVENTS] = [
        fake.event("Pod", "shop", "mount", "FailedMount", "secret not found")
    ]
    found = known((await _read(served)).pods)
    assert found is not None
    by_name = {pod.name: pod for pod in found.troubled}
    assert set(by_name) == {"crash", "image", "mount", "gone", "none"}
    assert by_name["crash"].state is PodState.CRASHING
    assert by_name["crash"].message == "OOMKilled, exit code 137"
    assert "\x1b" not in by_name["image"].message
    assert by_name["mount"].event == "FailedMount: secret not found"
    assert by_name["gone"].state is PodState.EVICTED
    assert by_name["none"].state is PodState.PENDING


async def test_a_webhook_that_fails_closed_has_its_addresses_counted(served: FakeApi) -> None:
    served.objects[fake.VALIDATING] = [
        fake.webhook("guard"),
        fake.webhook("open", failure="Ignore", service="other"),
    ]
    served.objects[fake.SLICES] = [
        {
            "metadata": {
                "name": "guard-1",
                "namespace": "guards",
                "labels": {"kubernetes.io/service-name": "guard"},
            },
            "endpoints": [
                {"addresses": ["10.1.0.1"], "conditions": {"ready": True}},
                {"addresses": ["10.1.0.2"], "conditions": {"ready": False}},
            ],
        }
    ]
    hooks = known((await _read(served)).webhooks)
    assert hooks is not None
    assert [(hook.fails_closed, known(hook.endpoints)) for hook in hooks] == [
        (True, 1),
        (False, None),
    ]


async def test_what_was_seen_is_written_and_read_again(served: FakeApi, tmp_path: Path) -> None:
    served.forbidden.add(fake.QUOTAS)
    seen = SeenCluster("lab", served.server, facts=await _read(served))
    file = tmp_path / "facts.json"
    file.write_text(cluster_facts_text(seen))
    assert load_cluster_facts(file) == seen


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"schema": "sitewright.facts/1"}', '{"schema": "sitewright.cluster-facts/1"}',
     '{"schema": "sitewright.cluster-facts/1", "name": "a", "where": "b", "facts": {"nodes": 5}}',
     '{"schema": "sitewright.cluster-facts/1", "name": "a", "where": "b", "more": 1}'],
)  # fmt: skip
def test_a_file_from_elsewhere_that_is_wrong_is_one_problem(text: str, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text(text)
    with pytest.raises(InputProblem):
        load_cluster_facts(file)
