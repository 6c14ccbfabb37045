"""Files that somebody named, read within a bound: ordinary ones, and no more of them than may be.

A site file, an inventory or a folder from elsewhere names files. One that is a pipe would be waited
for without end, one that is a device has no end, and one that grows while it is read has another
size than was asked for. So whatever is named is opened here: its kind is looked at before, and
what is read is counted. A pipe of the person's own shell (`<(command)`, /dev/stdin) is read too.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO, Final

_OF_OUR_SHELL: Final = re.compile(r"/dev/(?:fd/[0-9]+|stdin)|/proc/self/fd/[0-9]+")
_CHUNK: Final = 1 << 20
_KINDS: Final = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def opened(path: Path) -> BinaryIO:
    """An ordinary file, open to be read piece by piece; raises OSError, with words, for another.

    For files that may be larger than memory: who reads one bounds each piece, and what it keeps.
    """
    handed = _OF_OUR_SHELL.fullmatch(str(path)) is not None
    # What is no file is not even opened: some devices do something then.
    _ordinary(path, path.stat(), handed)
    waits = 0 if handed else os.O_NONBLOCK
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | waits)
    file = os.fdopen(descriptor, "rb")
    try:
        _ordinary(path, os.fstat(descriptor), handed)
    except BaseException:
        file.close()
        raise
    return file


def read_bytes(path: Path, limit: int) -> bytes:
    """All of an ordinary file; raises OSError, with words, for what is none or has more bytes."""
    if _OF_OUR_SHELL.fullmatch(str(path)) is None and _is_nothing(path.stat()):
        return b""
    with opened(path) as file:
        pieces = []
        left = limit + 1
        while left and (piece := file.read(min(left, _CHUNK))):
            pieces.append(piece)
            left -= len(piece)
    if not left:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", str(path))
    return b"".join(pieces)


def read_text(path: Path, limit: int, *, encoding: str = "utf-8", errors: str = "strict") -> str:
    """All of an ordinary text file, line ends as Python reads them; raises OSError, ValueError."""
    text = read_bytes(path, limit).decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_nothing(found: os.stat_result) -> bool:
    """Whether it is /dev/null, by which people say that there is no such file."""
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)


def _ordinary(path: Path, found: os.stat_result, handed: bool) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if handed or stat.S_ISREG(found.st_mode):
        return
    kind = next((words for is_it, words in _KINDS if is_it(found.st_mode)), "something else")
    raise OSError(errno.EINVAL, f"it is {kind} and no ordinary file", str(path))
