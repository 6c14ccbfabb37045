"""What every finding must carry, whatever it finds."""

from __future__ import annotations

from preflight.findings import Finding, Severity


def whole(finding: Finding) -> None:
    """A finding must say what, by whom demanded, how to see it, and how to mend it."""
    assert finding.title.endswith("."), finding.title
    assert ".." not in finding.title
    assert finding.expected, finding.id
    assert finding.actual, finding.id
    assert finding.source, finding.id
    if finding.severity is not Severity.PASS:
        assert finding.evidence, finding.id
        assert finding.remedy, finding.id
    if finding.severity in (Severity.FAIL, Severity.WARN):
        assert finding.undo, finding.id
    if finding.host is not None:
        named = (finding.host, finding.subject)
        assert any(word and word in finding.title for word in named), finding.title
    for text in (finding.title, finding.remedy, finding.undo, finding.evidence):
        assert "None" not in text.replace("None:", "").replace("None is", ""), text
        assert "Unknown(" not in text
