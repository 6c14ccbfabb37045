"""What shells say, and sudo when nothing else was the matter."""

from __future__ import annotations

from typing import Final

from foundation.sentences.model import Sentence

SENTENCES: Final = (
    # -- shells
    Sentence(
        "shell",
        r"\\r'?: (command )?not found|bad interpreter.{0,20}\^M|/bin/(ba)?sh\^M",
        "a script has the line ends of Windows",
        "Convert it: sed -i 's/\\r$//' FILE; in Git: * text=auto eol=lf in .gitattributes",
        "bash; execve(2)",
        "start.sh: line 2: $'\\r': command not found",
    ),
    Sentence(
        "shell",
        r"fi: command not found|unmatched ['\"]|event not found|if: expression syntax",
        "csh or tcsh was given what was written for sh",
        "Log in as a user whose shell is a POSIX shell: usermod -s /bin/bash {user}",
        "tcsh sh.err.c",
        "fi: Command not found.",
    ),
    Sentence(
        "shell",
        r"restricted: cannot|: restricted$",
        'the login shell of "{user}" is restricted (rbash): it lets only some programs run',
        "Log in as another user, or as root on the machine: usermod -s /bin/bash {user}",
        "bash execute_cmd.c",
        "rbash: /bin/sh: restricted: cannot specify `/' in command names",
    ),
    # -- and last what sudo says when nothing else was the matter
    Sentence(
        "sudo",
        r"a password is required|authentication is required|askpass",
        'sudo asks for the password of "{user}", and none was given',
        "Give the sudo password when asked (or SITEWRIGHT_SUDO_PASSWORD), or allow sudo without "
        "one for the time of the installation.",
        "sudo plugins/sudoers/auth/sudo_auth.c, src/tgetpass.c",
        "sudo: a password is required",
    ),
)
