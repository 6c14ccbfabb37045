"""`sitewright guide` as a person meets it: words, widths, wrong input, questions."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts.model import Host
from foundation.problems import Unreachable
from installer.cli import main
from installer.commands.guide_questions import ask, ask_wishes
from installer.commands.guide_text import advice_text
from installer.guide.advice import Wishes, advise
from installer.guide.guide import Map, load_map
from preflight.assessment import Seen
from tests.screens.terminal import Terminal

RECORDED = Path(__file__).parent.parent.parent / "recorded"
LAPTOP = ("--facts", str(RECORDED / "laptop.json"))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["guide", *words]) == 0
    return capsys.readouterr().out


def test_the_answer_names_what_why_and_what_next(capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer reads the recommendation first, and the command to type after it."""
    text = told(capsys, "--purpose", "experiment", *LAPTOP)
    assert "Take: Core Test Harness" in text
    assert "sitewright preflight --solution core-test-harness" in text
    assert text.index("Take:") < text.index("Alternatives")


@pytest.mark.parametrize(
    "words",
    [
        ("--purpose", "experiment", *LAPTOP),
        ("--where", "bare-metal", "--quality", "production", *LAPTOP),
        ("--map",),
        *(("--option", option.id) for option in load_map().options),
    ],
    ids=lambda words: words[-1] if words[0] == "--option" else words[0],
)
def test_it_is_readable_at_80_columns(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Only commands, which are there to be copied, may be wider."""
    commands = {
        command
        for option in load_map().options
        for commands in (
            *(step.commands for step in option.file.steps),
            *(check.commands for check in option.file.verify),
            *(trouble.commands for trouble in option.file.troubleshooting),
        )
        for command in commands
    }
    for line in told(capsys, *words).splitlines():
        assert len(line) <= 80 or line.strip() in commands or "sitewright preflight" in line


def test_a_word_that_is_begun_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    """`exp` is experiment, `prod` is production."""
    value = json.loads(
        told(capsys, "--where", "bare", "--quality", "prod", "--no-look", "--format", "json")
    )
    assert value["wishes"]["where"] == "bare-metal"
    assert value["wishes"]["quality"] == "production"
    assert value["wishes"]["purpose"] == "run"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--purpose", "experimant"), 'did you mean "experiment"'),
        (("--quality", "gold"), "The words are poc, production"),
        (("--system", "mosep"), 'did you mean "mosip"'),
        (("--where", "cloud"), "one-cloud"),
        (("--internet", "maybe"), "yes, no"),
        (("--option", "mini-loop"), 'did you mean "miniloop"'),
        (("--purpose", "ci", "--where", "bare-metal"), "--where belongs to --purpose run"),
        (("--no-look", "local"), "Leave one of them out"),
        (("--facts", "nowhere.json"), "no such file"),
        (("--facts", str(RECORDED / "laptop.json"), "local"), "takes no machines"),
    ],
)
def test_a_wrong_word_is_one_problem_with_the_nearest(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, on standard error, never a traceback."""
    assert main(["guide", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said.lower() in captured.err.lower()
    assert "Traceback" not in captured.err


def seen_in_vain(chart: Map, host: Host) -> str:
    """The advice after a machine that did not answer."""
    seen = [Seen(host, problem=Unreachable("its name does not resolve", where=host.name))]
    advice = advise(chart, Wishes(), seen, named=True, today=date(2026, 11, 30))
    return advice_text(chart, advice, seen, 80, color=False, ascii_only=False)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pm4", "--system pm4ml"),
        ("mosip", "--system mosip"),
        ("mini-loop", "--option miniloop"),
        ("bare-metl", "--where bare-metal"),
        ("productoin", "--quality production"),
        ("kilo-7", ""),
    ],
)
def test_a_word_that_was_taken_for_a_machine_is_told_where_it_belongs(
    name: str, meant: str
) -> None:
    """ "Not seen: pm4" left whoever meant PM4ML without a word of it."""
    chart = load_map()
    host = Host(name, name)
    text = seen_in_vain(chart, host)
    flat = " ".join(text.split())
    assert f"Not seen: {name}." in flat
    hint = f'"{name}" was taken for a machine; did you mean {meant}?'
    assert hint in flat if meant else "taken for a machine" not in flat


def test_a_machine_with_an_address_of_its_own_is_no_mistyped_word() -> None:
    """Who names it "pm4" in a site and says where it is has typed no word of the map."""
    chart = load_map()
    host = Host("pm4", "10.0.0.9")
    text = seen_in_vain(chart, host)
    assert "Not seen: pm4." in text
    assert "taken for a machine" not in text


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """With its schema, the reasons, and what each alternative lacks."""
    value: dict[str, Any] = json.loads(
        told(capsys, "--purpose", "experiment", *LAPTOP, "--format", "json")
    )
    assert value["schema"] == "sitewright.guide/1"
    assert value["recommendation"]["option"] == "core-test-harness"
    assert value["recommendation"]["reasons"]
    assert {one["option"] for one in value["alternatives"]} >= {"miniloop", "helm-local"}
    miniloop = next(one for one in value["alternatives"] if one["option"] == "miniloop")
    assert isinstance(miniloop["lacks"], list)


def test_the_map_and_an_option_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that the pages are made of, for other programs."""
    value = json.loads(told(capsys, "--map", "--format", "json"))
    assert len(value["use_cases"]) == 9
    one = json.loads(told(capsys, "--option", "miniloop", "--format", "json"))
    assert one["schema"] == "sitewright.option/1"
    assert {source["id"] for source in one["sources"]} >= {"miniloop", "doc-001"}


def test_in_plain_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """For a serial line."""
    assert told(capsys, "--map", "--ascii").isascii()
    assert told(capsys, "--option", "pm4ml-on-premises", "--ascii").isascii()


def test_it_looks_at_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """Without machines named it is the one that asks, and the sentence says which."""
    text = told(capsys, "--purpose", "experiment")
    assert "Looked at: " in text


def test_the_questions(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who runs it is asked more than an experimenter; a wrong answer is asked again."""
    monkeypatch.setattr("sys.stdin", io.StringIO("4\n2\nproduktion\n2\nbare\nno\n"))
    wishes = ask_wishes(load_map())
    assert (wishes.purpose, wishes.system) == ("run", "pm4ml")
    assert (wishes.quality, wishes.where, wishes.internet) == ("production", "bare-metal", False)
    assert 'Did you mean "production"' in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n\n"))
    wishes = ask_wishes(load_map())
    assert (wishes.purpose, wishes.quality, wishes.internet) == ("experiment", None, True)


def test_the_end_of_the_input_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed terminal interrupts, it does not choose."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(KeyboardInterrupt):
        ask("Who?", [("one", "One")])


@pytest.mark.processes
def test_on_a_terminal_it_asks_and_answers(tmp_path: Path) -> None:
    """A newcomer types three answers and is told what to take, and what to type next."""
    words = ["guide", *LAPTOP]
    code = f"from installer.cli import main; raise SystemExit(main({words!r}))"
    environment = {"HOME": str(tmp_path), "TERM": "xterm-256color", "NO_COLOR": "1"}
    with Terminal(code, environment=environment) as terminal:
        terminal.wait_for("Number, or Enter for 1: ")
        terminal.send("experiment\n")
        terminal.wait_for("What should stand in the end?")
        terminal.send("4\n")
        terminal.wait_for("Will the machines reach the internet?")
        terminal.send("\n")
        terminal.wait_for("Take: Core Test Harness")
        terminal.wait_for("sitewright install --solution core-test-harness")
        assert terminal.end() == 0


@pytest.mark.processes
@pytest.mark.parametrize(
    "words", [("--purpose", "experiment", *LAPTOP), ("--map",)], ids=["facts", "map"]
)
def test_what_needs_no_machine_waits_for_no_network_code(words: tuple[str, ...]) -> None:
    heavy = ("asyncio", "asyncssh", "cryptography", "httpx", "jinja2", "psutil", "textual")
    code = (
        "import sys\nfrom installer.cli import main\n"
        f"main(['guide', *{words!r}])\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
