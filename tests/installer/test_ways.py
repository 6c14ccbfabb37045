"""How a site's machines are reached stands in the plan, with what its ssh config would start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foundation.secrets import MASK
from installer.catalogue.solution import load_solution
from installer.cli import main
from installer.commands.plan import plan_text
from installer.planning.make import make_plan
from installer.plans.plan_files import plan_from_json
from installer.sites.site import Site
from installer.sites.ways import ways_of
from tests.installer.planning.test_planning import site as planned_site

HOSTS = [{"name": "m1", "address": "10.0.0.1", "user": "root"}, {"name": "m2", "address": "a"}]


def of(ssh: dict[str, object], base: Path = Path("/s")) -> tuple[str, ...]:
    return ways_of(Site.model_validate({"hosts": HOSTS, "ssh": ssh}), base)


def test_logins_bastions_keys_and_known_hosts_are_told_by_machine() -> None:
    assert of({"bastion": "ops@b:2201", "known_hosts": ["known"], "port": 2222}) == (
        "Reached as root by port 2222 through ops@b:2201: m1",
        "Reached by port 2222 through ops@b:2201: m2",
        "Host keys are trusted as the site says, from /s/known",
    )
    assert of({}) == ("Reached as root: m1",)
    assert of({"config": False})[-1].startswith("No ssh config is honoured")
    assert (
        ways_of(Site.model_validate({"hosts": [{"name": "x", "address": "local"}]}), Path()) == ()
    )


def test_a_program_and_options_of_a_machine_are_told_with_the_password_masked() -> None:
    def told(password: str) -> str:
        program = {"proxy_command": f"connect -H u:{password}@p:1 %h %p", "ssh_options": ["MACs=x"]}
        site = {"hosts": [{"name": "m1", "address": "a", **program}], "ssh": {"bastion": "b"}}
        return ways_of(Site.model_validate(site), Path("/s"))[0]

    line = told("PW")
    assert line.startswith(
        f"Reached through a program STARTED ON THIS MACHINE: connect -H u:{MASK}@p:1 %h %p (digest "
    )
    assert line.endswith(") with MACs=x: m1")
    assert line != told("OTHER")


def test_each_line_of_the_sites_ssh_config_is_told_and_programs_first(tmp_path: Path) -> None:
    (tmp_path / "cfg").write_text(
        "Host *\n  ControlPersist 5\n  HostKeyAlias al\n  ProxyCommand nc %h 22 \x1b[2J\n"
    )
    *_, head, starts, first, second, _ = of({"config": "cfg"}, tmp_path)
    assert "honoured in place of yours" in head
    assert starts == "  STARTS ON THIS MACHINE: ProxyCommand nc %h 22 ?[2J"
    assert (first, second) == ("  host *", "  hostkeyalias al")
    assert "cannot be used" in of({"config": "none-such"}, tmp_path)[-1]


@pytest.mark.parametrize(
    "command",
    [
        "connect -H user:PW@proxy:3128 %h %p",
        "connect -S socks5://user:PW@proxy:1080 %h %p",
        "connect -H user:x@PW@proxy:3128 %h %p",
        "connect -H 'user:x PW@proxy:3128' %h %p",
        'connect -H user:"x PW"@proxy:3128 %h %p',
        "connect -H user:x\\ PW@proxy:3128 %h %p",
        "sh -c 'connect -H user:PW@proxy:3128 %h %p'",
        "env CONNECT_PASSWORD=PW connect -H user@proxy:3128 %h %p",
        "env HTTP_PROXY_PASSWORD='x PW' connect -H proxy:3128 %h %p",
        "ncat --proxy proxy:3128 --proxy-auth user:PW %h %p",
        "ncat --proxy proxy:3128 --proxy-auth=user:PW %h %p",
        "socat - PROXY:proxy:%h:%p,proxyport=3128,proxyauth=user:PW",
        "proxytunnel -p proxy:3128 -P user:PW -d %h:%p",
        "proxytunnel -p proxy:3128 -H 'Proxy-Authorization: Basic PW' -d %h:%p",
        "curl -U user:PW -x proxy:3128 telnet://%h:%p",
        "sshpass -p PW ssh -W %h:%p ops@bastion",
        "sshpass -pPW ssh -W %h:%p ops@bastion",
        "plink -pw PW -nc %h:%p ops@bastion",
        "tool --api-key PW --token 'PW x' %h",
        'tool --password="x"PW --token x\\ PW %h',
        "sh -c 'tool --password \"x PW\" %h'",
    ],
)
def test_a_password_in_a_program_is_masked_in_the_plan(command: str, tmp_path: Path) -> None:
    (tmp_path / "cfg").write_text(f"Host *\n  ProxyCommand {command}\n  SetEnv TOKEN=PW\n")
    told = "\n".join(of({"config": "cfg"}, tmp_path))
    assert f"STARTS ON THIS MACHINE: ProxyCommand {command.split(maxsplit=1)[0]} " in told
    assert MASK in told
    assert "PW" not in told


@pytest.mark.parametrize(
    "command",
    [
        "ssh -W %h:%p ops@bastion",
        "ssh -i ~/.ssh/key -p 2222 -W [%h]:%p ops@[2001:db8::1]",
        "sh -c 'ssh -W %h:%p ops@bastion'",
        "ssh -o PasswordAuthentication=no -o PreferredAuthentications=publickey b nc %h %p",
        "ssh -R 8080:localhost:80 -P 22 b",
        "env SSH_AUTH_SOCK=/run/agent ssh b nc %h %p",
        "cloudflared access ssh --hostname %h",
        "nc -X connect -x proxy:3128 -P anna %h %p",
        "aws ssm start-session --target %h --document-name AWS-StartSSHSession",
    ],
)
def test_what_is_no_password_stands_as_it_is(command: str, tmp_path: Path) -> None:
    jump = "h1:22,ops@h2:2201"
    (tmp_path / "cfg").write_text(f"Host *\n  ProxyCommand {command}\n  ProxyJump {jump}\n")
    told = of({"config": "cfg"}, tmp_path)
    assert f"  STARTS ON THIS MACHINE: ProxyCommand {command}" in told
    assert f"  proxyjump {jump}" in told


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"ProxyCommand nc {'a' * 400} x", f"ProxyCommand nc {'a' * 400} y"),
        ("ProxyCommand nc --password=a %h 22", "ProxyCommand nc --password=$(b) %h 22"),
        ("\n".join(f"IdentityFile k{n}" for n in range(50)),
         "\n".join(f"IdentityFile k{n}" for n in range(49)) + "\nIdentityFile other"),
    ],
    ids=["cut", "masked", "counted"],
)  # fmt: skip
def test_what_is_not_shown_is_told_by_a_digest(tmp_path: Path, before: str, after: str) -> None:
    told = []
    for text in (before, after, f"ControlPersist 5\n{before}"):
        (tmp_path / "cfg").write_text(f"Host *\n{text}\n")
        told.append(of({"config": "cfg"}, tmp_path))
    assert told[0][:-1] == told[1][:-1]
    assert "digest" in told[0][-1]
    assert told[0] != told[1]
    assert told[0] == told[2], "a line of no consequence changes no plan"


def test_they_stand_in_the_plan_under_its_hash(tmp_path: Path) -> None:
    solution, site = load_solution("pm4ml"), planned_site()
    before = make_plan(solution, site, (), base=tmp_path)
    (tmp_path / "cfg").write_text("Host *\n  Port 2201\n")
    named = site.model_copy(update={"ssh": site.ssh.model_copy(update={"config": "cfg"})})
    plan = make_plan(solution, named, (), base=tmp_path)
    assert "port 2201" in plan_text(plan, 80)
    (tmp_path / "cfg").write_text("Host *\n  Port 2202\n")
    other = make_plan(solution, named, (), base=tmp_path)
    assert len({before.sha256, plan.sha256, other.sha256}) == 3
    (tmp_path / "plan.json").write_text(json.dumps(plan.as_json()))
    again = plan_from_json(tmp_path / "plan.json")
    assert (again.ways, again.sha256) == (plan.ways, plan.sha256)


@pytest.mark.parametrize(
    "command",
    ["preflight", "plan", "install", "resume", "verify", "undo x", "start", "stop", "remove",
     "services", "trust", "doctor", "facts", "bundle deliver x"],
)  # fmt: skip
def test_every_command_that_reaches_machines_takes_the_word(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    assert "--allow-programs" in capsys.readouterr().out


def test_what_plan_allowed_is_kept(tmp_path: Path) -> None:
    from foundation.hosts.openssh.allowed import is_remembered, programs_of
    from installer.sites.site import dump_site

    (tmp_path / "cfg").write_text("Host *\n  ProxyCommand nc %h 22\n")
    whole = planned_site()
    site = whole.model_copy(update={"ssh": whole.ssh.model_copy(update={"config": "cfg"})})
    file = tmp_path / "site.yaml"
    file.write_text(dump_site(site))
    programs = programs_of(site.inventory(tmp_path))
    assert main(["plan", "--site", str(file), "--output", str(tmp_path / "out")]) == 0
    assert not is_remembered(programs)
    words = ["--allow-programs", "--output", str(tmp_path / "out")]
    assert main(["plan", "--site", str(file), *words]) == 0
    assert is_remembered(programs)
