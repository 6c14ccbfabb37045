"""`sitewright updates`: what runs in a cluster, a Compose project, a bundle, and what is newer."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from installer.cli import main
from tests.bundles.made import Made
from tests.bundles.places import layer
from tests.bundles.servers import Answer, Asked, answering
from tests.installer.updates.test_hostile_registries import StandIn
from tests.preflight.cluster.fake_api import PODS, FakeApi, fake_api

DEPLOYMENTS = "/apis/apps/v1/deployments"
STATEFULSETS = "/apis/apps/v1/statefulsets"
DAEMONSETS = "/apis/apps/v1/daemonsets"
CRONJOBS = "/apis/batch/v1/cronjobs"
JOBS = "/apis/batch/v1/jobs"
ALL = (DEPLOYMENTS, STATEFULSETS, DAEMONSETS, CRONJOBS, JOBS, PODS)
Look = Callable[..., tuple[int, str, str]]


@pytest.fixture
def upstream() -> Iterator[str]:
    """A stand-in with v1.0.0 to v1.0.2 of any image; `broken/…` is not answered well."""

    def lie(_: StandIn, asked: Asked) -> Answer | None:
        return Answer(418) if "/broken/" in asked.path else None

    with answering(StandIn(lie=lie).answer) as server:
        yield server.url


@pytest.fixture
def look(upstream: str, capsys: pytest.CaptureFixture[str]) -> Look:
    """Run the command against the stand-in: exit code, output, narration."""

    def command(*words: str | Path) -> tuple[int, str, str]:
        line = ["updates", *map(str, words), "--mirror", f"docker.io={upstream}"]
        code = main(line)
        told = capsys.readouterr()
        joined = told.out if "--format" in words else " ".join(told.out.split())
        return code, joined, told.err

    return command


def workload(
    name: str,
    *images: str,
    init: str = "",
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    owner: str = "",
) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "containers": [
            {"name": f"main{number or ''}", "image": image} for number, image in enumerate(images)
        ]
    }
    if init:
        pod["initContainers"] = [{"name": "wait", "image": init}]
    meta: dict[str, Any] = {"name": name, "namespace": "moja", "labels": labels or {}}
    meta |= {"annotations": annotations or {}}
    if owner:
        meta["ownerReferences"] = [{"kind": owner, "name": "it", "uid": "1", "apiVersion": "v1"}]
    return {"metadata": meta, "spec": {"template": {"spec": pod}}}


def running(name: str, image: str, digest: str, owner: str = "ReplicaSet") -> dict[str, Any]:
    found = workload(name, image, owner=owner)
    found["spec"] = found["spec"]["template"]["spec"]
    place = f"docker.io/{image.rpartition(':')[0]}@{digest}"
    found["status"] = {"containerStatuses": [{"name": "main", "imageID": place}]}
    return found


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[FakeApi]:
    with fake_api(tmp_path) as api:
        api.objects = {path: [] for path in ALL}
        yield api


def test_every_kind_and_container_of_a_cluster(cluster: FakeApi, look: Look) -> None:
    ledger = "mojaloop/central-ledger:v1.0.0"
    nightly = workload("nightly", ledger)
    nightly["spec"] = {"jobTemplate": {"spec": nightly["spec"]}}
    cluster.objects |= {
        DEPLOYMENTS: [
            workload("ledger", ledger, "mojaloop/sidecar:v1.0.2", init="mojaloop/wait:v1.0.1"),
            workload("helms", ledger, annotations={"meta.helm.sh/release-name": "moja"}),
            workload("argos", ledger, labels={"argocd.argoproj.io/instance": "hub"}),
        ],
        STATEFULSETS: [workload("store", "mojaloop/store:v1.0.0@sha256:" + "7" * 64)],
        DAEMONSETS: [workload("agent", "mojaloop/agent:latest")],
        CRONJOBS: [nightly],
        JOBS: [workload("begun-by-nightly", "mojaloop/job:v1.0.0", owner="CronJob")],
    }
    code, text, _ = look("--kubeconfig", cluster.way_in(), "--format", "json", "--quiet")
    assert code == 0
    found = {one["image"]: one for one in json.loads(text)["images"]}
    assert found[ledger]["target"] == "mojaloop/central-ledger:v1.0.2"
    kinds = [place["kind"] for place in found[ledger]["places"]]
    assert kinds == ["deployment", "deployment", "deployment", "cronjob"]
    assert found["mojaloop/wait:v1.0.1"]["places"][0]["init"] is True
    assert found["mojaloop/sidecar:v1.0.2"]["newer"] is False
    assert "mojaloop/job:v1.0.0" not in found
    assert "there is no tag latest" in found["mojaloop/agent:latest"]["problem"]["cause"]
    pinned = found["mojaloop/store:v1.0.0@sha256:" + "7" * 64]
    assert pinned["target"] == "mojaloop/store:v1.0.2@" + StandIn().digest("v1.0.2")

    code, text, _ = look("--kubeconfig", cluster.way_in(), "--format", "message", "--quiet")
    assert text.startswith(
        "*ml-operator* - The following services are not on the latest secure version and should be "
        "updated:\n"
    )
    assert "  - `mojaloop/central-ledger`: latest version is `v1.0.2`\n" in text
    assert "Use the following commands to patch your deployments with `kubectl`:" in text
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith("kubectl")]
    patched = {words[4] + " " + words[5]: json.loads(words[-1]) for words in commands}
    assert all(words[:4] == ["kubectl", "-n", "moja", "patch"] for words in commands)
    assert set(patched) == {"deployment ledger", "statefulset store", "cronjob nightly"}
    assert patched["deployment ledger"]["spec"]["template"]["spec"] == {
        "containers": [{"name": "main", "image": "mojaloop/central-ledger:v1.0.2"}],
        "initContainers": [{"name": "wait", "image": "mojaloop/wait:v1.0.2"}],
    }
    assert "change it in the Helm release moja" in text
    assert "change it in the Argo CD application hub" in text
    assert "**warning:** encountered 1 processing errors." in text

    code, text, _ = look("--kubeconfig", cluster.way_in(), "--strict")
    assert code == 3
    assert "! mojaloop/central-ledger:v1.0.0 -> v1.0.2" in text
    assert "the Helm release moja owns it" in text


def test_no_word_of_a_cluster_is_an_option_of_a_command(cluster: FakeApi, look: Look) -> None:
    """Neither in what is copied nor in what is started: an API may answer whatever it likes."""
    ledger, release = "mojaloop/central-ledger:v1.0.0", "meta.helm.sh/release-name"
    inner = workload("inner", ledger)
    inner["spec"]["template"]["spec"]["containers"][0]["name"] = "-c"
    away = workload("away", ledger)
    away["metadata"]["namespace"] = "--kubeconfig=/tmp/x"
    cluster.objects[DEPLOYMENTS] = [
        workload("--cache-dir=/etc/cron.d", ledger), inner, away,
        workload("whose", ledger, annotations={release: "--post-renderer=/tmp/x"}),
    ]  # fmt: skip
    code, text, _ = look("--kubeconfig", cluster.way_in(), "--format", "message", "--quiet")
    assert code == 0
    assert "kubectl -n" not in text
    code, text, _ = look("--kubeconfig", cluster.way_in())
    assert text.count("a name that no object of Kubernetes can have") == 3
    assert "whoever rendered it as the Helm release owns it" in text


def test_the_digest_that_runs_tells_what_was_built_again(cluster: FakeApi, look: Look) -> None:
    old, now = "sha256:" + "5" * 64, StandIn().digest("v1.0.2")
    cluster.objects |= {
        DEPLOYMENTS: [workload("a", "mojaloop/a:v1.0.2"), workload("b", "mojaloop/b:v1.0.2"),
                      workload("c", "mojaloop/c:v1.0.2")],
        PODS: [running("a-1", "mojaloop/a:v1.0.2", old), running("b-1", "mojaloop/b:v1.0.2", now),
               running("c-1", "mojaloop/c:v1.0.2", now), running("c-2", "mojaloop/c:v1.0.2", old)],
    }  # fmt: skip
    _, text, _ = look("--kubeconfig", cluster.way_in(), "--format", "json", "--quiet")
    value = json.loads(text)
    assert [one["newer"] for one in value["images"]] == [True, False, False]
    assert value["images"][0]["update"]["rebuilt"] is True
    assert "2 different images run under this name" in value["untold"][0]


def test_what_runs_and_no_known_workload_asks_for_is_found_by_its_pods(
    cluster: FakeApi, look: Look
) -> None:
    ended = running("done-1", "mojaloop/done:v1.0.0", "", "Job")
    ended["status"]["phase"] = "Succeeded"
    cluster.objects |= {
        DEPLOYMENTS: [workload("ledger", "mojaloop/a:v1.0.1")],
        PODS: [
            running("ledger-1", "mojaloop/a:v1.0.1", ""),
            running("rollout-1", "mojaloop/b:v1.0.1", ""),
            running("rollout-2", "mojaloop/b:v1.0.1", ""),
            running("kafka-0", "mojaloop/c:v1.0.1", "", "StrimziPodSet"),
            ended,
        ],
    }
    _, text, _ = look("--kubeconfig", cluster.way_in(), "--format", "json", "--quiet")
    found = {one["image"]: one["places"] for one in json.loads(text)["images"]}
    assert {image: len(places) for image, places in found.items()} == {
        "mojaloop/a:v1.0.1": 1, "mojaloop/b:v1.0.1": 1, "mojaloop/c:v1.0.1": 1
    }  # fmt: skip
    assert found["mojaloop/c:v1.0.1"][0]["owner"] == "StrimziPodSet it"


def test_a_cluster_that_does_not_say_all_is_never_up_to_date(cluster: FakeApi, look: Look) -> None:
    """Upstream said that all is well where a look-up had failed."""
    cluster.objects[DEPLOYMENTS] = [workload("ledger", "mojaloop/central-ledger:v1.0.2")]
    cluster.forbidden = {STATEFULSETS}
    cluster.cut = {DAEMONSETS}
    code, text, _ = look("--kubeconfig", cluster.way_in(), "--format", "message", "--strict")
    assert code == 3
    assert "all monitored services are up to date" not in text
    assert "encountered 2 processing errors" in text
    code, text, _ = look("--kubeconfig", cluster.way_in())
    assert "statefulsets of the cluster were not read whole: Forbidden" in text
    assert "daemonsets of the cluster were not read whole" in text


def test_all_is_up_to_date_in_document_004s_words(look: Look) -> None:
    code, text, _ = look("mojaloop/central-ledger:v1.0.2", "--format", "message", "--strict")
    assert (code, text) == (0, "*ml-operator* - all monitored services are up to date\n")


def test_images_of_a_compose_file_and_what_cannot_be_read_of_it(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(
        "services:\n"
        "  ledger: {image: 'mojaloop/central-ledger:v1.0.0'}\n"
        "  odd: {image: 'mojaloop/odd:${TAG}'}\n"
        "  built: {build: .}\n"
        "  lost: {image: 'broken/app:v1.0.0'}\n"
        '  "l\\e[31md": {image: "a/\\e[31mb:v1"}\n'
        "  bare: {image: 'mojaloop/bare@sha256:" + "7" * 64 + "'}\n"
    )
    code, text, _ = look("--compose", file, "--quiet")
    assert code == 0
    assert "! mojaloop/central-ledger:v1.0.0 -> v1.0.2 compose ledger" in text
    assert "has a variable" in text
    assert "names no image" in text
    assert "the image of ld is named by no name" in text
    assert "? broken/app:v1.0.0: the registry answers 418" in text
    assert "named by its digest alone" in text
    assert "1 image with something newer, 0 up to date, 2 not told." in text
    file.write_text("a: b\n")
    code, _, err = look("--compose", file)
    assert (code, "has no services" in err) == (2, True)


def test_a_site_without_the_internet_compares_with_a_newer_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, tag in (("old", "v1.0.0"), ("new", "v1.0.7")):
        made = Made(tmp_path / name)
        made.image(f"docker.io/mojaloop/central-ledger:{tag}")
        made.image("docker.io/mojaloop/gone:v1.0.0" if name == "old" else "quay.io/a/b:1.0")
        made.write()
    words = ("--installed", str(tmp_path / "old"), "--bundle", str(tmp_path / "new"))
    assert main(["updates", *words, "--format", "json"]) == 0
    found = {one["image"]: one for one in json.loads(capsys.readouterr().out)["images"]}
    assert found["docker.io/mojaloop/central-ledger:v1.0.0"]["target"] == (
        "mojaloop/central-ledger:v1.0.7"
    )
    gone = found["docker.io/mojaloop/gone:v1.0.0"]
    assert (gone["newer"], "no such image" in gone["problem"]["cause"]) == (None, True)


def test_a_tag_that_was_built_again_is_seen_between_two_bundles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What mends a fault often has the old tag: only the bytes say that it is another image."""
    same = layer(name=b"same")
    for name in ("old", "new"):
        made = Made(tmp_path / name)
        made.image("docker.io/mojaloop/again:v1.0.0", layer(name=name.encode()))
        platform = made.image("docker.io/mojaloop/same:v1.0.0", same)
        if name == "new":
            # The same image of one platform, of which the maker has published an index since.
            made.image_index("docker.io/mojaloop/same:v1.0.0", platform, absent=1)
        made.write()
    words = ("--installed", str(tmp_path / "old"), "--bundle", str(tmp_path / "new"))
    assert main(["updates", *words, "--format", "json"]) == 0
    found = {one["image"]: one for one in json.loads(capsys.readouterr().out)["images"]}
    again = found["docker.io/mojaloop/again:v1.0.0"]
    assert (again["newer"], again["update"]["rebuilt"]) == (True, True)
    assert found["docker.io/mojaloop/same:v1.0.0"]["newer"] is False


def test_what_an_older_bundle_has_under_the_same_tag_is_not_newer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, moment in (("old", "2026-02-01T12:00:00Z"), ("new", "2026-03-01T12:00:00Z")):
        monkeypatch.setattr("tests.bundles.made.MOMENT", moment)
        made = Made(tmp_path / name)
        made.image("docker.io/mojaloop/again:v1.0.0", layer(name=name.encode()))
        made.write()
    words = ("--installed", str(tmp_path / "new"), "--bundle", str(tmp_path / "old"))
    assert main(["updates", *words, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["newer"] for one in said["images"]] == [False]
    assert (said["complete"], "made before" in said["untold"][0]) == (False, True)


def test_a_site_file_names_the_bundle_that_it_was_installed_from(
    look: Look, tmp_path: Path
) -> None:
    made = Made(tmp_path / "old")
    made.image("docker.io/mojaloop/central-ledger:v1.0.0")
    made.write()
    site = tmp_path / "site.yaml"
    site.write_text("solution: pm4ml\nsupplies: {bundle: ./old}\n")
    code, text, err = look("--site", site)
    assert (code, "docker.io/mojaloop/central-ledger:v1.0.0 -> v1.0.2" in text) == (0, True)
    assert "its signature is NOT checked" in err
    site.write_text("solution: pm4ml\n")
    code, _, err = look("--site", site)
    assert (code, "the site has no bundle" in err) == (2, True)


def test_where_nothing_was_learned_the_exit_code_says_so(look: Look) -> None:
    assert look("broken/app:v1.0.0")[0] == 4
    assert look("broken/app:v1.0.0", "mojaloop/a:v1.0.0")[0] == 0
    assert look("quay.io/a/b:v1.0.0")[0] == 7


def test_over_nothing_it_is_not_said_that_all_is_up_to_date(
    cluster: FakeApi, look: Look, tmp_path: Path
) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text("services: {}\n")
    code, text, _ = look("--compose", file, "--format", "message")
    assert (code, "up to date\n" in text) == (3, False)
    code, text, _ = look("--compose", file)
    assert (code, "nothing that runs an image was found" in text) == (3, True)
    cluster.forbidden = set(ALL)
    code, text, _ = look("--kubeconfig", cluster.way_in())
    assert (code, "deployments of the cluster were not read whole: Forbidden" in text) == (3, True)


def test_what_is_newer_and_not_proposed_is_not_up_to_date(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def lacks(_: StandIn, asked: Asked) -> Answer | None:
        return Answer(404) if asked.path.endswith(("/v1.0.1", "/v1.0.2")) else None

    with answering(StandIn(lie=lacks).answer) as server:
        words = ["updates", "mojaloop/a:v1.0.0", "--mirror", f"docker.io={server.url}"]
        assert main([*words, "--format", "message"]) == 0
        said = capsys.readouterr().out
        assert "all monitored services are up to date" not in said
        assert "  - `mojaloop/a`: `v1.0.2`, for it is listed and not there\n" in said
        assert main(words) == 0
        said = " ".join(capsys.readouterr().out.split())
    assert "- mojaloop/a:v1.0.0: what is newer is not proposed not v1.0.2: it is listed" in said
    assert "1 with something newer that is not proposed, 0 up to date" in said
    assert "Of 1 image it is not known which digest runs" in said


def test_nothing_that_runs_was_named(look: Look) -> None:
    code, _, err = look()
    assert (code, "nothing was named that runs" in err) == (2, True)


def test_an_old_list_is_not_the_same_as_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    down = False

    def falls(_: StandIn, asked: Asked) -> Answer | None:
        return Answer(418) if down else None

    with answering(StandIn(lie=falls).answer) as server:
        words = ["updates", "mojaloop/a:v1.0.2", "--mirror", f"docker.io={server.url}"]
        assert main([*words, "--format", "message"]) == 0
        assert "up to date" in capsys.readouterr().out
        down = True
        assert main([*words, "--format", "message", "--fresh", "0s", "--strict"]) == 3
        told = capsys.readouterr().out
        assert "all monitored services" not in told
        assert "could not be had as of now" in told


def test_a_step_that_its_makers_do_not_take_is_told_and_no_command(
    cluster: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.objects[STATEFULSETS] = [workload("store", "x/postgres:v1.0.0")]
    with answering(StandIn(tags=["v1.0.0", "v3.0.1"]).answer) as server:
        line = ["updates", "--kubeconfig", str(cluster.way_in()), "--strategy", "major"]
        line += ["--mirror", f"docker.io={server.url}"]
        assert main(line) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "not in one step: no PostgreSQL 3 reads what 1 wrote" in said
        assert main([*line, "--format", "message"]) == 0
        assert "kubectl" not in capsys.readouterr().out
