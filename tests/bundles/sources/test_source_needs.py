"""What wheels and packages need beside what is brought: pure readers of their own metadata."""

from __future__ import annotations

import pytest

from bundles.sources.deb_needs import fetches_in, names_of, unmet
from bundles.sources.wheel_needs import Solved, environments_of, lacking, parsed, runs_code

OUTER = Solved(
    "Outer.Pkg",
    "1.2",
    (
        "backport>=1; python_version < '3.11'",
        "late; python_full_version >= '3.12.4'",
        "arm; platform_machine == 'aarch64'",
        "win; sys_platform == 'win32'",
        "pypy; implementation_name == 'pypy'",
        "inner[fast]>=2; extra == 'more'",
    ),
)
INNER = Solved("inner", "1.9", ("speed; extra == 'fast'",))


@pytest.mark.parametrize(
    ("python", "platform", "asked", "expected"),
    [
        ("3.10", "manylinux2014_x86_64", "outer-pkg", {"backport>=1"}),
        ("3.12", "manylinux2014_x86_64", "outer-pkg", {"late"}),
        ("3.13", "manylinux_2_28_aarch64", "outer-pkg", {"late", "arm"}),
        ("3.11", "win_amd64", "outer-pkg", {"win"}),
        # An extra reaches through to what the other package does with its own.
        ("3.11", "any", "outer_pkg[more]", {"inner[fast]>=2", "speed"}),
    ],
)
def test_what_counts_on_the_target_and_was_not_chosen(
    python: str, platform: str, asked: str, expected: set[str]
) -> None:
    targets = environments_of(python, [platform])
    wanted = parsed(asked)
    assert wanted is not None
    assert set(lacking([OUTER, INNER], [wanted], targets)) == expected


def test_a_requirement_that_is_none_is_not_passed_over() -> None:
    targets = environments_of("3.12", ["any"])
    assert lacking([Solved("a", "1", ("b (>>1)",))], [], targets) == {"b (>>1)": "a"}


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("outer[more]==1.2; python_version < '3.13'", False),
        ("x @ https://host.example/x-1.0-py3-none-any.whl#sha256=aa", False),
        ("https://host.example/x-1.0%2Bcu1-py3-none-any.whl", False),
        ("x @ https://host.example/x-1.0.tar.gz", True),
        ("x @ https://host.example/x-1.0.tar.gz?as=x-1.0.whl", True),
        ("x @ https://host.example/.whl", True),
        ("x @ https://host.example/x-%2F.whl", True),
        ("x @ git+https://host.example/x-1.0-py3-none-any.whl", True),
        ("x @ file:///srv/x", True),
        ("x @ https://[bad/x-1.0-py3-none-any.whl", True),
        ("https://host.example/x.zip", True),
        ("folder/below", True),
    ],
)
def test_what_pip_would_have_to_build_is_known_by_its_place(text: str, *, runs: bool) -> None:
    assert runs_code(text) is runs


def test_relations_are_met_by_any_alternative_and_by_what_provides_a_name() -> None:
    record = {"Depends": "libc6 (>= 2.36), mail-transport-agent, python3:any | python, gone"}
    there = names_of([{"Package": "libc6"}, {"Package": "exim4", "Provides": "x (= 1), "
                      "mail-transport-agent"}, {"Package": "python3"}])  # fmt: skip
    assert unmet(record, "Depends", there) == ("gone",)
    assert unmet(record, "Recommends", there) == ()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("snap install firefox", "snap install"),
        ("if x; then snap  install --channel=y firefox; fi", "snap install"),
        ('FILE=$(wget -q "$URL")', "wget"),
        ("test -e x || curl -fsSL https://x", "curl"),
        ("exec pip3 install thing", "pip3 install"),
        ("# snap install firefox\necho done", None),
        ("if command -v curl >/dev/null; then :; fi", None),
        ("echo 'see snap install' >&2", None),
        ("rm -f /etc/wget /usr/bin/curl", None),
    ],
)
def test_what_a_script_fetches_is_known_by_the_command_that_it_runs(
    script: str, expected: str | None
) -> None:
    assert fetches_in(script) == expected
