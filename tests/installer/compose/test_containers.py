"""Where services stand, judged from what Docker says of their containers."""

from __future__ import annotations

import pytest

from installer.compose.containers import (
    MOST_RESTARTS,
    Container,
    Stand,
    container_of,
    containers_of,
    is_stopped,
    judge,
    judge_all,
    progress_words,
)


def one(status: str = "running", **more: object) -> Container:
    """A container of the service api."""
    values: dict[str, object] = {"service": "api", "name": "api", "status": status, **more}
    return Container(**values)  # type: ignore[arg-type]  # values of several types


@pytest.mark.parametrize(
    ("container", "ends", "stand", "words"),
    [
        (one(health="healthy"), False, Stand.READY, "healthy"),
        (one(health="starting"), False, Stand.STARTING, "not healthy yet"),
        (one(health="unhealthy"), False, Stand.FAILED, "health check says no"),
        (one(), False, Stand.READY, "no health check"),
        (one(restarts=MOST_RESTARTS), False, Stand.FAILED, "restarted 5 times"),
        (one("created"), False, Stand.STARTING, "depends on"),
        (one("restarting", restarts=1), False, Stand.STARTING, "once"),
        (one("restarting", restarts=9, exit_code=2), False, Stand.FAILED, "again and again"),
        (one("exited"), True, Stand.ENDED, "as it should"),
        (one("exited"), False, Stand.FAILED, "nothing expects it to end"),
        (one("exited", exit_code=3), True, Stand.FAILED, "ended with 3"),
        (one("exited", exit_code=137, out_of_memory=True), False, Stand.FAILED, "out of memory"),
        (one("exited", exit_code=137), False, Stand.FAILED, "it was killed"),
        (one("paused"), False, Stand.FAILED, "paused"),
        (one("dead"), False, Stand.FAILED, "dead"),
        (one(""), False, Stand.FAILED, "no state"),
    ],
)
def test_each_state_is_judged_and_said_in_words(
    container: Container, ends: bool, stand: Stand, words: str
) -> None:
    judged = judge(container, ends=ends)
    assert judged.stand is stand
    assert words in judged.words


def test_a_service_with_no_container_is_missing_and_one_with_two_is_as_good_as_its_worst() -> None:
    judged = judge_all(
        (one(health="healthy"), one("exited", exit_code=1), one(health="healthy")),
        ("api", "db"), (),
    )  # fmt: skip
    assert [(j.service, j.stand) for j in judged] == [("api", Stand.FAILED), ("db", Stand.MISSING)]
    assert not any(j.good for j in judged)


def test_containers_of_services_that_were_not_asked_for_do_not_count() -> None:
    assert [j.service for j in judge_all((one("exited"),), ("db",), ())] == ["db"]


def test_what_docker_writes_is_read() -> None:
    line = "central-ledger|central-ledger|running|0|starting|2|false|2026-11-25T18:47:05.1Z"
    read = container_of(line)
    assert read == Container("central-ledger", "central-ledger", "running", 0, "starting", 2)


@pytest.mark.parametrize("line", ["", "a|b", "|x|running|0||0|false|", "x" * 500, "a|b|c|d|e|f|g"])
def test_a_line_that_is_no_container_is_none(line: str) -> None:
    assert container_of(line) is None


def test_numbers_that_are_none_are_nought() -> None:
    read = containers_of("a|b|exited|99999999999999|none|x|true|\nrubbish\n")
    assert read == (Container("a", "b", "exited", 0, "", 0, out_of_memory=True),)


def test_what_is_waited_for_is_named_with_three_names_at_most() -> None:
    services = ("a", "b", "c", "d", "e")
    assert progress_words(judge_all((), services, ())) == "waiting for a, b, c and 2 more"
    assert progress_words(()) == "every service stands"


@pytest.mark.parametrize(
    ("containers", "stopped"),
    [
        ((one("exited", service="db"), one("exited", service="job")), True),
        ((one("exited", service="db", exit_code=143), one("exited", service="job")), True),
        ((one("exited", service="db", exit_code=1), one("exited", service="job")), False),
        (
            (
                one("exited", service="db", exit_code=137, out_of_memory=True),
                one("exited", service="job"),
            ),
            False,
        ),
        ((one(service="db"), one("exited", service="job")), False),
        ((one("exited", service="job"),), False),
    ],
)
def test_a_project_that_was_stopped_is_no_failure(
    containers: tuple[Container, ...], stopped: bool
) -> None:
    """`stop` leaves every container ended in order; one-shots alone are always so."""
    assert is_stopped(containers, ("db", "job"), ("job",)) is stopped


def test_a_project_of_one_shots_is_never_stopped() -> None:
    assert not is_stopped((one("exited", service="job"),), ("job",), ("job",))
