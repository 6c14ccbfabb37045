"""What is remembered of registries, and that nobody makes it grow without bound."""

from __future__ import annotations

from pathlib import Path

from foundation.paths import state_folder
from installer.record.witnessed import drop_note
from installer.updates.memory import (
    ABSENT,
    Memory,
    Remembered,
    memory_file,
    read_memory,
    write_memory,
)


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


def remembered(path: Path, *tags: str) -> str:
    """A memory of one repository with these tags, written; its text."""
    memory, one = Memory(), Remembered()
    one.listed(tags, "", 0, 1.0)
    memory.keep("https://registry.example/app", one)
    write_memory(memory, path)
    return path.read_text()


def test_a_memory_that_is_not_as_it_was_written_is_asked_again(private_home: Path) -> None:
    """One put back to before a release would say "nothing newer" until it aged out."""
    path = memory_file()
    older = remembered(path, "1.0.0")
    assert len(read_memory(path)) == 1
    newer = remembered(path, "1.0.0", "1.0.1")
    for text, kept in ((older, 0), (newer, 1), (newer.replace("1.0.1", "1.0.0"), 0), (newer, 1)):
        path.write_text(text)
        assert len(read_memory(path)) == kept
    # Whoever deletes what tells of it gains nothing: its witness is asked, and without any it goes.
    (note,) = (state_folder() / "updates").glob("memory-*.sha256")
    note.unlink()
    assert len(read_memory(path)) == 1
    path.write_text(older)
    assert len(read_memory(path)) == 0
    drop_note(note)
    path.write_text(newer)
    assert len(read_memory(path)) == 0
