"""Whatever is asked, the answer stays within what is served."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from bundles.serve.answers import BadRequest, Offer, Request, Span, parse_target
from bundles.serve.git import GitServer
from bundles.serve.images import ImageRegistry
from bundles.serve.resources import Stored, Written

FILE = Stored("sha256:" + "a" * 64, 1000, "file tool")
OFFER = Offer(
    {"files/tool": FILE, "simple/": Written(b"x"), "": Written(b"front")},
    ImageRegistry((), {}),
    GitServer(()),
)


@given(st.text(max_size=300))
@example("/%2e%2e/x")
@example("/a/../b")
@example("/%00")
@example("/\\x")
def test_a_target_is_read_or_refused(target: str) -> None:
    try:
        path, query = parse_target(target)
    except BadRequest:
        return
    assert ".." not in path.split("/")
    assert path.isprintable()
    assert "\\" not in path
    assert len(query) <= 20


@given(
    st.text(alphabet="files/tool.%2ev_catalog-git", max_size=60),
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]),
    st.dictionaries(st.sampled_from(["ns", "n", "last", "service"]), st.text(max_size=20)),
)
def test_every_request_has_one_answer(path: str, method: str, query: dict[str, str]) -> None:
    answer = OFFER.answer(Request(method, path, query, {}))
    assert answer.status in (200, 301, 304, 403, 404, 405)
    if isinstance(answer.body, Span):
        assert path == "files/tool"
        assert method in ("GET", "HEAD")


@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from(["{}-{}", "{}-", "-{}"]))
def test_a_range_never_leaves_the_blob(first: int, last: int, form: str) -> None:
    asked = f"bytes={form.format(first, last)}"
    answer = OFFER.answer(Request("GET", "files/tool", {}, {"range": asked}))
    if answer.status == 416:
        assert ("Content-Range", "bytes */1000") in answer.headers
        return
    assert isinstance(answer.body, Span)
    assert answer.body.start >= 0
    assert 0 < answer.body.length <= 1000 - answer.body.start
    partial = any(name == "Content-Range" for name, _ in answer.headers)
    assert partial == (answer.status == 206)


@given(st.text(max_size=40))
def test_a_range_that_is_none_is_passed_over(text: str) -> None:
    answer = OFFER.answer(Request("GET", "files/tool", {}, {"range": text}))
    assert answer.status in (200, 206, 416)
