"""A Helm release brought to other images: which values name them, and that nothing else changes.

What Helm itself says of a real release is in test_apply_lab.
"""

from __future__ import annotations

from typing import Any

import pytest

from installer.steps.on_machine.release import candidates, only_images

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


def test_another_object_with_the_same_image_is_seen() -> None:
    """A hook or a job takes the same value: more would change than was planned."""
    two = MANIFEST + MANIFEST
    assert "as well" in only_images(two, two.replace(OLD, NEW), CHANGE)
