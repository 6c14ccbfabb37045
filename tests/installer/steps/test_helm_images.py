"""A Helm release brought to other images: which values name them, and that nothing else changes.

What Helm itself says of a real release is in test_apply_lab.
"""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from installer.steps.on_machine import kube, watching
from installer.steps.on_machine.kube import Ended, Silent
from installer.steps.on_machine.release import Release, brought_by_helm, candidates, only_images
from tests.installer.steps.test_rollout import CRASHES, FakeCluster, thing

OLD = "mojaloop/ledger:v1.0.0"
NEW = "mojaloop/ledger:v1.0.2@sha256:" + "1" * 64
TAG = NEW.partition(":")[2]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"image": OLD}, [["image", NEW]]),
        ({"image": {"repository": "mojaloop/ledger", "tag": "v1.0.0"}}, [["image.tag", TAG]]),
        ({"image": {"registry": "docker.io", "repository": "mojaloop/ledger", "tag": "v1.0.0"}},
         [["image.tag", TAG]]),
        ({"image": {"repository": "mojaloop/ledger", "tag": ""}}, [["image.tag", TAG]]),
        ({"image": {"name": "mojaloop/ledger", "tag": "v1.0.0"}}, [["image.tag", TAG]]),
        ({"image": {"repository": "mojaloop/other", "tag": "v1.0.0"}}, []),
        ({"image": {"repository": "mojaloop/ledger", "tag": "v0.9.0"}}, []),
        ({"a.b": {"image": OLD}}, [["a\\.b.image", NEW]]),
        # A list is put in the place of the whole list by --set, so it is none.
        ({"images": [OLD]}, []),
    ],
)  # fmt: skip
def test_the_values_that_name_an_image(values: dict[str, Any], found: list[list[str]]) -> None:
    assert list(candidates(values, OLD, NEW)) == found


CHANGE = [{"container": "main", "init": False, "from": OLD, "to": NEW}]
MANIFEST = f"""\
kind: Secret
data:
  key: c2VjcmV0
---
kind: Deployment
spec:
      - image: "{OLD}"
        name: main
"""


def test_a_manifest_in_which_the_image_alone_changes_is_right() -> None:
    assert only_images(MANIFEST, MANIFEST.replace(OLD, NEW), CHANGE) == ""


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (MANIFEST, "leave mojaloop/ledger:v1.0.0 as it is"),
        (MANIFEST.replace(OLD, NEW).replace("c2VjcmV0", "b3RoZXI="), "more than images: key"),
        (MANIFEST.replace(OLD, NEW) + "more: yes\n", "other objects"),
        (MANIFEST.replace(OLD, "mojaloop/ledger:v9"), "would become mojaloop/ledger:v9 as well"),
    ],
)
def test_a_manifest_in_which_more_changes_is_not(new: str, why: str) -> None:
    said = only_images(MANIFEST, new, CHANGE)
    assert why in said
    assert "c2VjcmV0" not in said


@pytest.mark.parametrize(
    "line", ["password=one-of-two", "one-of-two", "- one-of-two:3", "one-of-two:"]
)
def test_of_a_text_in_a_manifest_no_line_is_told(line: str) -> None:
    """A chart that draws passwords anew is found, and the one that counts is shown to nobody."""
    old = f"kind: Secret\nstringData:\n  a.ini: |\n    {line}\n"
    said = only_images(old, old.replace("one-of-two", "9"), [])
    assert "would change more than images" in said
    assert ("one-of-two" in said) is (line == "one-of-two:")  # which is a key, for all one sees


def test_another_object_with_the_same_image_is_seen() -> None:
    """A hook or a job takes the same value: more would change than was planned."""
    two = MANIFEST + MANIFEST
    assert "as well" in only_images(two, two.replace(OLD, NEW), CHANGE)


class FakeRelease(Release):
    """A release of one workload: a stand-in for Helm 3.17 that keeps revisions, and no more."""

    def __init__(self, **more: Any) -> None:
        self.cluster = FakeCluster(thing())
        self.cluster.order |= {"changes": [{**CHANGE[0], "from": A, "to": B}], **more}
        super().__init__({"helm": ["helm"], "release": "r", "namespace": "n", **more,
                          "workloads": [self.cluster.order]})  # fmt: skip
        self.workloads = [self.cluster]
        self.images = [A]
        self.said: list[str] = []
        self.meta: dict[str, Any] = {"name": "c", "version": "1"}
        self.status, self.fails, self.draws = "deployed", False, False

    def manifest(self, image: str, *, new: bool = False) -> str:
        return f"image: {image}\nkey: {'new' if new and self.draws else 'old'}\n"

    def helm(self, *words: str, seconds: float = 0) -> str:
        self.said.append(" ".join(words[:2]))
        tag = next((word.partition("=")[2] for word in words if word.startswith("i.tag=")), "")
        match words[:2]:
            case ("status", _):
                info = {"version": len(self.images), "info": {"status": self.status}}
                return json.dumps(info)
            case ("get", "values"):
                return json.dumps({"i": {"repository": "a/b", "tag": "1"}})
            case ("get", _):
                return self.manifest(self.images[-1])
            case ("upgrade", _) if "--dry-run=server" in words:
                return json.dumps({"manifest": self.manifest(f"a/b:{tag}", new=True)})
            case ("upgrade", _):
                self.put(f"a/b:{tag}")
                if self.fails:
                    raise Silent("post-upgrade hooks failed")
            case ("rollback", _):
                self.put(self.images[int(words[2]) - 1])
        return ""

    def put(self, image: str) -> None:
        self.images.append(image)
        template = self.cluster.template(self.cluster.object)
        template["spec"]["containers"][1]["image"] = image

    def chart(self, revision: int, folder: Path) -> None:
        packed = json.dumps({"chart": {"metadata": self.meta, "templates": []}}).encode()
        twice = base64.b64encode(base64.b64encode(gzip.compress(packed))).decode()
        secret = json.dumps({"data": {"release": twice}})
        asked = self.cluster.kubectl
        self.cluster.kubectl = lambda *_, stdin=None: secret  # type: ignore[method-assign]  # for one
        try:
            super().chart(revision, folder)
        finally:
            self.cluster.kubectl = asked  # type: ignore[method-assign]  # as it was

    def ended(self) -> Ended | None:
        try:
            brought_by_helm(self)
        except Ended as end:
            return end
        return None


A, B = "a/b:1", "a/b:2@sha256:" + "1" * 64


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kube, watching):
        monkeypatch.setattr(module, "EVERY", 0.001)


def test_a_release_is_upgraded_once_a_dry_run_was_right() -> None:
    release = FakeRelease()
    assert release.ended() is None
    assert release.images == [A, B]
    assert release.said.count("upgrade r") == 2


def test_a_workload_that_does_not_stand_has_the_release_rolled_back() -> None:
    release = FakeRelease()
    release.cluster.bad = CRASHES
    end = release.ended()
    assert end is not None
    assert end.status == kube.BACK
    assert "the templates of revision 1 are back, and they stand" in end.why
    assert release.images == [A, B, A]


def test_an_upgrade_that_failed_half_way_is_rolled_back() -> None:
    release = FakeRelease()
    release.fails = True
    end = release.ended()
    assert end is not None
    assert end.status == kube.BACK
    assert end.why.startswith("helm upgrade: post-upgrade hooks failed")
    assert release.images == [A, B, A]


def test_data_that_may_be_changed_is_not_rolled_back() -> None:
    release = FakeRelease(migrates="the init container migrate")
    release.cluster.bad = CRASHES
    end = release.ended()
    assert end is not None
    assert end.status == kube.LEFT
    assert release.images == [A, B]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"draws": True}, "more than images: key"),
        ({"status": "pending-upgrade"}, "the release r is pending-upgrade"),
        ({"meta": {"name": "c", "dependencies": [{"name": "mysql"}]}}, "parts of other charts"),
    ],
)
def test_what_helm_cannot_be_trusted_with_is_not_begun(change: Any, why: str) -> None:
    release = FakeRelease()
    for name, value in change.items():
        setattr(release, name, value)
    end = release.ended()
    assert end is not None
    assert why in end.why
    assert end.why.endswith("nothing was done")
    assert release.images == [A]
