"""Git repositories as they are met: what a clone needs from elsewhere, and git on its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bundles.format.problems import SourceProblem
from bundles.format.recipe import GitWanted, Recipe
from bundles.format.strict_json import canonical_json, digest_of
from bundles.format.untold import some_names
from bundles.make.create import Created
from bundles.manifests.git_needs import Entry, filters_of, is_pointer, large_files_of
from bundles.read.verify import verify_bundle
from bundles.sources.git_repository import open_repository
from tests.bundles.creating import again, create

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 12345\n"
)


def git(*words: str | Path, cwd: Path) -> str:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    # A machine with Git LFS has its filters in the configuration of the system.
    own = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *identity, *words], cwd=cwd, env=own, capture_output=True, text=True, check=True
    )
    return done.stdout


def repository(folder: Path, files: dict[str, str], *more: str) -> Path:
    """A repository with one commit of some files on the branch main."""
    folder.mkdir()
    git("init", "-q", "-b", "main", *more, cwd=folder)
    commit(folder, files)
    return folder


def commit(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git("add", ".", cwd=folder)
    git("commit", "-q", "-m", "one", cwd=folder)


def line(source: Path, **more: object) -> dict[str, object]:
    return {"name": "site", "url": source.as_uri(), "ref": "main", **more}


def sentences(made: Created) -> list[str]:
    return [str(one) for one in made.lock.all_untold]


LFS_FILES = {
    ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    "logos/big.bin": POINTER,
    "small.bin": "this one is no pointer\n",
    "pod.yaml": "a: 1\n",
}


def test_files_in_lfs_are_refused_by_name_and_size(tmp_path: Path) -> None:
    source = repository(tmp_path / "source", LFS_FILES)
    with pytest.raises(SourceProblem, match="files in Git LFS") as caught:
        create(tmp_path / "bundle", git=[line(source)])
    assert caught.value.cause == (
        "it has files in Git LFS, which a bundle cannot bring: logos/big.bin (12345 bytes)"
    )
    assert "`lfs: leave`" in caught.value.remedy


@pytest.mark.parametrize("images", [False, True])
def test_files_in_lfs_are_left_where_the_recipe_says_so(images: bool, tmp_path: Path) -> None:
    source = repository(tmp_path / "source", LFS_FILES)
    made = create(tmp_path / "bundle", git=[line(source, images=images, lfs="leave")])
    (entry,) = made.lock.all_untold
    assert entry.kind == "note"
    assert str(entry) == (
        "the repository site: files in Git LFS are left out and only their pointers are brought, "
        "as the recipe says: logos/big.bin (12345 bytes)"
    )
    assert again(made, tmp_path / "again") == (tmp_path / "bundle/index.json").read_bytes()


def test_keys_that_came_later_leave_old_locks_as_they_are() -> None:
    """A lock names its lines by a digest that was made before there were these keys."""
    wanted = GitWanted.model_validate({"name": "site", "url": "https://git.example.org/s.git"})
    said = wanted.model_dump(mode="json", exclude={"lfs", "submodules", "operators"})
    assert wanted.key == digest_of(canonical_json(["GitWanted", said]))
    assert wanted.key != wanted.model_copy(update={"lfs": "leave"}).key


def test_a_second_recipe_says_how_a_repository_is_brought(tmp_path: Path) -> None:
    ours = Recipe.model_validate(
        {"solution": "a", "version": "1", "git": [line(tmp_path), {**line(tmp_path), "name": "b"}]}
    )
    more = ours.model_copy(
        update={"git": (GitWanted.model_validate(line(tmp_path, submodules="leave")),)}
    )
    both = ours.together_with(more)
    assert [(one.name, one.submodules) for one in both.git] == [("b", None), ("site", "leave")]


def test_the_makers_filters_and_configuration_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {".gitattributes": "* filter=lfs\nhidden.yaml export-ignore\n", "hidden.yaml": "a: 1\n"}
    source = repository(tmp_path / "source", files)
    (home := tmp_path / "home").mkdir()
    ran = tmp_path / "ran"
    (home / ".gitconfig").write_text(
        f'[filter "lfs"]\n\tsmudge = touch {ran}; cat\n\tprocess = touch {ran}\n\trequired = true\n'
        f"[core]\n\tfsmonitor = touch {ran}\n\thooksPath = {home}\n"
        "[init]\n\tdefaultObjectFormat = sha256\n\ttemplateDir = /nowhere\n"
        '[url "file:///elsewhere/"]\n\tinsteadOf = file:///\n'
        "[fetch]\n\tfsckObjects = true\n[transfer]\n\tunpackLimit = 1\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    made = create(tmp_path / "bundle", git=[line(source, images=True)])
    assert not ran.exists()
    assert len(made.structure.index.of_kind("git")) == 1


def test_what_lets_the_maker_in_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = repository(tmp_path / "source", {"a": "1\n"})
    subprocess.run(["chown", "-R", "1234", source], check=False)
    if source.stat().st_uid != 1234:
        pytest.skip("only root can give a folder away")
    (home := tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(SourceProblem, match="dubious ownership"):
        create(tmp_path / "none", git=[line(source)])
    (home / ".gitconfig").write_text(f"[safe]\n\tdirectory = {source}/.git\n")
    create(tmp_path / "bundle", git=[line(source)])


def test_a_half_made_bundle_of_a_foreign_medium_configures_nothing(tmp_path: Path) -> None:
    """The folder of a run that was broken off, as somebody else left it."""
    source = repository(tmp_path / "source", {"a": "1\n"})
    ran = tmp_path / "ran"
    with pytest.raises(SourceProblem):
        create(tmp_path / "bundle", git=[line(source, ref="gone")])
    work = tmp_path / "bundle" / ".work"
    places = {work / "git" / "0123456789abcdef", *work.glob("git*"), *work.glob("git*/*")}
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        git("init", "-q", "--bare", ".", cwd=place)
        with (place / "config").open("a") as config:
            config.write(f"[core]\n\tfsmonitor = touch {ran}\n\tsshCommand = touch {ran};\n")
    create(tmp_path / "bundle", git=[line(source)])
    assert not ran.exists()
    assert verify_bundle(tmp_path / "bundle").structure.index.of_kind("git")


def test_submodules_are_refused_or_left_and_the_rest_is_told(tmp_path: Path) -> None:
    below = repository(tmp_path / "below", {"b": "1\n"})
    files = {"secrets/.gitattributes": "*.key filter=git-crypt diff=git-crypt\n", "a": "1\n"}
    source = repository(tmp_path / "source", files)
    (source / "annexed").symlink_to(".git/annex/objects/xx/SHA256E-s3--abc")
    (source / "passwd").symlink_to("/etc/passwd")
    (source / "inside").symlink_to("secrets/../a")
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", below, "deep/below",
        cwd=source)  # fmt: skip
    git("add", ".", cwd=source)
    git("commit", "-q", "-m", "two", cwd=source)
    head = git("rev-parse", "HEAD", cwd=below).strip()
    with pytest.raises(SourceProblem) as caught:
        create(tmp_path / "none", git=[line(source)])
    assert caught.value.cause == (
        f"it has submodules, which a bundle cannot bring with it: deep/below ({below} at {head})"
    )
    made = create(tmp_path / "bundle", git=[line(source, submodules="leave")])
    told = "\n".join(sentences(made))
    assert f"submodules are left out, as the recipe says: deep/below ({below} at {head})" in told
    assert "through the filter git-crypt (secrets/.gitattributes)" in told
    assert "git-annex and only links to them are brought: annexed" in told
    assert "links lead out of the repository, to what is not brought: passwd -> /etc/passwd" in told
    assert len(sentences(made)) == 4


def test_a_shallow_source_is_told_as_one(tmp_path: Path) -> None:
    source = repository(tmp_path / "source", {"a": "1\n"})
    commit(source, {"a": "2\n"})
    git("clone", "-q", "--depth", "1", source.as_uri(), "shallow", cwd=tmp_path)
    with pytest.raises(SourceProblem, match=r"a shallow clone\), so main cannot be had") as caught:
        create(tmp_path / "bundle", git=[line(tmp_path / "shallow")])
    assert "fetch-depth: 0" in caught.value.remedy
    git("fetch", "-q", "--unshallow", cwd=tmp_path / "shallow")
    create(tmp_path / "bundle", git=[line(tmp_path / "shallow")])


def test_a_partial_clone_is_told_as_one(tmp_path: Path) -> None:
    source = repository(tmp_path / "source", {"a": "1\n"})
    git("config", "uploadpack.allowFilter", "true", cwd=source)
    git("clone", "-q", "--filter=blob:none", source.as_uri(), "partial", cwd=tmp_path)
    with pytest.raises(SourceProblem, match="partial clone"):
        create(tmp_path / "bundle", git=[line(tmp_path / "partial")])


def test_a_source_that_borrows_objects_is_told_as_one(tmp_path: Path) -> None:
    """Else a clone that was handed over could have any other repository here brought."""
    source = repository(tmp_path / "source", {"a": "1\n"})
    for bare in ((), ("--bare",)):
        folder = tmp_path / f"shared{len(bare)}"
        git("clone", "-q", "--shared", *bare, source, folder, cwd=tmp_path)
        with pytest.raises(SourceProblem, match="it borrows objects of another") as caught:
            create(tmp_path / f"bundle{len(bare)}", git=[line(folder)])
        words = (caught.value.remedy or "").partition("): ")[2].partition(" ; ")[0]
        subprocess.run(["sh", "-ec", words], cwd=tmp_path, check=True, capture_output=True)
        create(tmp_path / f"bundle{len(bare)}", git=[line(folder)])


def test_a_repository_of_sha256_is_refused_in_one_sentence(tmp_path: Path) -> None:
    source = repository(tmp_path / "source", {"a": "1\n"}, "--object-format=sha256")
    with pytest.raises(SourceProblem, match="named by SHA-256, and bundles carry") as caught:
        create(tmp_path / "bundle", git=[line(source)])
    # The remedy is what somebody pastes: it makes a repository that can be bundled.
    words = caught.value.remedy.partition(": ")[2].partition(";")[0]
    script = words.replace("COPY", "copy").replace("REPOSITORY", "source")
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True, capture_output=True)
    create(tmp_path / "bundle", git=[line(tmp_path / "copy")])


def test_a_commit_of_sha256_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    pinned = line(tmp_path / "nowhere", commit="a" * 64)
    with pytest.raises(SourceProblem, match="named by SHA-256"):
        create(tmp_path / "bundle", git=[pinned])


def test_an_empty_repository_is_told_as_one(tmp_path: Path) -> None:
    git("init", "-q", "-b", "main", "empty", cwd=tmp_path)
    with pytest.raises(SourceProblem, match="there is no main in it: it is empty"):
        create(tmp_path / "bundle", git=[line(tmp_path / "empty")])


def test_pointers_are_known_by_their_first_line() -> None:
    assert is_pointer(POINTER.encode())
    assert is_pointer(b"version https://hawser.github.com/spec/v1\noid sha256:00\n")
    assert not is_pointer(b"# version https://git-lfs.github.com/spec/v1\n")
    assert not is_pointer(POINTER.encode() + b"x" * 2000)


def test_filters_are_read_from_attributes() -> None:
    text = b"# *.x filter=no\n*.bin filter=lfs -text\n*.key filter=git-crypt\n*.b filter=lfs\n"
    assert filters_of(text) == ("lfs", "git-crypt")


def test_many_names_are_counted() -> None:
    tree = [Entry("100644", str(n), len(POINTER), f"{n}.bin") for n in range(8)]
    large = large_files_of(tree, {str(n): POINTER.encode() for n in range(8)})
    assert len(large) == 8
    assert some_names(large).endswith("4.bin (12345 bytes) and 3 more")


def test_git_is_let_in_as_the_build_server_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real git asks the program that GIT_ASKPASS names."""
    asked = tmp_path / "askpass"
    asked.write_text('#!/bin/sh\ncase $1 in User*) echo anna;; *) echo "$GIT_PASSWORD";; esac\n')
    asked.chmod(0o755)
    for name, value in (("GIT_ASKPASS", str(asked)), ("GIT_PASSWORD", "of-the-build")):
        monkeypatch.setenv(name, value)
    wanted = GitWanted.model_validate(line(tmp_path))
    opened = asyncio.run(open_repository(tmp_path / "work", wanted))
    assert opened.surroundings["GIT_TERMINAL_PROMPT"] == "0"
    done = subprocess.run(
        ["git", "credential", "fill"],
        input="protocol=https\nhost=git.example.org\n\n",
        env=dict(opened.surroundings), cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    asyncio.run(opened.close())
    assert "username=anna\npassword=of-the-build\n" in done.stdout


def test_a_branch_and_a_tag_of_one_name_are_told_apart(tmp_path: Path) -> None:
    source = repository(tmp_path / "source", {"a": "1"})
    git("tag", "v1+k3s1", cwd=source)
    git("update-ref", "refs/pull/7/head", "HEAD", cwd=source)
    git("branch", "v1+k3s1", cwd=source)
    first = git("rev-parse", "HEAD", cwd=source).strip()
    # While they are the same, there is nothing to choose.
    made = create(tmp_path / "same", git=[line(source, ref="v1+k3s1")])
    assert made.lock.items[0].pins["commit"] == first
    git("checkout", "-q", "v1+k3s1", cwd=source)
    commit(source, {"b": "2"})
    with pytest.raises(SourceProblem) as caught:
        create(tmp_path / "both", git=[line(source, ref="v1+k3s1")])
    assert "is a branch and a tag of it" in caught.value.cause
    assert "refs/tags/v1+k3s1" in str(caught.value.remedy)
    for ref, commits in (("refs/tags/v1+k3s1", 1), ("refs/heads/v1+k3s1", 2),
                         ("refs/pull/7/head", 1)):  # fmt: skip
        made = create(tmp_path / ref.replace("/", "-"), git=[line(source, ref=ref)])
        named = made.lock.items[0].pins["commit"]
        assert git("rev-list", "--count", named, cwd=source).strip() == str(commits)


def test_a_commit_where_a_branch_is_meant_is_told_with_its_key(tmp_path: Path) -> None:
    source = repository(tmp_path / "source", {"a": "1"})
    with pytest.raises(SourceProblem) as caught:
        create(tmp_path / "out", git=[line(source, ref="0123456")])
    assert "`commit`" in str(caught.value.remedy)
