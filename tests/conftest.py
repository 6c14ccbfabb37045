"""What every test shares: private folders for our own files, and the lab."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has no types

from foundation import secrets
from tests.lab.host import required

# How long examples take to make says how busy the machine is, and nothing about our code.
settings.register_profile(
    "sitewright",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # Where a failure refuses a change, the same examples are tried each time, and chance refuses
    # none. By hand they are others each time, so whoever works on the code finds what these miss.
    derandomize=required(),
)
settings.load_profile("sitewright")
if required():
    # Nor are they taken from whichever of our modules happen to be loaded just then.
    patch.object(providers, "is_local_module_file", lambda _: False).start()

pytest_plugins = ["tests.lab.fixtures"]


_SLOWER = {
    "screens": "screens",
    "installer/running/test_run": "processes",
    "installer/running/test_restarted": "processes",
    "installer/record/test_run": "processes",
    "installer/record/test_record_check": "processes",
    "installer/record/test_support_bundle": "processes",
    "installer/commands/test_cli": "processes",
    "installer/commands/test_commands_install": "processes",
    "installer/commands/test_export": "processes",
    "installer/commands/test_trust_command": "processes",
    "installer/planning/folder": "processes",
    "installer/steps/test_ansible": "processes",
    "installer/steps/test_playbook": "processes",
    "installer/steps/test_steps": "processes",
    "installer/compose/test_scripts": "processes",
    "installer/pm4ml/machines/test_dead_node": "processes",
    "installer/pm4ml/machines/test_master": "processes",
    "installer/pm4ml/machines/test_names": "processes",
    "installer/pm4ml/machines/test_worker": "processes",
    "installer/pm4ml/upkeep/test_programs": "processes",
    "foundation/hosts/test_jobs": "processes",
    "foundation/hosts/test_login.py": "processes",
    "foundation/hosts/test_login_peers": "processes",
    "foundation/hosts/test_login_shell": "processes",
    "foundation/hosts/test_pool": "processes",
    "foundation/hosts/test_ssh.py": "processes",
    "foundation/hosts/test_transfer": "processes",
    "preflight/test_probe_script": "processes",
    "test_install_script": "processes",
    "test_isolation": "processes",
    "test_lab_programs": "processes",
    "bundles": "processes",
}
"""Where tests that start whole screens or processes lie, so that the unit part stays short."""

_STARTERS = frozenset({"asker", "registry", "start_sshd"})
"""Fixtures that start a program which stays: what uses one is no small test, wherever it lies."""

_LAB_TOO = (
    "foundation/hosts/test_jobs.py",
    "foundation/hosts/test_sudo.py",
    "installer/steps/test_playbook.py",
    "test_lab.py",
)
"""Files with tests of the lab beside those whose name ends in `_lab.py`."""

_MINUTES = {
    "end_to_end/test_install_lab.py": 18,
    "installer/mosip/test_mosip_lab.py": 10,
    "end_to_end/test_production_shape_lab.py": 9,
    "installer/pm4ml/upkeep/test_upkeep_lab.py": 9,
    "installer/pm4ml/test_pm4ml_real_argocd_lab.py": 7,
    "installer/core_test_harness/test_harness_lab.py": 5,
    "test_kubernetes_lab.py": 5,
    "installer/pm4ml/machines/test_masters_lab.py": 4,
    "installer/pm4ml/test_pm4ml_cluster_lab.py": 4,
    "installer/pm4ml/test_pm4ml_real_api_lab.py": 4,
    "installer/pm4ml/test_pm4ml_registry_lab.py": 4,
    "end_to_end/test_quickstart_lab.py": 3,
    "installer/miniloop/test_miniloop_lab.py": 3,
    "installer/pm4ml/backup/test_pm4ml_backup_lab.py": 3,
    "installer/pm4ml/test_pm4ml_haproxy_lab.py": 3,
    "end_to_end/test_offline_lab.py": 2,
    "installer/pm4ml/machines/test_leaving_lab.py": 2,
    "installer/pm4ml/test_pm4ml_firewall_lab.py": 2,
    "installer/pm4ml/test_pm4ml_local_disks_lab.py": 2,
    "installer/pm4ml/test_pm4ml_reach_lab.py": 2,
    "installer/pm4ml/test_pm4ml_release_lab.py": 2,
    "installer/running/test_run_lab.py": 2,
}
"""What a file of the lab takes, roughly; of those below, each test. The longest begin first, so
that none is left alone at the end."""

_APART = (
    "end_to_end/test_quickstart_lab.py",
    "installer/pm4ml/test_pm4ml_cluster_lab.py",
    "installer/pm4ml/test_pm4ml_haproxy_lab.py",
    "installer/pm4ml/test_pm4ml_firewall_lab.py",
)
"""Long files of the lab whose tests share no machines: each test is a piece of work of its own."""

_LAB_SECONDS = 1200
"""No test of the lab is given up sooner: how busy the machine is says nothing about our code."""

_ROOT = Path(__file__).parent
_HOMES = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--part`, which reads only the files that a part of `tests/run.sh` can have tests in."""
    parser.addoption("--part", choices=("unit", "processes", "lab"), help="a part of tests/run.sh")


@cache
def _place(path: Path) -> str:
    return path.relative_to(_ROOT).as_posix()


def _of_lab(place: str) -> bool:
    return place.endswith("_lab.py") or place in _LAB_TOO


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over files of other parts: reading all of them takes longer than many a test."""
    part = config.getoption("part")
    if part is None or _ROOT not in collection_path.parents:
        return None
    place = _place(collection_path)
    if part == "unit" and place in _SLOWER:
        return True  # a folder, with what it would load for its tests
    if collection_path.suffix != ".py":
        return None
    if part == "lab":
        return not _of_lab(place) or None
    if place in _LAB_TOO:
        return None
    slower = part == "unit" and place.startswith(tuple(_SLOWER))
    return (slower or place.endswith("_lab.py")) or None


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are called by their argument: each worker collects, and packing tells the second.

    Two that collected in different seconds would have different tests, and none would be run.
    """
    return argname if isinstance(val, bytes) else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was read by now stays to the end: the collector need not look at it again and again.

    A test makes much and keeps little, so it looks seldom, too: a screen took an eighth of its
    time for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives out a file's tests together, and those of a file that is apart one by one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if file.removeprefix("tests/") in _APART else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _ByFile | None:
    """How the lab's tests are shared out among its workers."""
    return _ByFile(config, log) if config.getoption("part") == "lab" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the parts that `tests/run.sh` runs apart, and bring the lab's files into order."""
    for item in items:
        place = _place(item.path)
        for start, name in _SLOWER.items():
            if place.startswith(start):
                item.add_marker(name)
        if _STARTERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("processes")
        # No test may fall between the parts.
        in_lab = item.get_closest_marker("lab") is not None
        if in_lab and not _of_lab(place):
            raise pytest.UsageError(f"{place} has a test of the lab: name it in {__file__}")
        if in_lab:
            own = item.get_closest_marker("timeout")
            if own is None or own.args[0] < _LAB_SECONDS:
                item.add_marker(pytest.mark.timeout(_LAB_SECONDS))
        if not in_lab and place.endswith("_lab.py") and place not in _LAB_TOO:
            raise pytest.UsageError(f"{item.nodeid} lies in a file of the lab and is none of it")
    if config.getoption("part") == "lab":
        items.sort(key=lambda item: -_MINUTES.get(_place(item.path), 1))


@pytest.fixture(autouse=True)
def no_secrets_of_others() -> Iterator[None]:
    """What one test had looked for, by its value or by its mark, hides nothing from the next.

    Hypothesis takes words of our own source for values too, and a sentence that holds one of them
    would come with stars in it, in whichever test happens to be run behind.
    """
    values = set(secrets._values)
    with (
        patch.dict(secrets._known),
        patch.dict(secrets._encoded),
        patch.dict(secrets._hidden),
        patch.dict(secrets._given),
        patch.dict(secrets._marks, clear=True),
    ):
        yield
    secrets._values.intersection_update(values)


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, so that no test reads or writes the user's files."""
    # pytest would number it too, and look through all of them for the next number.
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(_HOMES))
    home.mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    for variable in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("SSH_AUTH_SOCK", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    return home
