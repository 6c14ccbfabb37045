"""The lab as pytest fixtures: `lab`, `lab_machines` and `machine_factory`.

A test module or conftest has them by `pytest_plugins = ["tests.lab.fixtures"]`. Mark every test
that uses them with `pytest.mark.lab`. Where no lab can be had such a test is skipped with the
reason, and fails instead where CI=true or SITEWRIGHT_REQUIRE_LAB=1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator

import pytest

from tests.lab import recipe as images
from tests.lab.host import LabError, Missing, missing, required
from tests.lab.lab import Lab
from tests.lab.lending import LabMachines, MachineFactory


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the images before the first test, whose time-out is not meant for that."""
    wanted = any(item.get_closest_marker("lab") for item in session.items)
    if wanted and not session.config.option.collectonly and missing() is None:
        # A failure is raised again, and reported, where a test asks for the lab.
        with contextlib.suppress(LabError):
            for recipe in images.RECIPES.values():
                images.ensure(recipe)


def _told(item: pytest.Item) -> Generator[None]:
    """Skip a test whose machines lack something, or fail it where the lab is required."""
    try:
        yield
    except Missing as error:
        if required():
            pytest.fail(f"{item.name}: {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """A fixture may start such machines."""
    yield from _told(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """And so may the test itself."""
    yield from _told(item)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab of this session; see `Lab`."""
    reason = missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    with Lab() as running:
        yield running


@pytest.fixture(scope="session")
def _plain_machines(lab: Lab) -> LabMachines:
    return LabMachines(lab)


@pytest.fixture
def lab_machines(_plain_machines: LabMachines) -> Iterator[LabMachines]:
    """Lends plain machines: `lab_machines(3)`; see `LabMachines`."""
    yield _plain_machines
    _plain_machines.take_back()


@pytest.fixture
def machine_factory(lab: Lab) -> Iterator[MachineFactory]:
    """Makes machines for one test: `machine_factory("db")`; see `MachineFactory`."""
    factory = MachineFactory(lab)
    yield factory
    factory.remove_all()
