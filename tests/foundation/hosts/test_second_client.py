"""The second client's words: no class of an error and no number of the system in them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh import second_client
from tests.foundation.processes import free_port


def test_a_port_on_which_nothing_listens_is_told_in_words(tmp_path: Path) -> None:
    host = Host("m1", "127.0.0.1", port=free_port(), user="anna")
    worked, said = second_client.login(
        host, Inventory((host,), (tmp_path / "known",), use_ssh_config=False), Credentials()
    )
    assert not worked
    assert "connection refused" in said
    assert "Errno" not in said
    assert "Error" not in said


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
        (EOFError(), "the connection was closed"),
        (ValueError("odd\n\x1b[31mwords"), "odd words"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
    ],
)
def test_each_error_has_words(error: Exception, words: str) -> None:
    assert second_client._words(error) == words
