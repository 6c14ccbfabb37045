"""Plans, drift and lists of environments as text for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from foundation.wording import counted
from installer.environments.listing import Entry
from installer.opentofu.changes import SIGNS, Action, Change
from installer.opentofu.saved import Kept
from preflight.report.layout import Page, Style

_STYLES: Final[Mapping[Action, Style]] = {
    Action.CREATE: Style.OK,
    Action.UPDATE: Style.WARN,
    Action.REPLACE: Style.FAIL,
    Action.DESTROY: Style.FAIL,
    Action.OTHER: Style.UNKNOWN,
}


def plan_text(name: str, kept: Kept, page: Page) -> str:
    """What a saved plan would do, the destroyed first."""
    what = "destroys the environment" if kept.destroy else kept.summary
    page.paragraph(f"{name}: {what}.", style=Style.STRONG)
    page.paragraph(
        f"Made {kept.at} by {kept.program} {kept.version}, of the state {kept.serial}."
        if kept.lineage
        else f"Made {kept.at} by {kept.program} {kept.version}; there is no state yet.",
        style=Style.DIM,
    )
    _changes(page, "", sorted(kept.changes, key=lambda one: not one.destroys))
    for output in kept.outputs:
        page.item("~", f"output {output} becomes another", indent=4, style=Style.PLAIN)
    _changes(page, "Changed outside since then", kept.drift, outside=True)
    for sentence in kept.untold:
        page.paragraph(sentence, style=Style.UNKNOWN)
    return page.text()


def drift_text(name: str, kept: Kept, page: Page, *, words: str) -> str:
    """What differs between an environment, its state and its configuration."""
    if not kept.differs:
        page.paragraph(f"{name}: nothing differs.", style=Style.OK)
    else:
        others = {one.address for one in kept.drift}
        due = [one for one in kept.changes if one.address not in others]
        page.paragraph(
            f"{name}: {counted(len(kept.drift), 'resource')} changed outside, "
            f"{counted(len(due), 'resource')} otherwise than its configuration says.",
            style=Style.FAIL,
        )
    page.paragraph(f"Looked {kept.at}, {kept.program} {kept.version}.", style=Style.DIM)
    _changes(page, "Changed outside", kept.drift, outside=True)
    _changes(page, "An apply would mend it", kept.changes)
    for output in kept.outputs:
        page.item("~", f"output {output} becomes another", indent=4, style=Style.PLAIN)
    for sentence in kept.untold:
        page.paragraph(sentence, style=Style.UNKNOWN)
    if kept.differs:
        page.blank()
        page.paragraph(f"To mend it: sitewright environments plan {words} (then apply).")
    return page.text()


def _changes(page: Page, title: str, changes: Sequence[Change], *, outside: bool = False) -> None:
    if changes and title:
        page.heading(title)
    for one in changes:
        sign = SIGNS.get(one.action, " ")
        style = Style.WARN if outside else _STYLES.get(one.action, Style.PLAIN)
        page.item(sign, one.words(outside=outside), indent=4, style=style)


def list_text(entries: Sequence[Entry], page: Page) -> str:
    """The environments of a centre, one after another."""
    if not entries:
        page.paragraph("The centre has no environment yet.")
    for one in entries:
        page.blank()
        version = f", {one.version}" if one.version else ""
        page.paragraph(f"{one.name} ({one.environment}{version})", style=Style.STRONG)
        for label, text in (
            ("state", one.state), ("last", one.verdict), ("drift", one.drift), ("plan", one.plan)
        ):  # fmt: skip
            if text:
                page.field(label, text, indent=2, label_width=8)
        for problem in one.problems:
            page.item("!", problem, indent=4, style=Style.FAIL)
    return page.text()


def kept_json(name: str, kept: Kept) -> dict[str, Any]:
    """A plan or a look as plain values."""

    def changes(of: Sequence[Change]) -> list[dict[str, Any]]:
        return [
            {"address": one.address, "action": str(one.action), "why": one.why,
             "differs": list(one.attributes)}
            for one in of
        ]  # fmt: skip

    return {
        "environment": name,
        "at": kept.at,
        "program": kept.program,
        "version": kept.version,
        "lineage": kept.lineage,
        "serial": kept.serial,
        "summary": kept.summary,
        "differs": kept.differs,
        "changes": changes(kept.changes),
        "drift": changes(kept.drift),
        "outputs": list(kept.outputs),
        "untold": list(kept.untold),
    }
