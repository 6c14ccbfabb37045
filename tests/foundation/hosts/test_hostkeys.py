"""Host keys: shown, confirmed, kept, matched, and never passed over."""

from __future__ import annotations

import base64
import hmac
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.hostkeys import (
    HostKeyOffer,
    console_command,
    default_known_hosts,
    known_hosts_files,
    offered_key,
    trust,
)
from foundation.hosts.openssh.login import host_key_algorithms
from foundation.hosts.openssh.trusted import (
    Known,
    TrustedKeys,
    fingerprint,
    lines_about,
    public_line,
    revoked_keys,
)
from foundation.hosts.pool import Pool
from foundation.paths import known_hosts_file
from foundation.problems import HostKeyProblem, InputProblem, UnknownHostKey, Unreachable
from tests.foundation.processes import free_port
from tests.foundation.sshd import Sshd, StartSshd, keygen

KEY = asyncssh.generate_private_key("ssh-ed25519")
OTHER = asyncssh.generate_private_key("ssh-ed25519")


def line_of(key: asyncssh.SSHKey) -> str:
    """A public key as a known_hosts file has it."""
    return key.export_public_key().decode().strip()


def trusted(folder: Path, *lines: str) -> TrustedKeys:
    """The entries of a file with some lines."""
    file = folder / "kh"
    file.write_text("\n".join(lines) + "\n")
    return TrustedKeys([file])


def hash_names(file: Path) -> None:
    """Hash the names in a known_hosts file, as Debian's ssh does."""
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)


@pytest.mark.parametrize("files", [[], [Path("/no/such/file")]])
def test_no_file_means_that_nothing_is_trusted(files: list[Path]) -> None:
    entries = TrustedKeys(files)
    # What is false would make asyncssh look for another file, or for none.
    assert bool(entries) is True
    assert entries.known("anything", "10.0.0.1", 22).keys == ()


def test_plain_bracketed_and_hashed_names_are_matched(tmp_path: Path) -> None:
    lines = (f"n1,10.0.0.1 {line_of(KEY)}", f"[n1]:2222 {line_of(OTHER)}")
    for hashed in (False, True):
        entries = trusted(tmp_path, *lines)
        if hashed:
            hash_names(tmp_path / "kh")
            entries = TrustedKeys([tmp_path / "kh"])
        assert entries.known("n1", "", 22).keys == (KEY.convert_to_public(),)
        assert entries.known("10.0.0.1", "", 22).keys == (KEY.convert_to_public(),)
        assert entries.known("n1", "", 2222).keys == (OTHER.convert_to_public(),)
        assert entries.known("n2", "", 22).keys == ()


def test_one_broken_line_costs_only_itself(tmp_path: Path) -> None:
    entries = trusted(
        tmp_path, "garbage", "n1 ssh-ed25519 AAAA!", "@unknown n1 x y", "|1|broken", "\udc80"[:0],
        "n1 ssh-rsa AAAAB3NzaC1yc2E=", f"n1 {line_of(KEY)}",
    )  # fmt: skip
    assert [fingerprint(key) for key in entries.known("n1", "", 22).keys] == [fingerprint(KEY)]
    assert entries.place(KEY) == f"{tmp_path / 'kh'} line 7"


@given(st.binary(max_size=400))
def test_any_file_is_read_without_harm(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.mktemp("kh") / "kh"
    file.write_bytes(data)
    TrustedKeys([file]).known("n1", "10.0.0.1", 22)


def test_revoked_keys_and_authorities_are_told_apart(tmp_path: Path) -> None:
    entries = trusted(
        tmp_path, f"@cert-authority *.example {line_of(KEY)}", f"@revoked * {line_of(OTHER)}"
    )
    known = entries.known("n1.example", "", 2200)
    assert known.keys == ()
    assert [fingerprint(key) for key in known.authorities] == [fingerprint(KEY)]
    assert [fingerprint(key) for key in known.revoked] == [fingerprint(OTHER)]


NAMES = (
    "n1", "n2", "N1", "*.example", "*.EXAMPLE,!n1.example", "n?", "n1,10.0.0.1", "[n1]:2222",
    "[*.example]:2222", "!n1,n*", "*", "10.0.0.*", "[10.0.0.1]:2222", "n1.example", "[N1]:2222",
)  # fmt: skip
ASKED = (
    ("n1", 22), ("N1", 22), ("n1", 2222), ("n1.example", 22), ("N2.Example", 22), ("10.0.0.1", 22),
    ("10.0.0.1", 2222), ("n2.example", 2222), ("other", 22),
)  # fmt: skip


def found_by_ssh_keygen(file: Path, name: str, port: int) -> set[str]:
    """The keys that `ssh-keygen -F` finds for a name in lower case, as `ssh` asks for it."""
    asked = f"[{name.lower()}]:{port}" if port != 22 else name.lower()
    shown = subprocess.run(
        ["ssh-keygen", "-F", asked, "-f", str(file)], capture_output=True, text=True, check=False
    ).stdout
    lines = (line.split() for line in shown.splitlines() if not line.startswith("#"))
    return {words[-1] for words in lines}


@pytest.mark.parametrize("hashed", [False, True])
def test_names_are_found_as_ssh_keygen_finds_them(tmp_path: Path, hashed: bool) -> None:
    file = tmp_path / "kh"
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in NAMES}
    text = "".join(f"{name} {' '.join(line_of(key).split()[:2])}\n" for name, key in keys.items())
    file.write_text(text)
    if hashed:
        hash_names(file)
    entries = TrustedKeys([file])
    for name, port in ASKED:
        ours = {public_line(key).split()[1] for key in entries.known(name, "", port).keys}
        assert ours == found_by_ssh_keygen(file, name, port), (name, port)


ODD_LINES = (
    "n1\f{}", "n1\u00a0{}", "\vn1 {}", "b {}\u2028n1 {}", "b {}\rn1 {}", "{hashed},b {}", "n1\t{}",
    "n1 {}\r", "@cert-authority\tn1 {}", "@other n1 {}", "b, n1 {}", ",n1 {}", "#n1 {}", " n1 {} c",
)  # fmt: skip


def test_a_line_trusts_no_more_than_openssh_reads_in_it(tmp_path: Path) -> None:
    """Whatever looks like a blank, an end of a line or a hash: also where lines are handed on."""
    file = tmp_path / "kh"
    key = public_line(asyncssh.generate_private_key("ssh-ed25519"))
    salt, digest = b"0" * 20, hmac.digest(b"0" * 20, b"n1", "sha1")
    hashed = "|1|" + "|".join(base64.b64encode(part).decode() for part in (salt, digest))
    for odd in ODD_LINES:
        line = odd.replace("{hashed}", hashed).replace("{}", key)
        file.write_bytes(f"{line}\n".encode())
        shown = subprocess.run(
            ["ssh-keygen", "-F", "n1", "-f", str(file)], capture_output=True, check=False
        )
        theirs = bool(shown.stdout)
        known = TrustedKeys([file]).known("n1", "", 22)
        assert bool(known.keys or known.authorities) <= theirs, odd
        assert theirs or odd.startswith("@") or lines_about(line, ["n1"]) == [], odd


def test_of_a_whole_file_only_the_lines_about_some_machines_are_given_on(tmp_path: Path) -> None:
    file = tmp_path / "kh"
    keys = [line_of(asyncssh.generate_private_key("ssh-ed25519")) for _ in range(8)]
    names = ["m1", "secret.example", "[M2]:2222", "git.example,10.0.0.9", "m?", "other"]
    lines = [f"{name} {key}" for name, key in zip(names, keys, strict=False)]
    lines += [f"@revoked * {keys[6]}", f"@cert-authority *.other {keys[7]}", "# a comment", "junk"]
    file.write_text("\n".join(lines) + "\n")
    wanted = {"m1", "[m2]:2222"}
    assert lines_about(file.read_text(), wanted) == [lines[0], lines[2], lines[4], lines[6]]
    file.write_text("\n".join(lines[:-1]) + "\n")
    hash_names(file)
    hashed = lines_about(file.read_text(), wanted)
    assert {line.split()[-1] for line in hashed} == {
        public_line(asyncssh.import_public_key(keys[n])).split()[1] for n in (0, 2, 4, 6)
    }
    assert "secret" not in "".join(lines_about(file.read_text(), wanted))


def test_a_name_counts_without_regard_to_case_and_is_written_in_lower_case(tmp_path: Path) -> None:
    entries = trusted(tmp_path, f"node1 {line_of(KEY)}", f"[localhost]:2222 {line_of(OTHER)}")
    assert len(entries.known("NODE1", "", 22).keys) == 1
    assert len(entries.known("LocalHost", "", 2222).keys) == 1
    trust([offer_for("NODE2")], tmp_path / "known_new")
    assert (tmp_path / "known_new").read_text().startswith("node2 ")


async def test_a_changed_key_is_changed_however_the_name_is_typed(sshd: Sshd) -> None:
    sshd.known_hosts.write_text(f"[localhost]:{sshd.port} {line_of(OTHER)}\n")
    host = sshd.host(address="LocalHost")
    inventory = replace(sshd.inventory(host=host), known_hosts=(sshd.known_hosts,))
    assert (await offered_key(host, inventory)).state == "changed"
    sshd.known_hosts.write_text(f"[localhost]:{sshd.port} {sshd.host_key}\n")
    async with Pool(inventory) as pool:
        assert (await (await pool.connect(host)).run(["true"])).status == 0


async def test_a_key_under_the_bare_name_is_good_on_another_port_and_no_other_is_changed(
    sshd: Sshd,
) -> None:
    inventory = sshd.inventory()
    sshd.known_hosts.write_text(f"127.0.0.1 {sshd.host_key}\n")
    assert (await offered_key(sshd.host(), inventory)).state == "trusted"
    sshd.known_hosts.write_text(f"127.0.0.1 {line_of(OTHER)}\n")
    assert (await offered_key(sshd.host(), inventory)).state == "unknown"


def test_the_sites_files_come_first(private_home: Path, tmp_path: Path) -> None:
    own = Inventory()
    assert default_known_hosts(own) == known_hosts_file()
    assert known_hosts_files(own)[:2] == (
        known_hosts_file(), private_home / ".ssh" / "known_hosts",
    )  # fmt: skip
    named = Inventory(known_hosts=(tmp_path / "a", tmp_path / "b"))
    assert default_known_hosts(named) == tmp_path / "a"
    assert known_hosts_files(named) == (tmp_path / "a", tmp_path / "b")


async def test_an_unknown_key_is_offered_trusted_and_then_lets_in(
    sshd: Sshd, tmp_path: Path
) -> None:
    file = tmp_path / "new" / "known_hosts"
    inventory = Inventory((sshd.host(),), (file,), use_ssh_config=False)
    offer = await offered_key(sshd.host(), inventory)
    assert (offer.state, offer.algorithm) == ("unknown", "ssh-ed25519")
    assert offer.public_key == sshd.host_key
    assert offer.fingerprint.startswith("SHA256:")
    trust([offer, offer], file)
    assert file.read_text() == f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (await offered_key(sshd.host(), inventory)).state == "trusted"
    async with Pool(inventory) as pool:
        assert (await (await pool.connect(sshd.host())).run(["true"])).status == 0
    log = (sshd.folder / "log").read_text()
    assert log.count("Accepted publickey") == 1


def three_keys(start: StartSshd, folder: Path) -> tuple[Sshd, dict[str, str]]:
    """A server with the three host keys of a stock machine, and each type's public line."""
    files = {kind: keygen(folder / f"extra_{kind}", kind=kind) for kind in ("rsa", "ecdsa")}
    server = start(*(f"HostKey {file}" for file in files.values()))
    lines = {
        kind: " ".join(file.with_suffix(".pub").read_text().split()[:2])
        for kind, file in files.items()
    }
    return server, {**lines, "ed25519": server.host_key}


@pytest.mark.processes
async def test_the_key_shown_is_the_one_that_ssh_shows_with_every_other_type_beside_it(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    server, lines = three_keys(start_sshd, tmp_path)
    file = tmp_path / "known"
    inventory = Inventory((server.host(),), (file,), use_ssh_config=False)
    offer = await offered_key(server.host(), inventory)
    assert [key.public_key for key in offer.shown] == [
        lines["ed25519"], lines["ecdsa"], lines["rsa"],
    ]  # fmt: skip
    assert [key.kind for key in offer.shown] == ["ED25519", "ECDSA", "RSA"]
    assert console_command(offer.algorithm).endswith("ssh_host_ed25519_key.pub")
    # Whichever was compared is the one that is trusted, and then the one that is asked for.
    trust([offer.about(offer.others[1])], file)
    assert file.read_text().split(maxsplit=1)[1].strip() == lines["rsa"]
    again = await offered_key(server.host(), inventory)
    assert (again.state, again.algorithm, again.others) == ("trusted", "ssh-rsa", ())
    async with Pool(inventory) as pool:
        assert (await (await pool.connect(server.host())).run(["true"])).status == 0


def test_host_keys_are_asked_for_as_openssh_asks() -> None:
    nothing = Known((), (), ())
    plain = [name for name in host_key_algorithms(nothing) if "-cert-" not in name]
    shown = subprocess.run(
        ["ssh", "-G", "-F", "/dev/null", "nowhere"], capture_output=True, text=True, check=True
    ).stdout
    (line,) = [row for row in shown.splitlines() if row.startswith("hostkeyalgorithms ")]
    theirs = [name for name in line.split()[1].split(",") if "-cert-" not in name]
    assert plain[: len(theirs)] == theirs
    assert "ssh-rsa" not in plain
    held = Known((asyncssh.generate_private_key("ssh-rsa"),), (), ())
    assert host_key_algorithms(held)[0] == "rsa-sha2-512"
    assert set(host_key_algorithms(held)) == {*host_key_algorithms(nothing), "ssh-rsa"}


def test_the_algorithms_of_a_config_replace_or_change_the_usual_ones() -> None:
    nothing = Known((), (), ())
    usual = host_key_algorithms(nothing)
    assert host_key_algorithms(nothing, "rsa-sha2-256,nonsense") == ["rsa-sha2-256"]
    assert host_key_algorithms(nothing, "+ssh-rsa") == [*usual, "ssh-rsa"]
    assert host_key_algorithms(nothing, "^rsa-sha2-512")[:2] == ["rsa-sha2-512", "ssh-ed25519"]
    assert "ssh-ed25519" not in host_key_algorithms(nothing, "-ssh-ed25519*")


async def test_a_changed_key_is_offered_with_the_old_one_and_is_not_trusted(
    sshd: Sshd, tmp_path: Path
) -> None:
    inventory = sshd.inventory()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {line_of(OTHER)}\n")
    offer = await offered_key(sshd.host(), inventory)
    assert offer.state == "changed"
    assert offer.known_fingerprint == fingerprint(OTHER)
    assert offer.known_in == f"{sshd.known_hosts} line 1"
    with pytest.raises(InputProblem) as caught:
        trust([offer], tmp_path / "kh")
    assert "changed" in caught.value.cause
    assert not (tmp_path / "kh").exists()


def test_a_list_of_revoked_keys_is_read_whole_or_not_at_all(tmp_path: Path) -> None:
    """OpenSSH takes no host key where one line of the list is none."""
    file = tmp_path / "revoked"
    file.write_text(f"# gone\n\n  {line_of(KEY)} of n1\r\n{line_of(OTHER)}\n")
    assert [public_line(key) for key in revoked_keys(file)] == [line_of(KEY), line_of(OTHER)]
    for wrong in (f"revoked {line_of(KEY)}", f"@revoked * {line_of(KEY)}", "ssh-ed25519 AAA", "x"):
        file.write_text(f"{line_of(OTHER)}\n# next\n{wrong}\n")
        with pytest.raises(InputProblem, match="line 3 of the list of revoked host keys") as caught:
            revoked_keys(file)
        assert caught.value.where == str(file)
    file.write_bytes(b"SSHKRL\n\0" + bytes(8))
    with pytest.raises(InputProblem, match="KRL"):
        revoked_keys(file)


async def test_a_revoked_key_is_not_offered(sshd: Sshd) -> None:
    sshd.known_hosts.write_text(f"@revoked * {sshd.host_key}\n")
    with pytest.raises(HostKeyProblem):
        await offered_key(sshd.host(), sshd.inventory())


async def test_a_key_is_offered_through_a_bastion(start_sshd: StartSshd, tmp_path: Path) -> None:
    bastion, machine = start_sshd(), start_sshd()
    jump = f"{bastion.user}@127.0.0.1:{bastion.port}"
    host = machine.host(bastion=jump, identity_files=(bastion.client_key,))
    inventory = Inventory((host,), (bastion.known_hosts,), use_ssh_config=False)
    offer = await offered_key(host, inventory, credentials=Credentials())
    assert (offer.state, offer.public_key) == ("unknown", machine.host_key)
    with pytest.raises(UnknownHostKey):
        await offered_key(host, replace(inventory, known_hosts=(tmp_path / "none",)))


async def test_a_dead_machine_offers_a_problem() -> None:
    host = Host("m", "127.0.0.1", port=free_port())
    with pytest.raises(Unreachable):
        await offered_key(host, Inventory((host,), use_ssh_config=False))
    with pytest.raises(InputProblem):
        await offered_key(Host("here", "local"), Inventory())


def certify(authority: Path, server: Sshd, principal: str) -> None:
    """Sign a server's host key as an authority, for one name."""
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(authority), "-I", "host", "-h", "-n", principal,
         str(server.folder / "host.pub")], check=True,
    )  # fmt: skip


async def test_a_certificate_of_a_trusted_authority_lets_in(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    authority = keygen(tmp_path / "authority")
    certificate = tmp_path / "sshd0" / "host-cert.pub"
    first = start_sshd()
    certify(authority, first, "127.0.0.1")
    first.stop()
    server = start_sshd(f"HostKey {first.folder / 'host'}", f"HostCertificate {certificate}")
    public = authority.with_suffix(".pub").read_text()
    server.known_hosts.write_text(f"@cert-authority 127.0.0.1,[127.0.0.1]:* {public}")
    async with Pool(server.inventory()) as pool:
        assert (await (await pool.connect(server.host())).run(["true"])).status == 0
    assert (await offered_key(server.host(), server.inventory())).state == "trusted"
    server.known_hosts.write_text("")
    async with Pool(server.inventory()) as pool:
        with pytest.raises(UnknownHostKey):
            await pool.connect(server.host())


def offer_for(name: str, key: asyncssh.SSHKey = KEY, **more: object) -> HostKeyOffer:
    """An unknown key of a machine."""
    fields: dict[str, object] = {
        "host": Host(name, name), "algorithm": "ssh-ed25519", "fingerprint": fingerprint(key),
        "public_key": " ".join(line_of(key).split()[:2]), "state": "unknown",
    }  # fmt: skip
    return HostKeyOffer(**{**fields, **more})  # type: ignore[arg-type]  # fields by name


def test_trusting_adds_to_a_file_without_harming_it(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text("# mine")
    trust([offer_for("n1"), offer_for("n2", state="trusted")], file)
    trust([offer_for("n1"), offer_for("2001:db8::1")], file)
    lines = file.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["#", "n1", "2001:db8::1"]


def test_many_who_trust_at_once_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "known"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: trust([offer_for(f"n{n}")], file), range(40)))
    names = {line.split()[0] for line in file.read_text().splitlines()}
    assert names == {f"n{n}" for n in range(40)}


@pytest.mark.parametrize(
    "name",
    [
        "*",
        "a,b",
        "n1 n2",
        "!n1",
        "@revoked",
        "|1|a|b",
        "n1\nn2",
        "#x",
        "$(sh<x)",
        "`x`",
        "a;b",
        "a&b",
        "~x",
        "a>b",
        "'x'",
    ],
)
def test_a_name_that_would_trust_more_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputProblem):
        trust([offer_for("m", known_as=name)], tmp_path / "known")
    with pytest.raises(InputProblem):
        trust([offer_for("m", public_key=f"ssh-ed25519 AAAA\n{name} x")], tmp_path / "known")
    assert not (tmp_path / "known").exists()


ENTRY = "n0 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOeDzDvSnZEAoNF442obvtsH+DiEEYJY29+1alH82r3C"


@pytest.mark.parametrize(
    ("name", "text", "taken"),
    [
        (".bashrc", "# mine\n", False),
        (".bash_profile", None, False),
        ("authorized_keys", "", False),
        ("authorized_keys", ENTRY.split(maxsplit=1)[1], False),
        ("known", "alias ll='ls -l'", False),
        ("hosts", ENTRY, True),
        ("known_hosts", None, True),
        ("known_hosts", "# of the site\n", True),
        ("k", f"@revoked * {ENTRY.split(maxsplit=1)[1]}", True),
    ],
)
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "a link"])
def test_only_a_file_of_known_hosts_is_written(
    tmp_path: Path, name: str, text: str | None, taken: bool, linked: bool
) -> None:
    """A site file may name one that a shell or sshd reads."""
    file = there = tmp_path / name
    if text is not None:
        file.write_text(text)
    if linked:
        there = tmp_path / "sites_known_hosts"
        there.symlink_to(file)
    if taken:
        trust([offer_for("n1")], there)
        assert file.read_text().startswith(text or "n1 ")
        return
    with pytest.raises(InputProblem, match="no file of known hosts"):
        trust([offer_for("n1")], there)
    assert (file.read_text() if file.exists() else None) == text


def test_a_key_is_good_for_the_machine_that_it_was_confirmed_of(tmp_path: Path) -> None:
    """HostKeyAlias, or one address behind two bastions: each could pass for the other."""
    first = offer_for("n1", known_as="cluster")
    second = offer_for("n2", known_as="cluster", public_key="ssh-ed25519 AAAA")
    file = tmp_path / "known"
    with pytest.raises(InputProblem, match="n1, n2 are known by one name, cluster"):
        trust([first, second], file)
    assert not file.exists()
    trust([first, offer_for("n3", known_as="cluster")], file)  # one machine under two names
    assert len(file.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "known").mkdir()
    with pytest.raises(InputProblem):
        trust([offer_for("n1")], tmp_path / "known")


def test_a_pattern_of_many_stars_is_answered_at_once() -> None:
    """As a regular expression this one would take longer than anybody waits."""
    line = f"{'*a' * 24}*b ssh-ed25519 AAAA"
    assert lines_about(line, ["a" * 120]) == []
    assert lines_about(line, ["a" * 120 + "b"]) == [line]
