"""The script that brings a project up, with a stand-in for `docker` that tells a story.

The stand-in says what the file `now` holds of the containers; `up` runs the test's own commands,
which change that file as Docker would.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foundation.hosts.connection import Completed
from installer.compose import scripts
from installer.compose.containers import FORMAT
from installer.compose.reading import Reading, reading_of

DOCKER = """\
#!/bin/sh
case "$1 $2" in
"ps --all") [ ! -e gone ] || exit 1
    case "$*" in *quiet*) echo id ;; *container*) echo container api id ;; *) echo id api ;; esac ;;
"inspect --format") cat now ;;
"compose --project-name") cat said 2>/dev/null ;;
"compose up") . ./story ;;
"compose config") [ ! -e broken ] || { echo no such file >&2; exit 1; }; cat files 2>/dev/null ;;
esac
"""


def line(service: str, status: str = "running", code: int = 0, health: str = "",
         started: str = "2") -> str:  # fmt: skip
    """A container as the format has it."""
    return f"{service}|{service}|{status}|{code}|{health}|0|false|{started}\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the stand-in first on the path."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "now").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def brought_up(
    place: Path,
    story: str,
    *,
    limit: int = 250,
    patience: int = 250,
    services: str = "api",
    settle: int = 0,
) -> tuple[int, str]:
    """Bring it up while `story` happens; the exit code and what was written.

    A bound that a test does not name is never met, however busy the machine is.
    """
    (place / "story").write_text(story)
    script = scripts.UP.replace(
        "${SITEWRIGHT_STATE:-/var/lib/sitewright}/compose", str(place / "marks")
    )
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(limit), str(settle), str(patience), "p", services,
         "job", FORMAT, "hash", "up --detach", "docker", "compose"],
        cwd=place, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_all_stand(place: Path) -> None:
    (place / "then").write_text(line("api", health="healthy") + line("job", "exited"))
    status, told = brought_up(place, "echo begun; cp then now", services="api job")
    assert status == scripts.SETTLED, told
    assert "@up begun" in told
    assert "@state api|api|running|0|healthy|0|false|2" in told
    assert (place / "marks" / "p").read_text() == "config hash\ncontainer api id\n"


def test_what_services_say_is_written_once_and_in_order(place: Path) -> None:
    time = "2026-11-25T18:47:0{}.000000000Z"
    said = "".join(f"api  | {time.format(n)} line {n}\n" for n in (1, 2))
    (place / "said").write_text("a warning of compose\n" + said)
    (place / "now").write_text(line("api", health="healthy"))
    status, told = brought_up(place, "sleep 1")
    assert status == scripts.SETTLED
    assert [t for t in told.splitlines() if t.startswith("@log")] == [
        "@log api line 1", "@log api line 2",
    ]  # fmt: skip


def test_one_that_ends_stops_the_waiting_at_once(place: Path) -> None:
    (place / "then").write_text(line("api", "exited", 3))
    status, told = brought_up(place, "cp then now; exec sleep 30")
    assert status == scripts.BAD, told


def test_one_of_before_that_is_replaced_is_no_failure(place: Path) -> None:
    """It ends, with its old start, while the new one is made."""
    (place / "now").write_text(line("api", started="1"))
    (place / "half").write_text(line("api", "exited", 137, started="1"))
    (place / "then").write_text(line("api", started="2"))
    status, told = brought_up(place, "cp half now; sleep 1; cp then now")
    assert status == scripts.SETTLED, told


def test_one_that_is_unhealthy_may_get_well_and_is_given_up_after_a_while(place: Path) -> None:
    (place / "sick").write_text(line("api", health="unhealthy"))
    (place / "well").write_text(line("api", health="healthy"))
    status, told = brought_up(place, "cp sick now; sleep 1; cp well now")
    assert status == scripts.SETTLED, told
    status, told = brought_up(place, "cp sick now", patience=1)
    assert status == scripts.BAD, told


def test_compose_itself_says_no(place: Path) -> None:
    status, told = brought_up(place, "echo port is already allocated; exit 1")
    assert status == scripts.UP_FAILED
    assert "@up port is already allocated" in told


def test_a_daemon_that_is_gone_and_time_that_is_up(place: Path) -> None:
    status, _ = brought_up(place, "touch gone; exec sleep 30")
    assert status == scripts.DAEMON_GONE
    (place / "gone").unlink()
    (place / "now").write_text(line("api", health="starting"))
    status, _ = brought_up(place, "true", limit=1)
    assert status == scripts.TIME_IS_UP


def test_containers_of_other_services_do_not_count(place: Path) -> None:
    (place / "now").write_text(line("api", health="healthy") + line("ttk-tests", "exited", 1))
    status, told = brought_up(place, "true")
    assert status == scripts.SETTLED, told


def test_one_without_a_health_check_must_go_on_running(place: Path) -> None:
    """A start of just now is not believed yet, and one that ends meanwhile is a failure."""
    (place / "then").write_text(line("api"))
    (place / "gone-again").write_text(line("api", "exited", 1))
    story = "cp then now; { sleep 1; cp gone-again now; } >/dev/null 2>&1 &"
    status, told = brought_up(place, story, settle=250)
    assert status == scripts.BAD, told
    (place / "now").write_text(line("api"))
    assert brought_up(place, "true", settle=1)[0] == scripts.SETTLED


def read(place: Path) -> Reading:
    """What one look at the project shows."""
    script = scripts.READ.replace(
        "${SITEWRIGHT_STATE:-/var/lib/sitewright}/compose", str(place / "marks")
    )
    done = subprocess.run(
        ["sh", "-c", script, "sh", "p", FORMAT, "docker", "compose"],
        cwd=place, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return reading_of(Completed(done.returncode, done.stdout, done.stderr, 0.0, 0.0))


def test_one_look_shows_files_and_containers_and_whether_they_are_those_of_before(
    place: Path,
) -> None:
    (place / "files").write_text('{"name": "p", "services": {"api": {"image": "a:1"}}}\n')
    (place / "now").write_text(line("api", health="healthy"))
    reading = read(place)
    assert reading.project is not None
    assert reading.project.names == ("api",)
    assert [one.health for one in reading.containers or ()] == ["healthy"]
    assert not reading.unchanged(["api"])  # it has never stood

    (place / "marks").mkdir()
    (place / "marks" / "p").write_text(f"config {reading.config}\ncontainer api id\n")
    assert read(place).unchanged(["api"])
    (place / "files").write_text('{"name": "p", "services": {"api": {"image": "a:2"}}}\n')
    assert not read(place).unchanged(["api"])


def test_files_that_cannot_be_read_and_a_daemon_that_is_gone_are_told_apart(place: Path) -> None:
    (place / "broken").touch()
    reading = read(place)
    assert reading.project is None
    assert reading.containers == ()
    assert reading.seen.stderr == b"no such file\n"
    (place / "broken").unlink()
    (place / "files").write_text('{"name": "p", "services": {}}\n')
    (place / "gone").touch()
    reading = read(place)
    assert reading.project is not None
    assert reading.containers is None
