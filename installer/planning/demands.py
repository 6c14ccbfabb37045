"""Demands: what a document demands of settings that may stay empty, as findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from installer.catalogue.settings import applies, load_settings, objection, typed_value
from preflight.findings import Finding, Severity

if TYPE_CHECKING:
    from installer.catalogue.settings import Value
    from installer.catalogue.solution import Solution
    from installer.catalogue.stages import Setting
    from installer.sites.site import Site


_UNDER: Final = "(under settings, "
"""What the evidence of a demand says, and of nothing else."""


def is_demand(finding: Finding) -> bool:
    """Whether a finding is of a setting that was left empty, and of no machine."""
    return finding.host is None and _UNDER in finding.evidence


def settings_said(
    settings: Sequence[Setting], site: Site
) -> tuple[Mapping[str, Value], frozenset[str]]:
    """Each setting's value, the default where none or nonsense is given; and those that count."""
    values: dict[str, Value] = {}
    asked = set()
    for setting in settings:
        if applies(setting, values):
            asked.add(setting.name)
        given = site.settings.get(setting.name)
        text = ("yes" if given else "no") if isinstance(given, bool) else str(given or "")
        if given is None or objection(setting, text):
            text = setting.default or ""
        values[setting.name] = typed_value(setting, text)
    return values, frozenset(asked)


def demanded(solution: Solution, site: Site) -> tuple[Finding, ...]:
    """A finding for each setting that the site leaves empty against what a document demands.

    It fails in the environments that the demand names, and warns in the others. What is mistyped
    is told with the settings.
    """
    settings = load_settings(solution).settings
    values, asked = settings_said(settings, site)
    environment = site.environment or solution.default_environment.id
    found = []
    for setting in settings:
        demand = setting.demand
        if demand is None or setting.name not in asked or values.get(setting.name):
            continue
        if demand.when and not values.get(demand.when):
            continue
        fails = environment in demand.environments
        found.append(
            Finding(
                id=demand.check,
                severity=Severity.FAIL if fails else Severity.WARN,
                title=" ".join(setting.mind.split()) or f"{setting.title}: nothing is given.",
                expected=f"a value of {setting.name}, such as {setting.example}",
                actual="empty",
                source=demand.source,
                evidence=f"sitewright solutions {solution.id} {_UNDER}{setting.name})",
                remedy=f"Give {setting.name} under `settings:` in the site file, or on the wizard's"
                f" Settings step; or have somebody accept it by name: a waiver of {demand.check}.",
            )
        )
    return tuple(found)
