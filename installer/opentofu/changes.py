"""What a plan of OpenTofu would change, in words; read from `show -json` of the saved plan.

Values are told where they are short, plain and not sensitive; of all others that they change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from foundation.problems import InputProblem
from foundation.secrets import redact
from foundation.terminal import clean_line
from foundation.wording import counted, listed

_LONGEST: Final = 60
"""Characters of a value that is shown."""
_MOST: Final = 12
"""Attributes of one resource that are told one by one."""
_DEEPEST: Final = 6


class Action(StrEnum):
    """What becomes of a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DESTROY = "destroy"
    FORGET = "forget"
    READ = "read"
    NOTHING = "nothing"
    OTHER = "other"
    """What this version does not know; minded as if it destroyed."""


_ACTIONS: Final[Mapping[tuple[str, ...], Action]] = {
    ("no-op",): Action.NOTHING,
    ("create",): Action.CREATE,
    ("read",): Action.READ,
    ("update",): Action.UPDATE,
    ("delete",): Action.DESTROY,
    ("forget",): Action.FORGET,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
}
_DESTROYS: Final = frozenset({Action.REPLACE, Action.DESTROY, Action.OTHER})
_WORDS: Final[Mapping[Action, str]] = {
    Action.CREATE: "is created",
    Action.UPDATE: "is changed",
    Action.REPLACE: "is DESTROYED and created anew",
    Action.DESTROY: "is DESTROYED",
    Action.FORGET: "is forgotten by the state, and stays",
    Action.READ: "is read",
    Action.NOTHING: "stays as it is",
    Action.OTHER: "meets something that this version does not know",
}
_OUTSIDE: Final[Mapping[Action, str]] = {
    Action.UPDATE: "was changed outside",
    Action.DESTROY: "is gone",
}
SIGNS: Final[Mapping[Action, str]] = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "-/+",
    Action.DESTROY: "-",
    Action.FORGET: ".",
    Action.OTHER: "?",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one resource."""

    address: str
    action: Action
    attributes: tuple[str, ...] = ()
    """What of it differs, a phrase each."""
    why: str = ""

    @property
    def destroys(self) -> bool:
        """Whether what is there is destroyed, also where it is made anew."""
        return self.action in _DESTROYS

    def words(self, *, outside: bool = False) -> str:
        """A sentence without a full stop; `outside` for what others did to it."""
        said = _OUTSIDE.get(self.action, _WORDS[self.action]) if outside else _WORDS[self.action]
        why = f" ({self.why})" if self.why else ""
        more = f": {'; '.join(self.attributes)}" if self.attributes else ""
        return f"{self.address} {said}{why}{more}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What a plan comes to."""

    changes: tuple[Change, ...]
    """Of resources that do not stay as they are."""
    drift: tuple[Change, ...] = ()
    """What was changed outside since the state was written."""
    outputs: tuple[str, ...] = ()
    """Names of outputs that become others."""
    untold: tuple[str, ...] = ()
    """What the plan leaves open, a sentence each."""

    @property
    def none(self) -> bool:
        """Whether an apply would change nothing."""
        return not self.changes and not self.outputs

    @property
    def destroyed(self) -> tuple[str, ...]:
        """The resources that are destroyed, by their addresses."""
        return tuple(one.address for one in self.changes if one.destroys)

    def summary(self) -> str:
        """How many of each, as a phrase."""
        kinds = {
            "to be created": (Action.CREATE,),
            "to be changed": (Action.UPDATE,),
            "to be replaced": (Action.REPLACE,),
            "to be destroyed": (Action.DESTROY,),
            "to be forgotten": (Action.FORGET,),
            "of an unknown kind": (Action.OTHER,),
        }
        numbers = {
            words: sum(one.action in of for one in self.changes) for words, of in kinds.items()
        }
        told = [f"{number} {words}" for words, number in numbers.items() if number]
        if self.outputs:
            told.append(f"{counted(len(self.outputs), 'output')} to become another")
        return listed(told) or "nothing to be changed"


def read_changes(text: str, *, where: str) -> Changes:
    """What `show -json` says of a saved plan; raises InputProblem."""
    try:
        plan = json.loads(text)
        return Changes(
            tuple(
                one
                for each in plan.get("resource_changes") or ()
                if (one := _change(each)).action not in (Action.NOTHING, Action.READ)
            ),
            tuple(_change(each) for each in plan.get("resource_drift") or ()),
            tuple(
                clean_line(name)
                for name, change in (plan.get("output_changes") or {}).items()
                if change["actions"] != ["no-op"]
            ),
            tuple(_untold(plan)),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputProblem(
            "the program tells its plan in a form that is not known here",
            where=where,
            remedy="See that the program is OpenTofu 1.6 or newer, or Terraform 1.5 or newer.",
        ) from error


def _untold(plan: Mapping[str, Any]) -> Iterator[str]:
    if plan.get("errored"):
        yield "The plan was ended by an error, and is not whole."
    elif plan.get("complete") is False:
        yield "The plan is not whole: what it put off needs a plan of its own afterwards."
    for each in plan.get("deferred_changes") or ():
        yield f"{clean_line(each['resource_change']['address'])} is put off to a later plan."
    for each in plan.get("checks") or ():
        if each.get("status") in ("fail", "error"):
            name = clean_line(str(each["address"].get("to_display")))
            yield f"A check of the configuration does not hold: {name}."


def _change(each: Mapping[str, Any]) -> Change:
    change = each["change"]
    action = _ACTIONS.get(tuple(change["actions"]), Action.OTHER)
    why = clean_line(str(each.get("action_reason", ""))).replace("_", " ")
    if each.get("previous_address"):
        why = "; ".join(filter(None, (why, f"was {clean_line(each['previous_address'])}")))
    told: list[str] = []
    if action in (Action.UPDATE, Action.REPLACE):
        told = list(_attributes(change))
        if len(told) > _MOST:
            told = [*told[:_MOST], f"and {len(told) - _MOST} more"]
    return Change(clean_line(each["address"]), action, tuple(told), why)


def _attributes(change: Mapping[str, Any]) -> Iterator[str]:
    yield from _differences(
        change.get("before"),
        change.get("after"),
        change.get("after_unknown"),
        (change.get("before_sensitive"), change.get("after_sensitive")),
        (),
    )


def _differences(
    before: Any, after: Any, unknown: Any, masks: tuple[Any, Any], at: tuple[str, ...]
) -> Iterator[str]:
    """Each place that differs, in words; what is sensitive in any part is told as that alone."""
    name = ".".join(at)
    if any(mask is True for mask in masks):
        if before != after or unknown is True:
            yield f"{name} becomes another (sensitive, not shown)"
        return
    if unknown is True:
        yield f"{name} becomes known when it is applied"
        return
    if isinstance(before, dict) and (isinstance(after, dict) or unknown) and len(at) < _DEEPEST:
        later = after if isinstance(after, dict) else {}
        for key in dict.fromkeys(
            (*before, *later, *(unknown if isinstance(unknown, dict) else ()))
        ):
            yield from _differences(
                before.get(key),
                later.get(key),
                unknown.get(key) if isinstance(unknown, dict) else None,
                (_below(masks[0], key), _below(masks[1], key)),
                (*at, clean_line(str(key))),
            )
        return
    if before == after:
        return
    if _any_true(masks[0]) or _any_true(masks[1]):
        yield f"{name} becomes another (a part of it is sensitive, not shown)"
    elif _any_true(unknown):
        yield f"{name} becomes another, a part of it known when it is applied"
    else:
        yield f"{name}: {_shown(before)} becomes {_shown(after)}"


def _below(mask: Any, key: str) -> Any:
    return mask.get(key) if isinstance(mask, dict) else mask


def _any_true(mask: Any) -> bool:
    if isinstance(mask, dict):
        return any(_any_true(part) for part in mask.values())
    if isinstance(mask, list):
        return any(_any_true(part) for part in mask)
    return mask is True


def _shown(value: Any) -> str:
    """A value in a few characters: of what is long, how long it is."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if "\n" in text or len(text) > _LONGEST:
        return f"{'a text' if isinstance(value, str) else 'a value'} of {len(text)} characters"
    return redact(clean_line(json.dumps(value, ensure_ascii=False)))
