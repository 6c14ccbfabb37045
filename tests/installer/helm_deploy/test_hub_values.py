"""The hub's values: what the settings say comes to stand in them."""

from __future__ import annotations

import yaml

from installer.catalogue.solution import load_solution
from installer.planning.make import make_plan
from installer.sites.site import Site

HELM_DEPLOY = load_solution("helm-deploy")


def values(**settings: str) -> dict[str, dict[str, object]]:
    """The values of the hub's release."""
    site = Site.model_validate(
        {
            "solution": "helm-deploy",
            "hosts": [{"name": "way", "address": "local", "roles": ["access"]}],
            "settings": {"mysql_host": "mysql.example.org", "kafka_host": "kafka", **settings},
        }
    )
    stages = make_plan(HELM_DEPLOY, site, ()).stages
    files = dict(file for stage in stages for step in stage.steps for file in step.files)
    found: dict[str, dict[str, object]] = yaml.safe_load(files["templates/hub.yaml"])
    return found


def test_the_toolkit_is_told_where_its_database_is() -> None:
    toolkit = values(ttk="yes", ttk_mongo_host="mongo.example.org")["ml-testing-toolkit"]
    place = {"mongodb": {"host": "mongo.example.org"}}
    assert toolkit == {"enabled": True, "ml-testing-toolkit-backend": {"config": place}}
    assert values()["ml-testing-toolkit"] == {"enabled": False}
