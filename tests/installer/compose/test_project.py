"""A Compose project read from Compose's own JSON, whatever that holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.compose.project import Bind, Published, project_of

DOCUMENT: dict[str, Any] = {
    "name": "harness",
    "networks": {"net": {"name": "mojaloop-net"}, "far": {"name": "far", "external": True}},
    "services": {
        "hub": {
            "image": "mojaloop/hub:v1",
            "container_name": "hub",
            "depends_on": {
                "topics": {"condition": "service_completed_successfully"},
                "db": {"condition": "service_healthy"},
            },
            "healthcheck": {"test": ["CMD", "true"]},
            "ports": [
                {"mode": "ingress", "target": 1, "published": "3001", "protocol": "tcp"},
                {"target": 2, "published": "70000"},
                {"target": 3},
            ],
            "volumes": [
                {"type": "bind", "source": "/srv/x", "target": "/x"},
                {"type": "volume", "source": "v", "target": "/v"},
            ],
            "profiles": ["all"],
        },
        "topics": {"image": "kafka:1", "healthcheck": {"disable": True}},
        "page": {"build": {"context": "/Users/a/page"}, "image": "kafka:1"},
    },
}


def test_a_project_is_read_with_what_its_services_are_made_of() -> None:
    project = project_of(json.dumps(DOCUMENT))
    assert project is not None
    assert project.names == ("hub", "page", "topics")
    assert project.ending == {"topics"}
    assert project.images == ("kafka:1", "mojaloop/hub:v1")
    assert project.networks == ("mojaloop-net",)
    hub, page, topics = project.services
    assert hub.published == (Published(3001),)
    assert hub.binds == (Bind("/srv/x", "/x"),)
    assert (hub.health_check, topics.health_check) == (True, False)
    assert page.build == "/Users/a/page"


@pytest.mark.parametrize("text", ["", "nothing", "[]", "{}", '{"services": []}'])
def test_what_is_no_project_is_none(text: str) -> None:
    assert project_of(text) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,
)
_KEYS = ("image", "build", "depends_on", "ports", "volumes", "healthcheck", "profiles")
_SERVICE = st.fixed_dictionaries({}, optional=dict.fromkeys(_KEYS, _JSON))


@given(st.dictionaries(st.text(max_size=5), _SERVICE | _JSON, max_size=3), _JSON)
def test_no_document_is_too_strange(services: dict[str, Any], networks: Any) -> None:
    project = project_of(json.dumps({"services": services, "networks": networks}))
    assert project is not None
    assert set(project.names) <= set(services)
