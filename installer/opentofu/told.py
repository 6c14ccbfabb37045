"""What OpenTofu tells while it works: a line of `-json`, and what its errors mean.

The program tells every step as one JSON object a line. Values of outputs are among them; they are
left out here, since a person reads them where they asked for them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from foundation.terminal import clean_line

_SILENT: Final = frozenset(
    {
        *("version", "outputs", "refresh_start", "refresh_complete", "apply_progress", "log"),
        *("planned_change", "resource_drift", "provision_start", "provision_complete"),
    }
)
"""Kinds of a message of which nothing is told here; what is planned is read from the plan."""
_DONE: Final = {"create": "created", "update": "changed", "delete": "destroyed", "read": "read"}
_DOING: Final = {"create": "creating", "update": "changing", "delete": "destroying"}
_LOCK: Final = re.compile(r"^  (ID|Who|Created|Operation):[ \t]*(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Said:
    """One line: what a person reads of it, and whether it is an error."""

    text: str
    error: bool = False
    summary: str = ""
    detail: str = ""


def understand(line: str) -> Said | None:
    """A line of the program; None for what a person need not read."""
    try:
        message: Mapping[str, Any] = json.loads(line)
        kind = message.get("type", "")  # lines of `init` have none
        if kind == "diagnostic":
            return _diagnostic(message["diagnostic"])
        if kind in ("apply_start", "apply_complete", "apply_errored"):
            return _apply(kind, message["hook"])
        if kind == "provision_progress":
            hook = message["hook"]
            return Said(f"{clean_line(hook['resource']['addr'])}: {clean_line(hook['output'])}")
        if kind in _SILENT:
            return None
        return Said(clean_line(str(message["@message"]).split("\n", 1)[0]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Said(clean_line(line)) if line.strip() else None


def _diagnostic(said: Mapping[str, Any]) -> Said:
    summary = clean_line(str(said["summary"]))
    detail = str(said.get("detail") or "")
    address = f"{clean_line(str(said['address']))}: " if said.get("address") else ""
    at = said.get("range") or {}
    place = f" ({clean_line(str(at['filename']))}:{at['start']['line']})" if at else ""
    short = " ".join(clean_line(one) for one in detail.split("\n\n", 1)[0].split("\n"))
    return Said(
        f"{address}{summary}{place}" + (f": {short}" if short else ""),
        said.get("severity") == "error",
        summary,
        detail,
    )


def _apply(kind: str, hook: Mapping[str, Any]) -> Said:
    address, action = clean_line(hook["resource"]["addr"]), str(hook["action"])
    if kind == "apply_start":
        return Said(f"{address}: {_DOING.get(action, clean_line(action))}")
    if kind == "apply_errored":
        return Said(f"{address}: could not be {_DONE.get(action, clean_line(action))}", True)
    seconds = hook.get("elapsed_seconds", 0)
    return Said(f"{address}: {_DONE.get(action, clean_line(action))} after {seconds} s")


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds a state."""

    id: str
    who: str
    since: str
    operation: str

    def sentence(self) -> str:
        """Who, since when and with what, without a full stop."""
        doing = self.operation.removeprefix("OperationType").lower()
        what = f" for {doing}" if doing else ""
        return f"{self.who or 'somebody'} has held the state since {self.since}{what}"


@dataclass(frozen=True, slots=True)
class Meant:
    """What errors of the program come to."""

    cause: str
    remedy: str = ""
    held: Held | None = None


_OURS: Final = re.compile(r"sitewright environments [a-z]+")
_LEAVE: Final = "Nothing was lost: leave the state as it is."
_MEANINGS: Final[Sequence[tuple[re.Pattern[str], str, str]]] = tuple(
    (re.compile(pattern, re.IGNORECASE), cause, remedy)
    for pattern, cause, remedy in (
        (
            r"which is not supported by|state snapshot was created by \S+ v?\S+, which is newer",
            "the state was written by a newer program than this one",
            f"Use the program that wrote it, or a newer one. {_LEAVE}",
        ),
        (
            r"Saved plan is stale",
            "the state was changed after the plan was made, so the plan is not applied",
            "Make the plan anew: sitewright environments plan",
        ),
        (
            r"Saved plan does not match|different lineage|can't be applied to",
            "the plan is of another state",
            "Make the plan anew: sitewright environments plan",
        ),
        (
            r"Backend configuration changed|Backend initialization required",
            "the configuration names another place for the state than the one it was begun with",
            (
                "If the state is to move, move it by hand with the program (init -migrate-state); "
                "else put the backend back as it was."
            ),
        ),
        (
            r"Failed to query available provider packages|provider registry .* does not have",
            "a provider that the configuration needs is not in the folder of providers",
            (
                "Put it there as HOST/NAMESPACE/TYPE/VERSION/OS_ARCH/, and name the folder in "
                "centre.yaml as `providers`; or allow that it is fetched: `fetches: true`."
            ),
        ),
        (
            (
                r"Inconsistent dependency lock file|required plugins are not installed"
                r"|Required plugins are not installed|Module not installed"
            ),
            "what the configuration needs was not made ready since it was changed",
            "Make it ready: sitewright environments init",
        ),
        (
            r"No value for required variable",
            "the configuration asks for a value that nobody gives",
            "Give it in environment.yaml: under `answers`, or its name under `secrets`.",
        ),
        (
            r"Unsupported (OpenTofu|Terraform) Core version",
            "the configuration asks for another version of the program",
            "Bring that version, and name it in centre.yaml as `program`.",
        ),
    )
)


def meaning(errors: Sequence[Said]) -> Meant:
    """What the errors of a program that failed come to, as a cause and what to do."""
    whole = "\n".join(f"{one.summary}\n{one.detail}" for one in errors)
    for pattern, cause, remedy in _MEANINGS:
        if pattern.search(whole.replace("\n", " ")):
            return Meant(f"{cause} ({errors[0].text})", remedy)
    for one in errors:
        if (held := _held(one)) is not None:
            return Meant(
                held.sentence(),
                "Wait until that ends, or speak with them. A lock that was left behind by a "
                "program that died goes with its id, once you know that nobody works there: "
                f"sitewright environments unlock --lock {held.id}",
                held,
            )
    return Meant("; ".join(one.text for one in errors[:3]) or "it gives no reason")


def for_this(remedy: str, words: str) -> str:
    """A remedy whose commands name the environment that they are about."""
    return _OURS.sub(lambda found: f"{found[0]} {words}", remedy)


def _held(said: Said) -> Held | None:
    if "state lock" not in said.summary.lower():
        return None
    found = {name: clean_line(value.strip()) for name, value in _LOCK.findall(said.detail)}
    if "ID" not in found:
        return None
    created = found.get("Created", "")[:19]
    return Held(
        found["ID"], found.get("Who", ""), f"{created} UTC" if created else "an unknown time",
        found.get("Operation", ""),
    )  # fmt: skip
