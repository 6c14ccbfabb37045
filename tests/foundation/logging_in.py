"""Logging in as tests do it: the login that works, and the one problem of one that does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foundation.hosts.connection import Connection, Credentials
from foundation.hosts.model import Inventory
from foundation.hosts.pool import Pool
from foundation.problems import (
    Problem,
)

NO_CREDENTIALS = Credentials()


async def login_problem(
    inventory: Inventory, credentials: Credentials = NO_CREDENTIALS, timeout: float = 5.0
) -> Problem:
    """The problem that the login to a site's first machine comes to."""
    async with Pool(inventory, credentials, connect_timeout=timeout) as pool:
        with pytest.raises(Problem) as caught:
            await pool.connect(inventory.hosts[0])
    problem = caught.value
    assert problem.cause
    assert problem.remedy
    assert problem.where
    assert "Traceback" not in str(problem)
    return problem


def add_to_agent(key: Path) -> None:
    """Load a key into the agent of this test."""
    subprocess.run(["ssh-add", "-q", str(key)], check=True)


def encrypt(key: Path, passphrase: str) -> None:
    """Protect a key file that has no passphrase yet."""
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", passphrase, "-f", str(key)], check=True)


def fingerprint_of(key: Path) -> str:
    """The fingerprint of a public key as ssh-keygen shows it."""
    done = subprocess.run(
        ["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[1]


async def whoami(connection: Connection) -> str:
    """The name of the user whom a connection is logged in as."""
    return (await connection.run(["id", "-un"])).stdout.decode().strip()


async def works(inventory: Inventory, credentials: Credentials = NO_CREDENTIALS) -> None:
    """Assert that the login to a site's first machine works."""
    async with Pool(inventory, credentials) as pool:
        assert await whoami(await pool.connect(inventory.hosts[0]))
