"""Both lines as data, and what their tools are here."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.cli import main
from installer.environments.lines import line_of, tools_here

GOOD = {
    "tofu": "OpenTofu v1.12.6", "flux": "flux version 2.7.1", "helm": "v3.17.3+ge4da497",
    "talosctl": "Talos v1.11.0", "kubectl": "Client Version: v1.31.9",
    "yq": "yq (https://github.com/mikefarah/yq/) version v4.44.1", "jq": "jq-1.7.1",
    "python3": "Python 3.12.3",
}  # fmt: skip


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that tell a version, and nothing beside them on the path."""
    for name, said in GOOD.items():
        _write(tmp_path, name, said)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _write(folder: Path, name: str, said: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\necho '{said}'\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize("name", ["iac-modules", "iac-lite"])
def test_a_line_names_forms_that_there_are(name: str) -> None:
    there = {one.id for one in load_solution("iac").environments}
    assert set(line_of(name, where="test").environments) <= there


def test_every_form_is_of_one_line() -> None:
    ours = [one for name in ("iac-modules", "iac-lite") for one in
            line_of(name, where="test").environments]  # fmt: skip
    assert sorted(ours) == sorted(one.id for one in load_solution("iac").environments)


def test_a_line_that_there_is_not_is_told() -> None:
    with pytest.raises(InputProblem, match="no line"):
        line_of("iac", where="centre.yaml")


def test_tools_that_are_missing_too_old_or_another_are_told(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert all(one.good for one in tools_here(line_of("iac-lite", where="test")))
    assert main(["environments", "tools", "--line", "iac-lite"]) == 0
    (tools / "flux").unlink()
    _write(tools, "yq", "yq 3.1.0")
    _write(tools, "helm", "v3.9.4")
    _write(tools, "jq", "I have no version")
    capsys.readouterr()
    assert main(["environments", "tools", "--line", "iac-lite"]) == 3
    told = " ".join(capsys.readouterr().out.split())
    assert "FAIL flux it is not on this computer" in told
    assert "another program of that name" in told
    assert "3.9.4 is here, and 3.14 or newer is wanted" in told
    assert "? jq" in told
    assert "17 August 2026" in told
