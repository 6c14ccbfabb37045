"""A site file that goes through the wizard means what it meant: nothing of it is lost, or made up.

Any valid site is opened, kept in the state file, read from there and written again, beside the old
file and in another folder. The plans of both faces are one, with the customer's playbooks in them.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.allowed import ProgramsNotAllowed, programs_of, remember
from foundation.hosts.openssh.ssh_config import config_file
from installer.catalogue.solution import load_solution
from installer.commands.plan import read_plan
from installer.sites.site import Site, SiteHost, Ssh, Supplies, dump_site, load_site, resolved
from preflight.findings import Waiver
from screens.answers.answers import Answers, Login, joined, load_answers
from screens.answers.saved_state import from_json, to_json
from screens.answers.site_answers import answers_from_site, site_from_answers
from screens.services.live import LiveServices
from screens.services.services import Access
from tests.installer.planning.test_planning import site as planned_site
from tests.screens.saying import said

BASE = Path("/srv/sites/one")
OTHER = Path("/srv/sites/elsewhere")

words = st.text("abc0", min_size=1, max_size=5).map("a{}".format)
paths = st.one_of(
    words,
    st.builds("{}/{}".format, words, words),
    st.builds("../{}".format, words),
    st.builds("~/{}".format, words),
    st.builds("/srv/{}".format, words),
    st.builds("/srv/sites/one/{}".format, words),
    st.sampled_from(["/srv/sites/one/~root/x", "/srv/sites/one/ x", "/" + "d/" * 200 + "x", "."]),
)
some_paths = st.lists(paths, max_size=3).map(tuple)
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text("aß\n ", max_size=5),
)
maybe = st.none() | words
ports = st.none() | st.sampled_from([22, 2222, 2022])
bastions = st.none() | st.builds("{}@{}".format, words, words)

HOST: dict[str, st.SearchStrategy[Any]] = {
    "address": words,
    "name": words,
    "port": ports,
    "user": maybe,
    "roles": st.lists(words, max_size=3, unique=True).map(tuple),
    "identity_files": some_paths,
    "bastion": bastions,
    "proxy_command": st.none() | st.builds("nc -x {}:1080 %h %p".format, words),
    "ssh_options": st.lists(
        st.sampled_from(["HostKeyAlias=al", "Ciphers=aes256-ctr", "ProxyJump=none"]),
        max_size=2,
        unique=True,
    ).map(tuple),
    "machine": st.sampled_from([None, "vm", "physical"]),
    "variables": st.dictionaries(words.map(lambda word: "v_" + word.replace("-", "_")), plain),
}
SSH: dict[str, st.SearchStrategy[Any]] = {
    "user": maybe,
    "identity_files": some_paths,
    "known_hosts": some_paths,
    "bastion": bastions,
    "config": st.none() | st.booleans() | paths,
    "port": ports,
}
SUPPLIES: dict[str, st.SearchStrategy[Any]] = {
    "bundle": st.none() | paths,
    "keys": st.none() | paths,
    "unsigned": st.sampled_from([None, "accepted"]),
    "registry": maybe,
    **{
        name: st.none() | st.builds("https://{}/x".format, words)
        for name in ("apt", "charts", "git", "files")
    },
}
WAIVERS = st.lists(
    st.builds(
        Waiver,
        check=words,
        host=maybe,
        by=st.just("A. N."),
        reason=st.just("spare"),
        until=st.dates(),
    ),
    max_size=2,
).map(tuple)
SITE: dict[str, st.SearchStrategy[Any]] = {
    "solution": maybe,
    "environment": maybe,
    "sizing": maybe,
    "record": st.none() | st.just("pm4ml-production-0123456789"),
    "ssh": st.fixed_dictionaries(SSH),
    "hosts": st.lists(
        st.fixed_dictionaries(HOST),
        max_size=4,
        unique_by=(lambda host: host["name"], lambda host: host["address"]),
    ),
    "settings": st.dictionaries(words, plain, max_size=4),
    "backup": st.none(),
    "updates": st.none(),
    "playbooks": st.none() | paths,
    "supplies": st.fixed_dictionaries(SUPPLIES),
    "proxy": st.none() | st.builds("http://{}:3128".format, words),
    "no_proxy": st.lists(words, max_size=3).map(tuple),
    "authorities": st.none() | paths,
    "waivers": WAIVERS,
}


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Any valid site, with every key that there is."""
    value = draw(st.fixed_dictionaries(SITE))
    for host in value["hosts"]:
        host["proxy_command"] = host["proxy_command"] if host["bastion"] is None else None
    names = [host["name"] for host in value["hosts"]]
    return Site.model_validate({**value, "control": draw(st.sampled_from([None, *names]))})


def meaning(site: Site, base: Path) -> dict[str, object]:
    """All that a site says: each machine with what holds for all, every path whole."""
    whole = resolved(site, base).model_dump()
    inventory = site.inventory(base, source="")
    shared = whole.pop("ssh")
    del whole["hosts"]
    return {**whole, "ssh": shared, "machines": inventory}


def through(answers: Answers) -> Answers:
    """The answers out of the state file."""
    kept = from_json(json.loads(to_json(answers)))
    assert kept is not None
    return kept


def test_every_key_of_a_site_is_tried_here() -> None:
    """A key that is added to the model goes through the wizard too, or this fails."""
    assert set(SITE) | {"control"} == set(Site.model_fields)
    assert set(HOST) == set(SiteHost.model_fields)
    assert set(SSH) == set(Ssh.model_fields)
    assert set(SUPPLIES) == set(Supplies.model_fields)


@settings(max_examples=40, deadline=None)
@given(sites(), st.sampled_from([BASE, OTHER]))
def test_any_site_goes_through_the_wizard_and_means_the_same(site: Site, folder: Path) -> None:
    answers = through(answers_from_site(site, BASE / "site.yaml"))
    written = site_from_answers(answers, folder / "site.yaml")
    assert meaning(written, folder) == meaning(site, BASE)
    assert {host.name: host.roles for host in answers.machines} == {
        host.name: host.roles for host in site.hosts
    }


@settings(max_examples=20, deadline=None)
@given(sites())
def test_the_wizard_reaches_the_machines_as_the_command_does(site: Site) -> None:
    reached = through(answers_from_site(site, BASE / "site.yaml")).inventory()
    meant = site.inventory(BASE)
    assert [host for host in reached if not host.local] == [h for h in meant if not h.local]
    assert replace(reached, hosts=(), source="", hosts_by_name={}) == replace(
        meant, hosts=(), source="", hosts_by_name={}
    )


def test_the_words_for_ssh_of_an_inventory_go_through_the_wizard(tmp_path: Path) -> None:
    """What `preflight --inventory` goes by is neither refused nor lost."""
    file = tmp_path / "hosts.ini"
    file.write_text(
        "n1 ansible_host=10.0.0.1 ansible_ssh_common_args="
        "'-o ProxyCommand=\"nc -x p:1 %h %p\" -o HostKeyAlias=al'\n"
    )
    read = asyncio.run(LiveServices().machine_file(file))
    answers = through(Answers().with_machines(read.hosts))
    (host,) = answers.inventory().hosts
    assert (host.proxy_command, host.ssh_options) == ("nc -x p:1 %h %p", ("HostKeyAlias=al",))
    with pytest.raises(ProgramsNotAllowed, match="proxy_command of the site file"):
        config_file(answers.inventory())


# ---- one plan for both faces


def their_site(folder: Path) -> Path:
    """A site file with playbooks, variables and ssh settings of the customer's own."""
    solution = load_solution("pm4ml")
    (folder / "theirs").mkdir()
    for file in (solution.folder / "playbooks").glob("[1-6].*.yml"):
        (folder / "theirs" / file.name).write_text(f"# theirs: {file.name}\n")
    whole = planned_site()
    hosts = tuple(
        host.model_copy(update={"variables": {"rack": number, "keep": True}, "port": port})
        for number, (host, port) in enumerate(zip(whole.hosts, [22, *[None] * 9], strict=True))
    )
    shared = Ssh(user="ubuntu", config=False, known_hosts=("known",), port=2222)
    theirs = whole.model_copy(update={"hosts": hosts, "ssh": shared, "playbooks": "theirs"})
    file = folder / "site.yaml"
    file.write_text(dump_site(theirs))
    return file


@pytest.mark.parametrize("restarted", [False, True])
def test_both_faces_make_the_same_plan(tmp_path: Path, restarted: bool) -> None:
    file = their_site(tmp_path)
    _, _, commands = read_plan(file, None)
    live = LiveServices()
    answers = asyncio.run(live.machine_file(file)).answers
    assert answers is not None
    wizards = asyncio.run(live.plan(through(answers) if restarted else answers))
    assert wizards.playbooks == str(tmp_path / "theirs")
    assert wizards.as_json() == commands.as_json()
    assert wizards.sha256 == commands.sha256


def test_a_written_site_makes_the_same_plan_from_another_folder(tmp_path: Path) -> None:
    file = their_site(tmp_path)
    _, _, before = read_plan(file, None)
    other = tmp_path / "other" / "kept.yaml"
    other.parent.mkdir()
    site = load_site(file)
    other.write_text(dump_site(site_from_answers(answers_from_site(site, file), other)))
    assert read_plan(other, None)[2].sha256 == before.sha256
    assert not load_site(other).inventory(other.parent).use_ssh_config


# ---- what a person does in the wizard


def opened() -> Answers:
    """A site of two machines with variables, opened."""
    site = Site.model_validate(
        {
            "ssh": {"user": "ubuntu", "config": "cfg"},
            "playbooks": "theirs",
            "control": "m1",
            "proxy": "http://proxy.example:3128",
            "no_proxy": ["one.example", "two.example"],
            "hosts": [
                {"name": "m1", "address": "10.0.0.1", "variables": {"rack": "R1"}},
                {"name": "m2", "address": "10.0.0.2", "variables": {"rack": "R2"}},
            ],
            "waivers": [
                {"check": "disk.nvme", "host": "m1", "by": "A. N.", "reason": "spare",
                 "until": "2027-01-31"},
            ],
        }
    )  # fmt: skip
    return answers_from_site(site, BASE / "site.yaml")


def test_what_is_said_of_a_machine_follows_its_new_name() -> None:
    answers = opened()
    one, two = answers.machines
    renamed = answers.renamed("m1", "first").with_machines((replace(one, name="first"), two))
    site = site_from_answers(renamed, BASE / "site.yaml")
    assert [(h.name, h.variables) for h in site.hosts] == [
        ("first", {"rack": "R1"}),
        ("m2", {"rack": "R2"}),
    ]
    assert site.control == "first"
    assert [waiver.host for waiver in site.waivers] == ["first"]


def test_a_machine_that_is_taken_off_takes_its_variables_along() -> None:
    answers = opened()
    fewer = answers.with_machines((answers.machines[1], Host("m1", "10.0.0.9")))
    site = site_from_answers(fewer, BASE / "site.yaml")
    assert {host.name: host.variables for host in site.hosts} == {"m1": {}, "m2": {"rack": "R2"}}


def test_what_the_wizard_asks_wins() -> None:
    answers = said(opened(), login=Login(user="root"), settings={"domain": "new.example"})
    site = site_from_answers(answers, BASE / "site.yaml")
    assert (site.ssh.user, site.ssh.config, site.playbooks) == ("root", "cfg", "theirs")
    assert site.settings == {"domain": "new.example"}


def test_a_site_file_that_is_read_on_the_machines_screen_is_taken_whole() -> None:
    site = site_from_answers(
        Answers().with_site(opened()).with_machines(opened().machines), OTHER / "site.yaml"
    )
    assert site.playbooks == "/srv/sites/one/theirs"
    assert site.ssh.config == "/srv/sites/one/cfg"
    assert site.proxy == "http://proxy.example:3128"
    assert site.no_proxy == ("one.example", "two.example")


def test_a_port_that_a_machine_says_itself_is_kept_when_its_file_is_read_among_others() -> None:
    """22 beside a shared 2222: what the file says, not what is left when it is passed on."""
    text = {"ssh": {"port": 2222}, "hosts": [
        {"name": "a", "address": "10.0.0.1", "port": 22}, {"name": "b", "address": "10.0.0.2"},
    ]}  # fmt: skip
    read = answers_from_site(Site.model_validate(text), BASE / "site.yaml")
    taken = Answers().with_site(read)
    taken = taken.with_machines(joined((), read.machines, read.login))
    assert [host.port for host in through(taken).inventory()] == [22, 2222]


# ---- the ssh configuration of a site file


def test_programs_of_a_site_s_ssh_config_start_only_where_they_were_allowed(
    tmp_path: Path, private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wizard shows them with the remedy; a yes of the command holds for it as well."""
    (tmp_path / "cfg").write_text(f"Host m1\n  ProxyCommand touch {tmp_path}/ran\n")
    file = tmp_path / "site.yaml"
    file.write_text("ssh: {config: cfg}\nhosts:\n  - {name: m1, address: 10.0.0.1}\n")
    live = LiveServices()
    answers = asyncio.run(live.machine_file(file)).answers
    assert answers is not None
    inventory = answers.inventory()

    async def tried() -> BaseException | None:
        return (
            await live.try_machine(answers.machines[0], Access(inventory, Credentials()))
        ).problem

    problem = asyncio.run(tried())
    assert isinstance(problem, ProgramsNotAllowed)
    assert "sitewright trust" in problem.remedy
    assert not (tmp_path / "ran").exists()
    # The command may have been given the file by a short name.
    monkeypatch.chdir(tmp_path)
    commands: Inventory = load_site(Path("site.yaml")).inventory(Path("site.yaml").parent)
    remember(programs_of(commands))
    assert not isinstance(asyncio.run(tried()), ProgramsNotAllowed)


# ---- state files of before


def test_a_state_file_of_before_is_told(tmp_path: Path) -> None:
    """It kept only a part of its site. What it lost cannot be known, so nobody goes on from it."""
    state = json.loads(to_json(opened()))
    file = tmp_path / "wizard.json"
    file.write_text(json.dumps({**state, "schema": "sitewright.wizard/1"}))
    saved = load_answers(file)
    assert saved.answers is None
    assert "another version" in saved.sentence


def test_a_machine_says_its_port_itself_or_leaves_it_to_all() -> None:
    text = {"ssh": {"port": 2222}, "hosts": [{"name": "a", "address": "10.0.0.1"}]}
    read = answers_from_site(Site.model_validate(text), BASE / "site.yaml")
    own = read.with_port("a", 22).with_machines(read.machines)
    assert [host.port for host in through(own).inventory()] == [22]
    left = own.with_port("a", None)
    assert [host.port for host in through(left).inventory()] == [2222]
