"""Steps that databases take, and which they do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from installer.catalogue.releases import End
from installer.updates.alerts import fingerprint
from installer.updates.messages import message, table
from installer.updates.review import Judged, Review
from installer.updates.running import Running
from installer.updates.steps import against_step, migration_of, said_of_release, support_of


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


@pytest.mark.parametrize(
    ("image", "state", "says"),
    [
        ("mysql:8.0.35", End.PAST, "MySQL 8.0 has been mended by nobody since 2026-04-30"),
        ("registry.site:5000/argoproj/argocd:v2.14.20", End.PAST, "Argo CD 2.14 has been"),
        ("istio/pilot:1.30.3", End.SOON, "Istio 1.30 is mended by its makers until 2026-11-30, 0"),
        ("postgres:16.2", End.MENDED, "PostgreSQL 16 is mended by its makers until 2028-11-09"),
        ("mysql:9.1.0", End.UNNAMED, "its makers name no day"),
    ],
)
def test_until_when_what_runs_is_mended(image: str, state: End, says: str) -> None:
    found = support_of(image, date(2026, 11, 30))
    assert found is not None
    assert found.end is state
    assert says in found.sentence
    assert "endoflife.date" in found.sentence


@pytest.mark.parametrize("image", ["mojaloop/ledger:v1.0.0", "mysql:latest", "mysql:3.23", "//"])
def test_of_what_is_in_no_line_nothing_is_said(image: str) -> None:
    assert support_of(image, date(2026, 11, 30)) is None


def test_updates_tell_what_is_mended_no_more_and_an_alert_what_ended() -> None:
    running = (Judged(Running("mysql:8.0.35", ())), Judged(Running("istio/pilot:1.30.3", ())))
    review = Review(running, (), "here", "bugfix", date(2026, 11, 30))
    assert "x mysql:8.0.35: MySQL 8.0 has been mended by nobody since" in table(review)
    assert "x istio/pilot:1.30.3: Istio 1.30 is mended by its makers until" in table(review)
    # A day that comes nearer is no news every day; that it came is, once.
    assert "`mysql`: MySQL 8.0 has been" in message(review)
    assert "istio" not in message(review)
    assert fingerprint(review) == fingerprint(replace(review, today=date(2026, 11, 29)))
    assert fingerprint(review) != fingerprint(replace(review, today=date(2026, 12, 1)))
    plain = [one["support"] for one in review.as_dict()["images"]]
    assert [one["state"] for one in plain] == ["past", "soon"]
