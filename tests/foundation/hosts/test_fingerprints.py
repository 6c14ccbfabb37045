"""What consoles print, compared with what machines show: types, names, MD5, one key on several."""

from __future__ import annotations

import asyncssh
import pytest

from foundation.hosts.model import Host
from foundation.hosts.openssh.fingerprints import compare, read_console, shared_keys
from foundation.hosts.openssh.hostkeys import HostKeyOffer, ShownKey, console_command
from foundation.hosts.openssh.trusted import fingerprint, public_line

KEYS = {
    (machine, kind): asyncssh.generate_private_key(kind)
    for machine in ("m1", "m2")
    for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256")
}
HOSTS = (Host("m1", "10.0.0.1"), Host("m2", "10.0.0.2"))


def shown(machine: str, kind: str) -> ShownKey:
    """One key of a machine."""
    key = KEYS[machine, kind]
    return ShownKey(kind, fingerprint(key), public_line(key))


def offer(host: Host, as_machine: str = "") -> HostKeyOffer:
    """Both keys of a machine, or those of another in its place."""
    machine = as_machine or host.name
    first = shown(machine, "ssh-ed25519")
    return HostKeyOffer(
        host, first.algorithm, first.fingerprint, first.public_key, "unknown",
        others=(shown(machine, "ecdsa-sha2-nistp256"),),
    )  # fmt: skip


M1, M2 = (offer(host) for host in HOSTS)
ED1, EC1 = (key.fingerprint for key in M1.shown)
ED2, EC2 = (key.fingerprint for key in M2.shown)
CLOUD = """\
[   12.3] cloud-init[811]: ec2:
ec2: -----BEGIN SSH HOST KEY FINGERPRINTS-----
ec2: 256 {ecdsa} root@ip-10-0-0-4 (ECDSA)
ec2: 256 {ed25519} root@ip-10-0-0-4 (ED25519)
ec2: -----END SSH HOST KEY FINGERPRINTS-----
"""


def verdicts(text: str, *offers: HostKeyOffer) -> list[str]:
    """What each machine's keys are, against a text."""
    return [one.verdict for one in compare(offers or (M1, M2), read_console(text, HOSTS))]


@pytest.mark.parametrize("padding", ["", "="])
def test_any_type_that_is_told_confirms_with_and_without_padding(padding: str) -> None:
    text = CLOUD.format(ecdsa=EC1 + padding, ed25519=ED1 + padding)
    first, second = compare((M1, M2), read_console(text, HOSTS))
    assert [one.public_key for one in first.agreeing] == [key.public_key for key in M1.shown]
    assert (second.verdict, second.agreeing) == ("absent", ())


@pytest.mark.parametrize("index", [0, 1])
def test_one_type_is_enough_and_that_type_is_what_is_trusted(index: int) -> None:
    (only,) = compare((M1,), read_console(f"256 {M1.shown[index].fingerprint} x", HOSTS))
    assert [one.fingerprint for one in only.agreeing] == [M1.shown[index].fingerprint]
    assert {key.fingerprint for key in only.agreeing[0].shown} == {ED1, EC1}


@pytest.mark.parametrize("text", [
    "m1: {key}", "{key} m1", "10.0.0.1 {key}", "[10.0.0.1]:22 {key}", "256 {key} root@m1 (ED25519)",
    "root@m1:~# ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n256 {key} no comment (ED25519)",
    "[root@M1 ~]# cat x\n256 {key} root@template (ED25519)", "== m1 ==\n{key}", "m1 login:\n{key}",
])  # fmt: skip
def test_a_line_binds_the_machine_that_it_or_its_heading_names(text: str) -> None:
    assert verdicts(text.format(key=ED1)) == ["agrees", "absent"]
    # The key of the other machine on a line of this one is neither's.
    swapped = compare((M1, M2), read_console(text.format(key=ED2), HOSTS))
    assert [one.verdict for one in swapped] == ["differs", "absent"]
    assert "as that of m1" in swapped[1].reason


def test_a_console_that_tells_another_key_of_a_type_differs_though_one_agrees() -> None:
    text = f"m1 256 {EC1} (ECDSA)\nm1 256 {ED2} (ED25519)"
    (first,) = compare((M1,), read_console(text, HOSTS))
    assert first.verdict == "differs"
    assert "its ED25519 key is" in first.reason


def test_public_keys_are_as_good_as_fingerprints() -> None:
    assert verdicts(f"m1 {M1.public_key} root@m1") == ["agrees", "absent"]


def test_one_key_on_two_machines_is_told_and_needs_their_names() -> None:
    clone = offer(HOSTS[1], "m1")
    (found,) = shared_keys((M1, clone))
    assert found.machines == ("m1", "m2")
    assert found.key.fingerprint == ED1
    assert "m1, m2 show the same ED25519 key" in found.sentence
    assert verdicts(ED1, M1, clone) == ["shared", "shared"]
    assert verdicts(f"m1 {ED1}", M1, clone) == ["agrees", "absent"]
    assert verdicts(f"m1 {ED1}\nm2 {ED1}", M1, clone) == ["agrees", "agrees"]
    assert shared_keys((M1, M2)) == ()


def test_md5_and_broken_fingerprints_are_told_with_what_prints_the_right_ones() -> None:
    md5 = "ec2: 256 MD5:1f:63:00:9e:7d:a8:f3:71:30:bd:66:60:c2:f5:38:60 root@x (ED25519)"
    words = read_console(f"{md5}\nSHA256:abc\n", HOSTS)
    assert (words.told, words.md5_lines, words.broken_lines) == ((), (1,), (2,))
    md5_told, broken, none = words.shortcomings()
    assert "line 1 holds fingerprints in MD5" in md5_told
    assert "ssh-keygen -E sha256 -lf" in md5_told
    assert "line 2 holds a SHA256 fingerprint that is not whole" in broken
    assert "no line holds a SHA256 fingerprint that could match" in none
    assert read_console(f"{md5}\n{ED1}", HOSTS).shortcomings() == [md5_told]
    assert read_console(ED1, HOSTS).shortcomings() == []


def test_the_command_of_the_console_names_the_file_of_the_type() -> None:
    assert console_command("ssh-rsa") == "ssh-keygen -lf /etc/ssh/ssh_host_rsa_key.pub"
    assert console_command("ecdsa-sha2-nistp521").endswith("ssh_host_ecdsa_key.pub")
    assert console_command("ssh-ed25519").endswith("ssh_host_ed25519_key.pub")
    assert "ssh_host_*_key.pub" in console_command("ssh-ed448")
