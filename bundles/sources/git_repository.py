"""A Git repository fetched into a folder of ours, and read without any configuration but ours.

git runs with an environment and a configuration of its own: of the maker's configuration only
what is needed to be let in is taken over (credentials, proxies, authorities, safe folders). The
folder is made anew for every run, so that nothing which lies on a foreign medium configures git.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from bundles.format.problems import SourceProblem, WrongContent
from bundles.format.recipe import GitWanted
from bundles.manifests.git_needs import Entry, parse_tree
from bundles.sources.culprits import culprit
from bundles.sources.git_borrowed import borrows, elsewhere, way_out
from bundles.sources.git_settings import as_configuration, makers_settings
from bundles.sources.workshop import address, hear_program, run_and_hear
from foundation.isolation import child_environment

_OWN: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    # No other transport: `ext::` would run a program that an address names.
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "GIT_NO_REPLACE_OBJECTS": "1",
    # A source that has only a part must not fetch the rest from wherever its configuration says.
    "GIT_NO_LAZY_FETCH": "1",
}
_ALWAYS: Final = (
    ("core.attributesfile", "/dev/null"),
    ("core.excludesfile", "/dev/null"),
    ("core.hookspath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("protocol.ext.allow", "never"),
    ("init.defaultobjectformat", "sha1"),
    ("gc.auto", "0"),
)
_REMEDIES: Final = {
    "dubious ownership": "The repository belongs to another user of this machine. If you trust it, "
    "say so as git tells above (git config --global --add safe.directory …), and run the same "
    "command again.",
    "could not read Username": "The server asks for a login. Give git one (a credential helper, or "
    "~/.netrc), and run the same command again; or use an address with ssh://.",
    "Permission denied": "The server knows none of your keys. Load the right one (ssh-add), try it "
    "with `ssh -T USER@HOST`, and run the same command again.",
    "Host key verification failed": "Log in to that server once by hand with ssh, compare its "
    "fingerprint, and run the same command again.",
}
"""What git and ssh say, and what to do about it."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_LONG_COMMIT: Final = re.compile(r"[0-9a-f]{64}")


def long_names(wanted: GitWanted) -> SourceProblem:
    """The problem of a repository whose objects have names by SHA-256."""
    return SourceProblem(
        "its objects are named by SHA-256, and bundles carry repositories of SHA-1 only "
        "(Argo CD reads no others either)",
        where=address(wanted.url),
        remedy="Make a copy with SHA-1 and name that one: git init --bare --object-format=sha1 "
        "COPY && git -C REPOSITORY fast-export --all --signed-tags=strip | git -C COPY "
        "fast-import; its commits have other names.",
    )


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in a folder of ours, that is gone when it is closed."""

    folder: Path
    wanted: GitWanted
    surroundings: Mapping[str, str]
    told: tuple[str, ...] = ()
    """What of the maker's settings counts for nothing, in sentences."""
    complaints: list[str] = field(default_factory=list)
    """What git warned of, though it did what it was asked."""

    @property
    def mirror(self) -> Path:
        """The repository itself."""
        return self.folder / "mirror"

    @property
    def packed(self) -> Path:
        """The one file that it becomes."""
        return self.folder / "packed.bundle"

    async def run(self, *words: str) -> str:
        """What git says; raises SourceProblem with its words."""
        try:
            ran = await run_and_hear(
                ["git", *words],
                what=f"git {self.wanted.name}",
                surroundings=self.surroundings,
                cwd=self.mirror,
            )
        except SourceProblem as problem:
            raise SourceProblem(
                problem.cause,
                where=f"{problem.where}, {address(self.wanted.url)}",
                remedy=next(
                    (way for said, way in _REMEDIES.items() if said in problem.cause), None
                ),
            ) from problem
        self.complaints.extend(line for line in ran.complaints if line.startswith("warning:"))
        return ran.output

    async def fetch(self) -> str:
        """Bring its branches and tags; the commit that is wanted.

        Raises SourceProblem, WrongContent.
        """
        offered = _refs(await self.run("ls-remote", "--", self.wanted.url))
        if any(_LONG_COMMIT.fullmatch(commit) for commit in offered.values()):
            raise long_names(self.wanted)
        partial = await asyncio.to_thread(_is_partial, self.wanted.url)
        if partial:
            raise SourceProblem(
                "it is a partial clone, which leaves out files until somebody asks for them",
                where=address(self.wanted.url),
                remedy="Name the repository that it was cloned from, or clone that once whole: "
                "git clone --bare ADDRESS FOLDER",
            )
        await asyncio.to_thread(_has_its_own, self.wanted.url)
        await self.run("init", "-q", "--bare", "--object-format=sha1", "--template=", ".")
        await self.run(
            *("fetch", "-q", "--no-auto-gc", "--no-recurse-submodules", "--force", "--"),
            self.wanted.url,
            # Where HEAD names a branch that nobody made yet, it is not offered.
            *(("+HEAD:refs/fetched/HEAD",) if "HEAD" in offered else ()),
            *("+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/fetched/tags/*"),
            *((f"+{exact}:{_kept(exact)}",) if (exact := self._exact) in offered else ()),
        )
        return await self._resolve(offered)

    @property
    def _exact(self) -> str:
        """The reference by its whole name, where the recipe writes it so and it is asked for."""
        ref = "" if self.wanted.commit else self.wanted.ref
        return ref if ref.startswith("refs/") else ""

    async def _resolve(self, offered: Mapping[str, str]) -> str:
        commit = self.wanted.commit
        names = [commit] if commit else []
        if not commit and self._exact:
            names = [_kept(self._exact)]
        elif not commit:
            names = [f"refs/fetched/{place}{self.wanted.ref}" for place in ("heads/", "tags/", "")]
        found = [one for name in names if (one := await self._commit(name)) is not None]
        if len(names) > 1 and len(set(found)) > 1:
            # git and Argo CD do not choose alike between them, so nobody can say which is meant.
            raise SourceProblem(
                f"{self.wanted.ref} is a branch and a tag of it, and they are not the same",
                where=address(self.wanted.url),
                remedy=f"Write ref: refs/heads/{self.wanted.ref} or "
                f"ref: refs/tags/{self.wanted.ref}.",
            )
        if found:
            return found[0]
        fetched = _refs(await self.run("for-each-ref", "--format=%(objectname)\t%(refname)"))
        # git leaves out what stands on the cut edge of a history, and says so only in a warning.
        if any(name.replace("refs/", "refs/fetched/", 1) not in fetched for name in offered
               if name.startswith(("refs/heads/", "refs/tags/"))):  # fmt: skip
            raise SourceProblem(
                f"it has only the last part of its history (a shallow clone), so "
                f"{commit or self.wanted.ref} cannot be had from it",
                where=address(self.wanted.url),
                remedy="Give it all of its history (git fetch --unshallow there; in a CI job "
                "fetch-depth: 0 or GIT_DEPTH: 0), or name the repository it was cloned from.",
            )
        raise SourceProblem(
            f"there is no {commit or self.wanted.ref} in it"
            + ("" if offered else ": it is empty, or nobody may see its branches"),
            where=address(self.wanted.url),
            remedy="A commit is named under `commit`, by all of its 40 digits."
            if not commit and re.fullmatch(r"[0-9a-f]{7,40}", self.wanted.ref)
            else "Check the branch, the tag or the commit.",
        )

    async def _commit(self, name: str) -> str | None:
        """The commit behind a name, None where there is none; raises WrongContent."""
        try:
            found = (await self.run("rev-parse", "-q", "--verify", f"{name}^{{commit}}")).strip()
        except SourceProblem:
            return None
        if not _COMMIT.fullmatch(found):
            raise WrongContent(
                "its commits have another form of name", where=address(self.wanted.url)
            )
        return found

    async def pack(self, commit: str) -> Path:
        """One file with the history of a commit; the same history gives the same file."""
        await self.run("update-ref", "refs/heads/bundle", commit)
        refs = await self.run("for-each-ref", "--format=%(refname)")
        for ref in refs.split():
            if ref != "refs/heads/bundle":
                await self.run("update-ref", "-d", ref)
        # Packed anew by one thread, so that it hangs on nothing but the history.
        one = ("-c", "pack.threads=1")
        await self.run(*one, "repack", "-adfFq", "--window=10")
        await self.run(
            *(*one, "bundle", "create", "-q", "--version=2"),
            *(str(self.packed), "refs/heads/bundle"),
        )
        return self.packed

    async def tree(self, commit: str) -> tuple[Entry, ...]:
        """Every entry of a commit, as it is stored."""
        raw = await self._bytes("ls-tree", "-r", "-z", "--long", "--full-tree", commit)
        return parse_tree(raw)

    async def contents(self, objects: Iterable[str]) -> dict[str, bytes]:
        """Files as they are stored: no filter and no attribute touches them."""
        names = list(dict.fromkeys(objects))
        if not names:
            return {}
        asked = "".join(f"{name}\n" for name in names).encode()
        raw = await self._bytes("cat-file", "--batch", asked=asked)
        found: dict[str, bytes] = {}
        at = 0
        for name in names:
            end = raw.index(b"\n", at)
            words = raw[at:end].split()
            at = end + 1
            if len(words) == 3 and words[1] == b"blob":
                size = int(words[2])
                found[name] = raw[at : at + size]
                at += size + 1
        return found

    async def modules(self, commit: str) -> dict[str, str]:
        """The addresses of submodules by their paths."""
        try:
            listed = await self._bytes(
                "config", "--blob", f"{commit}:.gitmodules", "--null", "--list"
            )
        except SourceProblem:
            return {}
        paths: dict[str, str] = {}
        urls: dict[str, str] = {}
        for line in listed.decode("utf-8", "replace").split("\0"):
            key, _, value = line.partition("\n")
            name, _, word = key.removeprefix("submodule.").rpartition(".")
            if word == "path":
                paths[name] = value
            elif word == "url":
                urls[name] = value
        return {path: urls[name] for name, path in paths.items() if name in urls}

    async def close(self) -> None:
        """Remove the folder."""
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def _bytes(self, *words: str, asked: bytes | None = None) -> bytes:
        what = f"git {self.wanted.name}"
        output, errors, status = await hear_program(
            ["git", *words], what=what, surroundings=self.surroundings, cwd=self.mirror, asked=asked
        )
        if status:
            said = " ".join(errors.decode("utf-8", "replace").split())
            cause, remedy = culprit("git", said)
            raise SourceProblem(cause, where=what, remedy=remedy)
        return output


async def open_repository(work: Path, wanted: GitWanted) -> Repository:
    """A folder for a repository, with git's own configuration in it."""
    return await asyncio.to_thread(_open, work, wanted)


def _open(work: Path, wanted: GitWanted) -> Repository:
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="git-", dir=work))
    (folder / "mirror").mkdir()
    own = folder / "gitconfig"
    makers = makers_settings()
    entries = [*makers.taken, *_ALWAYS, ("safe.directory", str(folder / "mirror"))]
    own.write_bytes(as_configuration(entries))
    surroundings = child_environment("git fetch", {**_OWN, "GIT_CONFIG_GLOBAL": str(own)})
    return Repository(folder, wanted, surroundings, makers.told)


def _kept(ref: str) -> str:
    """Where a reference of the source is kept here."""
    return f"refs/fetched/{ref.removeprefix('refs/')}"


def _refs(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        commit, tab, name = line.partition("\t")
        if tab and not name.endswith("^{}"):
            found[name] = commit
    return found


def _stores(url: str) -> list[Path]:
    """Where a repository of this computer may have its objects; nowhere for one of a server."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return []
    path = Path(unquote(parts.path))
    return [path / ".git", path]


def _is_partial(url: str) -> bool:
    packs = [store / "objects" / "pack" for store in _stores(url)]
    return any(next(pack.glob("*.promisor"), None) is not None for pack in packs)


def _has_its_own(url: str) -> None:
    """Raise SourceProblem where it borrows objects of another repository of this computer.

    A clone that somebody handed over could have those of any other one brought, whole histories.
    """
    for store in _stores(url):
        if (store / "objects").is_dir() and borrows(store):
            place = elsewhere(store, [store])
            if place is None:
                return
            raise SourceProblem(
                f"it borrows objects of another repository, and does not hold them: {place}",
                where=address(url),
                remedy=f"If you set it so (git clone --shared or --reference): {way_out(store)} ; "
                "else clone it anew from its server, and name that clone.",
            )
