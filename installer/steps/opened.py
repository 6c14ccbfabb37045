"""Opened: a script on the machine that is given the key of one sealed file, and no person's.

A file that GnuPG sealed begins with its own session key, encrypted to each person. That beginning
alone is brought here, opened with the private key that lies here, and the session key goes to the
machine over standard input: it opens this one file, and no other.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final, Literal

from foundation.isolation import environment
from foundation.problems import InputProblem
from foundation.secrets import Secret, cut
from installer.catalogue.stages import Probe, StepData
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import SCRIPT, Probed, must_be_good, parsed, said

PASSPHRASE: Final = "backup_key_passphrase"  # noqa: S105 - the name of a secret, not one
_SECONDS: Final = 120
_LONGEST_HEADER: Final = 64 * 1024
_SESSION_KEY: Final = re.compile(r"^\[GNUPG:\] SESSION_KEY (\d{1,3}:[0-9A-Fa-f]{32,128})$", re.M)

_BAD_PASSPHRASE: Final = 11
"""GPG_ERR_BAD_PASSPHRASE of libgpg-error, in the low 16 bits; the words hang on the language."""
_PRIVATE: Final = 16
"""In GnuPG's IMPORT_OK: the key has a private part (its doc/DETAILS)."""

_KEY_PACKET: Final = 1
_NOTHING_SEALED: Final = bytes([0xD2, 65, 1]) + bytes(64)
"""A packet of sealed data that nobody sealed: GnuPG tells the key first, then that it is none."""


class OpenedStep(StepData):
    """A script that knows `session_key`, the key of a sealed file, by that file's beginning."""

    kind: Literal["opened"]
    header: Probe
    """Writes the beginning of the sealed file in base64, on one line."""
    key_file: str = ""
    """A private OpenPGP key on this computer; empty takes those that your GnuPG has."""
    script: str


class Opened(Probed):
    """The session key is found anew each time; it stands in no journal."""

    model = OpenedStep

    def data(self, context: StepContext) -> OpenedStep:
        """The step's data."""
        return parsed(context, OpenedStep)

    async def do(self, context: StepContext) -> str:
        """Find the session key, then run the script to its end."""
        data = self.data(context)
        key = Secret("") if context.dry_run else await self._session_key(context, data)
        ended = await context.change(
            f"run a script: {context.step.title}",
            SCRIPT,
            stdin=f"session_key='{key.reveal()}'\n{data.script}".encode(),
        )
        must_be_good(context, ended, "the script")
        return "The script ran to its end."

    async def _session_key(self, context: StepContext, data: OpenedStep) -> Secret:
        answer = await context.ask_machine(data.header)
        if answer.yes is not True:
            raise StepFailed(
                f"the beginning of the sealed file cannot be read{said(answer.output)}",
                where=context.host.name,
            )
        try:
            header = base64.b64decode(answer.output.strip().splitlines()[-1], validate=True)
        except (binascii.Error, IndexError, ValueError) as error:
            raise StepFailed(
                "what was read is no beginning of a sealed file", where=context.host.name
            ) from error
        passphrase = context.secrets.get(PASSPHRASE)
        file = Path(data.key_file) if data.key_file else None
        return await asyncio.to_thread(
            session_key, header[:_LONGEST_HEADER], file, passphrase or Secret("")
        )


def session_key(header: bytes, key_file: Path | None, passphrase: Secret) -> Secret:
    """The session key of a sealed file, by its beginning; raises InputProblem, StepFailed.

    With a key file GnuPG has a home of its own for that long, which is gone afterwards.
    """
    asked = _for_its_key(header)
    with contextlib.ExitStack() as stack:
        words = ["gpg", "--no-options", "--no-tty", "--status-fd", "1"]
        if key_file is not None:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="sw-"))
            # It starts an agent, which would outlive it.
            stack.callback(_run, ["gpgconf", "--homedir", home, "--kill", "all"], b"")
            words += ["--homedir", home, "--batch", "--pinentry-mode", "loopback"]
            done = _run([*words, "--import", "--", str(key_file)], b"")
            taken = re.findall(rb"^\[GNUPG:\] IMPORT_OK (\d+)", done.stdout, re.M)
            if not any(int(reason) & _PRIVATE for reason in taken):
                raise InputProblem(
                    f"it holds no private OpenPGP key that gpg takes: {_last(done.stderr)}",
                    where=str(key_file),
                    remedy="Write it with: gpg --armor --export-secret-keys NAME",
                )
        asks = [] if key_file is None else ["--passphrase-fd", "{fd}"]
        done = _run(
            [*words, *asks, "--show-session-key", "--output", os.devnull, "--yes", "--decrypt"],
            asked,
            passphrase=passphrase,
        )
    told = done.stdout.decode("utf-8", "replace")
    found = _SESSION_KEY.search(told)
    if found is not None:
        return Secret(found[1])
    failed = re.search(r"^\[GNUPG:\] ERROR pkdecrypt_failed (\d+)", told, re.M)
    if failed is not None and int(failed[1]) & 0xFFFF == _BAD_PASSPHRASE:
        raise InputProblem(
            "the passphrase does not open the private key",
            where=str(key_file or "your GnuPG"),
            remedy="Give it again: --key-passphrase-file FILE, or --ask-key-passphrase.",
        )
    sealed_to = re.findall(r"^\[GNUPG:\] ENC_TO ([0-9A-F]+)", told, re.M)
    raise StepFailed(
        "this key does not open the backup: it is sealed to "
        + (", ".join(sealed_to) if sealed_to else f"nobody that gpg names ({_last(done.stderr)})"),
        where=str(key_file or "your GnuPG"),
        remedy="Give the private key of one of those: --key FILE. `sitewright backup list` names "
        "who can open it.",
        again=False,
    )


def _for_its_key(header: bytes) -> bytes:
    """What GnuPG is given to find the session key: the keys of a sealed file, and next to nothing.

    Of a file that is cut off inside of what is sealed it says no key. RFC 4880, §4.2, §5.1, §5.13.
    """
    keys, at = b"", 0
    while at + 2 < len(header):
        tag = header[at]
        if tag & 0xC0 == 0xC0:
            kind, begin = tag & 0x3F, at + 2
            size = header[at + 1]
            if 192 <= size < 224:
                size, begin = (size - 192 << 8) + header[at + 2] + 192, at + 3
        elif tag & 0xC0 == 0x80 and tag & 3 < 2:
            kind, width = tag >> 2 & 0xF, 1 + (tag & 3)
            size, begin = int.from_bytes(header[at + 1 : at + 1 + width], "big"), at + 1 + width
        else:
            break
        if kind != _KEY_PACKET or begin + size > len(header):
            break
        keys, at = header[: begin + size], begin + size
    if not keys:
        raise StepFailed("what was read is no beginning of a sealed file", where="this computer")
    return keys + _NOTHING_SEALED


def _run(
    command: list[str], stdin: bytes, *, passphrase: Secret | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a program of GnuPG, with the passphrase on a descriptor of its own where it asks."""
    reading, writing = os.pipe()
    try:
        os.write(writing, f"{passphrase.reveal() if passphrase else ''}\n".encode())
        os.close(writing)
        words = [str(reading) if word == "{fd}" else word for word in command]
        return subprocess.run(
            words, input=stdin, capture_output=True, check=False, timeout=_SECONDS,
            env=environment(), pass_fds=(reading,),
        )  # fmt: skip
    except FileNotFoundError as error:
        raise InputProblem(
            "a backup is opened by GnuPG, and this computer has no gpg",
            where=command[0],
            remedy="Install gnupg here.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise StepFailed("gpg came to no end over it", where="this computer") from error
    finally:
        os.close(reading)


def _last(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return cut(lines[-1], 200) if lines else "gpg said nothing"


KIND: Final[StepKind] = Opened()
