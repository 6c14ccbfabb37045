"""What the tests of machines that come and go begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from installer.sites.site import dump_site
from tests.installer.planning.test_planning import site as planned_site
from tests.installer.pm4ml.machines.cluster import Cluster
from tests.installer.pm4ml.machines.masters import Masters


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path / "cluster")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(dump_site(planned_site()))
    return path


@pytest.fixture
def masters(cluster: Cluster) -> Iterator[Masters]:
    with ExitStack() as held:
        yield Masters(cluster, held)
