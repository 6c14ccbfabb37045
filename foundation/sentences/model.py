"""Sentence: how a known sentence of a program is recognised, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Sentence:
    """A known sentence: how it is recognised, and what it comes to."""

    program: str
    """Who says it: sshd, pam, sudo, polkit, systemd, snapd, apt, git, registry, docker, proxy …"""
    words: str
    """A regular expression that is found in it."""
    meaning: str
    remedy: str
    source: str
    """Where the program says so: a file of its source, or its manual."""
    example: str
    """The sentence as it comes, for the test."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a known sentence comes to."""

    program: str
    meaning: str
    remedy: str


SUDOERS: Final = (
    "As root on the machine: printf '%s\\n' '{sudoer} ALL=(ALL) NOPASSWD: ALL' "
    ">/etc/sudoers.d/90-sitewright && visudo -c; take it away after the installation"
)
"""What gives a login root's rights without a password; both marks stand for its name."""
