"""Helm and Kustomize as programs that render: without a network, without plugins, bounded.

A recipe's own `files` called helm or kustomize come first, since the site will use them; then what
is on the maker's path. A chart is hostile: the program has an empty home and no other program on
its path, and is ended when it takes too long or says too much.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bundles.format import budgets
from foundation.isolation import NOWHERE, child_environment

if TYPE_CHECKING:
    from bundles.format.recipe import FileWanted, Recipe
    from bundles.sources.workshop import Workshop

SECONDS: Final = budgets.RENDER_SECONDS
"""For one chart or one folder."""
_MOST_BYTES: Final = budgets.RENDERED_BYTES
_MOST_WORDS: Final = 64 * 1024
_MOST_MEMORY: Final = 16 * 1024 * 1024
"""Kilobytes of addresses: Go takes many and uses few."""
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_CLUSTERS: Final = tuple(f"1.{minor}.0" for minor in range(34, 18, -1))
"""Kubernetes' versions, the newest first."""
_NOT_FOR_IT: Final = "which is incompatible with Kubernetes"
"""Helm's words for a chart that its `kubeVersion` keeps from a cluster."""
_MACH_O: Final = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_STAMP: Final = re.compile(r"^(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d |[\w./-]+\.go:\d+: )+")
"""When, and where in its own source, a program of Go says something."""
_MOST_COMPLAINTS: Final = 5
_TOO_MUCH: Final = b"it said too much to show"
_NO_WAY_OUT: Final = "http://127.0.0.1:9"


Hear = Callable[[str], None]
"""Is told what a program warned of, a line each."""


class RenderFailed(Exception):
    """A program did not render; says why in its words."""


@dataclass(slots=True)
class Renderers:
    """The programs of one bundle in the making, looked for once."""

    recipe: Recipe | None = None
    seconds: float = SECONDS
    search: str | None = None
    """Folders to look in instead of the maker's path."""
    _found: dict[str, asyncio.Task[Path | None]] = field(default_factory=dict)
    _helps: dict[Path, str] = field(default_factory=dict)
    _offline: tuple[str, ...] | None = None
    _own: tempfile.TemporaryDirectory[str] | None = None
    _at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    def close(self) -> None:
        """Remove the programs that the recipe brought."""
        for task in self._found.values():
            task.cancel()
        if self._own is not None:
            self._own.cleanup()

    async def program(self, shop: Workshop, name: str) -> Path | None:
        """Where a program is; None where there is none."""
        if name not in self._found:
            self._found[name] = asyncio.create_task(self._look(shop, name))
        return await asyncio.shield(self._found[name])

    async def helm(
        self, shop: Workshop, chart: Path, values: Mapping[str, Any], hear: Hear
    ) -> str | None:
        """What `helm template` makes of a chart; None without Helm. Raises RenderFailed.

        `hear` is told what it warns of. A chart for older clusters only is rendered as for the
        newest that it takes.
        """
        helm = await self.program(shop, "helm")
        if helm is None:
            return None
        with tempfile.TemporaryDirectory(prefix="helm-") as own:
            given = Path(own) / "values.yaml"
            given.write_text(json.dumps(dict(values)), encoding="utf-8")
            words = ["template", "release-name", str(chart), "--values", str(given)]
            # Its schema may name addresses, and says nothing of images.
            if "--skip-schema-validation" in await self._help(helm, Path(own)):
                words.append("--skip-schema-validation")
            for cluster in ("", *_CLUSTERS):
                more = ["--kube-version", cluster] if cluster else []
                try:
                    return await self._run([str(helm), *words, *more], Path(own), hear=hear)
                except RenderFailed as failed:
                    if _NOT_FOR_IT not in str(failed) or cluster == _CLUSTERS[-1]:
                        raise
            return None

    async def kustomize(
        self, shop: Workshop, folder: Path, hear: Hear, *, helm: Path | None = None
    ) -> str | None:
        """What `kustomize build` makes of a folder; None without it. Raises RenderFailed.

        With `helm` it also renders charts, which lie where it would put them.
        """
        program = await self.program(shop, "kustomize")
        words = ["build"]
        if program is None:
            program = await self.program(shop, "kubectl")
            words = ["kustomize"]
        if program is None:
            return None
        with tempfile.TemporaryDirectory(prefix="kustomize-") as own:
            charts = ["--enable-helm", "--helm-command", str(helm)] if helm else []
            argv = [str(program), *words, *charts, str(folder)]
            return await self._run(argv, Path(own), helm, hear=hear)

    async def _look(self, shop: Workshop, name: str) -> Path | None:
        line = self._line(name)
        if line is not None:
            blob = await shop.fetch_file(line.urls, line.sha256, line.size)
            # Not on the medium: links may lie there, and many may not start programs from it.
            if self._own is None:
                self._own = tempfile.TemporaryDirectory(prefix="sitewright-programs-")
            path = Path(self._own.name) / name
            await asyncio.to_thread(shutil.copyfile, shop.store.path(blob.digest), path)
            path.chmod(0o700)
            if await asyncio.to_thread(_is_program, path):
                return path
        found = shutil.which(name, path=self.search)
        return unwrapped(Path.cwd() / found, name) if found else None

    def _line(self, name: str) -> FileWanted | None:
        here = _ARCHITECTURES.get(platform.machine(), "")
        wanted = (f"{name}-{here}", f"{name}-linux-{here}", name)
        files = {line.name: line for line in self.recipe.files} if self.recipe else {}
        return next((files[one] for one in wanted if one in files), None)

    async def _help(self, helm: Path, own: Path) -> str:
        if helm not in self._helps:
            self._helps[helm] = await self._run([str(helm), "template", "--help"], own)
        return self._helps[helm]

    async def _prefix(self) -> tuple[str, ...]:
        """What takes the network away, where this machine lets us."""
        if self._offline is None:
            unshare = shutil.which("unshare")
            words = (unshare, "--user", "--map-root-user", "--net", "--") if unshare else ()
            self._offline = words if words and await _works([*words, "true"]) else ()
        return self._offline

    async def _run(
        self,
        argv: Sequence[str],
        own: Path,
        other: Path | None = None,
        *,
        hear: Hear | None = None,
    ) -> str:
        async with self._at_once:
            output, errors = await self._run_now(argv, own, other)
        for words in _complaints(errors):
            if hear is not None:
                hear(words.replace(str(own), ""))
        return output

    async def _run_now(
        self, argv: Sequence[str], own: Path, other: Path | None
    ) -> tuple[str, bytes]:
        limited = ("/bin/sh", "-c", f'ulimit -v {_MOST_MEMORY} 2>/dev/null; exec "$@"', "sh")
        try:
            process = await asyncio.create_subprocess_exec(
                *limited,
                *await self._prefix(),
                *argv,
                cwd=own,
                env=_surroundings(own, Path(argv[0]), *([other] if other else [])),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise RenderFailed(f"it cannot be started: {error.strerror or error}") from error
        assert process.stdout  # noqa: S101 - both are pipes
        assert process.stderr  # noqa: S101
        try:
            async with asyncio.timeout(self.seconds):
                output, errors = await asyncio.gather(
                    _read(process.stdout, _MOST_BYTES), _read(process.stderr, _MOST_WORDS)
                )
                await process.wait()
        except TimeoutError as error:
            raise RenderFailed(f"it did not end within {self.seconds:.0f} s") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if output is None:
            raise RenderFailed(f"it rendered more than {_MOST_BYTES} bytes")
        if process.returncode:
            raise RenderFailed(_cause(errors or _TOO_MUCH))
        return output.decode("utf-8", "replace"), _TOO_MUCH if errors is None else errors


def _complaints(errors: bytes) -> list[str]:
    """What a program warned of though it rendered, each once."""
    text = errors.decode("utf-8", "replace").expandtabs(1)
    lines = (line.strip().lstrip("# ") for line in text.splitlines())
    plain = (_STAMP.sub("", line)[:300] for line in lines)
    told = list(dict.fromkeys(line for line in plain if line))
    more = len(told) - _MOST_COMPLAINTS
    return [*told[:_MOST_COMPLAINTS], *([f"and {more} more of that kind"] if more > 0 else [])]


def _is_program(path: Path) -> bool:
    """Whether a file can be started: an archive that holds the program cannot."""
    with path.open("rb") as file:
        head = file.read(4)
    return head == b"\x7fELF" or head[:2] == b"#!" or head in _MACH_O


def unwrapped(path: Path, name: str, *, snaps: Path = Path("/snap")) -> Path:
    """The program itself, where snapd stands before it: that one wants the maker's home."""
    if path.resolve().name != "snap":
        return path
    places = (snaps / name / "current" / name, snaps / name / "current" / "bin" / name)
    return next((place for place in places if place.is_file()), path)


def _is_script(program: Path) -> bool:
    with program.open("rb") as file:
        return file.read(2) == b"#!"


def _surroundings(own: Path, *programs: Path) -> dict[str, str]:
    """An empty home, no plugins, no other program, and proxies that lead nowhere."""
    home = str(own)
    # Where a script stands for the program, it needs those of the system to begin.
    path = os.defpath if any(map(_is_script, programs)) else "/nonexistent"
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _NO_WAY_OUT)
    around = {
        "PATH": path,
        "HOME": home,
        "TMPDIR": home,
        "XDG_CONFIG_HOME": home,
        "XDG_CACHE_HOME": home,
        "XDG_DATA_HOME": home,
        "HELM_CONFIG_HOME": home,
        "HELM_CACHE_HOME": home,
        "HELM_DATA_HOME": home,
        "HELM_PLUGINS": f"{home}/no-plugins",
        "HELM_NO_PLUGINS": "1",
        "KUBECONFIG": f"{home}/no-cluster",
        **proxies,
        **{name.lower(): value for name, value in proxies.items()},
    }
    return child_environment("helm", around)


async def _works(argv: Sequence[str]) -> bool:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=NOWHERE,
            env=child_environment("unshare"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    try:
        return await asyncio.wait_for(process.wait(), budgets.PROBE_SECONDS) == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False


async def _read(stream: asyncio.StreamReader, most: int) -> bytes | None:
    """What a program says; None where it is more than that (the rest is read and dropped)."""
    kept = bytearray()
    while chunk := await stream.read(1 << 16):
        if len(kept) <= most:
            kept += chunk
    return bytes(kept) if len(kept) <= most else None


def _cause(errors: bytes) -> str:
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines()]
    told = [line for line in lines if line and not line.startswith(("Use --debug", "WARNING:"))]
    return "; ".join(told[-3:])[:400] or "it said nothing"
