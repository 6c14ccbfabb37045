"""Copying over SFTP: under a temporary name first, so that a file is there whole or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import secrets
import stat
from pathlib import Path
from typing import Final

import asyncssh

from foundation.problems import ConnectionLost, ConnectionProblem, InputProblem, MachineProblem
from foundation.sentences import understood

_TIDY_SECONDS: Final = 5.0
"""How long the removal of a partial file may take where a copy was broken off."""


async def put_file(
    sftp: asyncssh.SFTPClient, source: Path, target: str, *, mode: int, where: str
) -> None:
    """Copy a file to a machine; raises InputProblem for the source, ConnectionProblem else."""
    if not os.path.isfile(source):  # noqa: PTH113, ASYNC240 - one look at a local file
        raise InputProblem(
            "there is no such file to copy", where=str(source), remedy="Check the name."
        )
    folder, name = posixpath.split(target)
    temporary = posixpath.join(folder, f".{name[:200]}.{secrets.token_hex(6)}.part")
    try:
        # Made private before anything is written, so that nobody reads a copy half-way.
        attributes = asyncssh.SFTPAttrs(permissions=0o600)
        async with sftp.open(temporary, "xb", attributes):
            pass
        await sftp.put(str(source), temporary)
        await sftp.chmod(temporary, mode)
        await sftp.posix_rename(temporary, target)
    except (asyncssh.Error, OSError) as error:
        await _tidy(sftp, temporary)
        raise _problem(error, target, where) from error
    except BaseException:
        await _tidy(sftp, temporary)
        raise


async def get_file(sftp: asyncssh.SFTPClient, source: str, target: Path, *, where: str) -> None:
    """Copy a file from a machine; raises InputProblem for the target, ConnectionProblem else."""
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.part")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise InputProblem(
            f"no file can be written here: {error.strerror or error}",
            where=str(target),
            remedy="Check that the folder is there and that you may write in it.",
        ) from error
    try:
        status = await sftp.stat(source)
        if status.permissions is not None and not stat.S_ISREG(status.permissions):
            raise asyncssh.SFTPFailure("it is not a regular file")
        await sftp.get(source, str(temporary))
        temporary.replace(target)
    except (asyncssh.Error, OSError) as error:
        raise _problem(error, source, where) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - gone already where the copy went well


def _problem(error: Exception, path: str, where: str) -> ConnectionProblem:
    if isinstance(error, asyncssh.SFTPNoSuchFile | asyncssh.SFTPNoSuchPath):
        cause, remedy = f"{path}: there is no such file or folder there", "Check the name."
    elif isinstance(error, asyncssh.SFTPPermissionDenied):
        cause = f"{path}: the login user has no right to it"
        remedy = "Choose a folder that the user owns."
    elif isinstance(error, asyncssh.SFTPConnectionLost | asyncssh.SFTPNoConnection):
        return ConnectionLost(
            f"the connection ended while {path} was copied; nothing partial was kept",
            where=where,
            remedy="Check that the machine is up, then try again.",
        )
    elif isinstance(error, asyncssh.SFTPError):
        cause = f"{path} could not be copied: {error.reason}"
        remedy = "Check the free space and the rights of the folder: df -h"
    elif isinstance(error, asyncssh.Error):
        return ConnectionLost(
            f"the connection ended while {path} was copied: {str(error)[:200]}",
            where=where,
            remedy="Check that the machine is up, then try again.",
        )
    else:
        reason = error.strerror if isinstance(error, OSError) else None
        cause = f"{path} could not be copied: {reason or error}"
        remedy = "Check the free space and the rights on both sides."
    known = understood(cause)
    if known is not None:
        cause, remedy = f"{known.meaning}; {cause}", known.remedy
    return MachineProblem(cause, where=where, remedy=remedy)


async def _tidy(sftp: asyncssh.SFTPClient, temporary: str) -> None:
    """Remove a partial file as far as the connection still allows it."""
    with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
        async with asyncio.timeout(_TIDY_SECONDS):
            await sftp.remove(temporary)
