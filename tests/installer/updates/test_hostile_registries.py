"""Registries that lie, never end, limit, lead elsewhere: each a stand-in, honest but for one thing.

The stand-in speaks as distribution's registry does (docs/spec/api.md, tags and manifests); it hides
how slow a real one is, and TLS.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bundles.format import budgets, media
from installer.updates import registry_origin
from installer.updates.allowed import read_named
from installer.updates.registry_origin import Times
from installer.updates.serving import Ways
from tests.bundles.servers import Answer, Asked, Server, answering
from tests.installer.updates.conftest import QUICK, Running, watching

IMAGE = "/image/mojaloop/central-ledger/v1.0.0"
Lie = Callable[["StandIn", Asked], Answer | None]


@dataclass
class StandIn:
    """A registry of one repository; `lie` may answer in its place."""

    tags: list[str] = field(default_factory=lambda: ["v1.0.0", "v1.0.1", "v1.0.2"])
    lie: Lie = lambda _, __: None
    page: int = 1000
    etag: str = ""

    def manifest(self, tag: str) -> bytes:
        config = {"mediaType": media.OCI_CONFIG, "digest": f"sha256:{1:064x}", "size": 2}
        return json.dumps({"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, "config": config,
                           "layers": [], "annotations": {"is": tag}}).encode()  # fmt: skip

    def digest(self, tag: str) -> str:
        return "sha256:" + hashlib.sha256(self.manifest(tag)).hexdigest()

    def answer(self, asked: Asked) -> Answer:
        lie = self.lie(self, asked)
        if lie is not None:
            return lie
        path, _, query = asked.path.partition("?")
        if path.endswith("/tags/list"):
            if self.etag and asked.headers.get("if-none-match") == self.etag:
                return Answer(304)
            last = (re.search(r"last=([^&]+)", query) or ["", ""])[1]
            rest = [tag for tag in sorted(self.tags) if tag > last]
            some = rest[: self.page]
            headers = {"ETag": self.etag} if self.etag else {}
            if len(rest) > len(some):
                headers["Link"] = f'<{path}?n={self.page}&last={some[-1]}>; rel="next"'
            return Answer(200, json.dumps({"name": "x", "tags": some}).encode(), headers)
        selector = path.rpartition("/")[2]
        by_digest = {self.digest(tag): tag for tag in self.tags}
        tag = by_digest.get(selector, selector)
        if "/manifests/" not in path or tag not in self.tags:
            return Answer(404, b"{}")
        headers = {"Docker-Content-Digest": self.digest(tag), "Content-Type": media.OCI_MANIFEST}
        return Answer(200, b"" if asked.method == "HEAD" else self.manifest(tag), headers)


@contextmanager
def watched(stand_in: StandIn, **more: object) -> Iterator[tuple[Running, Server]]:
    """A watcher that asks the stand-in for Docker Hub's images."""
    with answering(stand_in.answer) as server:
        ways = Ways((read_named("docker.io"),), (("docker.io", server.url),), patience=QUICK)
        with watching(replace(ways, **more)) as running:  # type: ignore[arg-type] # its own fields
            yield running, server


def lists(asked: Asked) -> bool:
    return "/tags/list" in asked.path


def test_every_page_of_a_list_is_read() -> None:
    """argocd-image-updater stopped at 49 images (issue 1036)."""
    tags = [f"v1.0.{number}" for number in range(700)]
    with watched(StandIn(tags, page=50)) as (watcher, server):
        assert watcher.tag(IMAGE, strategy="bugfix") == "v1.0.699"
        assert sum(map(lists, server.asked)) == 14


def page_that_leads_back(_: StandIn, asked: Asked) -> Answer | None:
    body = json.dumps({"tags": ["v1.0.0", "v1.0.1"]}).encode()
    link = {"Link": '</v2/mojaloop/central-ledger/tags/list?n=1000>; rel="next"'}
    return Answer(200, body, link) if lists(asked) else None


def pages_without_end(_: StandIn, asked: Asked) -> Answer | None:
    last = int((re.search(r"last=v1\.0\.([0-9]+)", asked.path) or ["", "0"])[1])
    body = json.dumps({"tags": [f"v1.0.{last + 1}"]}).encode()
    place = f"/v2/mojaloop/central-ledger/tags/list?last=v1.0.{last + 1}"
    return Answer(200, body, {"Link": f'<{place}>; rel="next"'}) if lists(asked) else None


def page_that_is_elsewhere(_: StandIn, asked: Asked) -> Answer | None:
    body = json.dumps({"tags": ["v1.0.0"]}).encode()
    link = {"Link": '<http://127.0.0.1:9/v2/x/tags/list>; rel="next"'}
    return Answer(200, body, link) if lists(asked) else None


def page_that_is_no_list(_: StandIn, asked: Asked) -> Answer | None:
    return Answer(200, b"<html>log in</html>") if lists(asked) else None


def page_of_another_form(_: StandIn, asked: Asked) -> Answer | None:
    return Answer(200, b'{"tags": "v1.0.0"}') if lists(asked) else None


def page_without_measure(_: StandIn, asked: Asked) -> Answer | None:
    return Answer(200, b" " * (budgets.TAG_PAGE_BYTES + 1)) if lists(asked) else None


def too_many_on_one_page(_: StandIn, asked: Asked) -> Answer | None:
    body = json.dumps({"tags": [f"v1.0.{number}" for number in range(60)]}).encode()
    return Answer(200, body) if lists(asked) else None


def sends_on_to_an_inside_host(_: StandIn, asked: Asked) -> Answer | None:
    return Answer(302, headers={"Location": "http://127.0.0.1:9/secret"}) if lists(asked) else None


def wants_a_token_of_an_inside_host(_: StandIn, asked: Asked) -> Answer | None:
    realm = 'Bearer realm="http://127.0.0.1:9/token",service="x"'
    return Answer(401, headers={"WWW-Authenticate": realm}) if lists(asked) else None


def is_broken(_: StandIn, asked: Asked) -> Answer | None:
    return Answer(500, b"oops") if lists(asked) else None


def says_something_odd(_: StandIn, asked: Asked) -> Answer | None:
    return Answer(418, b"\x1b[2Jteapot") if lists(asked) else None


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (page_that_leads_back, "leads back to where it was"),
        (pages_without_end, "has no end"),
        (page_that_is_elsewhere, "is said to be elsewhere"),
        (page_that_is_no_list, "not JSON"),
        (page_of_another_form, "no list of tags"),
        (page_without_measure, "sends more than"),
        (too_many_on_one_page, "has more than 50"),
        (sends_on_to_an_inside_host, "which nobody named"),
        (wants_a_token_of_an_inside_host, "which nobody named"),
        (is_broken, "the server answers 500"),
        (says_something_odd, "answers 418"),
    ],
)
def test_a_list_that_cannot_be_right_is_told(
    lie: Lie, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "TAG_PAGES", 20)
    monkeypatch.setattr(budgets, "TAGS", 50)
    with watched(StandIn(lie=lie)) as (watcher, server):
        status, text = watcher.refusal(IMAGE, strategy="major")
        assert (status, said in text) == (503, True), text
        assert "\x1b" not in text
        asked = len(server.asked)
        assert asked <= budgets.TAG_PAGES + 5
        # It is not asked again and again, however often the same is wanted.
        assert watcher.refusal(IMAGE, strategy="bugfix")[0] == 503
        assert len(server.asked) == asked
        assert any(event.kind == "failed" for event in watcher.events)


def test_a_registry_that_limits_is_left_alone_for_as_long_as_it_says() -> None:
    def limits(_: StandIn, asked: Asked) -> Answer | None:
        return Answer(429, headers={"Retry-After": "120"})

    with watched(StandIn(lie=limits)) as (watcher, server):
        answer = watcher.client.get(IMAGE)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "120"
        asked = len(server.asked)
        other = watcher.client.get("/image/mojaloop/other/v1.0.0")
        assert (other.status_code, len(server.asked)) == (503, asked)


def test_many_images_do_not_wait_one_after_the_other_for_who_is_not_there() -> None:
    ways = Ways((read_named("docker.io"),), (("docker.io", "127.0.0.1:9"),), patience=QUICK)
    with watching(ways) as watcher:
        images = [f"mojaloop/image-{number}:v1.0.0" for number in range(200)]
        found = watcher.client.post("/images", json={"images": images}).json()["images"]
        assert {one["status"] for one in found} == {503}
        health = watcher.get("/health")
        assert health["questions"] <= registry_origin.PARALLEL
        assert health["failures"] <= registry_origin.PARALLEL


def test_a_registry_that_asks_to_wait_for_ever_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry_origin, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(registry_origin, "FAILED", 0.0)
    limits = True

    def once(_: StandIn, asked: Asked) -> Answer | None:
        return Answer(429, headers={"Retry-After": "999999999"}) if limits else None

    with watched(StandIn(lie=once)) as (watcher, _):
        assert watcher.client.get(IMAGE).headers["retry-after"] == "86400"
        limits = False
        assert watcher.tag(IMAGE, strategy="bugfix") == "v1.0.2"


def test_an_etag_that_cannot_be_sent_is_not_kept() -> None:
    odd = "\u00fc" * 5
    with watched(StandIn(etag=odd), times=Times(fresh=0)) as (watcher, server):
        watcher.tag(IMAGE)
        watcher.tag(IMAGE)
        assert all("if-none-match" not in one.headers for one in server.asked)


def test_it_ends_soon_while_a_registry_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    from concurrent.futures import ThreadPoolExecutor

    from bundles.serve.listener import Listener

    monkeypatch.setattr(Listener.close, "__defaults__", (0.2,))  # seconds, else 5

    begun, gone = threading.Event(), threading.Event()

    def silent(_: StandIn, asked: Asked) -> Answer | None:
        begun.set()
        gone.wait(60)
        return None

    rescue = threading.Timer(50, gone.set)
    rescue.start()
    with ThreadPoolExecutor(1) as pool:
        with watched(StandIn(lie=silent)) as (watcher, _):
            asking = pool.submit(watcher.client.get, IMAGE)
            begun.wait(20)
        # It has ended, and nobody had to be answered for that.
        assert not gone.is_set()
        assert asking.exception() is not None or asking.result().status_code == 503
    rescue.cancel()
    gone.set()


def test_an_old_list_answers_for_a_registry_that_does_not_and_says_so() -> None:
    down = False

    def falls(_: StandIn, asked: Asked) -> Answer | None:
        return Answer(503, headers={"Retry-After": "60"}) if down else None

    with watched(StandIn(lie=falls), times=Times(fresh=0, kept=3600)) as (watcher, _):
        assert watcher.tag(IMAGE, strategy="bugfix") == "v1.0.2"
        down = True
        found = watcher.get(IMAGE, strategy="bugfix")
        assert (found["tag"], found["newer"]) == ("v1.0.2", True)
        assert "old, for now the registry does not give it" in found["notes"][0]


def test_a_list_that_has_not_changed_is_not_fetched_again() -> None:
    with watched(StandIn(etag='"one"'), times=Times(fresh=0)) as (watcher, server):
        watcher.tag(IMAGE)
        watcher.tag(IMAGE)
        words = [one.headers.get("if-none-match") for one in server.asked if lists(one)]
        assert words == [None, '"one"']


def test_a_digest_that_is_nowhere_is_not_proposed() -> None:
    """argocd-image-updater 530: a digest that does not exist."""

    def lies(stand_in: StandIn, asked: Asked) -> Answer | None:
        if asked.path.endswith("/manifests/v1.0.2"):
            return Answer(200, headers={"Docker-Content-Digest": f"sha256:{9:064x}"})
        return None

    with watched(StandIn(lie=lies)) as (watcher, _):
        found = watcher.get(IMAGE, strategy="bugfix")
        assert found["tag"] == "v1.0.1"
        assert found["passedOver"][0]["tag"] == "v1.0.2"


def test_a_registry_that_knows_no_head_is_asked_with_get() -> None:
    def refuses(stand_in: StandIn, asked: Asked) -> Answer | None:
        return Answer(405) if asked.method == "HEAD" else None

    stand_in = StandIn(lie=refuses)
    with watched(stand_in) as (watcher, _):
        assert watcher.get(IMAGE, strategy="bugfix")["digest"] == stand_in.digest("v1.0.2")


def test_names_that_are_no_tags_are_left_out() -> None:
    stand_in = StandIn(["v1.0.0", "v1.0.1", "v1.0.9\x1b[31m", "../../v9", "v9/x", "v" * 500])
    with watched(stand_in) as (watcher, _):
        assert watcher.tag(IMAGE, strategy="major") == "v1.0.1"


def test_a_login_goes_by_namespace_and_stands_in_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "hunter2-secret-word"
    seen = []

    def wants(_: StandIn, asked: Asked) -> Answer | None:
        given = asked.headers.get("authorization", "")
        if not given:
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        seen.append((asked.path, base64.b64decode(given.removeprefix("Basic ")).decode()))
        if "/private/" in asked.path:
            return Answer(403, f"you sent {given} {password}".encode())
        if "/odd/" in asked.path:
            return Answer(418, f"you sent {given} {password}".encode())
        return None

    with watched(StandIn(lie=wants)) as (_, server):
        entries = {
            server.host: {"auth": base64.b64encode(b"all:other").decode()},
            f"{server.host}/mojaloop": {
                "auth": base64.b64encode(f"mine:{password}".encode()).decode()
            },
            f"{server.host}/private": {
                "auth": base64.b64encode(f"mine:{password}".encode()).decode()
            },
            f"{server.host}/odd": {"auth": base64.b64encode(f"me:{password}".encode()).decode()},
        }
        file = tmp_path / "auth.json"
        file.write_text(json.dumps({"auths": entries}))
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
        ways = Ways((read_named("docker.io"),), (("docker.io", server.url),), patience=QUICK)
        with watching(ways) as watcher:
            assert watcher.tag(IMAGE, strategy="major") == "v1.0.2"
            assert seen[0][1] == f"mine:{password}"
            status, text = watcher.refusal("/image/private/app/v1.0.0")
            assert status == 404
            for secret in (password, "mine", str(file)):
                assert secret not in text
            status, text = watcher.refusal("/image/odd/app/v1.0.0")
            assert status == 503
            assert password not in text
            watcher.client.get("/image/other/app/v1.0.0")
            assert seen[-1][1] == "all:other"
            told = " ".join(event.text for event in watcher.events)
    assert password not in told
    for kept in (tmp_path / "cache").rglob("*.json"):
        assert password not in kept.read_text()


def test_one_question_is_asked_once_for_all_who_want_it() -> None:
    import threading
    from concurrent.futures import ThreadPoolExecutor

    waiting = threading.Barrier(2, timeout=20)
    begun = threading.Event()

    def holds(_: StandIn, asked: Asked) -> Answer | None:
        if lists(asked):
            begun.set()
            waiting.wait()
        return None

    with watched(StandIn(lie=holds)) as (watcher, server), ThreadPoolExecutor(8) as pool:
        first = pool.submit(watcher.tag, IMAGE, strategy="bugfix")
        begun.wait(20)
        others = [pool.submit(watcher.tag, IMAGE, strategy=one) for one in ("minor", "major")]
        waiting.wait()
        assert {one.result(30) for one in (first, *others)} == {"v1.0.2"}
        assert sum(map(lists, server.asked)) == 1


def test_a_registry_that_never_answers_is_waited_for_so_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import threading

    gone = threading.Event()
    monkeypatch.setattr(registry_origin, "QUESTION_SECONDS", 0.2)

    def silent(_: StandIn, asked: Asked) -> Answer | None:
        gone.wait(20)
        return None

    with watched(StandIn(lie=silent)) as (watcher, _):
        status, text = watcher.refusal(IMAGE)
        assert (status, "gives no answer within" in text) == (503, True)
        gone.set()
