"""Settings: what is typed is answered with one sentence, and what a site gives is whole or told."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.problems import InputProblem
from installer.catalogue.settings import answers, load_settings, objection, typed_value
from installer.catalogue.solution import load_solution, solution_ids
from installer.catalogue.stages import Setting, Settings

TYPES = ("text", "number", "yes-no", "choice", "address", "network", "domain", "url", "secret")


def setting(kind: str, **more: Any) -> Setting:
    """A setting of a type."""
    if kind == "choice":
        more.setdefault("choices", ("one", "two"))
    return Setting.model_validate({"name": "it", "title": "It", "type": kind, **more})


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        ("number", "12"),
        ("number", " -3 "),
        ("yes-no", "Yes"),
        ("yes-no", "off"),
        ("choice", "two"),
        ("address", "10.0.0.1"),
        ("address", "fd00::1"),
        ("network", "10.10.0.0/16"),
        ("network", "fd00::/64"),
        ("domain", "pm4ml.example.org"),
        ("domain", "xn--bcher-kva.example"),
        ("text", "a-b, c - d"),
        ("secret", "-begins-so"),
        ("url", "https://git.example.org/a.git"),
        ("url", "ssh://git@git.example.org:2222/a.git"),
        ("url", "git@git.example.org:site/a.git"),
        ("text", "anything at all"),
        ("secret", " with spaces "),
    ],
)
def test_what_is_right_is_taken(kind: str, good: str) -> None:
    """There is no objection."""
    assert objection(setting(kind), good) == ""


@pytest.mark.parametrize(
    ("kind", "wrong", "says"),
    [
        ("number", "1.5", "whole number"),
        ("yes-no", "perhaps", "yes or no"),
        ("choice", "tow", 'Did you mean "two"'),
        ("address", "10.0.0.0/8", "without the slash"),
        ("address", "lb1.example.org", "not an IP address"),
        ("address", "10.0.0.256", "not an IP address"),
        ("network", "10.10.0.0", "length of its prefix"),
        ("network", "10.10.0.5/16", "the network is 10.10.0.0/16"),
        ("network", "10.10.0.0/40", "not a network"),
        ("domain", "https://x.example.org/", "without https://"),
        ("domain", "Example.org", "small letters: example.org"),
        ("domain", "example.org.", "dot at the end"),
        ("domain", "example", "at least one dot"),
        ("domain", "a_b.example.org", '"a_b" is not that'),
        ("domain", "a..b", "an empty part"),
        ("domain", "10.0.0.1", "IP address"),
        ("url", "git.example.org/a.git", "begins with https"),
        ("text", "--kubeconfig", "begins with a dash"),
        ("text", "dns, -x", "begins with a dash"),
        ("url", "https:///a", "name of a machine"),
        ("url", "ssh://-oProxyCommand=x/a", "begins with a dash"),
        ("url", "ssh://-o@host/a", "begins with a dash"),
        ("url", "git@-oProxyCommand=x:a", "begins with https"),
        ("url", "https://u:p@git.example.org/a", "password"),
        ("url", "https://a b/", "no spaces"),
        ("url", "https://[::1/", "not an address"),
        ("text", "two\nlines", "one line"),
        ("text", "", "left empty"),
        ("text", "x" * 5000, "5000 characters"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(kind: str, wrong: str, says: str) -> None:
    """It ends like a sentence and says what is meant."""
    sentence = objection(setting(kind), wrong)
    assert says in sentence
    assert sentence.endswith((".", "?"))


@given(st.sampled_from(TYPES), st.text(max_size=60))
def test_any_text_is_taken_or_refused_and_a_taken_one_has_a_value(kind: str, text: str) -> None:
    """Nothing but a sentence or a value comes of it."""
    each = setting(kind)
    if objection(each, text) == "":
        assert isinstance(typed_value(each, text), str | int | bool)


@given(st.ip_addresses(), st.integers(0, 32))
def test_a_refused_network_is_answered_with_one_that_is_taken(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int
) -> None:
    """Whoever types a machine's address with a prefix is told the network."""
    sentence = objection(setting("network"), f"{address}/{prefix}")
    if sentence:
        offered = sentence.rstrip(".").rpartition(" ")[2]
        assert objection(setting("network"), offered) == ""


def test_a_site_gets_defaults_types_and_the_names_of_secrets() -> None:
    """Values are typed, secrets are names."""
    settings = Settings(
        settings=(
            setting("number", name="count", default="3"),
            setting("yes-no", name="vip", default="no"),
            setting("address", name="vip_address", when="vip"),
            setting("secret", name="password"),
            setting("secret", name="vip_password", when="vip"),
        )
    )
    whole = answers(settings, {})
    assert whole.values == {"count": 3, "vip": False, "vip_address": ""}
    assert whole.secrets == ("password",)
    more = answers(settings, {"vip": True, "vip_address": "10.0.0.9", "count": 5})
    assert more.values == {"count": 5, "vip": True, "vip_address": "10.0.0.9"}
    assert more.secrets == ("password", "vip_password")
    assert more.holds("vip")
    assert not more.holds("not vip")
    assert more.holds("")


def test_every_mistake_of_a_site_is_told_at_once() -> None:
    """Missing, unknown, refused, and a secret in a file."""
    settings = Settings(
        settings=(
            setting("domain", name="domain", example="a.example.org"),
            setting("number", name="count", default="3"),
            setting("secret", name="password"),
        )
    )
    with pytest.raises(InputProblem) as caught:
        answers(settings, {"count": "many", "domian": "x.org", "password": "hunter22"})
    cause = caught.value.cause
    assert '"domain" (It) is missing, such as a.example.org' in cause
    assert "\"count\" is 'many': this is not a whole number" in cause
    assert 'there is no setting "domian"; did you mean "domain"' in cause
    assert '"password" is a secret' in cause
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("name", solution_ids())
def test_the_settings_of_every_solution_are_read(name: str) -> None:
    """Names once, conditions on what stands before, defaults that are taken, good examples."""
    for each in load_settings(load_solution(name)).settings:
        if each.example:
            assert objection(each, each.example) == "", each.name
        assert each.title[0].isupper()


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{name: a, title: A, type: text, when: b}", 'hangs on "b"'),
        ("{name: a, title: A, type: choice}", "has choices exactly"),
        ("{name: a, title: A, type: secret, default: x}", "is a secret and has a default"),
        ("{name: a, title: A, type: address, default: here}", "has a default that it refuses"),
        ("{name: first, title: A, type: text}", "stands twice"),
    ],
)
def test_a_broken_settings_file_is_told(entry: str, says: str, tmp_path: Path) -> None:
    """With the setting's name and what is wrong with it."""
    folder = tmp_path / "pm4ml"
    folder.mkdir()
    (folder / "settings.yaml").write_text(
        f"settings:\n  - {{name: first, title: F, type: text}}\n  - {entry}\n"
    )

    class Folder:
        pass

    solution: Any = Folder()
    solution.folder = folder
    with pytest.raises(InputProblem, match=says):
        load_settings(solution)
