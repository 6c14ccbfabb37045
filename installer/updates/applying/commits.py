"""The commit by which Argo CD or Flux would bring a newer image: found, shown, put on a branch.

What they own is never patched behind their back. What their repository says of an image is changed
where it says it in so many words; the branch is made beside the work tree, which stays as it is.
"""

from __future__ import annotations

import difflib
import re
import shlex
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.documents import SIZE_LIMIT
from foundation.problems import InputProblem
from foundation.terminal import clean_line
from foundation.wording import counted, listed
from installer.repository import git
from installer.updates.applying.workloads import Change, Workload

_MOST_FILES: Final = 500
_NAMES: Final = r"(?:repository|name|newName)"
_TAGS: Final = r"(?:tag|newTag)"
_NEAR: Final = 4
"""Lines between the name of an image and its tag, as values and kustomizations have them."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One file of a repository, before and after."""

    file: str
    before: str
    after: str


def edited(text: str, changes: Iterable[Change]) -> str:
    """A YAML file with the images changed that it names in so many words; all else as it was."""
    lines = text.splitlines(keepends=True)
    for change in changes:
        name, _, old = _plain(change.before).rpartition(":")
        if not name or "/" in old:
            continue
        whole = _line(r"image", change.before)
        repository = _line(_NAMES, name, f"docker.io/{name}", name.removeprefix("docker.io/"))
        tag = _line(_TAGS, old)
        for number, line in enumerate(lines):
            if found := whole.fullmatch(line):
                lines[number] = f"{found[1]}{found[2]}{change.after}{found[2]}{found[4]}"
            elif found := repository.fullmatch(line):
                _tag_near(lines, number, len(_indent(found[1])), tag, change)
    return "".join(lines)


def _tag_near(
    lines: list[str], number: int, indent: int, tag: re.Pattern[str], change: Change
) -> None:
    """Change the tag that stands beside the name of its image, in the same mapping."""
    for step in (1, -1):
        for distance in range(1, _NEAR + 1):
            place = number + step * distance
            if not 0 <= place < len(lines):
                break
            there = lines[place]
            found = tag.fullmatch(there)
            if found and len(_indent(found[1])) == indent:
                lines[place] = f"{found[1]}{found[2]}{change.tag}{found[2]}{found[4]}"
                return
            head = re.match(r"[ -]*", there)
            begins = there.lstrip(" ").startswith("- ")
            # Past the beginning or the end of the mapping stands another image's tag.
            if there.strip() and (head is None or len(head[0]) < indent or (begins and step > 0)):
                break
            if begins and step < 0:
                break


def _indent(head: str) -> str:
    """What stands before the key, a dash of a list as a blank."""
    return head[: len(head) - len(head.lstrip(" -"))]


def _line(key: str, *values: str) -> re.Pattern[str]:
    """A line of a key with one of these values, quoted or not, a comment behind it or not."""
    among = "|".join(re.escape(value) for value in dict.fromkeys(values))
    return re.compile(rf"([ -]*{key}:[ ]+)([\"']?)({among})\2([ ]*(?:#[^\n]*)?\r?\n?)")


def _plain(image: str) -> str:
    return image.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Found:
    """What must change in a repository, and what could not be looked at."""

    edits: tuple[Edit, ...] = ()
    passed_over: tuple[str, ...] = ()
    """A sentence for each file that names the images and is not changed."""


def edits_of(folder: Path, changes: Sequence[Change], *, below: str = "") -> Found:
    """What must change in the last commit of a repository; `below` is the part of it that counts.

    Raises InputProblem where the folder is no repository.
    """
    names = sorted({_plain(one.before).rpartition(":")[0].rpartition("/")[2] for one in changes})
    words = [part for name in names if name for part in ("-e", name)]
    place = below.strip("/")
    among = [f":(glob){place + '/' if place not in ('', '.') else ''}**/*.{ext}"
             for ext in ("yaml", "yml")]  # fmt: skip
    found = git.asked(
        folder, "grep", "-l", "-z", "-I", "-F", *words, "HEAD", "--", *among, may_end=(0, 1)
    )
    files = [one.removeprefix("HEAD:") for one in found.split("\0") if one]
    if len(files) > _MOST_FILES:
        raise InputProblem(
            f"{counted(len(files), 'file')} of it name these images, and that is no answer",
            where=str(folder),
            remedy="Name the folder of the one application: --repository FOLDER/PART.",
        )
    edits, passed_over = [], []
    for file in files:
        before, why = _text_of(folder, file)
        if why:
            passed_over.append(
                f"{clean_line(file)} names these images and {why}: it is not changed"
            )
            continue
        after = edited(before, changes)
        if after != before:
            edits.append(Edit(file, before, after))
    return Found(tuple(edits), tuple(passed_over))


def _text_of(folder: Path, file: str) -> tuple[str, str]:
    """A file of the last commit, or why it is no text of a usual size."""
    size = git.asked(folder, "cat-file", "-s", f"HEAD:{file}").strip()
    if int(size or 0) > SIZE_LIMIT:
        return "", f"has more than {SIZE_LIMIT >> 20} MiB"
    text = git.asked(folder, "cat-file", "blob", f"HEAD:{file}")
    # What is not UTF-8 would be written back as another sign.
    return (text, "") if "\ufffd" not in text else ("", "is no text in UTF-8")


def diff_of(edits: Iterable[Edit]) -> str:
    """The edits as a patch that `git apply` takes."""
    lines: list[str] = []
    for one in edits:
        lines += difflib.unified_diff(
            one.before.splitlines(keepends=True), one.after.splitlines(keepends=True),
            f"a/{one.file}", f"b/{one.file}",
        )  # fmt: skip
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Planned:
    """The commit that some workloads need in a clone of their repository; nothing is made yet."""

    folder: Path
    names: tuple[str, ...]
    """The workloads, in words."""
    found: Found

    @property
    def patch(self) -> str:
        """All of it as a patch that `git apply` takes; "" where nothing is to be changed."""
        return diff_of(self.found.edits)

    @property
    def untold(self) -> tuple[str, ...]:
        """What a person has to change by hand, or why there is nothing to commit, as sentences."""
        by_hand = tuple(f"{one}. Change it by hand." for one in self.found.passed_over)
        if self.found.edits or by_hand:
            return by_hand
        return (f"{self.folder} names none of their images so.",)

    def make(self, branch: str) -> str:
        """Put it on a new branch, and say what is to be done then; raises InputProblem."""
        commit(self.folder, self.found.edits, branch, f"Update {listed(self.names)}")
        place = shlex.quote(str(self.folder))
        return (
            f"It is committed on {branch}, and nothing was pushed. Have it merged: "
            f"git -C {place} push origin {shlex.quote(branch)}"
        )


def planned(folder: Path, workloads: Iterable[Workload]) -> Planned:
    """The commit by which those of them change that Argo CD or Flux owns; raises InputProblem."""
    theirs = [one for one in workloads if one.by_commit]
    edits: dict[str, Edit] = {}
    passed_over: dict[str, None] = {}
    for one in theirs:
        for below in (one.owner.folders if one.owner else ()) or ("",):
            found = edits_of(folder, one.changes, below=below)
            passed_over |= dict.fromkeys(found.passed_over)
            for edit in found.edits:
                before = edits.get(edit.file, edit)
                after = edited(before.after, one.changes) if edit.file in edits else edit.after
                edits[edit.file] = Edit(edit.file, before.before, after)
    names = tuple(sorted({one.words for one in theirs}))
    return Planned(folder, names, Found(tuple(edits.values()), tuple(passed_over)))


def commit(folder: Path, edits: Sequence[Edit], branch: str, message: str) -> None:
    """Put the edits on a new branch; work tree, index and the branch that is out stay as they are.

    Raises InputProblem where the branch is there, or Git knows nobody to be the author.
    """
    exists = git.asked(folder, "for-each-ref", "--format=%(refname)", f"refs/heads/{branch}")
    if exists.strip():
        raise InputProblem(
            f"it has a branch {branch} already",
            where=str(folder),
            remedy=f"Look at it: git -C {folder} log {branch}. Merge it, or take it away.",
        )
    with tempfile.TemporaryDirectory(prefix="sitewright-") as made:
        index = {"GIT_INDEX_FILE": str(Path(made) / "index")}
        git.asked(folder, "read-tree", "HEAD", more=index)
        for one in edits:
            # A name may look like a pattern, which another file answers to as well.
            name = f":(literal){one.file}"
            mode = git.asked(folder, "ls-files", "--stage", "-z", "--", name, more=index)[:6]
            blob = git.asked(folder, "hash-object", "-w", "--stdin", stdin=one.after).strip()
            entry = f"{mode},{blob},{one.file}"
            git.asked(folder, "update-index", "--cacheinfo", entry, more=index)
        tree = git.asked(folder, "write-tree", more=index).strip()
    made_of = git.asked(folder, "commit-tree", tree, "-p", "HEAD", "-m", message).strip()
    git.asked(folder, "update-ref", f"refs/heads/{branch}", made_of, "0" * len(made_of))
