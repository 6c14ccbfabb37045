"""Whatever is asked of the watcher is answered in JSON, and never with an error of our own."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.format.reference import Reference
from foundation.problems import InputProblem
from installer.updates.asked import batch_of, image_of_text, question_of
from installer.updates.lookup import Question
from installer.updates.strategies import Strategy
from tests.installer.updates.conftest import Running
from tests.installer.updates.test_hostile_registries import StandIn, watched

EXAMPLES = 5_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 60
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
USUAL = Question(Reference("", ""), Strategy.PATCH)
SIGNS = st.text(st.sampled_from("abz019./:@-_%?=&+~v[]\\ \x00\u00e9"), max_size=40)
PART = st.sampled_from(
    ["image", "images", "digest", "mojaloop", "central-ledger", "v1.0.0", "..", "", "docker.io",
     "127.0.0.1:22", "latest", "v1.0.0@sha256:" + "1" * 64, "%2e%2e", "a:b", "[::1]:80"]
)  # fmt: skip
PATH = st.lists(st.one_of(PART, SIGNS), max_size=6).map("/".join)
WORDS = st.dictionaries(
    st.one_of(st.sampled_from(["strategy", "digest", "prereleases", "minimum-age"]), SIGNS),
    st.one_of(st.sampled_from(["minor", "true", "3d", "sha256:" + "1" * 64]), SIGNS),
    max_size=3,
)
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), SIGNS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(["images", "image", "strategy"]), SIGNS), inner,
                        max_size=3),
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def watcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with watched(StandIn(), memory=tmp_path_factory.mktemp("memory") / "kept.json") as (running, _):
        yield running


@BOUNDED
@given(PATH, WORDS, st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]))
def test_any_address_is_answered(
    watcher: Running, path: str, words: dict[str, str], method: str
) -> None:
    import httpx

    try:
        request = watcher.client.build_request(method, f"/{path}", params=words)
    except (httpx.InvalidURL, UnicodeError):
        return
    answer = watcher.client.send(request)
    assert answer.status_code in (200, 400, 403, 404, 405, 503), (path, words, answer.text)
    if method != "HEAD" and answer.headers["content-type"] == "application/json":
        json.loads(answer.text)


@settings(max_examples=EXAMPLES, deadline=None, database=None)
@given(PLAIN)
def test_any_batch_is_read_or_refused(value: object) -> None:
    try:
        found = batch_of(json.dumps(value).encode("utf-8", "surrogatepass"), USUAL)
    except InputProblem:
        return
    assert found


@settings(max_examples=EXAMPLES * 3, deadline=None, database=None)
@given(SIGNS, WORDS)
def test_any_name_is_an_image_or_refused(text: str, words: dict[str, str]) -> None:
    images = []
    with contextlib.suppress(InputProblem):
        images.append(image_of_text(text))
    with contextlib.suppress(InputProblem):
        images.append(question_of(text, words, USUAL).image)
    for image in images:
        assert ".." not in image.repository.split("/")
        assert not image.repository.startswith("/")
