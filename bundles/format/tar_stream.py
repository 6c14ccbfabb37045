"""Archives of others, member by member from a stream, bounded: bytes, members, and their heads.

tarfile keeps every member that it saw, takes a head's extension of any length into memory, and goes
one step deeper for each extension of an extension. A few kilobytes, packed, hold gigabytes of that.
"""

from __future__ import annotations

import struct
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from bundles.format import budgets

_EXTENSIONS: Final = frozenset({
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
})  # fmt: skip


class TooMuch(tarfile.ReadError):
    """The archive has more in it than may be read of it."""


class _Plain(tarfile.TarInfo):
    """A member whose head is bounded; sparse ones have a map of any length, and are refused."""

    def _proc_member(self, tarfile: Any) -> Any:
        if self.type == b"S":
            raise TooMuch("a sparse file is in it")
        if self.type in _EXTENSIONS and self.size > budgets.TAR_HEAD_BYTES:
            raise TooMuch("the head of a file in it is too large")
        return super()._proc_member(tarfile)  # type: ignore[misc]  # tarfile's own hook for types


class Budget:
    """How much may still be read, of one archive and of those inside it."""

    def __init__(self, size: int, members: int) -> None:
        self.bytes = size
        self.members = members


class _Counted:
    def __init__(self, file: Any, budget: Budget) -> None:
        self._file = file
        self._budget = budget

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        self._budget.bytes -= len(data)
        if self._budget.bytes < 0:
            raise TooMuch("unpacked it is too large")
        return data


@contextmanager
def members(
    file: Any, budget: Budget
) -> Iterator[tuple[tarfile.TarFile, Iterator[tarfile.TarInfo]]]:
    """An uncompressed archive as it comes, and its members in turn; raises tarfile.TarError."""
    counted = _Counted(file, budget)
    try:
        with _heads():
            tar = tarfile.open(  # type: ignore[call-overload]  # noqa: SIM115 - only `read` is asked; closed below
                fileobj=counted, mode="r|", tarinfo=_Plain
            )
        with tar:
            yield tar, _each(tar, budget)
    except RecursionError as error:
        raise TooMuch("a file in it has heads without end") from error


@contextmanager
def _heads() -> Iterator[None]:
    """What a head says is no number, no name or no map is told as tarfile tells the rest."""
    try:
        yield
    except (ValueError, ArithmeticError, LookupError, EOFError, struct.error) as error:
        raise tarfile.ReadError(f"the head of a file in it cannot be read ({error})") from error


def _each(tar: tarfile.TarFile, budget: Budget) -> Iterator[tarfile.TarInfo]:
    each = iter(tar)
    while True:
        with _heads():
            member = next(each, None)
        if member is None:
            return
        budget.members -= 1
        if budget.members < 0:
            raise TooMuch("there are too many files in it")
        # tarfile passes over it block by block, over more than anything has too. What it has
        # read ahead, a record at most, is counted already, and may be of this very member.
        if not 0 <= member.size <= budget.bytes + tarfile.RECORDSIZE:
            raise TooMuch("unpacked it is too large")
        yield member
        vars(tar)["members"].clear()  # it keeps each, whatever is read from a stream
