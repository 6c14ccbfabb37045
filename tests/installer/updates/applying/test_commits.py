"""The commit that Argo CD or Flux needs: only what names the image, on a branch beside the work."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.updates.applying.commits import commit, diff_of, edited, edits_of
from installer.updates.applying.workloads import Change

AFTER = "mojaloop/ledger:v1.0.2@sha256:" + "1" * 64
CHANGE = Change("main", False, "mojaloop/ledger:v1.0.0", AFTER, "v1.0.2", "newer")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  - image: mojaloop/ledger:v1.0.0\n", f"  - image: {AFTER}\n"),
        ('image: "mojaloop/ledger:v1.0.0"  # the ledger\n', f'image: "{AFTER}"  # the ledger\n'),
        ("image: mojaloop/ledger:v1.0.01\n", ""),
        ("image: mojaloop/ledger-ui:v1.0.0\n", ""),
        ("note: mojaloop/ledger:v1.0.0\n", ""),
        ("image:\n  repository: mojaloop/ledger\n  tag: v1.0.0\n",
         "image:\n  repository: mojaloop/ledger\n  tag: v1.0.2\n"),
        ("image:\n  tag: 'v1.0.0'\n  repository: docker.io/mojaloop/ledger\n",
         "image:\n  tag: 'v1.0.2'\n  repository: docker.io/mojaloop/ledger\n"),
        ("- name: mojaloop/ui\n  newTag: v1.0.0\n- name: mojaloop/ledger\n  newTag: v1.0.0\n",
         "- name: mojaloop/ui\n  newTag: v1.0.0\n- name: mojaloop/ledger\n  newTag: v1.0.2\n"),
        ("a:\n  repository: mojaloop/ledger\nb:\n  tag: v1.0.0\n", ""),
        ("a:\n  repository: mojaloop/ledger\n  deep:\n    tag: v1.0.0\n", ""),
        ("- name: mojaloop/ledger\n- name: other\n  newTag: v1.0.0\n", ""),
    ],
)  # fmt: skip
def test_what_names_the_image_is_changed_and_nothing_else(before: str, after: str) -> None:
    assert edited(before, [CHANGE]) == (after or before)


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@x.example")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "apps/hub").mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "config", "user.name", "Ma Ma")
    git(folder, "config", "user.email", "ma@example.org")
    (folder / "apps/hub/ledger.yaml").write_text("image: mojaloop/ledger:v1.0.0\n")
    (folder / "apps/other.yaml").write_text("image: mojaloop/ledger:v1.0.0\n")
    (folder / "README.md").write_text("image: mojaloop/ledger:v1.0.0\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    return folder


def test_the_branch_has_the_change_and_the_work_tree_has_not(repository: Path) -> None:
    (repository / "apps/other.yaml").write_text("somebody is at it\n")
    edits = edits_of(repository, [CHANGE], below="apps/hub").edits
    assert [one.file for one in edits] == ["apps/hub/ledger.yaml"]
    assert f"+image: {AFTER}\n" in diff_of(edits)
    commit(repository, edits, "sitewright/updates-1", "Bring the ledger to v1.0.2")
    assert (
        git(repository, "show", "sitewright/updates-1:apps/hub/ledger.yaml") == f"image: {AFTER}\n"
    )
    changed = git(repository, "diff", "--name-only", "main", "sitewright/updates-1")
    assert changed == "apps/hub/ledger.yaml\n"
    assert git(repository, "status", "--porcelain") == " M apps/other.yaml\n"
    assert git(repository, "symbolic-ref", "HEAD") == "refs/heads/main\n"
    with pytest.raises(InputProblem, match="has a branch sitewright/updates-1 already"):
        commit(repository, edits, "sitewright/updates-1", "again")


def test_the_patch_can_be_applied(repository: Path, tmp_path: Path) -> None:
    patch = tmp_path / "updates.patch"
    patch.write_text(diff_of(edits_of(repository, [CHANGE]).edits))
    git(repository, "apply", str(patch))
    assert (repository / "apps/hub/ledger.yaml").read_text() == f"image: {AFTER}\n"
    assert (repository / "README.md").read_text() == "image: mojaloop/ledger:v1.0.0\n"


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="not a git repository"):
        edits_of(tmp_path, [CHANGE])


def test_a_name_that_looks_like_a_pattern_takes_no_mode_of_another_file(repository: Path) -> None:
    """Else what is edited would be committed as a link, to where its first line says."""
    (repository / "apps/?.yaml").write_text("image: mojaloop/ledger:v1.0.0\n")
    (repository / "apps/1.yaml").symlink_to("other.yaml")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "y")
    found = edits_of(repository, [CHANGE])
    assert "apps/?.yaml" in [one.file for one in found.edits]
    commit(repository, found.edits, "newer", "why")
    kinds = {
        line.split("\t")[1]: line[:6]
        for line in git(repository, "ls-tree", "-r", "newer").splitlines()
    }
    assert kinds["apps/?.yaml"] == "100644"
    assert kinds["apps/1.yaml"] == "120000"
