"""`sitewright init`: the file of every solution and environment, and what is left of it."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path

import pytest

from foundation.documents import parse_yaml
from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from foundation.hosts.openssh.ssh_config import config_file
from foundation.problems import InputProblem
from installer import cli
from installer.catalogue.settings import answers, load_settings
from installer.catalogue.solution import Solution, load_solution, solution_ids
from installer.planning.make import make_plan
from installer.planning.new_site import left_to_fill, new_site_text
from installer.sites.site import FILL_IN, load_site, load_site_text, unfilled

EVERY = [
    (name, table.environment, table.id)
    for name in solution_ids()
    for environment in load_solution(name).environments
    for table in load_solution(name).sizings_for(environment.id)
]
LEFT = re.compile(rf"^(?!\s*#).*{FILL_IN}", re.MULTILINE)


def text_of(name: str, environment: str, sizing: str) -> tuple[Solution, str]:
    """A solution, and the file that `init` writes for it."""
    solution = load_solution(name)
    return solution, new_site_text(solution, solution.needs(environment, sizing))


def filled(solution: Solution, text: str) -> str:
    """The file as a person fills it in: addresses of their own, each setting's example."""
    numbers = count(1)
    text = re.sub(rf"address: {FILL_IN}", lambda _: f"address: 10.0.0.{next(numbers)}", text)
    for setting in load_settings(solution).settings:
        text = text.replace(f"  {setting.name}: {FILL_IN}", f"  {setting.name}: {setting.example}")
    return text


@pytest.mark.parametrize(("name", "environment", "sizing"), EVERY)
def test_the_file_parses_and_what_is_left_is_named(
    name: str, environment: str, sizing: str
) -> None:
    solution, text = text_of(name, environment, sizing)
    site = load_site_text(text, "site.yaml")
    assert (site.solution, site.environment) == (name, environment)
    left = unfilled(site)
    assert len(left) == len(LEFT.findall(text))
    assert all(len(line) <= 100 for line in text.splitlines()), text
    names = {place.removeprefix("settings.") for place in left if place.startswith("settings.")}
    told = ""
    try:
        answers(load_settings(solution), site.settings)
    except InputProblem as problem:
        told = problem.cause
    assert set(re.findall(r'"(\w+)" \([^;]*?still to be filled in', told)) == names
    assert "missing" not in told


@pytest.mark.parametrize(("name", "environment", "sizing"), EVERY)
def test_filled_in_it_is_planned(name: str, environment: str, sizing: str, tmp_path: Path) -> None:
    """Nothing that a plan asks for is left out of the file."""
    solution, text = text_of(name, environment, sizing)
    (tmp_path / "site.yaml").write_text(filled(solution, text))
    site = load_site(tmp_path / "site.yaml")
    assert unfilled(site) == ()
    if not solution.why_not_in(environment):
        make_plan(solution, site, ())


@pytest.mark.parametrize(
    "name", [name for name in solution_ids() if load_settings(load_solution(name)).settings]
)
def test_every_line_may_be_uncommented(name: str) -> None:
    """What stands there as a default is what holds without it."""
    solution = load_solution(name)
    text = filled(solution, new_site_text(solution, solution.needs()))
    short = answers(load_settings(solution), load_site_text(text, "site.yaml").settings)
    text = text.replace("# settings:", "settings:")
    whole = re.sub(r"^  # (\w+: (?!FILL-IN).*)$", r"  \1", text, flags=re.MULTILINE)
    value = parse_yaml(whole, where="site.yaml")["settings"]
    asked = [each for each in load_settings(solution).settings if each.type != "secret"]
    optional = {each.name for each in asked if each.default is not None}
    assert optional <= set(value)
    given = load_site_text(whole, "site.yaml").settings
    assert answers(load_settings(solution), given).values == short.values


def test_the_command_writes_a_file_and_never_over_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "--solution", "pm4ml", "m1=ubuntu@10.10.0.11:2222", "10.10.0.14"]) == 0
    told = capsys.readouterr().out
    assert "address" not in told
    assert "settings.domain" in told
    site = load_site_text((tmp_path / "site.yaml").read_text(), "site.yaml")
    assert [(host.name, host.address, host.port, host.user) for host in site.hosts] == [
        ("m1", "10.10.0.11", 2222, "ubuntu"),
        ("10.10.0.14", "10.10.0.14", None, None),
    ]
    assert (tmp_path / "site.yaml").stat().st_mode & 0o777 == 0o600
    (tmp_path / "site.yaml").write_text("mine")
    assert cli.main(["init", "--solution", "pm4ml"]) == 2
    assert "is left as it is" in capsys.readouterr().err
    assert (tmp_path / "site.yaml").read_text() == "mine"


@pytest.mark.processes
def test_machines_come_from_an_inventory(tmp_path: Path) -> None:
    """With the roles that its groups say."""
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[master]\nm1 ansible_host=10.0.0.1 ansible_user=root\n")
    target = tmp_path / "site.yaml"
    words = ["init", "--solution", "pm4ml", "--inventory", str(inventory), "--output", str(target)]
    assert cli.main(words) == 0
    [host] = load_site(target).hosts
    assert (host.name, host.address, host.user, host.roles) == (
        "m1", "10.0.0.1", "root", ("master",),
    )  # fmt: skip


def test_the_words_for_ssh_of_an_inventory_stand_in_the_site_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What leads to a machine is kept whole; its program is one that somebody else's file names."""
    inventory, target = tmp_path / "hosts.json", tmp_path / "site.yaml"
    words = "-o ProxyCommand='nc -x p:1 %h %p' -o HostKeyAlias=al -o Ciphers=aes256-ctr"
    hosts = {"m1": {"ansible_host": "10.0.0.1", "ansible_ssh_common_args": words}}
    hosts["m1"]["ansible_host_key_checking"] = "false"
    inventory.write_text(json.dumps({"_meta": {"hostvars": hosts}, "all": {"hosts": ["m1"]}}))
    command = ["init", "--solution", "pm4ml", "--inventory", str(inventory)]
    assert cli.main([*command, "--output", str(target)]) == 0
    assert "Note: ansible_host_key_checking" in capsys.readouterr().err
    host = load_site(target).inventory(tmp_path).hosts[0]
    assert host.proxy_command == "nc -x p:1 %h %p"
    assert host.ssh_options == ("HostKeyAlias=al", "Ciphers=aes256-ctr")
    with pytest.raises(ProgramsNotAllowed, match=r"nc -x p:1 %h %p.*HostKeyAlias=al"):
        config_file(load_site(target).inventory(tmp_path))


def test_preflight_and_plan_name_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Machines first; what only an installation needs is told and hinders no look."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "--solution", "core-test-harness"]) == 0
    capsys.readouterr()
    for command in ("preflight", "plan", "trust"):
        assert cli.main([command, "--site", "site.yaml"]) == 2
        assert "still to be filled in: address of box" in capsys.readouterr().err


def test_what_hangs_on_a_setting_that_does_not_hold_is_not_left() -> None:
    """Whoever says `ceph: no` and `applications: no` is asked for no disks and no repository."""
    solution, text = text_of("pm4ml", "production", "production")
    for name in ("ceph", "applications", "internal_ingress"):
        text = re.sub(rf"^  # {name}: yes$", f"  {name}: no", text, flags=re.MULTILINE)
    site = load_site_text(text, "site.yaml")
    left = [place for place in left_to_fill(site) if place.startswith("settings.")]
    assert left == ["settings.domain", "settings.pm4ml_id", "settings.private_network"]
    given = {**site.settings, "domain": "a.example.org", "pm4ml_id": "a"}
    answers(load_settings(solution), {**given, "private_network": "10.0.0.0/16"})


def test_what_is_no_setting_at_all_is_left_too() -> None:
    site = load_site_text(f"solution: pm4ml\nsettings: {{domian: {FILL_IN}}}\n", "site.yaml")
    assert left_to_fill(site) == ("settings.domian",)


def test_what_is_no_computer_is_no_machine_of_the_file() -> None:
    """A backup system would be logged in to like every machine of the list."""
    _, text = text_of("pm4ml", "production", "production")
    site = load_site_text(text, "site.yaml")
    assert "backup" not in [role for host in site.hosts for role in host.roles]
    assert "# The backup lies outside the site" in text
