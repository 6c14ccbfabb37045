"""What the tests of the foundation share: real SSH servers."""

from __future__ import annotations

from tests.foundation.sshd import sshd, start_sshd

__all__ = ["sshd", "start_sshd"]
