"""Where Sitewright keeps its own files, by the XDG rules, private to the user."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import shlex
import stat
import struct
from pathlib import Path
from typing import ClassVar, Final

from foundation.problems import ExitCode, Problem
from foundation.terminal import clean_line

_NAME: Final = "sitewright"

_XDG_FOLDERS: Final = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")

_REASONS: Final = {
    errno.ENOSPC: (
        "the disk of this machine is full",
        "Make room (df -h says where), then do it again.",
    ),
    errno.EDQUOT: (
        "your quota on this machine's disk is used up",
        "Make room (quota -s), then do it again.",
    ),
    errno.EROFS: (
        "the disk that it is on can only be read",
        "See why (findmnt -O ro; dmesg | tail), or name another place in XDG_DATA_HOME.",
    ),
    errno.EACCES: (
        "you have no right to it on this machine",
        "See whose it is: ls -ld. After a run with sudo it may be root's; chown gives it back.",
    ),
    errno.EPERM: (
        "this machine does not allow it",
        "See whose it is, and whether it may be changed: ls -ld; lsattr -d",
    ),
    errno.EMFILE: (
        "this program may open no more files",
        "Let it open more: ulimit -n 4096, then do it again.",
    ),
    errno.EIO: (
        "the disk of this machine does not read or write any more",
        "Look at the disk before anything else: dmesg | tail; smartctl -a",
    ),
}
"""What the system's numbers come to, and what to do."""
ABOUT_FILES: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.EIO})
"""Numbers that tell of a file even where none is named."""


class FileProblem(Problem):
    """A file or folder of this machine that cannot be used, and on which the work hangs."""

    code = "file"
    title = "A file of this machine cannot be used"
    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


def _base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG rules: a relative path is invalid and is ignored.
    return Path(value) if value.startswith("/") else Path.home() / fallback


def settle_home() -> tuple[str, ...]:
    """Have all of us, and what we start, find the same home; sentences on what was passed by.

    A HOME that is no whole path gives way to that of passwd, and a folder of XDG that is none to
    its usual place: by them a folder in which somebody stands would be the operator's own. In a
    PATH only whole ones are kept: else a program would be looked for there. Raises FileProblem
    where nobody tells a home.
    """
    told = []
    path = os.environ.get("PATH", "")
    whole = [one for one in path.split(":") if one.startswith("/")]
    if path and whole != path.split(":"):
        os.environ["PATH"] = ":".join(whole) or os.defpath.lstrip(":")
        # An empty one, of a colon too many, means the same, and nobody meant it.
        named = [one for one in path.split(":") if one and not one.startswith("/")]
        told += [f"PATH has {clean_line(one)!r}, which is no whole path: no program is looked for "
                 "there." for one in dict.fromkeys(named)]  # fmt: skip
    for name in (*_XDG_FOLDERS, "XDG_RUNTIME_DIR"):
        value = os.environ.get(name, "")
        if value and not value.startswith("/"):
            del os.environ[name]
            told.append(f"{name} is {clean_line(value)!r}, which is no whole path: it is ignored.")
    home = os.environ.get("HOME", "")
    if home.startswith("/"):
        return tuple(told)
    try:
        there = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        there = ""
    if not there.startswith("/"):
        raise FileProblem(
            f"it is not told where your home is: HOME is {clean_line(home)!r}, and no user has the "
            f"number {os.getuid()} here",
            where="HOME",
            remedy="Name a folder of yours by its whole path: export HOME=/var/tmp/sitewright-home",
        )
    os.environ["HOME"] = there
    if home:
        told.append(f"HOME is {clean_line(home)!r}, which is no whole path: {there} is taken.")
    return tuple(told)


def data_folder() -> Path:
    """Runs and reports: $XDG_DATA_HOME/sitewright."""
    return _base("XDG_DATA_HOME", ".local/share") / _NAME


def state_folder() -> Path:
    """The wizard's place and the log: $XDG_STATE_HOME/sitewright."""
    return _base("XDG_STATE_HOME", ".local/state") / _NAME


def config_folder() -> Path:
    """The hosts that were trusted: $XDG_CONFIG_HOME/sitewright."""
    return _base("XDG_CONFIG_HOME", ".config") / _NAME


def cache_folder() -> Path:
    """What can be had again: $XDG_CACHE_HOME/sitewright."""
    return _base("XDG_CACHE_HOME", ".cache") / _NAME


def known_hosts_file() -> Path:
    """Sitewright's own known_hosts, used where a site names none."""
    return config_folder() / "known_hosts"


def log_file() -> Path:
    """The log of this program itself, with tracebacks; never with secrets."""
    return state_folder() / "sitewright.log"


def wizard_file() -> Path:
    """The answers of a wizard that was closed before its end."""
    return state_folder() / "wizard.json"


def make_private(folder: Path) -> Path:
    """Make a folder, and those above it, that only its owner may enter; return it.

    Each folder that is made is private, and so is each of ours that was there: their names tell
    of sites and machines. Raises OSError.
    """
    # As texts: this is asked before each file of ours, for every folder up to the root.
    ours = tuple(
        f"{own}/" for own in (data_folder(), state_folder(), config_folder(), cache_folder())
    )
    for above in reversed([folder, *folder.parents]):
        try:
            above.mkdir(mode=0o700)
        except FileExistsError:
            if f"{above}/".startswith(ours):
                _close_to_others(above)
        except OSError:
            if not above.is_dir():  # a file system may refuse what is there already in other words
                raise
    return folder


def check_own_folders() -> None:
    """Raise FileProblem where another user may write into a folder of ours.

    What lies there says whom we trust: host keys, signers, programs that were allowed. One of root
    is as good as one's own, and so is, under sudo, that of whoever called it. A group that is one
    person's own may write there, as distributions make them; any other is of other users.
    """
    ours = {0, os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        ours.add(int(os.environ["SUDO_UID"]))
    for folder in (config_folder(), state_folder(), data_folder()):
        try:
            found = folder.stat()
        except OSError:
            continue
        name = shlex.quote(str(folder))
        by_group = bool(found.st_mode & 0o020) and _by_group(folder, found.st_gid, ours)
        wide = "g" * by_group + "o" * bool(found.st_mode & 0o002)
        if found.st_uid not in ours:
            back = f"sudo chown -R {os.geteuid()} {name}"
        elif wide:
            back = f"chmod -R {wide}-w {name}"
        else:
            continue
        remedy = (
            f"Look at what lies there: ls -lA {name}. If all of it is yours, run: {back}. "
            "If not, move it away."
        )
        if found.st_uid not in ours and os.geteuid() == 0:
            # Root is mostly here by `su`, with the folders of a user who is to keep them.
            remedy = (
                f"It is {_name_of(found.st_uid)}'s, and you are root: run Sitewright as that user, "
                "or from a login of root's own, with root's folders: sudo -i"
            )
        raise FileProblem(
            "another user of this machine may write into it, and what lies there says whom "
            "Sitewright trusts",
            where=str(folder),
            remedy=remedy,
        )


def _by_group(folder: Path, gid: int, ours: set[int]) -> bool:
    """Whether others may write where a folder's mode says that its group may.

    With a list of rights (ACL) the mode tells of the most that any of the list may, whoever it is;
    `chmod g-w` takes it from all of them.
    """
    try:
        raw = os.getxattr(folder, "system.posix_acl_access")
    except (OSError, AttributeError):  # there is no list, or no such thing on this system
        return not any(_is_of_one(gid, uid) for uid in ours)
    for tag, may, who in struct.iter_unpack("<HHI", raw[4 : len(raw) - (len(raw) - 4) % 8]):
        if not may & _WRITE:
            continue
        if tag == _NAMED_USER and who not in ours:
            return True
        if tag in (_GROUP, _NAMED_GROUP):
            group = gid if tag == _GROUP else who
            if not any(_is_of_one(group, uid) for uid in ours):
                return True
    return False


_NAMED_USER, _GROUP, _NAMED_GROUP = 0x02, 0x04, 0x08
"""Tags of the kernel's form of an ACL (linux/posix_acl_xattr.h): entries of tag, rights, id."""
_WRITE: Final = 2


def _is_of_one(gid: int, uid: int) -> bool:
    """Whether a group is a user's own and nobody else's: it has their name, and no other member."""
    try:
        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except KeyError:
        return False
    return (
        user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
    )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _close_to_others(folder: Path) -> None:
    """Take the rights of others away from a folder of ours, where it is the user's."""
    with contextlib.suppress(OSError):
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~0o077)


def file_problem(error: OSError) -> FileProblem:
    """The problem with a file of this machine that could not be read or written."""
    words, remedy = _REASONS.get(
        error.errno or 0,
        (error.strerror or type(error).__name__, "Look at it: ls -ld, and what holds it: df -h."),
    )
    where = str(error.filename) if error.filename is not None else None
    return FileProblem(words, where=where, remedy=remedy)


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all, with the given mode; raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, making its folder; raises OSError."""
    make_private(path.parent)
    write_whole(path, text, mode=0o600)
