"""Known sentences: each is recognised by its own entry, and none by an ordinary line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.sentences import SENTENCES, Sentence, asks, understood


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda one: f"{one.program}-{one.words[:30]}")
def test_each_example_comes_to_its_own_meaning(sentence: Sentence) -> None:
    told = understood(f"an ordinary line\n{sentence.example}\nand one after it", user="anna")
    assert told is not None
    assert told.meaning == sentence.meaning.replace("{user}", "anna")
    assert told.remedy == sentence.remedy.replace("{user}", "anna").replace("{sudoer}", "anna")
    assert "{" not in told.meaning + told.remedy
    assert sentence.source
    assert not told.meaning.endswith(".")
    re.compile(sentence.words)


def test_no_remedy_takes_away_what_nobody_looked_at() -> None:
    """What is not used just now may be somebody's that is stopped; packages go with others."""
    sweeping = re.compile(
        r"\bprune\b|apt(?:-get)? (?:remove|purge|autoremove)(?! --dry-run)|kubectl delete|--volumes"
        r"|rm -rf (?!/var/lib/apt/lists/)"
    )
    assert [one.remedy for one in SENTENCES if sweeping.search(one.remedy)] == []


def test_without_a_name_a_sentence_still_reads() -> None:
    told = understood("anna is not in the sudoers file.")
    assert told is not None
    assert told.meaning.startswith("the user ")
    assert '"' not in told.meaning


@pytest.mark.parametrize(
    "line",
    [
        "Reading package lists... Done",
        "Setting up haproxy (2.6.12-1+deb12u1) ...",
        "ok: [m1] => (item=setuid)",
        "changed: [w1]",
        "Unpacking sudo (1.9.13p3-1) ...",
        "Installed lock: no",
        "TASK [Set the password of the database] ***",
    ],
)
def test_an_ordinary_line_is_no_known_sentence(line: str) -> None:
    assert understood(line) is None


@pytest.mark.parametrize(
    ("heard", "meaning"),
    [
        # sudo warns of its own machine's name, and then says what is really the matter.
        ("sudo: unable to resolve host n1: Name or service not known\nsudo: a password is required",
         "sudo asks for the password"),
        (("bash: warning: setlocale: LC_ALL: cannot change locale (de_DE.UTF-8): No such file\n"
         "E: Unable to locate package haproxy"), "no package source"),
        (("Warning: Permanently added 'h' (ED25519) to the list of known hosts.\n"
         "git@h: Permission denied (publickey)."), "takes none of the ssh keys"),
        ("@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
         "shows another host key"),
        ('cannot refresh "x": snap "x" has "auto-refresh" change in progress', "snapd is at work"),
        ("x509: certificate is valid for a.example, not b.example", "for another name"),
        (("E: Failed to fetch http://x/a.deb  404  Not Found [IP: 10.0.0.1 80]\n"
         "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"),
         "older than the source"),
        (("dpkg: error processing package x (--configure):\n installed x package post-installation "
         "script subprocess returned error exit status 1\n"
         "E: Sub-process /usr/bin/dpkg returned an error code (1)"), "own script failed"),
        ("mkdir: No space left on device\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
         "a disk of the machine is full"),
    ],
)  # fmt: skip
def test_the_culprit_is_the_one_that_matters(heard: str, meaning: str) -> None:
    told = understood(heard, user="anna")
    assert told is not None
    assert meaning in told.meaning


@pytest.mark.parametrize(
    ("reason", "meaning"),
    [
        ("E: Failed to fetch http://x/a.deb  404  Not Found [IP: 10.0.0.1 80]", "older than"),
        ("E: Failed to fetch http://x/a.deb  Temporary failure resolving 'x'", "does not resolve"),
        ("E: Failed to fetch http://x/a.deb  Hash Sum mismatch", "is not what its list says"),
        ("E: Failed to fetch http://x/a.deb  407  Proxy Authentication Required", "proxy wants"),
        ("E: Failed to fetch http://x/a.deb  Could not connect to x:80, connection timed out",
         "say which, and why"),
    ],
)  # fmt: skip
def test_how_apt_ends_is_not_why_it_ends(reason: str, meaning: str) -> None:
    """It says the same last line after each download that failed."""
    told = understood(
        f"{reason}\nE: Unable to fetch some archives, maybe run apt-get update or try with "
        "--fix-missing?"
    )
    assert told is not None
    assert meaning in told.meaning


def test_what_machines_say_that_are_well_is_no_reason() -> None:
    assert understood("sudo: unable to resolve host n1: Name or service not known") is None


@given(st.text(max_size=400))
def test_any_text_is_looked_through(text: str) -> None:
    understood(text)
    asks(text)


@pytest.mark.parametrize(
    "line",
    [
        "First Factor: ",
        "Password:",
        "[sudo] password for anna: ",
        "Verification code: ",
        "Are you sure you want to continue connecting (yes/no/[fingerprint])? ",
        "Enter passphrase for key '/root/.ssh/id_ed25519': ",
        "Do you want to continue? [Y/n] ",
        "Do you accept the license terms? [yes/no]",
        "*** grub (Y/I/N/O/D/Z) [default=N] ? ",
        "Passcode or option (1-3): ",
        "Username for 'https://git.example.org': ",
        "Duo two-factor login for anna> ",
        "Enter PIN (4-8 digits): ",
        "OTP: ",
        "Is this your machine?",
        "Proceed [y/N]: ",
        "Proceed (yes/no)",
        "Press any key to go on . . . ",
        "Enter your choice: ",
        "enter the token",
    ],
)
def test_a_question_is_told_by_its_form(line: str) -> None:
    assert asks(line)


@pytest.mark.parametrize(
    "line",
    [
        "Mot de passe : ", "[sudo] Mot de passe de anna : ", "[sudo] contraseña para anna: ",
        "[sudo] пароль для anna: ", "anna のパスワード: ", "密码：", "[sudo] anna 的密碼：",
        "[sudo] heslo pro anna: ", "[sudo] hasło użytkownika anna: ", "[sudo] a(z) anna jelszava: ",
        "Wachtwoord: ", "[sudo] senha para anna: ", "Lösenord: ", "비밀번호: ", "Salasana: ",
        "[sudo] password di anna: ", "Şifre: ", "Please touch the device.", "YubiKey for `anna': ",
        "Challenge: 123456\nResponse: ",
    ],
)  # fmt: skip
def test_a_question_is_known_in_other_languages(line: str) -> None:
    assert asks(line)


def test_a_machine_behind_a_bastion_is_not_told_as_the_bastion() -> None:
    heard = "channel 0: open failed: connect failed: No route to host\nstdio forwarding failed"
    told = understood(heard)
    assert told is not None
    assert told.meaning.startswith("the bastion was reached")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "Loading modules...",
        "42%",
        "sudo: unable to resolve",
        "Loading modules: ",
        "quota:",
        "Free on /data (GB): ",
        "Reading (3 of 12)",
        "[cvmfs]",
        "module load gcc>",
        "Pinging the node:",
        "Decoded: ",
        "Compressing:",
    ],
)
def test_what_is_only_under_way_is_no_question(line: str) -> None:
    assert not asks(line)
