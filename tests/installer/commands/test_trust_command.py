"""`sitewright trust` against real servers: the key that is shown is the key that is compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from installer.cli import main
from tests.foundation.sshd import Sshd, StartSshd, keygen, start_sshd

__all__ = ["start_sshd"]


def three_keys(start: StartSshd, folder: Path) -> Sshd:
    """A server with the three types of host keys of a stock machine."""
    more = [keygen(folder / kind, kind=kind) for kind in ("rsa", "ecdsa")]
    return start(*(f"HostKey {file}" for file in more))


def trust(server: Sshd, folder: Path, prints: str) -> int:
    """The command over one machine called m1 and a file of fingerprints."""
    (folder / "prints").write_text(prints)
    return main([
        "trust", f"m1={server.user}@127.0.0.1:{server.port}", "--known-hosts",
        str(folder / "known"), "--fingerprints", str(folder / "prints"),
    ])  # fmt: skip


def test_what_a_console_prints_of_its_ed25519_key_confirms_the_machine(
    start_sshd: StartSshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = three_keys(start_sshd, tmp_path)
    assert trust(server, tmp_path, f"m1: {server.host_key} root@m1") == 0
    out, _ = capsys.readouterr()
    assert [line.split()[-2] for line in out.splitlines()] == [
        "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa",
    ]  # fmt: skip
    assert (tmp_path / "known").read_text().split(maxsplit=1)[1].strip() == server.host_key


def test_a_file_that_confirms_nothing_says_why(
    start_sshd: StartSshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = three_keys(start_sshd, tmp_path)
    md5 = "256 MD5:1f:63:00:9e:7d:a8:f3:71:30:bd:66:60:c2:f5:38:60 root@x (ED25519)"
    assert trust(server, tmp_path, md5) == 7
    err = capsys.readouterr().err
    assert "m1: not confirmed, no line holds a key of it." in err
    assert "0 SHA256 fingerprints were read" in err
    assert "line 1 holds fingerprints in MD5" in err
    assert "ssh-keygen -E sha256 -lf" in err
    assert not (tmp_path / "known").exists()


def site_with_config(folder: Path, text: str) -> Path:
    """A site file that names an ssh config beside it."""
    (folder / "cfg").write_text(text)
    file = folder / "site.yaml"
    file.write_text("ssh: {config: ./cfg}\nhosts: [{name: m1, address: 127.0.0.1, port: 9}]\n")
    return file


@pytest.mark.parametrize("command", ["trust", "preflight", "facts", "doctor"])
def test_the_ssh_config_of_a_site_starts_nothing_here(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "mark"
    site = site_with_config(
        tmp_path, f'Match exec "touch {mark}"\nProxyCommand sh -c "touch {mark}"\n'
    )
    assert main([command, "--site", str(site)]) != 0
    told = " ".join("".join(capsys.readouterr()).split())
    assert "ProxyCommand sh -c" in told
    assert "Match exec" in told
    assert not mark.exists()


def a_way_by(token: str, folder: Path) -> Path:
    """An ssh config of the operator, whose ProxyCommand is given some name of the machine."""
    (folder / "own").write_text(f"Host *\n  ProxyCommand true %{token}\n")
    return folder / "own"


@pytest.mark.parametrize(
    "where",
    [
        "ssh: {user: USER}\nhosts: [{name: m, address: 127.0.0.1}]",
        "hosts: [{name: m, address: 127.0.0.1, user: USER}]",
    ],
)
def test_no_user_of_a_site_is_run_by_the_operators_own_proxy_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    mark, file = tmp_path / "mark", tmp_path / "site.yaml"
    file.write_text(where.replace("USER", f"'a$(touch {mark})'") + "\n")
    config = str(a_way_by("r", tmp_path))
    assert main(["trust", "--site", str(file), "--ssh-config", config]) == 2
    assert "is not a user name" in capsys.readouterr().err
    assert not mark.exists()


@pytest.mark.parametrize(
    ("token", "option"), [("h", "HostName"), ("r", "User"), ("k", "HostKeyAlias")]
)
def test_no_word_of_an_inventory_is_run_by_the_operators_own_proxy_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], token: str, option: str
) -> None:
    mark, file = tmp_path / "mark", tmp_path / "hosts.json"
    words = f"-o '{option}=a$(touch {mark})'"
    hosts = {"m": {"ansible_host": "10.0.0.1", "ansible_ssh_common_args": words}}
    file.write_text(json.dumps({"_meta": {"hostvars": hosts}, "all": {"hosts": ["m"]}}))
    config = str(a_way_by(token, tmp_path))
    for command in ("preflight", "trust"):
        assert main([command, "--inventory", str(file), "--ssh-config", config]) != 0
    told = " ".join("".join(capsys.readouterr()).split())
    assert "is not" in told or "OpenSSH refuses the way" in told
    assert not mark.exists()


def test_the_user_of_the_command_line_is_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "mark"
    words = ["--user", f"a$(touch {mark})", "--ssh-config", str(a_way_by("r", tmp_path))]
    assert main(["trust", "m=127.0.0.1", *words]) == 2
    assert "is not a user name" in capsys.readouterr().err
    assert not mark.exists()


def test_a_config_that_the_operator_names_is_theirs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    site = site_with_config(tmp_path, f'Match exec "touch {mark}"\nUser x\n')
    config = ["--ssh-config", str(tmp_path / "cfg"), "--connect-timeout", "3"]
    main(["trust", "--site", str(site), *config])
    assert mark.exists()


def test_what_was_allowed_on_the_command_line_holds_for_what_comes_after(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    site = site_with_config(tmp_path, f'Match exec "touch {mark}"\nUser x\n')
    main(["trust", "--site", str(site), "--allow-programs", "--connect-timeout", "3"])
    assert mark.exists()
    mark.unlink()
    main(["trust", "--site", str(site), "--connect-timeout", "3"])
    assert mark.exists()


def test_an_ssh_config_that_openssh_refuses_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """ssh itself would not log in by it."""
    (tmp_path / "cfg").write_text("Host *\n  NoSuchOption yes\n")
    assert main(["trust", "127.0.0.1:9", "--ssh-config", str(tmp_path / "cfg")]) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert "OpenSSH refuses the way to the machine" in said
    assert "nosuchoption" in said.lower()


def test_the_doctor_looks_where_the_ssh_config_leads_with_both_clients(
    start_sshd: StartSshd, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_sshd()
    (tmp_path / "cfg").write_text(
        f"Host node1\n  HostName 127.0.0.1\n  Port {server.port}\n  HostKeyAlias Alias\n"
    )
    (tmp_path / "known").write_text(f"alias {server.host_key}\n")
    done = main([
        "doctor", "node1", "--ssh-config", str(tmp_path / "cfg"), "--known-hosts",
        str(tmp_path / "known"), "--identity", str(server.client_key),
    ])  # fmt: skip
    out = capsys.readouterr().out
    assert (done, "Everything works." in out) == (0, True), out
    assert "network: it greets" in out
