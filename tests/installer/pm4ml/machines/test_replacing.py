"""`sitewright machine replace`: what its files tell against it, its two plans, and going on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts.connection import Credentials
from foundation.hosts.pool import Pool
from foundation.problems import (
    ConnectionProblem,
    ConnectTimeout,
    ExitCode,
    HostKeyProblem,
    LoginRefused,
    Problem,
    Refused,
    Unreachable,
)
from installer import cli
from installer.commands import machine_replace
from installer.commands.machine_replace import forgetting, replacement
from installer.record.identity import site_key
from installer.running import replacing
from installer.sites.site import SiteHost, dump_site, load_site
from tests.installer.pm4ml.machines.removals import ran, whole

Said = Callable[[], str]


def host(name: str, **changes: Any) -> SiteHost:
    return SiteHost.model_validate(
        {"name": name, "address": "10.10.0.99", "roles": ["worker"], **changes}
    )


class Replacing:
    """A site whose record lies here, of which w1 is dead; the file names the new one for it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.recorded = load_site(file)
        plan = forgetting_plan(file, "w1", self)
        ran(self.recorded, whole(plan))

    def names(self, *new: SiteHost, without: str = "w1") -> None:
        hosts = tuple(one for one in self.recorded.hosts if one.name != without)
        self.file.write_text(dump_site(self.recorded.model_copy(update={"hosts": (*hosts, *new)})))

    def words(self, old: str, new: str) -> list[str]:
        return ["machine", "replace", old, "--with", new, "--site", str(self.file)]


def options_of(file: Path, old: str, new: str) -> Any:
    parser = cli.build_parser("machine")
    return parser.parse_args(["machine", "replace", old, "--with", new, "--site", str(file)])


def forgetting_plan(file: Path, old: str, site: Replacing) -> Any:
    """The plan by which a machine is forgotten, from a file that names both."""
    site.names(host("w9"), without="")
    options = options_of(file, old, "w9")
    plan, _ = forgetting(replacement(options), options)
    site.names(without="")
    return plan


@pytest.fixture
def site(file: Path) -> Replacing:
    return Replacing(file)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def told() -> str:
        captured = capsys.readouterr()
        return " ".join((captured.out + captured.err).split())

    return told


def test_the_dead_one_is_known_from_the_record(site: Replacing) -> None:
    """The site file names the new one in its place, also by the same name elsewhere."""
    for new in (host("w9"), host("w1")):
        site.names(new)
        one = replacement(options_of(site.file, "w1", new.name))
        before = {h.name: h.address for h in one.before.hosts}
        assert before == {h.name: h.address for h in site.recorded.hosts}
        assert {h.name for h in one.after.hosts} == {
            *(h.name for h in site.recorded.hosts if h.name != "w1"), new.name,
        }  # fmt: skip
        assert one.new.address == "10.10.0.99"
        assert not one.named_still


def test_what_is_forgotten_is_asked_of_a_master_that_stays(site: Replacing) -> None:
    """Never of the new one, whose name may sort first and which is in no cluster."""
    site.names(host("a0", roles=["master"]), without="m1")
    options = options_of(site.file, "m1", "a0")
    plan, operation = forgetting(replacement(options), options)
    assert operation == "replace-node"
    (stage,) = plan.stages
    assert {name for step in stage.steps for name in step.hosts} == {"m2"}
    steps = {step.id: step for step in stage.steps}
    assert str(steps["fit"].spec["script"]).split()[-2:] == ["300", "2"]
    order = list(steps)
    assert order.index("fit") < order.index("agreed") < order.index("forget")
    assert steps["forget"].irreversible
    assert dict(plan.hosts)["m1"] == ()
    assert "a0" not in dict(plan.hosts)


@pytest.mark.parametrize(
    ("old", "new", "without", "why"),
    [
        ("w1", host("w9", address="10.10.0.15"), "w1", "has the address of w1"),
        ("w1", host("w9", roles=["master"]), "w1", "w1 is worker and w9 is master"),
        ("s1", host("s9", roles=["storage"]), "s1", "replaces no such machine"),
        ("strange", host("w9"), "w1", 'knows a machine "strange"'),
    ],
)
def test_what_the_files_tell_against_it_is_told_before_anything_begins(
    site: Replacing, said: Said, old: str, new: SiteHost, without: str, why: str
) -> None:
    site.names(new, without=without)
    assert cli.main(site.words(old, new.name)) in (ExitCode.REFUSED, ExitCode.USAGE)
    assert why in said()


def test_wrong_names_and_words_are_told_before_anything_begins(site: Replacing, said: Said) -> None:
    site.names(host("w9"))
    assert cli.main(site.words("w1", "w99")) == ExitCode.USAGE
    assert 'the site has no machine "w99"; did you mean "w9"?' in said()
    for words, why in (
        (["--until", "microk8"], 'has a stage "microk8"'),
        (["--confirm", "replace-node/agree"], 'has a step "replace-node/agree"'),
        (["--skip", "nothing/at-all=because"], 'has a step "nothing/at-all"'),
    ):
        assert cli.main([*site.words("w1", "w9"), *words]) == ExitCode.USAGE
        assert f"neither of the two plans {why}" in said()


def test_several_things_are_told_at_once(site: Replacing, said: Said) -> None:
    """A machine of the site replaces nobody, and nothing stays where the last one is dead."""
    rest = [one for one in site.recorded.hosts if one.name not in ("w1", "w2")]
    site.file.write_text(dump_site(site.recorded.model_copy(update={"hosts": (*rest, host("w9"))})))
    assert cli.main(site.words("w1", "m1")) == ExitCode.REFUSED
    told = said()
    for why in (
        "m1 is in this site already, and replaces nobody",
        "w1 is worker and m1 is master",
    ):
        assert why in told
    site.file.write_text(dump_site(site.recorded.model_copy(update={"hosts": (*rest, host("w9"))})))
    assert cli.main(site.words("w1", "w9")) == ExitCode.REFUSED
    assert "w1 is the last worker of this site" in said()


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is seen of the machines: nothing against it, unless a test says so."""
    seen: dict[str, Any] = {"lives": None, "against": (), "runs": []}

    async def lives(*_: object) -> Problem | None:
        return seen["lives"]  # type: ignore[no-any-return] # what the test put there

    async def against(*_: object) -> Any:
        return seen["against"]

    def carried(work: Any, options: Any, **_: object) -> int:
        seen["runs"].append((work, options))
        if work.operation:
            ran(work.site, work.plan, work.operation)
        return int(ExitCode.DONE)

    monkeypatch.setattr(replacing, "lives", lives)
    monkeypatch.setattr(replacing, "stands_against", against)
    monkeypatch.setattr(machine_replace, "carry_through", carried)
    return seen


def test_what_lives_is_not_replaced_and_all_that_stands_against_it_is_told(
    site: Replacing, looked: dict[str, Any], said: Said
) -> None:
    site.names(host("w9"))
    looked["lives"] = Refused("w1 answers to SSH, and lives", where="10.10.0.15")
    looked["against"] = (Unreachable("nobody answers", where="w9"),)
    assert cli.main(site.words("w1", "w9")) == ExitCode.REFUSED
    told = said()
    assert "w1 answers to SSH, and lives" in told
    assert "w9: nobody answers" in told
    looked["lives"] = None
    assert cli.main(site.words("w1", "w9")) == ExitCode.UNREACHABLE
    assert looked["runs"] == []


def test_it_is_forgotten_then_the_new_one_joins(
    site: Replacing, looked: dict[str, Any], said: Said
) -> None:
    """Two runs, each with the words that are for its own plan."""
    site.names(host("w9"))
    words = ["--confirm", "replace-node/agreed", "--confirm", "checklist/checklist",
             "--until", "microk8s"]  # fmt: skip
    assert cli.main([*site.words("w1", "w9"), *words]) == ExitCode.DONE
    (first, of_first), (second, of_second) = looked["runs"]
    assert {h.name for h in first.site.hosts} == {h.name for h in site.recorded.hosts}
    assert (first.operation, first.plan.leaving) == ("replace-node", "w1")
    assert (of_first.confirm, of_first.until) == (["replace-node/agreed"], None)
    assert "w1" not in {h.name for h in second.site.hosts}
    assert (second.joins, second.plan.leaving, second.operation) == ("w9", "", "")
    assert (of_second.confirm, of_second.until) == (["checklist/checklist"], "microk8s")
    # Cut off in between, the same command goes on with what is left.
    assert cli.main(site.words("w1", "w9")) == ExitCode.DONE
    assert len(looked["runs"]) == 3
    assert looked["runs"][-1][0].joins == "w9"
    # And it is found though the new one has its name.
    site.names(host("w1"))
    assert cli.main(site.words("w1", "w1")) == ExitCode.DONE
    assert [work.operation for work, _ in looked["runs"]] == ["replace-node", "", "", ""]


def test_a_site_file_that_names_both_is_enough_where_no_record_lies(
    site: Replacing, looked: dict[str, Any], said: Said
) -> None:
    """On another computer; the new one joins once the file names the dead one no more."""
    site.names(host("w9"), without="")
    assert cli.main(site.words("w1", "w9")) == ExitCode.REFUSED
    told = said()
    assert "the site file still names w1, which is forgotten" in told
    assert f"sitewright machine replace w1 --with w9 --site {site.file}" in told
    assert len(looked["runs"]) == 1
    site.names(host("w9"))
    assert cli.main(site.words("w1", "w9")) == ExitCode.DONE
    assert looked["runs"][-1][0].joins == "w9"


def test_one_that_came_back_and_died_again_is_forgotten_again(
    site: Replacing, looked: dict[str, Any]
) -> None:
    site.names(host("w9"))
    assert cli.main(site.words("w1", "w9")) == ExitCode.DONE
    ran(site.recorded, whole(looked["runs"][0][0].plan))  # an installation that named it
    assert cli.main(site.words("w1", "w9")) == ExitCode.DONE
    assert [work.operation for work, _ in looked["runs"]] == [
        "replace-node", "", "replace-node", "",
    ]  # fmt: skip
    assert site_key(site.recorded) == site_key(load_site(site.file))


@pytest.mark.parametrize(
    ("raised", "alive"),
    [
        (Unreachable("nobody answers", where="w1"), False),
        (ConnectTimeout("no answer", where="w1"), False),
        (LoginRefused("it takes no key", where="w1"), True),
        (HostKeyProblem("another key", where="w1"), True),
        (ConnectionProblem("something else", where="w1"), True),
        (None, True),
    ],
)
async def test_only_a_machine_that_is_silent_is_dead(
    site: Replacing,
    monkeypatch: pytest.MonkeyPatch,
    raised: ConnectionProblem | None,
    alive: bool,
) -> None:
    async def connect(*_: object) -> None:
        if raised is not None:
            raise raised

    monkeypatch.setattr(Pool, "connect", connect)
    inventory = site.recorded.inventory(site.file.parent)
    found = await replacing.lives(inventory, "w1", Credentials())
    assert (found is not None) is alive
    if found is not None:
        assert "w1 answers to SSH" in found.sentence
