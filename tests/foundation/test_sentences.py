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
