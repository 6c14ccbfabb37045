"""Every command that logs in asks alike, and waits for no time that is none."""

from __future__ import annotations

import pytest

from foundation.problems import InputProblem
from installer.cli import build_parser


@pytest.mark.parametrize("command", [["install"], ["resume"], ["facts"], ["trust"],
                                     ["bundle", "deliver", "b"]])  # fmt: skip
@pytest.mark.parametrize("seconds", ["-5", "0", "nan", "inf", "soon"])
def test_a_login_waits_for_a_time_that_is_one(command: list[str], seconds: str) -> None:
    parser = build_parser(command[0])
    with pytest.raises(InputProblem, match="connect-timeout"):
        parser.parse_args([*command, "--site", "site.yaml", "--connect-timeout", seconds])
