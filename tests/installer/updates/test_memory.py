"""What is remembered of registries, and that nobody makes it grow without bound."""

from __future__ import annotations

from installer.updates.memory import ABSENT, Remembered


def test_names_that_lead_nowhere_are_few_that_are_kept() -> None:
    """Whoever reaches the watcher may ask for the digest of any name (`/digest/…`)."""
    found = Remembered(tags=("v1.0.0", "v1.0.1"))
    found.leads("v1.0.0", "sha256:" + "1" * 64, 1.0)
    for number in range(3 * ABSENT):
        found.leads(f"made-up-{number}", None, 2.0)
    assert (set(found.digests), len(found.absent)) == ({"v1.0.0"}, ABSENT)
    # The last ones are not asked for again at once, as nothing else is.
    assert found.known(f"made-up-{3 * ABSENT - 1}") == (None, 2.0)
    assert found.known("made-up-0") is None
    # What is listed and not there is one of the things that are told, so it is kept.
    found.leads("v1.0.1", None, 3.0)
    assert found.digests["v1.0.1"] == (None, 3.0)
    found.leads("gone", "sha256:" + "2" * 64, 4.0)
    found.leads("gone", None, 5.0)
    assert "gone" not in found.digests
    found.leads("gone", "sha256:" + "3" * 64, 6.0)
    assert found.known("gone") == ("sha256:" + "3" * 64, 6.0)
