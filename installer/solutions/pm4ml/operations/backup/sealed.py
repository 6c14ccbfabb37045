"""Sealing: what leaves this machine is encrypted by GnuPG to the keys of the persons named.

GnuPG, since snapd brings it to every MicroK8s machine; it writes a stream to several persons' keys,
tells a cut or changed one, and lets one backup be opened by its own session key, so that no
person's private key is ever on a machine of the site.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from .told import Objection

CHUNK = 1 << 20
_SECONDS = 6 * 3600
_SESSION_KEY = re.compile(r"\d{1,3}:[0-9A-Fa-f]{32,128}")


def _gpg(home: str, *words: str) -> list[str]:
    return ["gpg", "--homedir", home, "--no-options", "--batch", "--no-tty", "--quiet",
            "--no-autostart", "--trust-model", "always", *words]  # fmt: skip


def sealed(people: list[dict[str, Any]], write: Callable[[IO[bytes]], None]) -> Iterator[bytes]:
    """The encrypted bytes of what `write` writes, piece by piece; raises Objection.

    What is not whole raises before its last piece was given.
    """
    with tempfile.TemporaryDirectory(prefix="sitewright-") as home:
        words = []
        for number, person in enumerate(people):
            file = Path(home) / f"{number}.asc"
            file.write_text(str(person["key"]), "utf-8")
            words += ["--recipient-file", str(file)]
        errors = Path(home) / "errors"
        with errors.open("wb") as told:
            process = subprocess.Popen(
                _gpg(home, "--compress-algo", "none", "--cipher-algo", "AES256", *words,
                     "--encrypt"),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told,
            )  # fmt: skip
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        assert process.stdout is not None  # noqa: S101 - the same
        wrong: list[BaseException] = []

        def feed(into: IO[bytes]) -> None:
            try:
                write(into)
            except BaseException as error:  # told by whoever reads
                wrong.append(error)
                # Without an end of its own GnuPG would take what there is for all of it.
                process.kill()
            with contextlib.suppress(OSError):
                into.close()

        writer = threading.Thread(target=feed, args=(process.stdin,), daemon=True)
        writer.start()
        try:
            while chunk := process.stdout.read(CHUNK):
                yield chunk
            writer.join(timeout=_SECONDS)
            status = process.wait(timeout=_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
        said = errors.read_text("utf-8", "replace").strip().splitlines()
        if status > 0:
            raise Objection(f"gpg could not encrypt it: {said[-1] if said else status}")
        if wrong:
            raise wrong[0]
        if status:
            raise Objection(f"gpg was ended by signal {-status}")


@contextlib.contextmanager
def opened(source: IO[bytes], session_key: str, sha256: str) -> Iterator[IO[bytes]]:
    """What is inside of a sealed stream of this sum; raises Objection in the end for another.

    The sum is that of the bytes that are opened: what is looked at before may lie there no more.
    """
    if not _SESSION_KEY.fullmatch(session_key):
        raise Objection("no key of this backup was given")
    with tempfile.TemporaryDirectory(prefix="sitewright-") as home:
        reading, writing = os.pipe()
        os.write(writing, session_key.encode())
        os.close(writing)
        errors = Path(home) / "errors"
        try:
            with errors.open("wb") as told:
                process = subprocess.Popen(
                    _gpg(home, "--override-session-key-fd", str(reading), "--decrypt"),
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=told,
                    pass_fds=(reading,),
                )  # fmt: skip
        finally:
            os.close(reading)
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        assert process.stdout is not None  # noqa: S101 - the same
        digest = hashlib.sha256()
        feeding = threading.Thread(target=_feed, args=(source, process.stdin, digest), daemon=True)
        feeding.start()
        wrong: Objection | None = None
        try:
            try:
                yield process.stdout
            except Objection as problem:
                # What came out made no sense: GnuPG may know why, when it has read to the end.
                wrong = problem
            # What stands behind the last byte that was wanted is a part of what was sealed.
            while process.stdout.read(CHUNK):
                pass
            status = process.wait(timeout=_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=_SECONDS)
            feeding.join(timeout=_SECONDS)
        if status != 0:
            said = errors.read_text("utf-8", "replace").strip()
            raise Objection(
                "it is not what was sealed, or the key does not open it: "
                + (said.splitlines()[-1] if said else f"gpg ended with {status}")
            ) from wrong
        if wrong is not None:
            raise wrong
        if digest.hexdigest() != sha256:
            raise Objection("what was opened is not what the list says: it was changed meanwhile")


def _feed(source: IO[bytes], into: IO[bytes], digest: Any) -> None:
    """Give GnuPG a stream, and sum it up on the way, to its end whatever GnuPG takes of it."""
    with contextlib.suppress(OSError, ValueError):  # who reads learns it by what does not come
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            with contextlib.suppress(BrokenPipeError):
                into.write(chunk)
    with contextlib.suppress(OSError):
        into.close()
