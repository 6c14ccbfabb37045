"""The surroundings of a program that helps to make a bundle: its own, not the maker's.

What a program does must not hang on how the maker's machine is set up. So it is given an
environment that holds only what a way out needs, and configuration files of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

_KEPT: Final = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    # Only the agent that holds the maker's keys; its own logins are the maker's to use.
    "SSH_AUTH_SOCK",
    # The way out: proxies in both spellings, and the authorities of one that looks inside.
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)


def own_environment(
    more: Mapping[str, str] | None = None, *, maker: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The whole environment of a program: what is kept of the maker's, and what is laid over it."""
    maker = os.environ if maker is None else maker
    kept = {name: maker[name] for name in _KEPT if name in maker}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C.UTF-8", **(more or {})}
