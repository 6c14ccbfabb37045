"""Programs: Helm and kubectl on the control host, looked for and brought before anything runs.

They are taken from where they are known to be right: the control host's own, the site's bundle (a
file called `helm` or `kubectl`, also with `-amd64` or `-arm64`; its hash is the signed index's), or
this machine's own where the processor is the same. What is brought is hashed on arrival, tried, and
put into a folder that every step's PATH ends with.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.hosts.connection import Become, Connection
from foundation.hosts.jobs.output_lines import clean_line
from foundation.hosts.transfer import Blob, bring
from foundation.problems import Refused
from installer.plans.plan import CONTROL_HOST
from installer.steps.kind import step_kind

if TYPE_CHECKING:
    from bundles.read.opened import Bundle
    from foundation.hosts.transfer import Source
    from installer.plans.plan import Plan, PlannedStage

FOLDER: Final = "/var/lib/sitewright/bin"
"""Where they lie on a control host; root's, and the end of every command's PATH there."""
_STORE: Final = "/var/lib/sitewright/programs"
"""What was begun to be brought, until it is in its place."""
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_CHUNK: Final = 1024 * 1024

_FIND: Final = r"""
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:$1
shift
echo "machine=$(uname -s) $(uname -m)"
for n; do command -v "$n" >/dev/null && echo "has=$n"; done
exit 0
"""
"""The folder of what was brought, then the programs that are asked for."""

_PLACE: Final = r"""
umask 022
blob=$1 folder=$2 name=$3 inside=$4
shift 4
mkdir -p "$folder" || exit
new=$(mktemp "$folder/.new-XXXXXXXX") || exit
trap 'rm -f "$new"' EXIT
if [ "$(head -c 2 "$blob" | od -An -tx1 | tr -d ' ')" = 1f8b ]; then
    tar -xzOf "$blob" "$inside" >"$new" || exit
else
    cat "$blob" >"$new" || exit
fi
chmod 755 "$new" || exit
"$new" "$@" 2>&1 </dev/null | head -n 1
"$new" "$@" >/dev/null 2>&1 </dev/null || { echo "it does not run here" >&2; exit 1; }
mv "$new" "$folder/$name" && rm -f "$blob"
"""
"""The blob, the folder, the program, its place in an archive, the words by which it tells its
version: put in its place if it runs."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can be brought to a control host; one line of `PROGRAMS`."""

    version: tuple[str, ...]
    """The words with which it tells its version, and so that it runs there."""
    in_archive: str
    """Where it lies in the archive that its makers give out; {arch} is the processor's name."""


PROGRAMS: Final[Mapping[str, Program]] = {
    "helm": Program(("version", "--short"), "linux-{arch}/helm"),
    "kubectl": Program(("version", "--client"), "kubernetes/client/bin/kubectl"),
}
"""By their names. A step that names another program minds it by itself.

Sources: https://helm.sh/docs/intro/install; https://kubernetes.io/releases/download, its client
binaries.
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a program can be had."""

    name: str
    blob: Blob
    where: str
    """The bundle, or this machine, in words."""
    source: Source


@dataclass(frozen=True, slots=True)
class _FileSource:
    """One file of this machine."""

    path: Path

    def chunks(self, blob: Blob, begin: int) -> Iterator[memoryview]:
        """Its bytes from one on; they are hashed where they arrive."""
        with self.path.open("rb") as file:
            file.seek(begin)
            while piece := file.read(_CHUNK):
                yield memoryview(piece)


def needed(stages: Sequence[PlannedStage]) -> tuple[str, ...]:
    """The programs that steps of these stages need on the control host."""
    found = {
        name
        for stage in stages
        for step in stage.steps
        if CONTROL_HOST in (step.hosts or (CONTROL_HOST,))
        for name in step_kind(step.kind).programs(step)
    }
    return tuple(sorted(found))


async def ready(
    connection: Connection,
    plan: Plan,
    names: Sequence[str],
    *,
    dry_run: bool = False,
    say: Callable[[str], None],
) -> None:
    """See that the control host has these programs, and bring what it lacks.

    Raises Refused before anything was brought where one is lacking everywhere, ConnectionProblem
    classes, and BundleProblem. `say` gets a sentence about each that was brought.
    """
    local = connection.host.local
    asked = await connection.run(
        ["sh", "-c", _FIND, "sh", FOLDER, *names], become=Become.LOGIN if local else Become.ROOT
    )
    told = asked.stdout.decode("utf-8", "replace").splitlines()
    lacking = [name for name in names if f"has={name}" not in told]
    if not lacking:
        return
    machine = next((line[8:] for line in told if line.startswith("machine=")), "")
    where = "this machine" if local else f"the control host {connection.host.address}"
    with contextlib.ExitStack() as opened:
        found = [
            await asyncio.to_thread(_find, plan, name, machine, opened, own=not local)
            for name in lacking
        ]
        short = [name for name, one in zip(lacking, found, strict=True) if one is None]
        if short:
            raise _lacking(short, where, machine)
        for one in found:
            if one is None:  # told above
                continue
            if dry_run:
                say(f"Would bring {one.name} from {one.where}.")
            else:
                say(await _bring(connection, one, machine, where))


def _lacking(names: Sequence[str], where: str, machine: str) -> Refused:
    arch = _ARCHITECTURES.get(machine.rpartition(" ")[2], "amd64")
    programs = " and ".join(names)
    return Refused(
        f"{programs} is not installed there, and neither the site's bundle nor this machine has "
        "one that fits",
        where=where,
        remedy=f"Install {programs} there; or add it to the bundle's recipe as a file called "
        f"{names[0]} or {names[0]}-{arch}; or name another control host in the site file.",
    )


def _find(
    plan: Plan, name: str, machine: str, opened: contextlib.ExitStack, *, own: bool
) -> _Found | None:
    """Where a program for this machine can be had: the bundle first."""
    system, _, processor = machine.partition(" ")
    arch = _ARCHITECTURES.get(processor, "")
    if system != "Linux" or not arch:
        return None
    if plan.supplies:
        from bundles.deliver.source import BundleSource
        from bundles.read.structure import read_structure
        from installer.steps.deliver import bundle_of

        bundle: Bundle = opened.enter_context(bundle_of(plan))
        files = {item.name: item for item in read_structure(bundle).index.of_kind("file")}
        item = files.get(f"{name}-{arch}") or files.get(name)
        if item is not None and item.content is not None:
            blob = Blob(item.content.removeprefix("sha256:"), item.content_size)
            return _Found(name, blob, "the bundle", BundleSource(bundle))
    return _own(name, processor) if own else None


def _own(name: str, processor: str) -> _Found | None:
    """This machine's own, where it is a program for that processor and no starter of another."""
    import platform

    path = shutil.which(name)
    if path is None or (platform.system(), platform.machine()) != ("Linux", processor):
        return None
    file = Path(path).resolve()
    with file.open("rb") as opened:
        # A snap's command, a script of a version manager: of no use elsewhere.
        if file.name == "snap" or opened.read(4) != b"\x7fELF":
            return None
        opened.seek(0)
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    blob = Blob(digest, file.stat().st_size)
    return _Found(name, blob, f"this machine ({file})", _FileSource(file))


async def _bring(connection: Connection, one: _Found, machine: str, where: str) -> str:
    await bring(connection, [one.blob], one.source, store=_STORE)
    arch = _ARCHITECTURES[machine.rpartition(" ")[2]]
    blob = f"{_STORE}/blobs/sha256/{one.blob.sha256}"
    program = PROGRAMS[one.name]
    inside = program.in_archive.format(arch=arch)
    done = await connection.run(
        ["sh", "-c", _PLACE, "sh", blob, FOLDER, one.name, inside, *program.version],
        become=Become.ROOT,
    )
    if done.status != 0:
        said = clean_line(done.stderr.strip().rpartition(b"\n")[2][:300])
        raise Refused(
            f"{one.name} of {one.where} was brought and cannot be used: {said or 'it fails'}",
            where=where,
            remedy=f"Install {one.name} there.",
        )
    version = clean_line(done.stdout.strip()[:120])
    return (
        f"{one.name} was brought to {where} from {one.where}: {version} "
        f"(SHA-256 {one.blob.sha256[:16]}…)."
    )
