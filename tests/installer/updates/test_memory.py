"""What is remembered of registries, and that nobody makes it grow without bound."""

from __future__ import annotations

from installer.updates.memory import Remembered


def test_names_that_lead_nowhere_are_not_kept() -> None:
    """Whoever reaches the watcher may ask for the digest of any name (`/digest/…`)."""
    found = Remembered(tags=("v1.0.0", "v1.0.1"))
    found.leads("v1.0.0", "sha256:" + "1" * 64, 1.0)
    for number in range(100):
        found.leads(f"made-up-{number}", None, 2.0)
    assert set(found.digests) == {"v1.0.0"}
    # What is listed and not there is one of the things that are told, so it is kept.
    found.leads("v1.0.1", None, 3.0)
    assert found.digests["v1.0.1"] == (None, 3.0)
    found.leads("gone", "sha256:" + "2" * 64, 4.0)
    found.leads("gone", None, 5.0)
    assert "gone" not in found.digests
