"""The command by which a run is gone on with is one for the same site."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from installer.catalogue.solution import load_solution
from installer.cli import main
from installer.commands import install, resume  # both whole, before either is patched
from installer.commands.install import Undertaking
from installer.record.identity import site_key
from installer.record.runs import runs_folder
from installer.sites.site import load_site
from tests.installer.told_run import PLAN, SITE, told, write_run


def test_who_named_a_site_is_told_to_go_on_with_that_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest run of all may be another site's by then: a step would be skipped there."""
    file = tmp_path / "a site.yaml"
    file.write_text(SITE)
    site = load_site(file)
    run = write_run(runs_folder() / site_key(site), told(failed=True))
    works: list[Undertaking] = []

    def carried(work: Undertaking, options: argparse.Namespace, *, dry: bool = False) -> int:
        works.append(work)
        return 0

    def planned(*_: object, **__: object) -> object:
        return site, load_solution("pm4ml"), PLAN

    for command in (install, resume):
        monkeypatch.setattr(command, "carry_through", carried)
    monkeypatch.setattr(install, "read_plan", planned)
    for words in (["install", "--site", str(file)], ["resume", "--site", str(file)], ["resume"]):
        assert main(words) == 0
    installed, resumed, newest = works
    assert installed.again == resumed.again == f"sitewright resume --site '{file}'"
    assert installed.named == resumed.named == f" --site '{file}'"
    assert (newest.again, newest.named) == ("sitewright resume", f" --site {run.site_file}")
