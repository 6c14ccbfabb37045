"""The Core Test Harness's folder: what its choices make of the plan, without a machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.commands.operate import operation_plan
from installer.commands.which_site import kept_site_file, made_site, new_site_file, site_file_of
from installer.planning.make import make_plan
from installer.plans.plan import Plan
from installer.record.runs import create_run
from installer.sites.site import Site, SiteHost, dump_site, load_site
from installer.steps.stage_files import load_operations

SOLUTION = load_solution("core-test-harness")


def planned(address: str = "10.10.0.5", **settings: Any) -> Plan:
    """The plan of a site with these settings."""
    host = SiteHost(name="box", address=address, roles=("box",))
    return make_plan(SOLUTION, Site(solution=SOLUTION.id, hosts=(host,), settings=settings), ())


def spec(plan: Plan, key: str) -> dict[str, Any]:
    """The data of one step."""
    return next(s.spec for stage in plan.stages for s in stage.steps if s.key == key)


def profiles(plan: Plan, key: str) -> list[str]:
    """The profiles of one step, the empty ones left out."""
    return [name for name in spec(plan, key)["profiles"] if name]


@pytest.mark.parametrize(
    ("tests", "services", "provisioning", "toolkit", "report"),
    [
        ("standard", ["all-services"], "ttk-provisioning", "ttk-tests", "ttk-func-tests"),
        ("golden-path", ["all-services"], "ttk-provisioning-gp", "ttk-tests-gp", "ttk-gp-tests"),
        ("foreign-exchange", ["all-services", "fx"], "ttk-provisioning-fx", "ttk-fx-tests",
         "ttk-func-tests"),
        ("foreign-exchange-sdk", ["all-services", "fx", "fx-sdk"], "ttk-provisioning-fx-sdk",
         "ttk-fx-sdk-tests", "ttk-func-tests"),
    ],
)  # fmt: skip
def test_each_choice_starts_its_services_and_runs_its_tests(
    tests: str, services: list[str], provisioning: str, toolkit: str, report: str
) -> None:
    plan = planned(tests=tests)
    assert profiles(plan, "start/services") == services
    assert spec(plan, "provision/provisioning")["service"] == provisioning
    assert spec(plan, "verify/tests")["service"] == toolkit
    assert spec(plan, "verify/tests")["reports"] == [f"reports/{report}-report.html"]
    assert profiles(plan, "check/project") == [*services, provisioning, toolkit]
    assert profiles(plan, "images/images") == [*services, provisioning, toolkit]
    assert profiles(plan, "verify/tests") == [*services, provisioning, toolkit]


def test_more_profiles_come_one_by_one() -> None:
    from installer.steps.compose import ComposeStep

    plan = planned(finance_portal=True, debug=True, more_profiles="simulator, discovery")
    data = ComposeStep.model_validate(
        {"id": "x", "kind": "compose", "title": "x", **spec(plan, "start/services")}
    )
    assert data.chosen_profiles == (
        "all-services", "finance-portal", "debug", "simulator", "discovery",
    )  # fmt: skip


def test_without_tests_nothing_is_provisioned_and_nothing_tested() -> None:
    keys = [s.key for stage in planned(run_tests=False).stages for s in stage.steps]
    assert "provision/provisioning" not in keys
    assert "verify/tests" not in keys
    assert "verify/services" in keys


def test_a_profile_that_is_no_choice_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputProblem, match='Did you mean "golden-path"'):
        planned(tests="golden-pat")


def test_releases_whose_commit_is_known_need_none() -> None:
    assert spec(planned(), "release/fetch")["environment"]["COMMIT"].startswith("247ee44")
    other = spec(planned(release="v2.14.1"), "release/fetch")["environment"]
    assert other["COMMIT"].startswith("f88f8a3")
    unknown = spec(planned(release="v2.13.0"), "release/fetch")["environment"]
    assert not unknown["COMMIT"].strip()


def test_the_page_is_where_the_person_sees_the_machine() -> None:
    assert planned().pages[0] == ("The Testing Toolkit", "http://10.10.0.5:9660")
    assert planned("local").pages[0] == ("The Testing Toolkit", "http://localhost:9660")
    files = dict(
        next(s for st in planned("local").stages for s in st.steps if s.id == "additions").files
    )
    (text,) = files.values()
    assert "API_BASE_URL=http://localhost:9550" in text
    assert "mysql: {volumes" in text
    kept = planned(keep_data=False)
    (text,) = dict(
        next(s for st in kept.stages for s in st.steps if s.id == "additions").files
    ).values()
    assert "volumes" not in text


def options(**given: Any) -> argparse.Namespace:
    """The options of the command, as argparse leaves them."""
    every: dict[str, Any] = {
        "site": None,
        "solution": None,
        "environment": None,
        "machine": None,
        "given": [],
    }
    return argparse.Namespace(**{**every, **given})


def test_a_site_is_made_from_options_kept_and_taken_up_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = new_site_file(options(solution="core-test-harness", given=["tests=golden-path"]))
    assert file == kept_site_file("core-test-harness")
    assert file.stat().st_mode & 0o077 == 0
    assert str(file) in capsys.readouterr().err
    site = load_site(file)
    assert [(h.address, h.roles) for h in site.hosts] == [("local", ("box",))]
    again = new_site_file(options(solution="core-test-harness", given=["debug=yes"]))
    assert load_site(again).settings == {"tests": "golden-path", "debug": "yes"}
    assert site_file_of(options(solution="core-test-harness")) == file
    elsewhere = new_site_file(options(solution="core-test-harness", machine="ubuntu@10.10.0.5"))
    (host,) = load_site(elsewhere).hosts
    assert (host.address, host.user, host.roles) == ("10.10.0.5", "ubuntu", ("box",))
    capsys.readouterr()
    new_site_file(options(solution="core-test-harness"))
    assert "10.10.0.5. Another machine: --machine" in capsys.readouterr().err
    (host,) = load_site(new_site_file(options(solution="core-test-harness", machine="local"))).hosts
    assert host.address == "local"


def test_what_the_wizard_installed_is_found_by_its_solution(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It keeps no site file of its own; the run has the one that repeats it."""

    def installed(name: str) -> Path:
        host = SiteHost(name=name, address="local", roles=("box",))
        site = Site(solution=SOLUTION.id, hosts=(host,), settings={"debug": "yes"})
        key = f"core-test-harness-single-box-{name:0>10}"
        run = create_run(key, make_plan(SOLUTION, site, ()), site_text=dump_site(site))
        run.note_begun()
        return run.site_file

    with pytest.raises(InputProblem, match="was not installed from here"):
        site_file_of(options(solution="core-test-harness"))
    first = installed("a")
    assert site_file_of(options(solution="core-test-harness")) == first
    assert str(first) in capsys.readouterr().err
    again = load_site(
        new_site_file(options(solution="core-test-harness", given=["tests=golden-path"]))
    )
    assert again.settings == {"debug": "yes", "tests": "golden-path"}
    kept_site_file("core-test-harness").unlink()
    second = installed("b")
    with pytest.raises(InputProblem) as several:
        site_file_of(options(solution="core-test-harness"))
    assert str(first) in several.value.remedy
    assert str(second) in several.value.remedy


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "neither a site file nor a solution"),
        ({"site": Path("x"), "solution": "core-test-harness"}, "give one of them"),
        ({"site": Path("x"), "given": ["a=b"]}, "make a site"),
        ({"solution": "core-test-harness", "given": ["tests"]}, "is no setting"),
        ({"solution": "core-test-harness", "given": ["test=x"]}, 'did you mean "tests"'),
        ({"solution": "pm4ml"}, "needs several machines"),
        ({"solution": "core-test-harnes"}, "core-test-harness"),
    ],
)
def test_options_that_make_no_site_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputProblem) as refused:
        new_site_file(options(**given))
    assert words in f"{refused.value.cause} {refused.value.remedy}"


def test_what_was_never_installed_from_here_cannot_be_named_by_its_solution() -> None:
    with pytest.raises(InputProblem, match="not installed from here"):
        site_file_of(options(solution="core-test-harness"))


def test_every_operation_of_the_folder_makes_a_plan_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(dump_site(made_site(SOLUTION, None)))
    names = set(load_operations(SOLUTION))
    assert names == {"start", "stop", "remove", "remove-with-data", "services"}
    for name in names:
        _, _, plan = operation_plan(file, name)
        assert [stage.id for stage in plan.stages] == [name]
        assert plan.pages == ()
    _, _, plan = operation_plan(file, "remove-with-data")
    assert all(step.irreversible for stage in plan.stages for step in stage.steps)


def test_a_solution_without_operations_says_so(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("solution: pm4ml\nhosts: []\n")
    with pytest.raises(InputProblem, match="cannot be told to stop"):
        operation_plan(file, "stop")
