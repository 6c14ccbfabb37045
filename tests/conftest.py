"""What every test shares: private folders for our own files, and the lab."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long examples take to make says how busy the machine is, and nothing about our code.
settings.register_profile("sitewright", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sitewright")

pytest_plugins = ["tests.lab.fixtures"]


_SLOWER = {
    "screens": "screens",
    "installer/test_run": "processes",
    "installer/test_cli": "processes",
    "installer/test_ansible": "processes",
    "installer/test_playbook": "processes",
    "installer/compose/test_scripts": "processes",
    "foundation/test_jobs": "processes",
    "preflight/test_probe_script": "processes",
    "test_install_script": "processes",
    "bundles": "processes",
}
"""Where tests that start whole screens or processes lie, so that the unit part stays short."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the parts that `tests/run.sh` runs apart from the unit tests."""
    root = Path(__file__).parent
    for item in items:
        place = item.path.relative_to(root).as_posix()
        for start, name in _SLOWER.items():
            if place.startswith(start):
                item.add_marker(name)


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for each test, so that no test reads or writes the user's files."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for variable in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("SSH_AUTH_SOCK", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    return home
