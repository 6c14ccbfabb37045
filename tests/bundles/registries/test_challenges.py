"""WWW-Authenticate as RFC 9110 lets servers write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.registries.challenges import Challenge, parse_challenges

_PARAMETERS = 'service=reg, realm="https://auth.example.org/token"'
BEARER = {"realm": "https://auth.example.org/token", "service": "reg"}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (
            ['Bearer realm="https://auth.example.org/token",service="reg"'],
            [("bearer", BEARER)],
        ),
        (
            ['bEARER Service = reg , REALM="https://auth.example.org/token"'],
            [("bearer", BEARER)],
        ),
        (
            ['Basic realm="a \\"quoted\\", Bearer realm=x", Bearer ' + _PARAMETERS],
            [("basic", {"realm": 'a "quoted", Bearer realm=x'}), ("bearer", BEARER)],
        ),
        (
            ["Negotiate", "NTLM", 'Basic realm="x"'],
            [("negotiate", {}), ("ntlm", {}), ("basic", {"realm": "x"})],
        ),
        (["Negotiate, Basic"], [("negotiate", {}), ("basic", {})]),
        (
            ["Negotiate YII+/a==, Basic realm=x"],
            [("negotiate", {}), ("basic", {"realm": "x"})],
        ),
        ([' , ,Digest qop="auth,x", nonce=a'], [("digest", {"qop": "auth,x", "nonce": "a"})]),
        (
            ['Bearer realm="https://a/t?x=1,2&y", scope="repository:a:pull,push"'],
            [("bearer", {"realm": "https://a/t?x=1,2&y", "scope": "repository:a:pull,push"})],
        ),
        (["Bearer realm=https://a.example/t"], [("bearer", {"realm": "https://a.example/t"})]),
        (['Bearer realm="never ends'], [("bearer", {})]),
        (["", "  "], []),
    ],
)  # fmt: skip
def test_challenges_are_read_in_every_form(
    lines: list[str], found: list[tuple[str, dict[str, str]]]
) -> None:
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges(lines)] == found


@given(st.lists(st.text(alphabet='Bearic =,"\\\t;:x', max_size=60), max_size=4))
def test_no_line_is_too_strange(lines: list[str]) -> None:
    assert all(isinstance(one, Challenge) for one in parse_challenges(lines))
