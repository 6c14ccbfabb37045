"""Answers with what a person said, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from foundation.hosts.model import Host
from installer.sites.site import Site, Supplies
from screens.answers.answers import Answers, Login


def said(
    before: Answers | None = None,
    *,
    machines: Iterable[Host] | None = None,
    login: Login | None = None,
    roles: Mapping[str, tuple[str, ...]] | None = None,
    supplies: Mapping[str, object] | None = None,
    **keys: Any,
) -> Answers:
    """These answers, or fresh ones, with keys of the site, and of the place where one stands."""
    answers = before or Answers()
    if machines is not None:
        answers = answers.with_machines(machines)
    if login is not None:
        answers = answers.with_login(login)
    if roles is not None:
        answers = answers.with_roles(roles)
    if supplies is not None:
        answers = answers.saying(supplies=Supplies.model_validate(supplies))
    of_site = {key: keys.pop(key) for key in list(keys) if key in Site.model_fields}
    return replace(answers.saying(**of_site), **keys)
