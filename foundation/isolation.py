"""Isolation: what a program that we start on this machine finds around it.

A folder that somebody unpacked is no place to run in, and a variable that was set for other work
is no part of ours: what a program imports and which configuration it reads must not hang on where
a person stood when they started Sitewright. So each Python that we start has `ISOLATED` (no
current folder, no PYTHON* variables, no packages of the user), and each program this environment,
and a folder that is named. `tests/test_isolation.py` holds it over the whole source.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

ISOLATED: Final = "-I"
"""Python's own word for it: the first argument wherever we start one, here and on machines."""

NOWHERE: Final = "/"
"""The folder in which commands run on this machine; one in which nobody but root writes."""

_LEADS_AWAY: Final = re.compile(
    r"PYTHON\w*|ANSIBLE_\w*|BASH_ENV|ENV|CDPATH|GLOBIGNORE|BASH_FUNC_.*|SHELLOPTS|BASHOPTS|PS4"
    r"|PROMPT_COMMAND|PERL5\w*|RUBYOPT|RUBYLIB|NODE_OPTIONS|NODE_PATH|LESSOPEN|LESSCLOSE|HELM_\w*"
    r"|GIT_(DIR|COMMON_DIR|WORK_TREE|INDEX_FILE|NAMESPACE|OBJECT_DIRECTORY|EXEC_PATH|TEMPLATE_DIR"
    r"|ALTERNATE_OBJECT_DIRECTORIES|EXTERNAL_DIFF|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT"
    r"|CONFIG_KEY_\d+|CONFIG_VALUE_\d+|CEILING_DIRECTORIES|CONFIG_GLOBAL|CONFIG_SYSTEM|TRACE\w*"
    r"|PAGER|EDITOR|SEQUENCE_EDITOR|PROXY_COMMAND|SSL_NO_VERIFY|ALLOW_PROTOCOL)"
)
"""Variables that lead a program to code or a configuration of somewhere else. Those by which a
person logs in (GIT_ASKPASS, SSH_AUTH_SOCK, proxies) stay, and so does
what the machine's own loader needs (LD_*), since our Python may; a program that makes a
bundle is given less (`bundles/sources/surroundings.py`), and git there its logins."""


def environment(
    more: Mapping[str, str] | None = None, *, of: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Our environment (or another) without what leads elsewhere, and with what is meant."""
    kept = os.environ if of is None else of
    return {
        **{name: value for name, value in kept.items() if not _LEADS_AWAY.fullmatch(name)},
        **(more or {}),
    }
