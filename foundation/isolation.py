"""Isolation: what a program that we start on this machine finds around it; who finds our memory.

A folder that somebody unpacked is no place to run in, and a variable that was set for other work
is no part of ours: what a program imports and which configuration it reads must not hang on where
a person stood when they started Sitewright. So each Python that we start has `ISOLATED` (no
current folder, no PYTHON* variables, no packages of the user), and each program this environment,
and a folder that is named. `tests/test_isolation.py` holds it over the whole source.

What was typed here (passwords, shares of Vault that nobody else has) is in this process, and so it
leaves no core. Where the kernel gives cores to a program (core_pattern with a pipe, as of
systemd-coredump and apport) it heeds no limit, but it gives none of a process that may not be
dumped; the memory of such a one can be read by no other process of its user either.
"""

from __future__ import annotations

import os
import re
import resource
import sys
from collections.abc import Mapping
from typing import Final

ISOLATED: Final = "-I"
"""Python's own word for it: the first argument wherever we start one, here and on machines."""

_PR_SET_DUMPABLE: Final = 4
"""prctl(2), of linux/prctl.h."""

NOWHERE: Final = "/"
"""The folder in which commands run on this machine; one in which nobody but root writes."""

_LEADS_AWAY: Final = re.compile(
    r"LD_\w+|DYLD_\w+|GCONV_PATH|LOCPATH|NLSPATH|GLIBC_TUNABLES|MALLOC_\w+|GODEBUG|SSLKEYLOGFILE"
    r"|(DF_|LS_|DU_)?BLOCK_SIZE|BLOCKSIZE|POSIXLY_CORRECT|QUOTING_STYLE|TIME_STYLE|GREP_OPTIONS"
    r"|GZIP|XZ_(OPT|DEFAULTS)|SYSTEMD_(COLORS|LOG_\w+|PAGER\w*|LESS\w*|URLIFY)|SSH_SK_PROVIDER"
    r"|TF_\w+|TOFU_\w+|KUBERC|(JDK_JAVA|_?JAVA_TOOL|_JAVA)_OPTIONS|NODE_TLS_REJECT_UNAUTHORIZED"
    r"|GIT_(ATTR_\w+|DEFAULT_HASH|DEFAULT_REF_FORMAT|SHALLOW_FILE|GRAFT_FILE|REPLACE_REF_BASE)"
    r"|GIT_(NO_REPLACE_OBJECTS|REDIRECT_\w+|QUARANTINE_PATH|\w+_PATHSPECS)"
    r"|APT_CONFIG|DPKG_\w+|TAR_OPTIONS|PIP_\w+|VIRTUAL_ENV|CURL_HOME|WGETRC|OPENSSL_\w+"
    r"|DOCKER_(HOST|CONTEXT|CONFIG|CERT_PATH|TLS\w*|API_VERSION|DEFAULT_PLATFORM|CONTENT_TRUST\w*)"
    r"|COMPOSE_\w+|CONTAINERS?_\w+|BUILDKIT_\w+|KUBECTL_\w+|KUSTOMIZE_\w+|KUBECONFIG"
    r"|KUBERNETES_(MASTER|SERVICE_HOST|SERVICE_PORT)"
    r"|PYTHON\w*|ANSIBLE_\w*|BASH_ENV|ENV|CDPATH|GLOBIGNORE|BASH_FUNC_.*|SHELLOPTS|BASHOPTS|PS4"
    r"|PROMPT_COMMAND|PERL5\w*|RUBYOPT|RUBYLIB|NODE_OPTIONS|NODE_PATH|LESSOPEN|LESSCLOSE|HELM_\w*"
    r"|GIT_(DIR|COMMON_DIR|WORK_TREE|INDEX_FILE|NAMESPACE|OBJECT_DIRECTORY|EXEC_PATH|TEMPLATE_DIR"
    r"|ALTERNATE_OBJECT_DIRECTORIES|EXTERNAL_DIFF|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT"
    r"|CONFIG_KEY_\d+|CONFIG_VALUE_\d+|CEILING_DIRECTORIES|CONFIG_GLOBAL|CONFIG_SYSTEM|TRACE\w*"
    r"|PAGER|EDITOR|SEQUENCE_EDITOR|PROXY_COMMAND|SSL_NO_VERIFY|ALLOW_PROTOCOL)"
)
"""Variables that lead a program to code, a configuration, a daemon or a cluster of somewhere else,
or change what it prints (df counts in BLOCK_SIZE); one would write down the keys of TLS.
Those by which a person logs in (GIT_ASKPASS, SSH_AUTH_SOCK, proxies) stay."""

_PLACE: Final = ("PATH", "TMPDIR")
_LOGIN: Final = ("HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK")
"""Who runs it: for ~/.netrc, and the agent that holds the keys."""
_WAY_OUT: Final = (
    # Proxies in both spellings, and the authorities of one that looks inside.
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
_LETS_GIT_IN: Final = (
    *("GIT_ASKPASS", "GIT_USERNAME", "GIT_PASSWORD", "GIT_HTTP_PROXY_AUTHMETHOD"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY"),
    *("GIT_PROXY_SSL_CAINFO", "GIT_PROXY_SSL_CERT", "GIT_PROXY_SSL_KEY"),
    # Where helpers of git keep logins: files, a daemon's socket, the session's keyring.
    *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"),
)
CHILDREN: Final[Mapping[str, tuple[str, ...]]] = {
    "git": (*_PLACE, *_LOGIN, *_WAY_OUT),
    # Its configuration is ours there, so that XDG_CONFIG_HOME names none.
    "git fetch": (*_PLACE, *_LOGIN, *_WAY_OUT, *_LETS_GIT_IN),
    "pip": (*_PLACE, *_LOGIN, *_WAY_OUT),
    "apt": (*_PLACE, *_WAY_OUT),
    "dpkg-deb": _PLACE,
    "git upload-pack": ("PATH",),
    # OpenTofu and Terraform: secrets are laid over by name, and its home is ours.
    "tofu": (*_PLACE, *_WAY_OUT, "USER", "LOGNAME", "SSH_AUTH_SOCK"),
    # Helm and Kustomize render what is hostile; ansible-inventory reads what somebody sent.
    "helm": (),
    "unshare": (),
    "ansible-inventory": (),
}
"""Programs that get a root of their own, and all that each is given of our environment: whatever a
row does not name is not there, and its configuration is ours. What is laid over stands where it is
started. Anything else that we start has `environment`."""


def environment(
    more: Mapping[str, str] | None = None, *, of: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Our environment (or another) without what leads elsewhere, and with what is meant."""
    kept = os.environ if of is None else of
    return {
        **{name: value for name, value in kept.items() if not _LEADS_AWAY.fullmatch(name)},
        **(more or {}),
    }


def child_environment(
    program: str, more: Mapping[str, str] | None = None, *, of: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The whole environment of a program with a root of its own: its row of the table, and more."""
    ours = os.environ if of is None else of
    kept = {name: ours[name] for name in CHILDREN[program] if name in ours}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C.UTF-8", **(more or {})}


def leave_no_dumps() -> None:
    """Have no core written of this process; by the limit, also of what it starts (execve(2)).

    /proc/self is root's from then on; the own descriptors can still be read there.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        # Only an unknown option is refused, which no kernel since 2.4 has.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
