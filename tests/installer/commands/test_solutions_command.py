"""`sitewright solutions`: what there is to choose, with every setting."""

from __future__ import annotations

import json

import pytest

from installer.catalogue.settings import load_settings
from installer.catalogue.solution import load_solution, solution_ids
from installer.cli import main

INSTALLABLE = [name for name in solution_ids() if load_solution(name).installable]


@pytest.mark.parametrize("name", INSTALLABLE)
def test_one_in_full_names_every_setting(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = [setting.name for setting in load_settings(load_solution(name)).settings]
    assert main(["solutions", name]) == 0
    text = capsys.readouterr().out
    assert [one for one in names if f"\n    {one}: " not in text] == []
    assert max(map(len, text.splitlines())) <= 80
    assert main(["solutions", name, "--format", "json"]) == 0
    (value,) = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in value["settings"]] == names


def test_what_a_setting_is_unless_said_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    main(["solutions", "pm4ml"])
    whole = " ".join(capsys.readouterr().out.split())
    assert "domain: must be given, for example pm4ml.example.org " in whole
    assert "ssh_networks: empty " in whole
    assert "wireguard_port: 51820; only with wireguard " in whole
    assert "secret, asked for when it begins" in whole


def test_the_list_stays_short(capsys: pytest.CaptureFixture[str]) -> None:
    main(["solutions"])
    assert "Settings" not in capsys.readouterr().out
