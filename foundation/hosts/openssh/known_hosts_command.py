"""KnownHostsCommand: host keys that a program of the user's tells, beside those of files."""

from __future__ import annotations

import shlex
import subprocess
from typing import Final

from foundation.hosts.openssh.hostkeys import host_pattern
from foundation.hosts.openssh.openssh import filled
from foundation.hosts.openssh.ssh_config import Target
from foundation.isolation import NOWHERE, environment

_SECONDS: Final = 20.0
_OUTPUT_LIMIT: Final = 1024 * 1024
_NOT_YET: Final = "NONE"
"""What OpenSSH gives for the key where none was shown yet (%t, %K and %f)."""


class CommandFailed(Exception):
    """The program told nothing; why is the text."""


def told_by(command: str, target: Target) -> str:
    """The lines that the program writes for a machine, in the form of known_hosts.

    It is asked once, before the machine shows a key. Raises CommandFailed.
    """
    name = host_pattern(target.known_as, target.known_port)
    more = {"H": name, "I": "HOSTNAME", "t": _NOT_YET, "K": _NOT_YET, "f": _NOT_YET}
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise CommandFailed(f"its words cannot be told apart ({error})") from error
    words = [filled(word, target.settings, target.address, more) for word in words]
    if not words or not words[0].startswith("/"):
        raise CommandFailed("it must be named by its whole path, as for OpenSSH")
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False,
            cwd=NOWHERE, env=environment(),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise CommandFailed(f"it cannot be started: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"it did not end within {_SECONDS:g} s") from error
    if done.returncode != 0:
        said = " ".join(done.stderr[-400:].decode("utf-8", "replace").split())
        said = "".join(c for c in said if c.isprintable()) or "it said nothing"
        raise CommandFailed(f"it ended with {done.returncode}: {said}")
    return done.stdout[:_OUTPUT_LIMIT].decode("utf-8", "replace")
