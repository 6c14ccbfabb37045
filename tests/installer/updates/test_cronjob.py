"""A CronJob that looks for updates: what it may, what is in it, shown, applied, taken away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundation.clusters import https
from foundation.clusters.kubeconfig import kubeconfig_files, read_access
from foundation.clusters.problems import ApiRefused
from installer.cli import main
from installer.commands.updates_cronjob import objects_of
from installer.updates.in_cluster import read_running
from tests.lab.kubernetes.certificates import Authority

IMAGE = "registry.site:5000/sitewright@sha256:" + "1" * 64
WORDS = ["updates", "schedule", "--cronjob", "--namespace", "care"]


class Kept:
    """An API that keeps what it is given, and tells what it was asked."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.changes: list[str] = []

    async def __aenter__(self) -> Kept:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def get(self, path: str, *, limit: int) -> bytes:
        if path not in self.objects:
            raise ApiRefused("NotFound", "it is not there")
        raw = json.dumps(self.objects[path]).encode()
        assert len(raw) <= limit
        return raw

    async def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self.changes.append(f"{method} {path.rpartition('/v1/')[2]}")
        thing: dict[str, Any] = json.loads(body or b"{}")
        if method == "DELETE":
            del self.objects[path]
            return b"{}"
        place = path if method == "PUT" else f"{path}/{thing['metadata']['name']}"
        before = self.objects.get(place, {}).get("metadata", {}).get("resourceVersion", "")
        assert thing["metadata"].get("resourceVersion", "") == before
        thing["metadata"]["resourceVersion"] = f"{int(before or 0) + 1}"
        self.objects[place] = thing
        return b"{}"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setenv("HOME", str(tmp_path))
    kept = Kept()
    monkeypatch.setattr(https, "HttpsApi", lambda access: kept)
    way = tmp_path / "admin.conf"
    way.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "site",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"token": "of-the-administrator"}}],
        "contexts": [{"name": "site", "context": {"cluster": "c", "user": "u"}}],
    }))  # fmt: skip
    monkeypatch.setenv("KUBECONFIG", str(way))
    return kept


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_it_is_shown_and_nothing_is_done_before_somebody_agrees(
    api: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*WORDS, "--image", IMAGE]
    assert main(words) == 7  # there is no terminal to ask on
    out, err = capsys.readouterr()
    shown = list(yaml.safe_load_all(out))
    assert [one["kind"] for one in shown] == [
        "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "CronJob",
    ]  # fmt: skip
    assert "a person must agree" in err
    assert api.changes == []
    assert main([*words, "--yes"]) == 0
    assert list(yaml.safe_load_all(capsys.readouterr().out)) == shown
    for one in shown:
        (kept,) = [each for each in api.objects.values() if each["kind"] == one["kind"]]
        del kept["metadata"]["resourceVersion"]
        assert kept == one
    assert "of-the-administrator" not in out + json.dumps(list(api.objects.values()))


def test_it_is_written_over_and_taken_away_whole(
    api: Kept, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--image", IMAGE, "--yes"]) == 0
    assert main([*WORDS, "--image", IMAGE, "--yes", "--every", "12"]) == 0
    (job,) = [one for one in api.objects.values() if one["kind"] == "CronJob"]
    assert job["spec"]["schedule"] == "17 */12 * * *"
    api.changes.clear()
    assert main([*WORDS, "--remove"]) == 0
    assert api.objects == {}
    assert api.changes[0] == "DELETE namespaces/care/cronjobs/sitewright-updates"
    assert main([*WORDS, "--remove"]) == 0
    assert "There is no CronJob." in said(capsys)


@pytest.mark.parametrize("labels", [None, {}, {"app.kubernetes.io/managed-by": "Helm"}])
@pytest.mark.parametrize("more", [["--remove"], ["--image", IMAGE, "--yes"]])
def test_what_somebody_else_made_is_left(
    api: Kept, capsys: pytest.CaptureFixture[str], more: list[str], labels: dict[str, str] | None
) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/sitewright-updates-care"
    api.objects[path] = {"kind": "ClusterRole", "metadata": {"labels": labels}}
    assert main([*WORDS, *more]) == 7
    assert "that Sitewright did not make" in said(capsys)
    assert api.changes == []


def test_the_pod_is_given_least_and_no_secret_but_by_name() -> None:
    *_, binding, config, job = objects_of(
        namespace="care", image=IMAGE, schedule="17 3 * * *", words=["--strategy", "patch"],
        webhook_secret="hook", claim="memory",
    )  # fmt: skip
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    # PodSecurity's profile "restricted", field by field.
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False
    assert container["args"][-2:] == ["--strategy", "patch"]
    ref = {"secretKeyRef": {"name": "hook", "key": "address"}}
    assert {"name": "SITEWRIGHT_SECRET_WEBHOOK", "valueFrom": ref} in container["env"]
    claim = {"name": "home", "persistentVolumeClaim": {"claimName": "memory"}}
    assert claim in pod["volumes"]
    assert "token:" not in config["data"]["config"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "sitewright-updates", "namespace": "care"}
    ]


async def test_its_role_lists_all_that_the_look_asks_for_and_nothing_else() -> None:
    _, role, *_ = objects_of(namespace="care", image=IMAGE, schedule="", words=())
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list"}
    may = {
        f"{group}/{kind}"
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for kind in rule["resources"]
    }
    asked = set()

    class Watched(Kept):
        async def get(self, path: str, *, limit: int) -> bytes:
            parts = path.partition("?")[0].strip("/").split("/")
            asked.add(f"{parts[1] if parts[0] == 'apis' else ''}/{parts[-1]}")
            return b'{"kind": "List", "metadata": {}, "items": []}'

    watched: Any = Watched()
    await read_running(watched)
    assert asked == may


def test_the_pods_kubeconfig_is_read_as_kubernetes_lays_it_out(tmp_path: Path) -> None:
    """A projected volume: links to a folder that changes whole, the token beside what names it."""
    *_, config, _ = objects_of(namespace="care", image=IMAGE, schedule="", words=())
    folder = _projected(tmp_path / "cluster", config["data"]["config"])
    access = read_access(kubeconfig_files(folder / "config", {}), None)
    assert access.server == "https://kubernetes.default.svc"
    assert access.token is not None
    assert access.token.reveal() == "of-the-pod"
    assert access.authority is not None


def _projected(folder: Path, config: str) -> Path:
    inside = folder / "..2026_11_30"
    inside.mkdir(parents=True)
    authority = Authority(folder).pair.certificate
    (inside / "config").write_text(config)
    (inside / "token").write_text("of-the-pod\n")
    (inside / "ca.crt").write_bytes(authority.read_bytes())
    authority.unlink()
    (folder / "..data").symlink_to(inside.name)
    for name in ("config", "token", "ca.crt"):
        (folder / name).symlink_to(f"..data/{name}")
    return folder


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--yes"], "which image has Sitewright is not said"),
        (["--image", "registry.site:5000/sitewright"], "is whatever is newest"),
        (["--image", IMAGE, "--every", "5"], "cron has no every 5 hours"),
        (["--image", IMAGE, "--cron", "daily"], "not the five words of cron"),
        (["--image", IMAGE, "--at", "Sun 03:00"], "--at is systemd's"),
        (["--image", IMAGE, "--webhook-secret", "hook"], "would be told the same at every look"),
        (["--image", IMAGE, "--claim", "A b"], "is no name of an object"),
        (["--image", IMAGE, "--", "--site", "/root/site.yaml"], "a pod has none of them"),
        (["--image", IMAGE, "--", "--webhook-file", "/root/hook"], "a pod has none of them"),
        (["--image", IMAGE, "--", "--cluster", "other"], "in which it runs"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_is_told_and_nothing_is_done(
    api: Kept, capsys: pytest.CaptureFixture[str], more: list[str], says: str
) -> None:
    assert main([*WORDS, *more]) == 2
    assert says in said(capsys)
    assert api.changes == []
