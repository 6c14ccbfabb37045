"""The answers and the file in which they are kept."""

from __future__ import annotations

import json
import stat
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.hosts.ansible.inventory import name_fault
from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from foundation.secrets import Secret
from installer.sites.site import load_site_text
from preflight.findings import Waiver
from screens.answers.answers import Login, joined, load_answers, save_answers
from screens.answers.saved_state import from_json, to_json
from screens.answers.site_answers import answers_from_site, site_from_answers
from screens.answers.wizard import StepId
from screens.services.live_install import site_of
from screens.services.memory import Memory
from tests.screens.saying import said

FULL = said(
    step="preflight",
    furthest="summary",
    solution="pm4ml",
    environment="production",
    sizing="pm4ml-production",
    machines=(
        Host("m1", "10.0.0.1", port=2222, user="ops", roles=("master",), machine="vm"),
        Host("w1", "2001:db8::1", identity_files=(Path("/k/id"),), bastion="b@10.0.0.9"),
    ),
    login=Login("ubuntu", 22, (Path("/home/op/.ssh/id"),), "b@h", (Path("known_hosts"),), False),
    roles={"m1": ("master",)},
    waivers=(
        Waiver(check="disk.nvme", host="w1", by="A. N.", reason="spare", until=date(2027, 1, 31)),
    ),
    settings={"domain": "example.org", "size": 3},
    control="m1",
    site_file=Path("site.yaml"),
    saved_at=datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
)  # fmt: skip

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
).filter(lambda name: name_fault(name) is None)
words = st.text("abz019", min_size=1, max_size=8).map("a{}".format)
hosts = st.lists(
    st.builds(
        Host,
        name=names,
        address=words,
        port=st.integers(1, 65535),
        user=st.none() | words,
        roles=st.lists(words, max_size=3).map(tuple),
    ),
    max_size=5,
    unique_by=lambda host: host.name,
).map(tuple)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "state" / "wizard.json"
    save_answers(FULL, file)
    assert load_answers(file).answers == FULL


@given(hosts, st.sampled_from(list(StepId)))
def test_any_machines_survive_the_file(machines: tuple[Host, ...], step: StepId) -> None:
    answers = said(step=step.value, furthest=step.value, machines=machines)
    assert from_json(json.loads(to_json(answers))) == answers


def test_the_file_is_private(tmp_path: Path) -> None:
    file = tmp_path / "wizard.json"
    save_answers(FULL, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_secret_can_reach_the_file(tmp_path: Path) -> None:
    memory = Memory(credentials=Credentials(password=Secret("correct-horse-battery")))
    file = tmp_path / "wizard.json"
    save_answers(FULL, file)
    assert memory.credentials.password is not None
    assert "correct-horse-battery" not in file.read_text()
    assert "password" not in file.read_text()


def test_no_file_is_no_news(tmp_path: Path) -> None:
    saved = load_answers(tmp_path / "none.json")
    assert saved.answers is None
    assert saved.sentence == ""


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("[]", "another version"),
        ('{"schema": "sitewright.wizard/0"}', "another version"),
        ('{"schema": "sitewright.wizard/1"}', "another version"),
        ('{"schema": "sitewright.wizard/2"}', "does not make sense"),
        (to_json(FULL).replace('"preflight"', '"no-such-step"'), "does not make sense"),
        (to_json(FULL).replace('"port": 2222', '"port": 99999'), "does not make sense"),
        (to_json(FULL).replace('"w1"', '"m1"'), "does not make sense"),
        (to_json(FULL).replace('"carry"', '"password"'), "does not make sense"),
        ("[" * 100_000, "damaged"),
        ("x" * (5 * 1024 * 1024), "too large"),
        ("\x00\xff", "damaged"),
    ],
)
def test_a_file_that_is_not_ours_is_told_and_not_used(
    tmp_path: Path, content: str, word: str
) -> None:
    file = tmp_path / "wizard.json"
    file.write_text(content, encoding="latin-1")
    saved = load_answers(file)
    assert saved.answers is None
    assert word in saved.sentence


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_no_bytes_at_all_break_the_loading(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "wizard.json"
    file.write_bytes(content)
    assert load_answers(file).answers is None


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
))  # fmt: skip
def test_no_value_at_all_breaks_the_reading(value: object) -> None:
    state = json.loads(to_json(FULL))
    for key in list(state):
        changed = dict(state)
        changed[key] = value
        from_json(changed)


def test_the_shared_login_fills_in_what_a_machine_leaves_open() -> None:
    answers = said(
        machines=(Host("a", "10.0.0.1"), Host("b", "10.0.0.2", port=2022, user="root")),
        login=Login(user="ubuntu", port=2222, bastion="b@h"),
    )
    one, other = answers.inventory()
    assert (one.user, one.port, one.bastion) == ("ubuntu", 2222, "b@h")
    assert (other.user, other.port) == ("root", 2022)


def test_another_goal_drops_roles_and_table() -> None:
    assert FULL.aiming_at("pm4ml", "production").roles == FULL.roles
    other = FULL.aiming_at("mosip", "production")
    assert other.roles == {}
    assert other.sizing is None


def test_a_machine_stands_on_the_list_once() -> None:
    there = (Host("a", "10.0.0.1"),)
    with pytest.raises(InputProblem, match="on the list already"):
        joined(there, [Host("b", "10.0.0.1")])
    with pytest.raises(InputProblem, match="on the list already"):
        joined(there, [Host("a", "10.0.0.2")])
    assert len(joined(there, [Host("b", "10.0.0.1", bastion="x@y")])) == 2
    shared = Login(port=2222, bastion="x@y")
    with pytest.raises(InputProblem, match="on the list already"):
        joined(there, [Host("b", "10.0.0.1", port=2222, bastion="x@y")], shared)
    left_open = [Host(name, "FILL-IN") for name in "bc"]
    assert len(joined(there, left_open)) == 3


def test_a_port_of_22_that_a_machine_says_itself_is_meant() -> None:
    """As a site file has it: such a machine is another than the one behind the port of all."""
    site = load_site_text(
        "ssh: {port: 2222}\nhosts:\n- {name: a, address: h, port: 22}\n- {name: b, address: h}\n",
        "site.yaml",
    )
    answers = answers_from_site(site, Path("/site.yaml"))
    assert len(joined((), answers.machines, answers.login, answers.ports)) == 2
    with pytest.raises(InputProblem):
        joined(answers.machines, [Host("c", "h")], answers.login, answers.ports)


def test_what_does_not_go_together_yet_is_kept_over_a_restart() -> None:
    """It is told where it is used; nobody types five machines anew for it."""
    twins = said(machines=(Host("a", "10.0.0.1", port=2222), Host("b", "10.0.0.1")),
                 login=Login(port=2222))  # fmt: skip
    assert from_json(json.loads(to_json(twins))) == twins
    with pytest.raises(InputProblem, match="the same address") as raised:
        site_of(twins)
    assert raised.value.where == "what the wizard was told"


def test_a_path_that_is_typed_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site file may lie elsewhere than where the wizard was started."""
    monkeypatch.chdir(tmp_path)
    answers = said(login=Login(identity_files=(Path("keys/id"),), known_hosts=(Path("kh"),)))
    elsewhere = Path("/srv/x/site.yaml")
    inventory = site_from_answers(answers, elsewhere).inventory(elsewhere.parent)
    assert inventory.known_hosts == answers.inventory().known_hosts == (tmp_path / "kh",)
