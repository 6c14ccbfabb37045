"""Pushing to registries that lie: each a stand-in that is honest but for one thing."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bundles.format import media
from bundles.format.problems import SourceProblem
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from bundles.registries.push import Pushed, push_bundle
from bundles.registries.read_back import BEGINNING, NotKept
from bundles.registries.registry import Registries
from bundles.registries.web import Patience, Web
from tests.bundles.made import Made
from tests.bundles.places import layer
from tests.bundles.servers import Answer, Asked, answering

QUICK = Patience(attempts=2, first_pause=0.001, longest_pause=0.002)
Lie = Callable[["Registry", Asked, Answer], Answer]


@dataclass
class Registry:
    """Keeps what it is given, and tells one lie."""

    lie: Lie
    kept: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answer:
        return self.lie(self, asked, self.honest(asked))

    def honest(self, asked: Asked) -> Answer:
        path, _, query = asked.path.partition("?")
        if asked.method == "POST":
            mount = re.search(r"mount=(sha256:\w+)&from=(.*)", query)
            if mount and (found := self.kept.get(f"/v2/{mount[2]}/blobs/{mount[1]}")):
                self.kept[path.replace("uploads/", mount[1])] = found
                return Answer(201)
            return Answer(202, headers={"Location": path.replace("uploads/", "upload")})
        if asked.method == "PUT" and "digest=" in query:
            digest = query.partition("digest=")[2]
            self.kept[path.replace("/upload", f"/{digest}")] = asked.body, "any"
            return Answer(201)
        if asked.method == "PUT":
            self.kept[path] = asked.body, asked.headers["content-type"]
            return Answer(201)
        if path not in self.kept:
            return Answer(404)
        body, kind = self.kept[path]
        if asked.method == "HEAD":
            return Answer(200)
        if "range" in asked.headers:
            part = body[:BEGINNING]
            told = f"bytes 0-{len(part) - 1}/{len(body)}"
            return Answer(206, part, {"Content-Range": told, "Content-Type": kind})
        return Answer(200, body, {"Content-Type": kind})


def is_blob(asked: Asked) -> bool:
    return "/blobs/" in asked.path


def honest(_: Registry, asked: Asked, answer: Answer) -> Answer:
    return answer


def takes_blobs_and_keeps_none(registry: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "PUT" and is_blob(asked):
        registry.kept.popitem()
    return answer


def takes_manifests_and_keeps_none(registry: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "PUT" and not is_blob(asked):
        registry.kept.popitem()
    return answer


def says_yes_and_has_none(_: Registry, asked: Asked, answer: Answer) -> Answer:
    if is_blob(asked) and asked.method in ("HEAD", "GET"):
        return Answer(200 if asked.method == "HEAD" else 404)
    return answer


def keeps_a_part(registry: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "PUT" and is_blob(asked):
        name, (body, kind) = registry.kept.popitem()
        registry.kept[name] = body[:-1], kind
    return answer


def keeps_other_bytes(registry: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "PUT" and is_blob(asked):
        name, (body, kind) = registry.kept.popitem()
        registry.kept[name] = bytes(len(body)), kind
    return answer


def gives_another_manifest(_: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "GET" and "/manifests/" in asked.path and answer.body:
        return Answer(200, answer.body + b" ", answer.headers)
    return answer


def moves_no_tag(registry: Registry, asked: Asked, answer: Answer) -> Answer:
    """The tag stays on what was there before it."""
    if asked.method == "PUT" and asked.path.endswith("/manifests/1"):
        registry.kept[asked.path] = b'{"an": "old one"}', media.OCI_MANIFEST
    return answer


def gives_another_type(_: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "GET" and "/manifests/" in asked.path and answer.body:
        return Answer(200, answer.body, {"Content-Type": media.DOCKER_MANIFEST})
    return answer


def breaks_off(_: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "GET" and is_blob(asked) and answer.body:
        answer.cut = len(answer.body) // 2
    return answer


def leads_an_upload_nowhere(_: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "POST":
        return Answer(202, headers={"Location": "http://[::1"})
    return answer


def breaks_off_its_refusal(_: Registry, asked: Asked, answer: Answer) -> Answer:
    return Answer(403, b"because " * 9, cut=4) if asked.method == "PUT" else answer


def says_mounted_and_is_not(registry: Registry, asked: Asked, answer: Answer) -> Answer:
    if asked.method == "POST" and answer.status == 201:
        registry.kept.popitem()
    return answer


def had_it_once(registry: Registry, asked: Asked, answer: Answer) -> Answer:
    """HEAD says yes from a cache; what is sent then is kept."""
    if asked.method == "HEAD" and is_blob(asked):
        return Answer(200)
    return answer


def may_not_pull(_: Registry, asked: Asked, answer: Answer) -> Answer:
    return Answer(403) if asked.method == "GET" else answer


def push(tmp_path: Path, lie: Lie) -> tuple[list[Pushed], Registry]:
    """Two images with a layer in common, and one that is longer than what is read back."""
    made = Made(tmp_path / "bundle")
    shared = layer(shared=b"in both")
    made.image("example.org/one:1", shared, layer(large=os.urandom(2 * BEGINNING)))
    made.image("example.org/two:1", shared, layer(small=b"small"))
    folder = made.write()
    registry = Registry(lie)

    async def work(host: str) -> list[Pushed]:
        async with Web(patience=QUICK) as web:
            with open_bundle(folder) as bundle:
                items = read_structure(bundle).index.items
                return await push_bundle(bundle, items, host, Registries(web), parallel=1)

    with answering(registry.answer) as server:
        return asyncio.run(work(server.host)), registry


LIES: dict[Lie, str] = {
    takes_blobs_and_keeps_none: r"says that it has sha256:\w+ and answers 404",
    takes_manifests_and_keeps_none: r"took the manifest sha256:\w+ and answers 404",
    says_yes_and_has_none: r"says that it has sha256:\w+ and answers 404",
    keeps_a_part: r"it has \d+ bytes of sha256:\w+, and was given \d+",
    keeps_other_bytes: r"gives other bytes for sha256:\w+",
    gives_another_manifest: r"it gives sha256:\w+ for the manifest sha256:\w+",
    moves_no_tag: r"it gives sha256:\w+ for the manifest 1, and was given",
    gives_another_type: "out as application/vnd.docker.distribution.manifest.v2",
    breaks_off: "it breaks off while it gives",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_what_a_registry_says_it_took_and_has_not_is_not_called_pushed(
    tmp_path: Path, lie: Lie
) -> None:
    with pytest.raises(NotKept, match=LIES[lie]) as caught:
        push(tmp_path, lie)
    assert "push once more" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("lie", "said"),
    [(leads_an_upload_nowhere, "redirects to no address"), (breaks_off_its_refusal, "403")],
)
def test_what_a_registry_says_beside_the_push_ends_in_a_problem(
    tmp_path: Path, lie: Lie, said: str
) -> None:
    with pytest.raises(SourceProblem, match=said):
        push(tmp_path, lie)


@pytest.mark.parametrize("lie", [honest, says_mounted_and_is_not, had_it_once])
def test_what_can_be_put_right_by_sending_is_sent(tmp_path: Path, lie: Lie) -> None:
    pushed, registry = push(tmp_path, lie)
    assert all(one.read_back for one in pushed)
    for name, (body, _) in registry.kept.items():
        if (digest := name.rpartition("/")[2]).startswith("sha256:"):
            assert digest == "sha256:" + hashlib.sha256(body).hexdigest()
    assert sum("/blobs/" in name for name in registry.kept) == 6


def test_where_a_login_may_push_and_not_pull_that_is_said(tmp_path: Path) -> None:
    pushed, _ = push(tmp_path, may_not_pull)
    assert [one.read_back for one in pushed] == [False, False]
