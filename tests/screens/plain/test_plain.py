"""The plain face: the same steps and answers as lines."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.sites.site import load_site
from screens.answers.answers import load_answers
from screens.plain.plain import run_plain
from screens.plain.prompt import Dialogue
from tests.screens.recorded import RecordedServices, recorded

PM4ML = "2\n\n"
"""The number of PM4ML production in the list of goals, and yes."""


class Source(io.StringIO):
    """Lines to read, the last of which interrupts where it says so."""

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # as io.StringIO has it
        """The next line; ^C is the key that interrupts."""
        line = super().readline(size)
        if line == "^C\n":
            raise KeyboardInterrupt
        return line


def talk(
    services: RecordedServices, lines: str, *, site_file: Path | None = None
) -> tuple[int, str]:
    """What the plain face answers to some lines, and its exit code."""
    target = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    code = run_plain(services, site_file=site_file, dialogue=Dialogue(Source(lines), target))
    target.seek(0)
    return code, target.read()


def flat(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def test_the_whole_way_to_the_site_file(services: RecordedServices, hermetic: Path) -> None:
    code, said = talk(
        services,
        f"1\n{PM4ML}m1=ops@10.10.0.11\nw1=10.10.0.14\ngo\nyes\nyes\ngo\nsite\n\ngo\n",
    )
    assert code == 0
    for step in ("Step 1 of 6", "Step 6 of 12"):
        assert step in said
    assert "1 of 2. m1: seen." in said
    assert "sitewright preflight --site pm4ml-production.yaml" in said
    site = load_site(hermetic / "pm4ml-production.yaml")
    assert [(host.name, host.roles) for host in site.hosts] == [
        ("m1", ("master",)),
        ("w1", ("worker",)),
    ]
    assert "\x1b" not in said
    assert "\r" not in said


def test_no_line_is_wider_than_a_terminal_but_commands(services: RecordedServices) -> None:
    _, said = talk(services, f"1\n?\n{PM4ML}m1=10.10.0.11\ngo\nyes\n1\nall\n1\n\n\n\ngo\ngo\n")
    wide = [line for line in said.splitlines() if len(line) > 80 and not line.startswith("    ")]
    assert [line for line in wide if "(b back" not in line] == []


def test_every_question_says_how_to_go_back_get_help_and_leave(
    services: RecordedServices,
) -> None:
    _, said = talk(services, "1\n2\nq\n")
    questions = [line for line in said.splitlines() if "b back" in line]
    assert len(questions) == 3
    assert all("? help, q quit" in line for line in questions)


def test_back_goes_to_the_step_before_and_help_explains(services: RecordedServices) -> None:
    _, said = talk(services, f"b\n1\n?\nb\n1\n{PM4ML}q\n")
    assert "This is the first step" in said
    assert "Each line is a solution in one environment" in flat(said)
    assert said.count("Step 1 of 6") == 3
    assert said.count("Step 2 of 6") == 2


def test_the_end_of_the_input_leaves_and_keeps_the_place(services: RecordedServices) -> None:
    code, said = talk(services, f"1\n{PM4ML}m1=10.10.0.11\n")
    assert code == 0
    assert "Your place is kept" in said
    saved = load_answers().answers
    assert saved is not None
    assert [host.name for host in saved.machines] == ["m1"]
    code, said = talk(services, "1\nq\n")
    assert "Go on: pm4ml production, 1 machine, at machines" in said


def test_an_interrupt_leaves_with_its_own_code(services: RecordedServices) -> None:
    code, said = talk(services, "1\n^C\n")
    assert code == 130
    assert "Interrupted" in said


def test_wrong_answers_are_asked_again(services: RecordedServices) -> None:
    _, said = talk(services, "9\nx\n\n99\n-1\n٣\nq\n")
    assert said.count("is none of the answers") == 5


def test_bad_machines_are_told_and_the_list_goes_on(services: RecordedServices) -> None:
    _, said = talk(
        services, f"1\n{PM4ML}10.0.0.1:99999\nm1=10.10.0.11\nm1=10.10.0.11\nfile\nnone.ini\nq\n"
    )
    assert '"99999" is not a port' in flat(said)
    assert "is on the list already" in flat(said)
    assert "no such file" in flat(said)


def test_a_changed_key_cannot_be_confirmed(services: RecordedServices) -> None:
    _, said = talk(services, f"1\n{PM4ML}lb2=10.10.0.22\ngo\ngo\nq\n")
    assert "the key has CHANGED" in said
    assert "ssh-keygen -R 10.10.0.22 -f /home/op/.ssh/known_hosts" in said
    assert services.trusted == []


def test_all_keys_are_confirmed_only_after_a_second_word(services: RecordedServices) -> None:
    talk(services, f"1\n{PM4ML}m1=10.10.0.11\nw1=10.10.0.14\ngo\nall\nno\nno\nall\nq\n")
    assert services.trusted == []
    talk(services, f"2\n{PM4ML}m1=10.10.0.11\nw1=10.10.0.14\ngo\nall\nyes\nq\n")
    assert [offer.host.name for offer in services.trusted] == ["m1", "w1"]


def test_a_waiver_with_a_bad_day_is_asked_again(services: RecordedServices) -> None:
    services.shapes["w1"] = "small-vm"
    _, said = talk(
        services,
        f"1\n{PM4ML}w1=10.10.0.14\ngo\nyes\n1\n1\nwaive\nAda Long\na test\nsoon\n"
        "Ada Long\na test\n2027-01-31\n\ngo\nq\n",
    )
    assert '"soon" is not a day' in said
    saved = load_answers().answers
    assert saved is not None
    assert [waiver.by for waiver in saved.waivers] == ["Ada Long"]


def test_a_report_is_written_and_its_path_told(services: RecordedServices, hermetic: Path) -> None:
    _, said = talk(services, "1\n1\nexport\n2\n\ngo\ngo\n")
    assert f"Written: {hermetic / 'this-machine-report.html'}" in said.replace("\n", " ")
    assert (hermetic / "this-machine-report.html").read_text().startswith("<!")


def test_this_machine_alone(services: RecordedServices) -> None:
    code, said = talk(services, "1\n1\ngo\ngo\n")
    assert code == 0
    assert "Mojaloop Core Test Harness, single-box: ready" in flat(said)
    assert services.looks == ["thinkpad"]


def test_facts_from_a_file(services: RecordedServices, hermetic: Path) -> None:
    from preflight.recorded import save_facts

    save_facts(hermetic / "facts.json", [recorded("pm4ml-master"), recorded("pm4ml-worker")])
    _, said = talk(services, "2\nfacts.json\n1\n\nagain\ngo\ngo\n")
    assert "These facts come from a file" in said
    assert "preflight --facts facts.json --solution pm4ml" in flat(said)
    assert services.looks == []


def test_a_site_file_that_is_broken_is_a_problem(
    services: RecordedServices, hermetic: Path
) -> None:
    (hermetic / "site.yaml").write_text("solution: 3\nhots: []\n")
    with pytest.raises(InputProblem, match="hots"):
        talk(services, "", site_file=hermetic / "site.yaml")


def test_a_site_file_begins_at_the_machines(services: RecordedServices, hermetic: Path) -> None:
    (hermetic / "site.yaml").write_text(
        "solution: pm4ml\nenvironment: production\n"
        "hosts: [{name: m1, address: 10.10.0.11, roles: [master]}]\n"
    )
    _, said = talk(services, "q\n", site_file=hermetic / "site.yaml")
    assert "Step 3 of 12" in said
    assert "1. m1, 10.10.0.11:22" in said


def test_a_terminal_without_unicode_gets_ascii(services: RecordedServices) -> None:
    target = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    run_plain(services, dialogue=Dialogue(Source(f"1\n?\n{PM4ML}b\n2\nnotes\nq\n"), target))
    target.seek(0)
    assert target.read().isascii()


def test_a_secret_is_not_written_anywhere(services: RecordedServices, hermetic: Path) -> None:
    _, said = talk(
        services,
        f"1\n{PM4ML}m1=10.10.0.11\nlogin\nubuntu\n\n\n\n\n\nhunter2hunter2\n\n\ngo\nyes\ngo\nq\n",
    )
    assert "hunter2" not in said
    password = services.accesses[-1].credentials.password
    assert password is not None
    assert password.reveal() == "hunter2hunter2"
    files = [file for file in hermetic.parent.rglob("*") if file.is_file()]
    assert files
    assert not any(b"hunter2" in file.read_bytes() for file in files)
