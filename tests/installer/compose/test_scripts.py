"""The script that brings a project up, with a stand-in for `docker` that tells a story.

The stand-in says what the file `now` holds of the containers; `up` runs the test's own commands,
which change that file as Docker would.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from installer.compose import scripts
from installer.compose.containers import FORMAT

DOCKER = """\
#!/bin/sh
case "$1 $2" in
"ps --all") [ ! -e gone ] || exit 1; case "$*" in *quiet*) echo id ;; esac ;;
"inspect --format") cat now ;;
"compose --project-name") cat said 2>/dev/null ;;
"compose up") . ./story ;;
"compose config") echo "api hash" ;;
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
    place: Path, story: str, *, limit: int = 20, patience: int = 5, services: str = "api"
) -> tuple[int, str]:
    """Bring it up while `story` happens; the exit code and what was written."""
    (place / "story").write_text(story)
    script = scripts.UP.replace("/var/lib/sitewright/compose", str(place / "marks"))
    done = subprocess.run(
        ["sh", "-c", script, "sh", str(limit), "0", str(patience), "p", services, "job", FORMAT,
         "up --detach", "docker", "compose"],
        cwd=place, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_all_stand(place: Path) -> None:
    (place / "then").write_text(line("api", health="healthy") + line("job", "exited"))
    status, told = brought_up(place, "echo begun; cp then now", services="api job")
    assert status == scripts.SETTLED, told
    assert "@up begun" in told
    assert "@state api|api|running|0|healthy|0|false|2" in told
    assert (place / "marks" / "p").read_text().startswith("config api hash")


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
    status, told = brought_up(place, "cp then now; sleep 30")
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
    status, _ = brought_up(place, "touch gone; sleep 30")
    assert status == scripts.DAEMON_GONE
    (place / "gone").unlink()
    (place / "now").write_text(line("api", health="starting"))
    status, _ = brought_up(place, "true", limit=1)
    assert status == scripts.TIME_IS_UP


def test_containers_of_other_services_do_not_count(place: Path) -> None:
    (place / "now").write_text(line("api", health="healthy") + line("ttk-tests", "exited", 1))
    status, told = brought_up(place, "true")
    assert status == scripts.SETTLED, told
