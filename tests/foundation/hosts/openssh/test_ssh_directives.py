"""No directive of an ssh config is passed over in silence: honoured, told, refused or no matter."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
from asyncssh import HostKeyNotVerifiable, import_public_key

from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh import login, openssh
from foundation.hosts.openssh.hostkeys import offered_key
from foundation.hosts.openssh.login import Attempt, _from_here, _looked_up, _ways_in
from foundation.hosts.openssh.ssh_config import Target, config_file, config_notes, resolve
from foundation.hosts.openssh.ssh_directives import (
    KNOWN,
    NO_CONSEQUENCE,
    OF_A_LOGIN,
    UNTAKEN,
    note_on,
)
from foundation.hosts.openssh.ssh_parser import parse
from foundation.hosts.openssh.trusted import Known, TrustedKeys
from foundation.hosts.pool import Pool
from foundation.hosts.refusals import host_key_problem
from foundation.problems import HostKeyProblem, InputProblem, LoginRefused, Problem
from foundation.secrets import Secret
from tests.foundation.sshd import StartSshd, keygen

OF_9_2 = """Host Match AddKeysToAgent AddressFamily BatchMode BindAddress BindInterface
CanonicalDomains CanonicalizeFallbackLocal CanonicalizeHostname CanonicalizeMaxDots
CanonicalizePermittedCNAMEs CASignatureAlgorithms CertificateFile CheckHostIP Ciphers
ClearAllForwardings Compression ConnectionAttempts ConnectTimeout ControlMaster ControlPath
ControlPersist DynamicForward EnableEscapeCommandline EnableSSHKeysign EscapeChar
ExitOnForwardFailure FingerprintHash ForkAfterAuthentication ForwardAgent ForwardX11
ForwardX11Timeout ForwardX11Trusted GatewayPorts GlobalKnownHostsFile GSSAPIAuthentication
GSSAPIClientIdentity GSSAPIDelegateCredentials GSSAPIKeyExchange GSSAPIRenewalForcesRekey
GSSAPIServerIdentity GSSAPITrustDns GSSAPIKexAlgorithms HashKnownHosts HostbasedAcceptedAlgorithms
HostbasedAuthentication HostKeyAlgorithms HostKeyAlias Hostname IdentitiesOnly IdentityAgent
IdentityFile IgnoreUnknown Include IPQoS KbdInteractiveAuthentication KbdInteractiveDevices
KexAlgorithms KnownHostsCommand LocalCommand LocalForward LogLevel LogVerbose MACs
NoHostAuthenticationForLocalhost NumberOfPasswordPrompts PasswordAuthentication PermitLocalCommand
PermitRemoteOpen PKCS11Provider Port PreferredAuthentications ProxyCommand ProxyJump ProxyUseFdpass
PubkeyAcceptedAlgorithms PubkeyAuthentication RekeyLimit RemoteCommand RemoteForward RequestTTY
RequiredRSASize RevokedHostKeys SecurityKeyProvider SendEnv ServerAliveCountMax ServerAliveInterval
SessionType SetEnv StdinNull StreamLocalBindMask StreamLocalBindUnlink StrictHostKeyChecking
SyslogFacility TCPKeepAlive Tunnel TunnelDevice UpdateHostKeys User UserKnownHostsFile
VerifyHostKeyDNS VisualHostKey XAuthLocation"""
LATER = "ChannelTimeout ObscureKeystrokeTiming RefuseConnection Tag VersionAddendum WarnWeakCrypto"


def of(text: str, folder: Path, name: str = "a", *, options: tuple[str, ...] = ()) -> Target:
    """What OpenSSH's reading of a configuration comes to."""
    file = folder / "config"
    file.write_text(text)
    host = Host(name, name, ssh_options=options)
    return resolve(host, config_file(Inventory((host,), ssh_config=file)))


def both(text: str, folder: Path) -> tuple[openssh.Settings, openssh.Settings]:
    """The settings of both readers."""
    target = of(text, folder)
    config = config_file(Inventory((target.host,), ssh_config=folder / "config"))
    assert config is not None
    return target.settings, parse(target.host, config.lines, "")


def test_every_directive_that_there_is_stands_in_one_table() -> None:
    assert {word.lower() for word in f"{OF_9_2} {LATER}".split()} <= KNOWN
    assert not OF_A_LOGIN & NO_CONSEQUENCE
    assert not (OF_A_LOGIN | NO_CONSEQUENCE) & set(UNTAKEN)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no OpenSSH to ask")
def test_whatever_the_openssh_here_prints_is_known() -> None:
    told = subprocess.run(
        ["ssh", "-G", "-T", "-F", "/dev/null", "x"], capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[0].lower() for line in told.splitlines()} <= KNOWN


def test_a_directive_of_tomorrow_is_told() -> None:
    assert note_on("quantumonly", "yes") == (
        "quantumonly yes of the ssh config is not known here, and not honoured"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("CASignatureAlgorithms ssh-ed25519", "CASignatureAlgorithms"),
        ("HostbasedAuthentication yes", "use a key"),
        ("LocalCommand echo hello", "LocalCommand echo hello"),
        ("NoHostAuthenticationForLocalhost yes", "always verified"),
        ("PKCS11Provider /lib/x.so", "ssh-add -s LIBRARY"),
        ("RemoteCommand sudo -i", "RemoteCommand sudo -i"),
        ("RequiredRSASize 3072", "RequiredRSASize 3072"),
        ("SecurityKeyProvider /lib/sk.so", "ssh-add"),
        ("StrictHostKeyChecking no", "sitewright trust"),
        ("StrictHostKeyChecking accept-new", "sitewright trust"),
        ("VerifyHostKeyDNS yes", "DNS"),
        ("ProxyUseFdpass yes", "hands a socket over"),
    ],
)
def test_what_is_not_honoured_is_told_by_both_readers(
    line: str, words: str, tmp_path: Path
) -> None:
    for settings in both(f"Host other\n  RequiredRSASize 9999\nHost a\n  {line}\n", tmp_path):
        (note,) = settings.notes
        assert words in note
    file = tmp_path / "config"
    hosts = (Host("z", "z"), Host("a", "a"))
    # Told for every machine, not for the first alone.
    assert words in config_notes(Inventory(hosts, ssh_config=file))[0]


@pytest.mark.parametrize(
    "line",
    ["Compression yes", "StrictHostKeyChecking ask", "PKCS11Provider none", "ControlMaster auto",
     "VerifyHostKeyDNS no", "RekeyLimit 1G", "GSSAPIAuthentication yes", "HashKnownHosts yes"],
)  # fmt: skip
def test_what_asks_for_nothing_is_not_told(line: str, tmp_path: Path) -> None:
    for settings in both(f"Host a\n  Port 2201\n  {line}\n", tmp_path):
        assert settings.notes == ()


@pytest.mark.parametrize(
    ("lines", "family", "bind", "methods", "alive"),
    [
        ("AddressFamily inet6", "inet6", None, None, None),
        ("AddressFamily any", "", None, None, None),
        ("BindAddress 127.0.0.9", "", "127.0.0.9", None, None),
        ("PreferredAuthentications password,publickey", "", None, ("password", "publickey"), None),
        ("PubkeyAuthentication no", "", None, ("keyboard-interactive", "password"), None),
        ("PasswordAuthentication no\n  KbdInteractiveAuthentication no", "", None,
         ("publickey",), None),
        ("ChallengeResponseAuthentication no", "", None, ("publickey", "password"), None),
        ("ServerAliveInterval 5", "", None, None, 5),
    ],
)  # fmt: skip
def test_both_readers_agree_on_what_a_login_takes(
    lines: str, family: str, bind: str | None, methods: tuple[str, ...] | None,
    alive: int | None, tmp_path: Path,
) -> None:  # fmt: skip
    for said in both(f"Host a\n  {lines}\n", tmp_path):
        told = (said.address_family, said.bind_address, said.methods, said.alive_interval)
        assert told == (family, bind, methods, alive)


def test_addresses_of_this_side_are_given_to_a_direct_connection(tmp_path: Path) -> None:
    target = of("Host a\n  AddressFamily inet\n  BindAddress 127.0.0.9\n", tmp_path)
    assert _from_here(target) == {"family": 2, "local_addr": ("127.0.0.9", 0)}


def test_both_readers_agree_on_what_decides_whom_we_talk_to(tmp_path: Path) -> None:
    lines = "BindInterface lo\n  CheckHostIP yes\n  KnownHostsCommand /bin/x %H"
    for said in both(f"Host a\n  {lines}\n", tmp_path):
        told = (said.bind_interface, said.check_host_ip, said.known_hosts_command, said.notes)
        assert told == ("lo", True, "/bin/x %H", ())
    for said in both("Host a\n  CheckHostIP no\n  BindInterface none\n", tmp_path):
        assert (said.bind_interface, said.check_host_ip) == (None, False)


@pytest.mark.skipif(sys.platform != "linux", reason="interfaces are asked for on Linux alone")
def test_an_interface_gives_the_address_that_is_left_from(tmp_path: Path) -> None:
    assert _from_here(of("BindInterface lo\n", tmp_path)) == {"local_addr": ("127.0.0.1", 0)}
    with pytest.raises(InputProblem, match='no interface "gone0"'):
        _from_here(of("BindInterface gone0\n", tmp_path))


def test_a_key_that_its_address_contradicts_is_not_taken(tmp_path: Path) -> None:
    """As OpenSSH with CheckHostIP: the name and the address must not tell two keys."""
    mine, other = (keygen(tmp_path / name).with_suffix(".pub").read_text() for name in "ab")
    of_kind = keygen(tmp_path / "c", kind="ecdsa").with_suffix(".pub").read_text()
    known = tmp_path / "known"
    target = of("CheckHostIP yes\n", tmp_path, "n1")
    for at_address, peer, taken in (
        (other, "192.0.2.9", False),
        (mine, "192.0.2.9", True),
        (of_kind, "192.0.2.9", True),
        ("", "192.0.2.9", True),
        (other, "192.0.2.10", True),
        (other, "127.0.0.1", True),
    ):
        known.write_text(f"n1 {mine}" + f"192.0.2.9,127.0.0.1 {at_address}" * bool(at_address))
        trusted, attempt = TrustedKeys((known,)), Attempt()
        asked = _looked_up(target, trusted.of(target), attempt, partial(trusted.at, port=22))
        assert bool(asked("n1", peer, 22)[0]) is taken
        assert (attempt.address_known_as is None) is taken
    known.write_text(f"n1 {mine}192.0.2.9 {other}")
    trusted, attempt = TrustedKeys((known,)), Attempt(offered=import_public_key(mine))
    _looked_up(target, trusted.of(target), attempt, partial(trusted.at, port=22))(
        "n1", "192.0.2.9", 22
    )
    problem = host_key_problem(HostKeyNotVerifiable("x"), target, attempt, trusted)
    assert type(problem) is HostKeyProblem
    assert f"another one is: {import_public_key(other).get_fingerprint()}" in problem.cause
    assert "known line 2 (CheckHostIP)" in problem.cause


async def test_an_address_counts_with_its_port_also_where_the_name_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine behind the same address (NAT) contradicts nobody, as for OpenSSH."""
    (known, file), seen = (tmp_path / "known", tmp_path / "config"), []
    other = keygen(tmp_path / "a").with_suffix(".pub").read_text()
    known.write_text(f"192.0.2.9 {other}[192.0.2.9]:2222 {other}")
    file.write_text("Host m\n  HostKeyAlias n1\n  Port 2223\n  CheckHostIP yes\n")

    async def asked(*_: object, by_address: Callable[[str], Known], **more: object) -> NoReturn:
        seen.append(by_address("192.0.2.9").keys)
        raise OSError("nothing is dialled here")

    monkeypatch.setattr(login, "open_connection", asked)
    host = Host("m", "m")
    async with Pool(Inventory((host,), ssh_config=file, known_hosts=(known,))) as pool:
        with pytest.raises(Problem):
            await pool.connect(host)
    assert seen == [()]


async def test_a_command_of_the_config_tells_host_keys(
    start_sshd: StartSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sshd = start_sshd()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config_home"))
    tells, file = tmp_path / "tells", tmp_path / "config"
    key = " ".join(sshd.known_hosts.read_text().split()[1:3])
    tells.write_text(f'#!/bin/sh\necho "$2 {key}"\necho "asked $*" >>{tmp_path}/log\n')
    tells.chmod(0o755)
    file.write_text(f"KnownHostsCommand {tells} %I %H %t\n")
    host = sshd.host()
    inventory = Inventory((host,), ssh_config=file)
    async with Pool(inventory) as pool:
        await pool.connect(host)
    assert (tmp_path / "log").read_text() == f"asked HOSTNAME [127.0.0.1]:{sshd.port} NONE\n"
    file.write_text("KnownHostsCommand /nowhere/x %H\n")
    async with Pool(inventory) as pool:
        with pytest.raises(HostKeyProblem, match="not known yet"):
            await pool.connect(host)
        assert "told no host key: it cannot be started" in pool.notes_of(host)[0]


def test_a_way_to_log_in_that_is_turned_off_is_not_tried_and_that_is_told(tmp_path: Path) -> None:
    attempt = Attempt()
    only = of("Host a\n  PreferredAuthentications publickey\n", tmp_path)
    options = _ways_in(only, attempt, Secret("x"))
    assert (options["preferred_auth"], options["password_auth"]) == (["publickey"], False)
    assert attempt.not_tried == ["the password (the ssh config allows only publickey)"]
    with pytest.raises(InputProblem, match="no way to log in that Sitewright has: gssapi"):
        _ways_in(of("PreferredAuthentications gssapi-with-mic\n", tmp_path), attempt, None)


async def test_a_refusal_names_what_the_config_kept_us_from(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    sshd = start_sshd()
    file = tmp_path / "config"
    file.write_text("PubkeyAuthentication no\n")
    host = sshd.host()
    inventory = Inventory((host,), known_hosts=(sshd.known_hosts,), ssh_config=file)
    async with Pool(inventory) as pool:
        with pytest.raises(LoginRefused, match="keys \\(the ssh config allows only"):
            await pool.connect(host)


def test_a_program_that_hands_a_socket_over_is_refused(tmp_path: Path) -> None:
    text = "Host a\n  ProxyCommand nc -F %h %p\n  ProxyUseFdpass yes\n"
    with pytest.raises(InputProblem, match="ProxyUseFdpass yes stands in the ssh config"):
        both(text, tmp_path)
    host = Host("a", "a")
    config = config_file(Inventory((host,), ssh_config=tmp_path / "config"))
    assert config is not None
    with pytest.raises(InputProblem, match="ProxyUseFdpass yes stands in the ssh config"):
        parse(host, config.lines, "")


def test_a_machine_that_the_config_forbids_is_refused_and_no_other(tmp_path: Path) -> None:
    text = "Host old\n  RefuseConnection moved to new\nHost *\n  Port 2201\n"
    assert of(text, tmp_path).port == 2201
    with pytest.raises(InputProblem, match="RefuseConnection moved to new"):
        of(text, tmp_path, "old")


async def test_a_revoked_host_key_is_taken_by_nobody(start_sshd: StartSshd, tmp_path: Path) -> None:
    sshd = start_sshd()
    host = sshd.host()
    _, kind, data = sshd.known_hosts.read_text().split()[:3]
    (tmp_path / "revoked").write_text(f"# compromised\n{kind} {data} old\n")
    file = tmp_path / "config"
    file.write_text(f"RevokedHostKeys {tmp_path}/revoked\n")
    inventory = Inventory((host,), known_hosts=(sshd.known_hosts,), ssh_config=file)
    async with Pool(inventory) as pool:
        with pytest.raises(HostKeyProblem, match="revoked"):
            await pool.connect(host)
    with pytest.raises(HostKeyProblem, match="revoked"):
        await offered_key(host, inventory)
    for content, words in ((b"SSHKRL\n\0rest", "KRL"), (None, "cannot be read")):
        (tmp_path / "revoked").unlink()
        if content is not None:
            (tmp_path / "revoked").write_bytes(content)
        async with Pool(inventory) as pool:
            with pytest.raises(Problem, match=words):
                await pool.connect(host)
