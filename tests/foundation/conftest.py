"""What the tests of the foundation share: real SSH servers, and Ansible's reader."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.foundation.ansible_asker import Asker
from tests.foundation.sshd import sshd, start_sshd

__all__ = ["asker", "sshd", "start_sshd"]


@pytest.fixture(scope="session")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    """Ansible's own reader, imported once for all tests of a process."""
    running = Asker(tmp_path_factory.mktemp("ansible-reader"))
    yield running
    running.close()
