"""The first rights in Vault, as a solution's file states them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from foundation.documents import parse_yaml, validate


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AuditDevice(_Strict):
    """Where Vault writes who asked for what (sys/audit/NAME)."""

    type: str
    options: dict[str, str] = {}


class AuthMethod(_Strict):
    """A way to log in (sys/auth/NAME, auth/NAME/config)."""

    type: str
    config: dict[str, Any]


class Rights(_Strict):
    """What is given with the root token, and nothing else is."""

    audit: dict[str, AuditDevice] = {}
    auth: dict[str, AuthMethod] = {}
    policies: dict[str, str] = {}
    roles: dict[str, dict[str, Any]] = {}
    """By their place below auth/."""


def rights_of(text: str, *, where: str) -> Rights:
    """The rights of a rendered file; raises InputProblem."""
    return validate(Rights, parse_yaml(text, where=where), where=where, text=text)
