"""What the bundle of a site lacks, told with its plan."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

from bundles.format.problems import SignatureProblem
from bundles.format.recipe import Recipe
from installer.catalogue.solution import load_solution
from installer.commands import plan as command
from installer.sites.site import load_site
from installer.supply.bundle_gaps import gaps_of_site
from tests.bundles.conftest import Keys, file_recipe, keys, make

__all__ = ["keys"]


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """A site of the harness whose bundle brings one file and nothing else."""
    lines = file_recipe(tmp_path / "src", tool=b"tool").model_dump()["files"]
    recipe = Recipe.model_validate(
        {"solution": "core-test-harness", "version": "1", "files": lines}
    )
    make(recipe, tmp_path / "bundle")
    file = tmp_path / "site.yaml"
    file.write_text(
        "solution: core-test-harness\nenvironment: single-box\n"
        "hosts: [{name: box, address: 192.0.2.7, roles: [box]}]\n"
        "supplies: {bundle: ./bundle}\n"
    )
    return file


def test_everything_that_the_recipe_names_is_missing(site_file: Path) -> None:
    gaps = gaps_of_site(load_site(site_file), site_file, load_solution("core-test-harness"))
    names = [gap.name for gap in gaps]
    assert "docker.io/mojaloop/central-ledger:v19.4.4" in names
    assert "ml-core-test-harness at v2.14.2" in names
    assert {gap.kind for gap in gaps} == {"image", "git", "deb", "wheel"}


def test_a_site_without_a_bundle_lacks_nothing(site_file: Path) -> None:
    site_file.write_text(site_file.read_text().replace("supplies: {bundle: ./bundle}\n", ""))
    assert gaps_of_site(load_site(site_file), site_file, load_solution("core-test-harness")) == ()


def test_beside_the_plan_stands_what_its_bundle_lacks(
    site_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.tell_gaps(load_site(site_file), site_file, load_solution("core-test-harness"))
    said = capsys.readouterr()
    assert "The bundle lacks" in said.err
    assert "needed by the recipe" in said.err
    assert "sitewright bundle check ./bundle" in said.err
    assert len(said.err.splitlines()) == 12, "a screen is not filled with it"
    assert said.out == ""


def test_nothing_is_told_of_a_bundle_whose_signature_is_not_good(
    site_file: Path, tmp_path: Path, keys: Keys
) -> None:
    """Of one that anybody may have changed, what it lacks is whatever they want it to lack."""
    text = site_file.read_text().replace("./bundle}", f"./bundle, keys: {keys.allowed}}}")
    site_file.write_text(text)
    with pytest.raises(SignatureProblem):
        gaps_of_site(load_site(site_file), site_file, load_solution("core-test-harness"))


_OPENED_BY: Final = "bundle_of"
"""What a run opens: by the index of its plan, and verified whole when the run began."""
_JUDGE: Final = {"check_signature", "signed_by", "verify_open", "judged"}


def test_what_a_bundle_has_is_read_after_its_signature_was_judged() -> None:
    """Each function that reads a structure judges first, or says who did."""
    root = Path(command.__file__).parents[2]
    seen = 0
    for path in [*root.glob("installer/**/*.py"), *root.glob("screens/**/*.py")]:
        text = path.read_text()
        if "read_structure(" not in text and "read_contents(" not in text:
            continue
        name = str(path.relative_to(root))
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
            calls.sort(key=lambda call: (call.lineno, call.col_offset))
            said = [ast.unparse(call.func).rpartition(".")[2] for call in calls]
            if "read_structure" not in said:
                continue
            seen += 1
            before = set(said[: said.index("read_structure")])
            assert before & _JUDGE or _OPENED_BY in text, (name, function.name)
    assert seen > 3
