"""File: a file on each machine, written whole or not at all, and a command after a change only."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from typing import Final, Literal

from foundation.problems import InputProblem
from installer.catalogue.stages import Planned, Planning, Probe, StepData
from installer.events import Json, Kind
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, must_be_good, parsed, text_of, words_of

_COMPARE: Final = """\
set -eu
# A login without root's rights owns what it writes, and keeps marks of its own.
[ "$(id -u)" = 0 ] ||
    set -- "$1" "$2" "$3" "$(id -u)" "$(id -g)" "${SITEWRIGHT_STATE:-}/pending/${6##*/}"
[ -f "$1" ] && [ ! -L "$1" ] || exit 1
[ ! -e "$6" ] || exit 1
[ "$(sha256sum < "$1" | cut -c 1-64)" = "$2" ] || exit 1
[ "$(( 0$(stat -c %a -- "$1") ))" = "$(( 0$3 ))" ] || exit 1
[ "$(stat -c %U:%G -- "$1")" = "$4:$5" ] || [ "$(stat -c %u:%g -- "$1")" = "$4:$5" ] || exit 1
"""
"""Arguments: path, hash, mode, owner, group, mark of a change whose command has not ended."""

_WRITE: Final = """\
set -eu
path=$1 sum=$2 mode=$3 owner=$4 group=$5 mark=$6 before=$7 then=$8
if [ "$(id -u)" != 0 ]; then
    owner=$(id -u) group=$(id -g)
    mark=$SITEWRIGHT_STATE/pending/${mark##*/} before=$SITEWRIGHT_STATE/before/${before##*/before/}
fi
folder=$(dirname -- "$path")
umask 022
mkdir -p -- "$folder"
umask 077
if [ -d "$path" ] && [ ! -L "$path" ]; then echo "$path is a folder" >&2; exit 1; fi
new=$(mktemp "$folder/.sitewright.XXXXXXXX")
trap 'rm -f -- "$new"' EXIT
cat > "$new"
if [ "$(sha256sum < "$new" | cut -c 1-64)" != "$sum" ]; then
    echo "what arrived is not what was sent: is the disk full?" >&2
    exit 1
fi
chown -- "$owner:$group" "$new"
chmod -- "$mode" "$new"
sync "$new" 2>/dev/null || sync
mkdir -p -- "$(dirname -- "$before")" "$(dirname -- "$mark")"
if [ ! -e "$before" ] && [ ! -L "$before" ] && [ ! -e "$before.none" ]; then
    if [ -e "$path" ] || [ -L "$path" ]; then cp -a -- "$path" "$before.part"
        mv -fT -- "$before.part" "$before"
    else : > "$before.none"; fi
fi
[ -z "$then" ] || : > "$mark"
mv -fT -- "$new" "$path"
trap - EXIT
sync "$folder" 2>/dev/null || sync
echo "$path was written"
[ -z "$then" ] || sh -c "$then" </dev/null
rm -f -- "$mark"
"""
"""Arguments as of _COMPARE, then where what was there before is kept, then the command after.

The mark outlives a crash between the change and the end of its command, which is then run."""

_RESTORE: Final = """\
set -eu
path=$1 before=$2 then=$3 mark=$4
if [ "$(id -u)" != 0 ]; then
    mark=$SITEWRIGHT_STATE/pending/${mark##*/} before=$SITEWRIGHT_STATE/before/${before##*/before/}
fi
kept() { [ -e "$1" ] || [ -L "$1" ] || [ -e "$1.none" ]; }
if ! kept "$before"; then
    # Where this run found it done: as it was before the run that changed it last.
    for run in $(ls -1r "${before%/*/*}" 2>/dev/null); do
        if kept "${before%/*/*}/$run/${before##*/}"; then
            before=${before%/*/*}/$run/${before##*/}
            break
        fi
    done
fi
if [ -e "$before" ] || [ -L "$before" ]; then mv -fT -- "$before" "$path"
    echo "$path is as it was before"
elif [ -e "$before.none" ]; then rm -f -- "$path" "$before.none"; echo "$path was removed"
else echo "$path was not changed by Sitewright"; exit 0; fi
[ -z "$then" ] || sh -c "$then" </dev/null
rm -f -- "$mark"
"""

_STATE: Final = "/var/lib/sitewright"
"""On the machine, root's: what files were before a run, and marks of changes under way."""
_LARGEST_SHOWN: Final = 256 * 1024


class FileStep(StepData):
    """A file or a rendered template on each machine, written whole or not at all."""

    kind: Literal["file"]
    template: str = ""
    content: str = ""
    path: str
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    then: Probe | None = None
    """A command after a change only (reload a service)."""

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """With the file as it will be."""
        text = planning.renderer.file(self.template) if self.template else str(spec["content"])
        return Planned(dict(spec), ((str(spec["path"]), text),))


class File(Probed):
    """Compared by hash, owner and mode on the machine; written beside, fsynced, renamed."""

    model = FileStep

    def data(self, context: StepContext) -> FileStep:
        """The step's data."""
        data = parsed(context, FileStep)
        if not data.path.startswith("/"):
            raise InputProblem(f'the path "{data.path}" is not absolute', where="the plan")
        return data

    def content(self, context: StepContext, data: FileStep) -> bytes:
        """What the file is to hold."""
        return text_of(context, data.path, data.content).encode()

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether the file is as it should be, and its command after the change has ended."""
        data = self.data(context)
        seen = await context.look(("sh", "-c", _COMPARE, "sh", *self._wanted(context, data)))
        if seen.status not in (0, 1):
            return None
        if seen.status == 0 and data.done is not None:
            return (await context.ask_machine(data.done)).yes
        return seen.status == 0

    async def do(self, context: StepContext) -> str:
        """Write the file; in a dry run, show what would change in it."""
        data = self.data(context)
        content = self.content(context, data)
        if context.dry_run:
            await self._show(context, data, content)
        then = words_of(data.then) if data.then is not None else ""
        ended = await context.change(
            f"write {data.path}",
            ("sh", "-c", _WRITE, "sh", *self._wanted(context, data), self._before(context, data),
             then),
            stdin=content,
        )  # fmt: skip
        must_be_good(context, ended, f"writing {data.path}")
        return f"{data.path} was written."

    async def verify(self, context: StepContext) -> None:
        """That the file is as it should be now, and the step's `verify` where it has one."""
        if await self.is_done(context) is not True:
            raise StepFailed(
                f"{self.data(context).path} was written and is already different again",
                where=context.host.name,
                remedy="Something else on the machine writes this file (cloud-init, a management "
                "agent): find it and end that first.",
            )
        if self.data(context).verify is not None:
            await super().verify(context)

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`, else bring back what was there before the last change of ours."""
        data = self.data(context)
        if data.undo is not None:
            return await super().undo(context)
        then = words_of(data.then) if data.then is not None else ""
        mark = self._wanted(context, data)[-1]
        ended = await context.change(
            f"bring {data.path} back as it was",
            ("sh", "-c", _RESTORE, "sh", data.path, self._before(context, data), then, mark),
            label="undo",
        )
        must_be_good(context, ended, f"bringing {data.path} back")
        return True

    def _wanted(self, context: StepContext, data: FileStep) -> tuple[str, ...]:
        content = self.content(context, data)
        mark = f"{_STATE}/pending/{_short(data.path)}"
        return (data.path, hashlib.sha256(content).hexdigest(), data.mode, data.owner, data.group,
                mark)  # fmt: skip

    def _before(self, context: StepContext, data: FileStep) -> str:
        return f"{_STATE}/before/{context.run_id}/{_short(data.path)}"

    async def _show(self, context: StepContext, data: FileStep, content: bytes) -> None:
        if int(data.mode, 8) & 0o004 == 0:
            # What others on the machine may not read is not put into a log here either.
            context.emit(Kind.NOTE, text=f"{data.path} differs; it is private and is not shown.")
            return
        script = '[ ! -f "$1" ] || head -c "$2" -- "$1"'
        seen = await context.look(("sh", "-c", script, "sh", data.path, str(_LARGEST_SHOWN)))
        there = seen.stdout.decode("utf-8", "replace").splitlines()
        wanted = content[:_LARGEST_SHOWN].decode("utf-8", "replace").splitlines()
        difference = difflib.unified_diff(
            there, wanted, f"{data.path} as it is", f"{data.path} as it will be", lineterm="", n=2
        )
        shown = "\n".join(difference) or f"{data.path}: only its owner or mode would change"
        context.emit(Kind.NOTE, text=shown)


def _short(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:16]


KIND: Final[StepKind] = File()
