"""Inventories: machines as people name them, and the mistakes they make."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts.ansible import ansible_lines
from foundation.hosts.ansible.inventory import (
    HOST_LIMIT,
    ListProblem,
    host_from_text,
    hosts_from_arguments,
    hosts_from_text,
    split_endpoint,
)
from foundation.hosts.ansible.inventory import read_inventory as read_with
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from tests.foundation.ansible_asker import Asker

INI = """\
# a comment
bare.example
[masters]
node[01:03] ansible_user=anna      # and who they are
[workers]
w1 ansible_host=10.0.0.4 ansible_port=2222 role=storage
10.0.0.5:2200
db-[a:c]
[cluster:children]
masters
workers
[cluster:vars]
ansible_user = ubuntu
ansible_ssh_private_key_file=~/.ssh/site
ansible_ssh_common_args='-o ProxyJump=ops@203.0.113.7:2022 -o ServerAliveInterval=5'
[control]
here ansible_connection=local
"""

YAML = """\
all:
  vars:
    ansible_user: ubuntu
  hosts:
    n0: {ansible_host: 10.0.0.9}
  children:
    masters:
      hosts:
        m[1:2]:
          ansible_port: 2222
    workers:
      vars: {ansible_user: anna}
      hosts:
        w1: {ansible_host: "2001:db8::1", roles: [storage, backup]}
        w2:
"""


@pytest.fixture(scope="module", autouse=True)
def _one_reader(asker: Asker) -> Iterator[None]:
    _asking.append(asker)
    yield
    _asking.clear()


_asking: list[Asker] = []


def read_inventory(path: Path) -> tuple[Host, ...]:
    """The machines of a file, with Ansible's reader imported once for all tests."""
    return read_with(path, ask=_asking[0].ask)


def saved(folder: Path, text: str, name: str = "hosts") -> Path:
    """A file with some text."""
    file = folder / name
    file.write_text(text)
    return file


def mistake(folder: Path, text: str, name: str = "hosts") -> InputProblem:
    """The problem with a file; it names the file and says what to do."""
    with pytest.raises(InputProblem) as caught:
        read_inventory(saved(folder, text, name))
    assert caught.value.where
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("10.0.0.1", Host("10.0.0.1", "10.0.0.1")),
        ("anna@n1", Host("n1", "n1", user="anna")),
        ("anna@n1:2222", Host("n1", "n1", 2222, "anna")),
        ("m1=anna@10.0.0.1:2222", Host("m1", "10.0.0.1", 2222, "anna")),
        ("2001:db8::1", Host("2001:db8::1", "2001:db8::1")),
        ("::1", Host("::1", "::1")),
        ("[2001:db8::1]:2222", Host("2001:db8::1", "2001:db8::1", 2222)),
        ("anna@[2001:db8::1]", Host("2001:db8::1", "2001:db8::1", user="anna")),
        ("v6=[fe80::1%eth0]:22", Host("v6", "fe80::1%eth0")),
        ("local", Host("local", "local")),
        ("me=localhost", Host("me", "local")),
        ("anna@localhost", Host("localhost", "localhost", user="anna")),
        ("corp\\x", None),
        ("anna@corp@n1", Host("n1", "n1", user="anna@corp")),
        ("n1:", None),
        ("n1:0", None),
        ("n1:65536", None),
        ("n1:-1", None),
        ("n1:٣", None),
        ("@n1", None),
        ("anna@", None),
        ("[n1]:22", None),
        ("[::1", None),
        ("[::1]22", None),
        ("=n1", None),
        ("-oProxyCommand=reboot", None),
        ("x=-oProxyCommand", None),
        ("-l@n1", None),
        ("n1;reboot", None),
        ("n 1", None),
    ],
)
def test_a_machine_in_words(text: str, host: Host | None) -> None:
    if host is None:
        with pytest.raises(InputProblem):
            host_from_text(text)
    else:
        assert host_from_text(text) == host


@given(
    st.none() | st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True),
    st.ip_addresses().map(str) | st.from_regex(r"[a-z][a-z0-9.-]{0,12}[a-z]", fullmatch=True),
    st.none() | st.integers(1, 65535),
)
def test_what_is_written_is_what_is_read(user: str | None, address: str, port: int | None) -> None:
    place = f"[{address}]" if ":" in address else address
    text = (f"{user}@" if user else "") + place + (f":{port}" if port else "")
    assert split_endpoint(text) == (user, address, port)


@given(st.text(max_size=60))
def test_any_words_give_machines_or_one_problem(text: str) -> None:
    for read in (hosts_from_text, lambda t: hosts_from_arguments([t])):
        with contextlib.suppress(InputProblem):
            hosts = read(text)
            assert len({host.name for host in hosts}) == len(hosts) > 0
            assert not any(host.address.startswith("-") for host in hosts)


def test_arguments_may_be_parted_by_commas() -> None:
    names = [host.name for host in hosts_from_arguments(["a,b", "c=1.2.3.4"])]
    assert names == ["a", "b", "c"]


def test_a_plain_list_takes_lines_commas_spaces_and_comments(tmp_path: Path) -> None:
    text = "# all of them\n10.0.0.1, anna@10.0.0.2;10.0.0.3\n\n m4=10.0.0.4:2222 # the last\n"
    hosts = read_inventory(saved(tmp_path, text))
    assert [host.name for host in hosts] == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "m4"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no machine"),
        ("# nothing\n", "names no machine"),
        ("a\nb\na\n", 'line 3: two machines are called "a" (the first in line 1)'),
        ("a=10.0.0.1\nb=10.0.0.1\n", "line 2: "),
        ("a=n1\nb=N1\n", "the same address"),
        ("a\nb:99999\n", "line 2: "),
        ("\n".join(f"n{n}" for n in range(HOST_LIMIT + 1)), f"{HOST_LIMIT} are the most"),
    ],
)
def test_mistakes_in_a_list_name_the_line(tmp_path: Path, text: str, words: str) -> None:
    assert words in mistake(tmp_path, text).cause


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("w 1=root@10.0.0.12", 'a name has no space, in "w 1"'),
        ("w1 = root@10.0.0.12", 'no space round the sign "="'),
        ("a=10.0.0.1 10.0.0.2 b=10.0.0.3", "a name has no space"),
        ("10.77.0.999", "999 is no number of an IPv4 address"),
        ("w=10.0.0.256", "256 is no number of an IPv4 address"),
        ("10.0.0.010", "010 begins with 0"),
        ("10.0.0", "has 3 numbers, and an IPv4 address has 4"),
        ("1.2.3.4.5", "has 5 numbers"),
        ("a:b:c", "is no IPv6 address"),
        ("w=[2001:db8::zz]", "is no IPv6 address"),
        ("w\u202e1=10.0.0.1", "it holds U+202E"),
        ("w\x9b=10.0.0.1", "it holds U+009B"),
        ("w\u200b=10.0.0.1", "it holds U+200B"),
    ],
)
def test_names_and_addresses_that_are_none_are_refused(text: str, words: str) -> None:
    with pytest.raises(InputProblem) as caught:
        hosts_from_text(f"ok=10.1.1.1\n{text}\n")
    assert caught.value.cause.startswith("line 2: ")
    assert words in caught.value.cause
    assert all(c.isprintable() for c in caught.value.cause)


def test_every_mistake_of_a_list_is_told_at_once_with_its_line() -> None:
    with pytest.raises(ListProblem) as caught:
        hosts_from_text("a=10.0.0.1\nw 1=x\nb=10.0.0.1\n10.0.0.999\na=10.0.0.9, c:99999\n")
    problem = caught.value
    assert [mistake.line for mistake in problem.mistakes] == [2, 3, 4, 5, 5]
    assert [part.split(":")[0] for part in problem.cause.split("; ") if part[:4] == "line"] == [
        "line 2", "line 3", "line 4", "line 5", "line 5",
    ]  # fmt: skip
    assert problem.remedy


def test_one_address_with_two_ports_is_two_machines() -> None:
    assert len(hosts_from_text("a=10.0.0.1:2201 b=10.0.0.1:2202")) == 2


def test_an_ini_inventory(tmp_path: Path) -> None:
    hosts = {host.name: host for host in read_inventory(saved(tmp_path, INI))}
    assert list(hosts) == [
        "bare.example", "node01", "node02", "node03", "w1", "10.0.0.5", "db-a", "db-b", "db-c",
        "here",
    ]  # fmt: skip
    assert hosts["bare.example"] == Host("bare.example", "bare.example")
    jump, key = "ops@203.0.113.7:2022", (Path.home() / ".ssh" / "site",)
    assert hosts["node02"] == Host(
        "node02", "node02", 22, "anna", ("masters", "cluster"), key, jump
    )
    assert hosts["w1"] == Host(
        "w1", "10.0.0.4", 2222, "ubuntu", ("workers", "cluster", "storage"), key, jump
    )
    assert hosts["10.0.0.5"].port == 2200
    assert hosts["here"] == Host("here", "local", roles=("control",))


@pytest.mark.parametrize("name", ["hosts.yml", "hosts.yaml", "hosts"])
def test_a_yaml_inventory(tmp_path: Path, name: str) -> None:
    hosts = {host.name: host for host in read_inventory(saved(tmp_path, YAML, name))}
    assert hosts["n0"] == Host("n0", "10.0.0.9", user="ubuntu")
    assert hosts["m2"] == Host("m2", "m2", 2222, "ubuntu", ("masters",))
    assert hosts["w1"] == Host(
        "w1", "2001:db8::1", user="anna", roles=("workers", "storage", "backup")
    )
    assert hosts["w2"].user == "anna"
    assert len(hosts) == 5


@pytest.mark.parametrize(
    "key",
    ["ansible_password", "ansible_ssh_pass", "ansible_become_password", "ANSIBLE_BECOME_PASS"],
)
def test_a_secret_in_a_file_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    for text, name, line in (
        (f"[a]\nn1 {key}=hunter22\n", "hosts", 2),
        (f"[a]\nn1\n[a:vars]\n{key}=hunter22\n", "hosts", 4),
        (f"all:\n  vars:\n    {key}: hunter22\n", "hosts.yml", 3),
        (f"all:\n  hosts:\n    n1:\n      {key}: hunter22\n", "hosts.yml", 4),
    ):
        problem = mistake(tmp_path, text, name)
        assert "secret" in problem.cause
        assert f"line {line}: " in problem.cause
        assert "hunter22" not in f"{problem} {problem.remedy}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a]\nn[3:1]\n", "line 2: the range"),
        ("[a]\nn[1:999999]\n", "line 2: the range"),
        ("[a]\nn[1:99][1:99]\n", "line 2: "),
        ("[a]\nn1 ansible_port=ssh\n", 'line 2: "ssh" is not a port'),
        ("[a]\nn1 ansible_host=$(reboot)\n", "line 2: "),
        ("[a]\nn1 ansible_host={{ ip }}\n", "line 2: "),
        ("[a]\nn1 x\n", "line 2: "),
        ("[a]\nn1 'x\n", "line 2: a quotation mark"),
        ("[a]\nanna@n1\n", "line 2: "),
        ("[a:children]\nnothing\n", "undefined group"),
        ("[a\n", "line 1: "),
        ("[a]\n", "names no machine"),
        ("[a]\nn1\nn2 ansible_host=n1\n", "line 3: "),
    ],
)
def test_mistakes_in_an_ini_inventory_are_told(tmp_path: Path, text: str, words: str) -> None:
    assert words in mistake(tmp_path, text).cause


@pytest.mark.parametrize(
    "text",
    ["[a, b]\n", "- a\n- b\n", "all: 3\n", "all:\n  hosts: [a]\n", "all:\n  machines: {}\n",
     "all:\n  hosts:\n    n1: 3\n", "all:\n  children:\n    a: x\n", "a: &x\n  children: *x\n",
     "all:\n  hosts:\n    n1: {}\n    n1: {}\n", "x: [\n", "\t- x"],
)  # fmt: skip
def test_mistakes_in_a_yaml_inventory_are_told(tmp_path: Path, text: str) -> None:
    assert mistake(tmp_path, text, "hosts.yml").cause


def test_groups_in_a_circle_are_told_in_the_words_of_ansible(tmp_path: Path) -> None:
    text = "[a]\nn1\n[a:children]\nb\n[b:children]\na\n"
    assert "recursive dependency loop" in mistake(tmp_path, text).cause


def test_a_machine_on_two_lines_is_one_machine_with_two_roles(tmp_path: Path) -> None:
    [host] = read_inventory(saved(tmp_path, "[a]\nn1 ansible_user=x\n[b]\nn1\n"))
    assert (host.roles, host.user) == (("a", "b"), "x")


def test_five_thousand_machines_are_read(tmp_path: Path) -> None:
    text = "[all_of_them]\nn[0001:5000]\n[cluster:children]\nall_of_them\n"
    assert len(read_inventory(saved(tmp_path, text))) == HOST_LIMIT


@pytest.mark.parametrize(
    ("arguments", "bastion"),
    [
        ("-J ops@b:22", "ops@b:22"),
        ("-Jb", "b"),
        ("-o ProxyJump=b", "b"),
        ("-oproxyjump=b", "b"),
        ('-o "ProxyJump b"', "b"),
        ("-o ProxyJump=none", None),
        ("-o StrictHostKeyChecking=no", None),
        ("", None),
    ],
)
def test_the_jump_machine_of_ansible(tmp_path: Path, arguments: str, bastion: str | None) -> None:
    text = f"[a]\nn1\n[a:vars]\nansible_ssh_common_args={arguments!r}\n"
    [host] = read_inventory(saved(tmp_path, text))
    assert host.bastion == bastion


@given(st.integers(0, 999), st.integers(0, 40), st.integers(1, 4))
def test_a_range_has_every_number_with_its_zeros(first: int, more: int, width: int) -> None:
    low = f"{first:0{width}d}"
    names = ansible_lines.expand(f"n[{low}:{first + more}].example")
    assert len(names) == more + 1
    numbers = [re.fullmatch(r"n(\d+)\.example", name) for name in names]
    assert [int(found.group(1)) for found in numbers if found] == [*range(first, first + more + 1)]
    assert all(found and len(found.group(1)) >= width for found in numbers)


SHAPES = st.text("[]abn01:=#;\"' \n\tvarschildren{}-.,@", max_size=120)


@given(SHAPES | st.text(max_size=80))
def test_any_file_gives_machines_or_one_problem(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("inventory")
    for name in ("hosts", "hosts.yml"):
        file = folder / name
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        with contextlib.suppress(InputProblem):
            assert read_inventory(file)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\0\0\0"])
def test_a_file_that_is_not_text_is_one_problem(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "hosts").write_bytes(data)
    with pytest.raises(InputProblem):
        read_inventory(tmp_path / "hosts")
    with pytest.raises(InputProblem):
        read_inventory(tmp_path / "none")
    with pytest.raises(InputProblem):
        read_inventory(tmp_path)
