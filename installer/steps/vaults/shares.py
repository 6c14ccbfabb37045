"""Shares of Vault's key as people copy and type them.

A share is shown in hexadecimal, since no digit of it is like another by hand, in groups of six,
and behind it four digits by which a slip of the pen is seen at once. They are the beginning of its
SHA-256, are no part of it, and are kept nowhere but on the paper of the person who has it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

from foundation.secrets import Secret

GROUP: Final = 6
GROUPS_IN_LINE: Final = 4
CHECK: Final = 4
_PART: Final = 12
"""Digits that are no name of a person's."""

_LENGTHS: Final = (66, 64)
"""Hexadecimal digits: of Shamir's shares of a key of 32 bytes (33 bytes), and of a key that is in
one hand (vault/shamir/shamir.go, vault/init.go)."""
_BETWEEN: Final = re.compile(r"[\s.:-]+")
_HEX: Final = re.compile(r"[0-9a-f]+")


def check_of(share: str) -> str:
    """The four digits that show a slip in a share."""
    return hashlib.sha256(bytes.fromhex(share)).hexdigest()[:CHECK]


def groups(share: Secret) -> tuple[str, ...]:
    """A share in groups of digits, without its check; to be shown once."""
    text = share.reveal()
    return tuple(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def lines(share: Secret) -> tuple[str, ...]:
    """A share as a person copies it, the last line its check; to be shown once."""
    parts = groups(share)
    rows = [
        " ".join(parts[at : at + GROUPS_IN_LINE]) for at in range(0, len(parts), GROUPS_IN_LINE)
    ]
    return (*rows, f"check {check_of(share.reveal())}")


def confirms(share: Secret, typed: str) -> bool:
    """Whether the end of a share was typed: its last group and its check; or the whole with it."""
    digits = _digits(typed)
    whole = share.reveal() + check_of(share.reveal())
    return digits in (whole, groups(share)[-1] + check_of(share.reveal()))


def read_share(typed: str) -> str:
    """A share as Vault takes it, from what a person typed; raises ValueError with a sentence."""
    digits = _digits(typed)
    if not digits:
        raise ValueError("nothing was typed")
    if _HEX.fullmatch(digits):
        for length in _LENGTHS:
            if len(digits) == length:
                return digits
            if len(digits) == length + CHECK:
                share, check = digits[:length], digits[length:]
                if check_of(share) != check:
                    raise ValueError("it does not fit its check: a digit is not as on the paper")
                return share
        raise ValueError(
            f"it has {len(digits)} digits; a share has {_LENGTHS[0]}, with its check "
            f"{_LENGTHS[0] + CHECK}"
        )
    try:
        raw = base64.b64decode("".join(typed.split()), validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if 2 * len(raw) not in _LENGTHS:
        raise ValueError("it is no share: neither its digits (0-9, a-f) nor base64")
    return raw.hex()


def made_shares(told: object) -> tuple[Secret, ...]:
    """Shares as Vault made them; none where anything in them is no share."""
    if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
        return ()
    good = all(len(one) in _LENGTHS and _HEX.fullmatch(one) for one in told)
    return tuple(map(Secret, told)) if good else ()


def looks_like_one(name: str) -> bool:
    """Whether a share, or a part of one, was typed where a name belongs."""
    digits = _digits(name)
    if len(digits) >= _PART and _HEX.fullmatch(digits):
        return True
    try:
        return bool(read_share(name))
    except ValueError:
        return False


def place_of(share: str) -> str:
    """Which of the shares it is: no two have the same last byte (vault/shamir/shamir.go)."""
    return share[-2:] if len(share) == _LENGTHS[0] else ""


def _digits(typed: str) -> str:
    return _BETWEEN.sub("", typed).lower().replace("check", "")
