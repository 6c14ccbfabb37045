"""Shares as people copy and type them: what is taken, and which slip is seen."""

from __future__ import annotations

import base64

import pytest

from foundation.secrets import Secret
from installer.steps.vaults.shares import check_of, confirms, groups, lines, place_of, read_share
from installer.steps.vaults.standing import Kept, Pod, Standing

SHARE = "6d1f0c" + "ab12" * 14 + "07c4"
"""66 digits, as Vault gives them."""


def test_a_share_is_read_however_it_was_typed() -> None:
    assert len(SHARE) == 66
    for typed in (
        SHARE,
        SHARE.upper(),
        " ".join(groups(Secret(SHARE))),
        "  " + "-".join(groups(Secret(SHARE))) + f" check {check_of(SHARE)} ",
        base64.b64encode(bytes.fromhex(SHARE)).decode(),
    ):
        assert read_share(typed) == SHARE


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "nothing"),
        (SHARE[:-1], "65 digits"),
        (SHARE + "0000", "a digit is not as on the paper"),
        ("ab" + SHARE[2:] + check_of(SHARE), "a digit is not as on the paper"),
        ("hello, it is me", "no share"),
        (base64.b64encode(b"too short").decode(), "no share"),
    ],
)
def test_what_is_no_share_is_told_before_vault_is_asked(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_share(typed)


def test_a_copy_is_confirmed_by_its_end_and_its_check_alone() -> None:
    share = Secret(SHARE)
    *rows, last = lines(share)
    assert last == f"check {check_of(SHARE)}"
    assert "".join(rows).replace(" ", "") == SHARE
    end = groups(share)[-1]
    assert confirms(share, f"{end} {check_of(SHARE)}")
    assert confirms(share, f"{rows[0]} {rows[1]} {rows[2]} {last}")
    for wrong in ("", end, check_of(SHARE), f"{end} 0000", rows[0]):
        assert not confirms(share, wrong)
    assert place_of(SHARE) == "c4"


def standing(*said: str, wanted: int = 3) -> Standing:
    """Vaults that stand so."""
    known = {"uninitialised": False, "unknown": None}
    pods = [
        Pod(pod=f"vault-{n}", said=one, initialized=known.get(one, True))
        for n, one in enumerate(said)
    ]
    return Standing(wanted=wanted, pods=pods, kept=Kept())


@pytest.mark.parametrize(
    ("said", "initialised", "is_open"),
    [
        (("uninitialised",) * 3, False, False),
        (("uninitialised",) * 2, None, False),  # the third may hold an initialised one's data
        (("uninitialised", "uninitialised", "unknown"), None, False),
        (("uninitialised", "sealed", "unknown"), True, False),
        (("sealed",) * 3, True, False),
        (("active", "standby", "sealed"), True, False),
        (("standby",) * 3, True, False),  # none of them answers clients
        (("active", "standby"), True, False),
        (("active", "standby", "standby"), True, True),
        ((), None, False),
    ],
)
def test_how_all_of_them_stand(
    said: tuple[str, ...], initialised: bool | None, is_open: bool
) -> None:
    seen = standing(*said)
    assert seen.initialised is initialised
    assert seen.open is is_open
