"""The site file: what a person writes, what comes of it, and what is said of mistakes."""

from __future__ import annotations

import contextlib
import re
import string
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.documents import parse_yaml, validate
from foundation.hosts.ansible.inventory import name_fault
from foundation.hosts.logins import user_fault
from foundation.hosts.model import Host
from foundation.problems import ExitCode, InputProblem
from installer.sites.site import Site, check_against, dump_site, load_site

EXAMPLE = """\
solution: pm4ml
environment: production
ssh: {user: ubuntu, identity_files: [~/.ssh/id_ed25519], known_hosts: ./known_hosts, \
bastion: ops@203.0.113.7}
hosts:
  - {name: m1, address: 10.10.0.11, roles: [master]}
  - {name: w1, address: 10.10.0.14, roles: [worker], port: 2222, user: anna, machine: vm}
  - {name: lb1, address: "2001:db8::1", roles: load-balancer, identity_files: keys/lb}
settings: {domain: pm4ml.example.org}
supplies: {bundle: ./site.bundle}
waivers: [{check: disk.nvme, host: w1, by: A. Name, reason: on order, until: 2027-01-31}]
"""


def loaded(folder: Path, text: str) -> Site:
    """A site file with some text, loaded."""
    file = folder / "site.yaml"
    file.write_text(text)
    return load_site(file)


def mistake(folder: Path, text: str) -> InputProblem:
    """The one problem with a site file."""
    with pytest.raises(InputProblem) as caught:
        loaded(folder, text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.where == str(folder / "site.yaml")
    return caught.value


def test_the_example_of_the_design(tmp_path: Path) -> None:
    site = loaded(tmp_path, EXAMPLE)
    assert (site.solution, site.environment, site.sizing) == ("pm4ml", "production", None)
    assert site.settings == {"domain": "pm4ml.example.org"}
    assert site.waivers[0].until == date(2027, 1, 31)
    inventory = site.inventory(tmp_path)
    home, jump = Path.home(), "ops@203.0.113.7"
    key = (home / ".ssh" / "id_ed25519",)
    assert inventory.hosts == (
        Host("m1", "10.10.0.11", 22, "ubuntu", ("master",), key, jump),
        Host("w1", "10.10.0.14", 2222, "anna", ("worker",), key, jump, "vm"),
        Host("lb1", "2001:db8::1", 22, "ubuntu", ("load-balancer",), (tmp_path / "keys/lb",), jump),
    )
    assert inventory.known_hosts == (tmp_path / "known_hosts",)
    assert inventory.use_ssh_config
    assert inventory.ssh_config is None
    assert site.bundle_path(tmp_path) == tmp_path / "site.bundle"


def test_the_ssh_config_can_be_named_or_left_alone(tmp_path: Path) -> None:
    assert loaded(tmp_path, "ssh: {config: ./cfg}\n").inventory(tmp_path).ssh_config == (
        tmp_path / "cfg"
    )
    assert not loaded(tmp_path, "ssh: {config: false}\n").inventory(tmp_path).use_ssh_config
    assert loaded(tmp_path, "ssh: {config: true}\n").inventory(tmp_path).use_ssh_config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("solutoin: pm4ml\n", ["line 1", '"solutoin"', 'did you mean "solution"']),
        ("solution: pm4ml\nssh: {usr: x}\n", ["line 2", '"ssh.usr"', '"user"']),
        ("hosts:\n  - {name: a}\n", ["line 2", "address", "missing"]),
        ("hosts:\n  - {name: a, address: b, port: x}\n", ["line 2", "hosts[1].port"]),
        ("hosts:\n  - {name: a, address: b, port: 70000}\n", ["line 2", "port"]),
        ("hosts:\n  - {name: a, address: b}\n  - {name: a, address: c}\n", ['called "a"']),
        (
            "hosts:\n  - {name: a, address: n}\n  - {name: b, address: n}\n",
            ['"a" and "b"', "same address n"],
        ),
        ("hosts:\n  - {name: a, address: -oProxyCommand=x}\n", ["line 2", "not an address"]),
        ("hosts:\n  - {name: a, address: b, machine: toaster}\n", ["line 2", "machine"]),
        ("ssh: {bastion: 'a@b:x'}\n", ["line 1", "not a port"]),
        ("hosts:\n  - {name: a, address: b, proxy_command: nc, bastion: c}\n", ["not both"]),
        ("hosts:\n  - {name: a, address: b, proxy_command: none}\n", ["a command is meant"]),
        ("hosts:\n  - {name: a, address: b, ssh_options: ProxyCommand=x}\n", ["ssh_options"]),
        ("hosts:\n  - {name: a, address: b, ssh_options: [KnownHostsCommand=x]}\n", ["go by"]),
        ("hosts:\n  - {name: a, address: b, ssh_options: [PKCS11Provider=x]}\n", ["go by"]),
        (
            "hosts:\n  - {name: a, address: b, ssh_options: [StrictHostKeyChecking=no]}\n",
            ["no option of ssh that decides"],
        ),
        ("ssh: {password: hunter22}\n", ["line 1", '"ssh.password"']),
        ("waivers: [{check: a, by: B C, until: 2027-01-01}]\n", ["reason", "missing"]),
        ("waivers: [{check: a, by: B C, reason: why, until: never}]\n", ["until"]),
        ("settings: {a: [1]}\n", ["settings"]),
        ("solution: a\nsolution: b\n", ["twice"]),
        ("solution: [\n", ["line "]),
        ("- a\n", ["a list"]),
        ("", ["empty"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_was_meant(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    problem = mistake(tmp_path, text)
    for word in words:
        assert word in problem.cause
    assert problem.remedy


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    cause = mistake(tmp_path, "solutoin: a\nhosts:\n  - {nam: a, address: b}\n").cause
    assert "solutoin" in cause
    assert "hosts[1].nam" in cause


def test_a_role_that_does_not_exist_comes_with_the_nearest(tmp_path: Path) -> None:
    site = loaded(tmp_path, EXAMPLE)
    check_against(site, ["master", "worker", "load-balancer"], ["production", "staging"])
    with pytest.raises(InputProblem) as caught:
        check_against(site, ["master", "workers", "load_balancer"], ["produktion"])
    assert '"w1" has the role "worker"; did you mean "workers"?' in caught.value.cause
    assert '"load-balancer"; did you mean "load_balancer"?' in caught.value.cause
    assert 'no environment "production"; did you mean "produktion"?' in caught.value.cause
    with pytest.raises(InputProblem) as caught:
        check_against(site, ["database"])
    assert 'the role "master", which this solution does not have' in caught.value.cause
    assert "database" in caught.value.remedy


def test_a_written_site_begins_with_comments_and_has_one_line_a_machine(tmp_path: Path) -> None:
    text = dump_site(loaded(tmp_path, EXAMPLE))
    assert text.startswith("# A site of Sitewright")
    assert "  - {name: m1, address: 10.10.0.11, roles: [master]}\n" in text
    assert dump_site(loaded(tmp_path, text)) == text
    keys = [line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()]
    assert keys == ["solution", "environment", "ssh", "hosts", "settings", "supplies", "waivers"]


WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp")),
    min_size=1,
    max_size=20,
).filter(lambda text: text == text.strip())
TRICKY = st.sampled_from(
    ["yes", "no", "null", "~", "1", "1.0", "0x1F", "1e3", "2027-01-01", "#x", "a: b", "a #b", "- a",
     "{a}", "'", '"', "%", "@a", "`", "&a", "*a", "!a", "012", "1:30", "=", "<<", "y", "0o17", "+1",
     "é", "日本"]
)  # fmt: skip
NUMBERS = st.integers(-(10**17), 10**17)
"""What longer is, is read as the text that it is."""
TEXTS = WORDS | TRICKY
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10) | TRICKY.filter(
    lambda text: name_fault(text) is None
)
USERS = st.from_regex(r"\A[a-z0-9_][a-z0-9_.@$+-]{0,12}\Z") | TRICKY.filter(
    lambda text: user_fault(text) is None
)
PORTS = st.none() | st.integers(1, 65535)


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Any site that a person could have written."""
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    hosts = [
        {
            "name": name,
            "address": f"10.0.0.{number}",
            "port": draw(PORTS),
            "user": draw(st.none() | USERS),
            "roles": draw(st.lists(TEXTS, max_size=3)),
            "identity_files": draw(st.lists(TEXTS, max_size=2)),
            "machine": draw(st.sampled_from([None, "vm", "physical"])),
            "bastion": draw(st.sampled_from([None, "b", "ops@b:22", "a,ops@[::1]:22"])),
        }
        for number, name in enumerate(names)
    ]
    ssh = {
        "user": draw(st.none() | USERS),
        "known_hosts": draw(st.lists(TEXTS, max_size=2)),
        "config": draw(st.none() | st.booleans() | TEXTS),
        "port": draw(PORTS),
    }
    plain = st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False) | TEXTS
    return Site.model_validate(
        {
            "solution": draw(st.none() | TEXTS),
            "environment": draw(st.none() | TEXTS),
            "sizing": draw(st.none() | TEXTS),
            "ssh": ssh,
            "hosts": hosts,
            "settings": draw(st.dictionaries(TEXTS, plain, max_size=4)),
            "supplies": {"bundle": draw(st.none() | TEXTS)},
            "waivers": [
                {"check": draw(TEXTS), "by": "A. B", "reason": draw(TEXTS) + " so",
                 "until": draw(st.dates()).isoformat()}
                for _ in range(draw(st.integers(0, 2)))
            ],
        }
    )  # fmt: skip


def test_numbers_of_a_site_are_as_they_were_typed(tmp_path: Path) -> None:
    site = loaded(
        tmp_path,
        "solution: pm4ml\nssh: {user: 1000, port: 0122}\nhosts:\n"
        "  - {name: 007, address: 10.10.0.11}\n  - {name: 1e3, address: 10.10.0.12}\n"
        "  - {name: 12:30, address: 10.10.0.13}\n  - {name: no, address: 10.10.0.14}\n"
        "settings: {pm4ml_id: 0255, version: 1.10, phone: +4420, ratio: 1.5, count: 7}\n",
    )
    assert (site.ssh.user, site.ssh.port) == ("1000", 122)
    assert [host.name for host in site.hosts] == ["007", "1e3", "12:30", "no"]
    assert site.settings == {
        "pm4ml_id": "0255", "version": "1.10", "phone": "+4420", "ratio": 1.5, "count": 7,
    }  # fmt: skip
    assert loaded(tmp_path, dump_site(site)) == site


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("{name: w 5, address: 10.0.0.1}", "line 2: .*a name has no space"),
        ('{name: "w\\u202e5", address: 10.0.0.1}', r"it holds U\+202E"),
        ('{name: "w\\x9b5", address: 10.0.0.1}', r"it holds U\+009B"),
        ('{name: "w\\u200b5", address: 10.0.0.1}', r"it holds U\+200B"),
        ('{name: w5, address: 10.0.0.1, roles: ["ma\\u2066ster"]}', r"it holds U\+2066"),
        ('{name: w5, address: 10.0.0.1, user: "a\\x85b"}', r"it holds U\+0085"),
        ("{name: w6, address: 10.10}", '"10.10" has 2 numbers, and an IPv4 address has 4'),
        ("{name: w6, address: 10.77.0.999}", "999 is no number of an IPv4 address"),
    ],
)
def test_names_and_addresses_that_deceive_are_refused(
    tmp_path: Path, host: str, words: str
) -> None:
    with pytest.raises(InputProblem) as caught:
        loaded(tmp_path, f"hosts:\n  - {host}\n")
    assert re.search(words, caught.value.cause), caught.value.cause


@given(sites())
def test_a_site_that_is_written_is_read_back_the_same(site: Site) -> None:
    text = dump_site(site)
    again = (
        Site()
        if parse_yaml(text, where="x") is None
        else validate(Site, parse_yaml(text, where="x"), where="x", text=text)
    )
    assert again == site
    assert dump_site(again) == text


@given(st.text("abcdefghost: -[]{},\n'\"1#", max_size=120))
def test_any_text_is_a_site_or_one_problem(text: str) -> None:
    with contextlib.suppress(InputProblem):
        validate(Site, parse_yaml(text, where="x"), where="x", text=text)
