"""Docker from the text of a probe."""

from __future__ import annotations

import pytest

from preflight.facts import ABSENT, DockerFacts, Unknown
from preflight.parse.docker import parse_docker
from tests.preflight.probe_answers import answer_of

HERE = {"commands": "/usr/bin/docker", "compose": "2.26.1-4", "processes": ""}
INFO = "20.10.24+dfsg1|overlay2|x86_64|/var/lib/docker|[name=apparmor name=seccomp]"


def test_everything_of_a_running_engine() -> None:
    told = parse_docker(answer_of({**HERE, "docker": INFO}))
    assert told == DockerFacts(
        "20.10.24+dfsg1", "2.26.1-4", "overlay2", "/var/lib/docker", rootless=False
    )


def test_no_docker_at_all_is_absent_and_a_probe_cut_short_is_unknown() -> None:
    told = parse_docker(answer_of({"commands": "/usr/bin/git"}))
    assert told == DockerFacts(ABSENT, ABSENT, ABSENT, ABSENT, ABSENT)
    assert isinstance(parse_docker(answer_of({"login": "uid=0"})).engine, Unknown)


def test_a_daemon_that_does_not_run_was_not_asked() -> None:
    told = parse_docker(answer_of(HERE))
    assert (told.engine, told.compose, told.rootless) == (ABSENT, "2.26.1-4", False)


def test_a_daemon_without_root_is_known_by_its_process() -> None:
    told = parse_docker(answer_of({**HERE, "processes": "/proc/9/comm:rootlesskit"}))
    assert (told.engine, told.rootless) == (ABSENT, True)
    told = parse_docker(answer_of({**HERE, "docker": INFO.replace("seccomp", "rootless")}))
    assert told.rootless is True


def test_compose_of_version_1_alone_is_none() -> None:
    """`docker` then takes `compose` for a command that it does not know."""
    for status, said in (
        ("1", "docker: 'compose' is not a docker command."),
        ("125", "unknown flag: --short"),
    ):
        told = parse_docker(answer_of({**HERE, "compose": said}, statuses={"compose": status}))
        assert told.compose is ABSENT


def test_no_right_to_the_socket_and_no_answer() -> None:
    said = "Got permission denied while trying to connect to the Docker daemon socket"
    told = parse_docker(answer_of({**HERE, "docker": said}, statuses={"docker": "1"}))
    assert isinstance(told.engine, Unknown)
    assert "no right to Docker's socket" in told.engine.reason
    told = parse_docker(answer_of({**HERE, "docker": ""}, statuses={"docker": "124"}))
    assert isinstance(told.engine, Unknown)


@pytest.mark.parametrize("said", ["", "WARNING: x\n|||", "a|b", "x" * 300, "|||||||"])
def test_whatever_it_says_is_no_traceback(said: str) -> None:
    assert not isinstance(parse_docker(answer_of({**HERE, "docker": said})).engine, str)
