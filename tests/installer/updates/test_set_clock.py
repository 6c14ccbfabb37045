"""The watcher's clock is set: nothing is left alone for longer than was meant."""

from __future__ import annotations

from typing import cast

import pytest

from bundles.format.problems import Limited
from bundles.format.reference import parse_reference
from bundles.registries.registry import Registries
from installer.updates.allowed import Allowed, read_named
from installer.updates.memory import Memory
from installer.updates.registry_origin import RegistryOrigin

IMAGE = parse_reference("registry.test/team/app:v1.0.0")


@pytest.mark.parametrize("set_by", [-400 * 86400.0, 400 * 86400.0])
async def test_a_registry_that_limits_is_left_alone_as_long_as_it_said(
    set_by: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, steady, asked = [1.8e9], [100.0], list[float]()
    origin = RegistryOrigin(
        cast("Registries", None), Allowed([read_named("registry.test")]), Memory(),
        clock=lambda: day[0], pauses=lambda: steady[0],
    )  # fmt: skip
    monkeypatch.setattr(origin, "_key", lambda image: "https://registry.test/v2/team/app")

    async def limited(image: object) -> None:
        asked.append(steady[0])
        raise Limited("slowly", where="registry.test", seconds=60.0)

    monkeypatch.setattr(origin, "_list", limited)
    for moved, seconds in ((0.0, 0.0), (set_by, 30.0), (0.0, 40.0)):
        day[0] += moved + seconds
        steady[0] += seconds
        with pytest.raises(Limited):
            await origin.listing(IMAGE)
    assert asked == [100.0, 170.0]
