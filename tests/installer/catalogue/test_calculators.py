"""MOSIP's published calculators: their own example figures, and what any size comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.problems import InputProblem
from installer.catalogue.calculators import (
    Calculators,
    Part,
    calculate,
    calculators_of,
    numbers_in,
    table_id,
)
from installer.catalogue.solution import load_solution

MOSIP = load_solution("mosip")


def data() -> Calculators:
    found = calculators_of(MOSIP.folder)
    assert found is not None
    return found


def part(name: str, **numbers: int) -> Part:
    size = calculate(data(), numbers)
    return next(one for one in size.parts if one.calculator.id == name)


def stored(one: Part) -> list[float | None]:
    return [row.gb for row in one.storage]


def test_the_authentication_spreadsheet_comes_to_its_own_figures() -> None:
    """ida-resource-calculator.xlsx: 500 000 a day, 20 million numbers given out."""
    one = part("authentication", authentications=500_000, population=20_000_000)
    assert one.peak_hour == 150_000
    assert [line.pods for line in one.lines] == [9, 11, 2, 4, 2, 2, 2]
    assert (one.cpu, one.memory_gb) == (85.5, 100)
    # Its cell B24 adds the first two: 2006.5.
    assert stored(one) == [2000, 6.5, 7000, 65]


def test_the_pre_registration_spreadsheet_comes_to_its_own_figures() -> None:
    """pre-reg-resource-calculator-v2.xlsx: 50 million in all, a tenth of them on one day."""
    one = part("pre-registration", preregistrations=5_000_000, population=50_000_000)
    assert one.peak_hour == 1_500_000
    assert [line.pods for line in one.lines] == [2, 2, 2, 2, 2, 2, 6, 4, 6, 4, 4]
    assert (one.cpu, one.memory_gb) == (21.6, 86.5)
    assert stored(one) == [2700, 29700, 165000]


def test_the_measured_rate_of_registration_is_what_was_measured() -> None:
    """server-hardware-requirements.md: 21 nodes, 252 CPUs and 1344 GB for 216 000 a day."""
    one = part("registration", registrations=216_000, population=1_000_000)
    assert (one.cpu, one.memory_gb) == (252, 1344)
    assert stored(one)[:2] == [3200, 30]
    assert 252 / data().node.cpu == 1344 / data().node.memory_gb == 21


def test_what_is_stored_is_unknown_without_the_number_that_it_hangs_on() -> None:
    assert stored(part("authentication", authentications=10))[0] is None


def test_a_small_site_has_the_nodes_that_every_module_needs() -> None:
    size = calculate(data(), {"registrations": 1, "authentications": 1})
    assert (size.nodes, size.bound_by) == (6, "the least number")


@given(st.integers(0, 10**7), st.integers(0, 10**8))
def test_more_a_day_never_takes_less(registrations: int, authentications: int) -> None:
    numbers = {"registrations": registrations + 1, "authentications": authentications}
    size = calculate(data(), numbers)
    more = calculate(data(), {name: 2 * number for name, number in numbers.items()})
    assert more.nodes >= size.nodes
    node = data().node
    assert size.nodes * node.cpu >= size.cpu
    assert size.nodes * node.memory_gb >= size.memory_gb


def test_any_size_is_a_table_by_its_name() -> None:
    """A site file that names it says the numbers, and counts both clusters."""
    needs = MOSIP.needs("production", "registrations-216000-authentications-500000")
    assert needs.sizing.id == "registrations-216000-authentications-500000"
    nodes = needs.sizing.role("cluster-node")
    assert nodes is not None
    assert nodes.count.min == 36
    assert "423.72 CPUs" in nodes.note
    assert needs.sizing.role("observation-node") is not None
    assert "ida-resource-calculator.xlsx" in needs.sizing.source
    assert any("HSM" in note for note in needs.sizing.notes)


@pytest.mark.parametrize(
    "name",
    [
        "registrations-216k",
        "registrations",
        "registrations-",
        "authentications-5-registrations-5",
        "registrations-1-registrations-2",
        "registrations-007",
        "registrations-123456789012",
    ],
)
def test_what_is_no_such_name_is_none(name: str) -> None:
    assert numbers_in(data(), name) is None


def test_a_name_holds_its_numbers() -> None:
    numbers = {"registrations": 5, "preregistrations": 7}
    assert numbers_in(data(), table_id(data(), numbers)) == numbers


@pytest.mark.parametrize("numbers", [{}, {"registrations": 0}, {"registrations": -1}, {"x": 1}])
def test_numbers_that_say_nothing_are_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(InputProblem):
        calculate(data(), numbers)


def test_a_calculated_table_is_of_the_environment_that_it_is_for() -> None:
    with pytest.raises(InputProblem):
        MOSIP.needs("sandbox", "registrations-5")
    with pytest.raises(InputProblem):
        load_solution("pm4ml").needs("production", "registrations-5")
