"""Steps that databases take, and which they do not."""

from __future__ import annotations

import pytest

from installer.updates.steps import against_step, migration_of, said_of_release


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("mongo:6.0.2", "mongo:7.0.1@sha256:" + "1" * 64, ""),
        ("mongo:6.0.2", "mongo:6.0.9", ""),
        (
            "bitnami/mongodb:5.0.1-debian-11",
            "bitnami/mongodb:8.0.0-debian-12",
            "but by 6.0 and 7.0",
        ),
        ("mongo:8.0.1", "mongo:9.0.0", "is not known"),
        ("mongo:latest", "mongo:8.0.0", "does not stand in its tags"),
        ("mysql:5.7.44", "mysql:8.4.1", "from 5.7 to 8.4 but by 8.0"),
        ("mysql:8.0.35", "mysql:8.4.1", ""),
        ("registry.site:5000/mysql:8.4.1", "registry.site:5000/mysql:9.1.0", ""),
        ("postgres:16.2", "postgres:16.4", ""),
        ("postgres:15.2-alpine", "postgres:17.1-alpine", "no PostgreSQL 17 reads what 15 wrote"),
        ("mojaloop/ledger:v1.0.0", "mojaloop/ledger:v9.0.0", ""),
        ("x/mongo-express:1.0.0", "x/mongo-express:9.0.0", ""),
    ],
)
def test_a_step_that_is_skipped_is_refused_with_the_way_around(
    before: str, after: str, why: str
) -> None:
    said = against_step(before, after)
    assert why in said
    assert bool(said) == bool(why)
    assert not why or "(" in said  # the source


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [("mysql:8.0.35", "mysql:8.4.1", "MySQL 8.4"), ("mysql:8.0.35", "mysql:8.0.40", ""),
     ("bitnami/mongodb:7.0.1", "bitnami/mongodb:8.0.0", "MongoDB 8.0"),
     ("postgres:16.2", "postgres:16.4", ""), ("redis:6.2.4", "redis:7.0.0", ""), ("", "x", "")],
)  # fmt: skip
def test_a_database_that_goes_to_its_next_line_changes_its_data(
    before: str, after: str, what: str
) -> None:
    assert migration_of(before, after) == what


def test_what_mojaloop_says_of_single_components() -> None:
    assert "does not recommend" in said_of_release("mojaloop/central-ledger:v19.0.0")
    assert said_of_release("docker.io/library/mongo:8.0") == ""
