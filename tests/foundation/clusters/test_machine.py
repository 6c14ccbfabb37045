"""A cluster through a machine's kubectl: which one is taken, and what its words come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.clusters.machine import Kubectl, MachineApi
from foundation.clusters.problems import ApiRefused, ClusterLoginRefused, ClusterProblem
from foundation.hosts.connection import Become
from foundation.hosts.local import LocalConnection
from foundation.hosts.model import LOCAL_ADDRESS, Host

HERE = Host(name="m1", address=LOCAL_ADDRESS)


def _kubectl(folder: Path, name: str, text: str) -> Kubectl:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Kubectl(name, (str(path),), Become.LOGIN)


async def test_the_first_that_answers_is_taken(tmp_path: Path) -> None:
    candidates = [
        Kubectl("gone", (str(tmp_path / "gone"),), Become.LOGIN),
        _kubectl(tmp_path, "down", "echo 'connection was refused' >&2; exit 1"),
        _kubectl(tmp_path, "good", 'echo "$@"'),
    ]
    async with LocalConnection(HERE) as connection:
        api = await MachineApi.found(connection, candidates)
        assert api.way == "good on m1"
        assert await api.get("/api/v1/nodes?limit=5", limit=100) == (
            b"get --raw /api/v1/nodes?limit=5\n"
        )
        with pytest.raises(ApiRefused, match="more than"):
            await api.get("/" + "x" * 200, limit=100)


async def test_what_each_said_is_told_where_none_answers(tmp_path: Path) -> None:
    down = _kubectl(
        tmp_path, "down", "echo 'E1128 12:00 memcache.go:265] noise' >&2; echo refused >&2; exit 1"
    )
    gone = Kubectl("gone", (str(tmp_path / "gone"),), Become.LOGIN)
    async with LocalConnection(HERE) as connection:
        with pytest.raises(ClusterProblem, match="down says: refused") as caught:
            await MachineApi.found(connection, [down, gone])
        assert "memcache" not in caught.value.cause
        with pytest.raises(ClusterProblem, match="neither microk8s, k3s, RKE2 nor kubectl"):
            await MachineApi.found(connection, [gone])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('Error from server (Forbidden): nodes is forbidden: User "a" cannot list', "Forbidden"),
        ("Error from server (NotFound): the server could not find it", "NotFound"),
    ],
)
async def test_a_refusal_of_the_server_is_one(said: str, reason: str, tmp_path: Path) -> None:
    kubectl = _kubectl(tmp_path, "kubectl", f"echo '{said}' >&2; exit 1")
    async with LocalConnection(HERE) as connection:
        with pytest.raises(ApiRefused) as caught:
            await MachineApi(connection, kubectl).get("/x", limit=100)
    assert caught.value.reason == reason
    assert caught.value.message in said


async def test_a_login_that_is_refused_is_one(tmp_path: Path) -> None:
    said = "error: You must be logged in to the server (Unauthorized)"
    kubectl = _kubectl(tmp_path, "kubectl", f"echo '{said}' >&2; exit 1")
    async with LocalConnection(HERE) as connection:
        with pytest.raises(ClusterLoginRefused, match="logged in"):
            await MachineApi(connection, kubectl).get("/x", limit=100)


async def test_a_change_is_sent_over_standard_input(tmp_path: Path) -> None:
    kubectl = _kubectl(tmp_path, "kubectl", 'echo "$@"; cat')
    async with LocalConnection(HERE) as connection:
        api = MachineApi(connection, kubectl)
        made = [await api.send(verb, "/api/v1/x", b"{}") for verb in ("POST", "PUT")]
        assert made == [
            b"create --raw /api/v1/x -f -\n{}", b"replace --raw /api/v1/x -f -\n{}",
        ]  # fmt: skip
        assert await api.send("DELETE", "/api/v1/x/y") == b"delete --raw /api/v1/x/y\n"
