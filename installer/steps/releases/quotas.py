"""Quotas: whether a namespace would let a release's pods be made, asked before they are.

A quota holds pods, and a Deployment that may make none is taken by the API without a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from foundation.hosts.jobs.output_lines import clean_line
from installer.steps.releases.rendered import Manifest, containers, replicas
from preflight.cluster.quantity import quantity

_COUNTED: Final = {
    "requests.cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
}
"""What a quota may count of each container. Source: Kubernetes, resource quotas."""
_RUNNING: Final = ("Deployment", "StatefulSet")
_MIB: Final = Decimal(2**20)


OURS: Final = "sitewright"
"""The quota that an installation sets itself, before the pods come."""


def refusals(
    answer: bytes,
    after: Manifest,
    before: Manifest,
    *,
    will_hold: Mapping[str, str] | None = None,
    will_request: Mapping[str, str] | None = None,
) -> list[str] | None:
    """What the quotas of a namespace would refuse, a sentence each; None where nobody can tell.

    `answer` is what kubectl says of its resourcequotas and limitranges; `before` is what the
    release holds now, and what its pods use of the quota is free for those that replace them.
    `will_hold` is what our own quota will be by then, `will_request` what a container is to have
    that says nothing.
    """
    try:
        items = json.loads(answer)["items"]
        quotas = [one for one in items if one["kind"] == "ResourceQuota"]
        if will_hold:
            ours = [one for one in quotas if one["metadata"]["name"] == OURS]
            there = ours[0] if ours else {"metadata": {"name": OURS}}
            said = {**there, "spec": {"hard": dict(will_hold)}}
            quotas = [*(one for one in quotas if one["metadata"]["name"] != OURS), said]
        defaults = _defaults(one for one in items if one["kind"] == "LimitRange")
        for what, value in (will_request or {}).items():
            defaults.setdefault(("requests", what), value)
        return [said for one in quotas for said in _refused(one, defaults, after, before)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _defaults(ranges: Iterator[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """What a container has that says nothing itself: its request is its limit where only that is
    given. Source: Kubernetes, limit ranges."""
    found: dict[tuple[str, str], str] = {}
    for one in ranges:
        for limit in one["spec"].get("limits") or []:
            if limit.get("type") != "Container":
                continue
            for kind, key in (("limits", "default"), ("requests", "default"),
                              ("requests", "defaultRequest")):  # fmt: skip
                for name, value in (limit.get(key) or {}).items():
                    found[kind, name] = str(value)
    return found


def _refused(
    quota: Mapping[str, Any],
    defaults: Mapping[tuple[str, str], str],
    after: Manifest,
    before: Manifest,
) -> Iterator[str]:
    spec = quota["spec"]
    if spec.get("scopes") or spec.get("scopeSelector"):
        return  # it counts some pods alone
    name = clean_line(str(quota["metadata"]["name"]))
    used = (quota.get("status") or {}).get("used") or {}
    for key, hard in (spec.get("hard") or {}).items():
        limit, in_use = quantity(str(hard)), quantity(str(used.get(key, "0")))
        if limit is None or in_use is None:
            continue
        if key == "pods":
            wants, has = _pods(after), _pods(before)
        elif key in _COUNTED:
            kind, what = _COUNTED[key]
            without = _without(after, kind, what, defaults)
            if without:
                yield (
                    f"the quota {name} counts {key}, and {without} says none: its pods are refused"
                )
                continue
            wants, has = (_sum(one, kind, what, defaults) for one in (after, before))
        else:
            continue
        left = limit - in_use + min(has, in_use)
        if wants > left:
            yield (
                f"the quota {name} leaves {_amount(key, left)} of {key}"
                f" ({_amount(key, limit)} in all), and the release wants {_amount(key, wants)}"
            )


def _pods(manifest: Manifest) -> Decimal:
    return Decimal(sum(replicas(one) for (kind, _), one in manifest.objects.items()
                       if kind in _RUNNING))  # fmt: skip


def _said(
    one: Mapping[str, Any], kind: str, what: str, defaults: Mapping[tuple[str, str], str]
) -> Decimal | None:
    """What a container asks for; a limit alone is its request too."""
    resources = one.get("resources") or {}
    value = (resources.get(kind) or {}).get(what)
    if value is None and kind == "requests":
        value = (resources.get("limits") or {}).get(what)
    if value is None:
        value = defaults.get((kind, what))
    return None if value is None else quantity(str(value))


def _without(
    manifest: Manifest, kind: str, what: str, defaults: Mapping[tuple[str, str], str]
) -> str:
    """The first workload with a container that says nothing of it; "" where all do."""
    for (made, name), one in manifest.objects.items():
        if made in _RUNNING and any(
            _said(each, kind, what, defaults) is None for each in containers(one)
        ):
            return clean_line(f"{made} {name}")
    return ""


def _sum(
    manifest: Manifest, kind: str, what: str, defaults: Mapping[tuple[str, str], str]
) -> Decimal:
    whole = Decimal(0)
    for (made, _), one in manifest.objects.items():
        if made in _RUNNING:
            each: Sequence[Decimal | None] = [
                _said(c, kind, what, defaults) for c in containers(one, first=False)
            ]
            whole += replicas(one) * sum((value for value in each if value), Decimal(0))
    return whole


def _amount(key: str, value: Decimal) -> str:
    if "memory" in key:
        return f"{int(value / _MIB)}Mi"
    return f"{value.normalize():f}"
