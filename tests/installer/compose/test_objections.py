"""What stands against a Compose project before anything is started."""

from __future__ import annotations

from dataclasses import replace

import pytest

from installer.compose.objections import Surroundings, Taken, objections, tag_of
from installer.compose.project import Bind, Project, Published, Service
from installer.compose.surroundings import paths_of, surroundings_of

HUB = Service(
    name="hub", image="mojaloop/hub:v1", container_name="hub", published=(Published(6379),),
    binds=(Bind("/opt/x/hub.js", "/opt/hub.js"),),
)  # fmt: skip
PROJECT = Project("harness", (HUB,), ("mojaloop-net",))


def causes(project: Project, around: Surroundings, *profiles: str, **more: bool) -> list[str]:
    """What is said, what stops before what does not."""
    return [one.cause for one in objections(project, around, profiles, **more)]


def test_nothing_stands_against_a_sound_project_on_an_empty_machine() -> None:
    assert causes(PROJECT, Surroundings(frozenset({"all"})), "all") == []


def test_its_own_containers_network_and_ports_are_not_in_its_way() -> None:
    around = Surroundings(
        containers={"hub": "harness"},
        networks={"mojaloop-net": "harness"},
        taken=(Taken(6379, "tcp", "the container hub", "harness"),),
    )
    assert causes(PROJECT, around) == []


def test_a_profile_that_does_not_exist() -> None:
    (one,) = objections(PROJECT, Surroundings(frozenset({"all", "debug"})), ("al", ""))
    assert one.stops
    assert one.cause == 'the project has no profile "al"'
    assert one.remedy == "Choose among: all, debug."


def test_a_service_built_from_a_folder_that_is_not_there() -> None:
    page = Service("page", build="/Users/sprak/ui")
    project = replace(PROJECT, services=(page,))
    (said,) = causes(project, Surroundings(missing=frozenset({"/Users/sprak/ui"})))
    assert said == "page is built from /Users/sprak/ui, which is not there"
    (said,) = causes(project, Surroundings())
    assert "comes from no registry" in said


def test_placeholders_and_files_that_are_not_there() -> None:
    hub = replace(HUB, binds=(Bind("/opt/your/local/path", "/x"), Bind("/opt/a.js", "/a.js")))
    project = replace(PROJECT, services=(hub,))
    said = causes(project, Surroundings(missing=frozenset({"/opt/your/local/path", "/opt/a.js"})))
    assert "placeholder" in said[0]
    assert "empty folder in its place" in said[1]
    # A folder that is not there is made: the reports' is such a one.
    reports = replace(HUB, binds=(Bind("/opt/reports", "/opt/app/reports"),))
    around = Surroundings(missing=frozenset({"/opt/reports"}))
    assert causes(replace(PROJECT, services=(reports,)), around) == []


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("redis", "latest"),
        ("redis:6", "6"),
        ("host:5000/a/redis", "latest"),
        ("host:5000/a/redis:v1", "v1"),
        ("redis@sha256:abc", ""),
    ],
)
def test_the_tag_of_an_image(image: str, tag: str) -> None:
    assert tag_of(image) == tag


def test_a_floating_tag_is_told_and_stops_only_where_that_is_asked() -> None:
    project = replace(PROJECT, services=(replace(HUB, image="redpanda/console:latest"),))
    (one,) = objections(project, Surroundings())
    assert not one.stops
    assert "whose tag moves" in one.cause
    (one,) = objections(project, Surroundings(), refuse_floating=True)
    assert one.stops


def test_names_that_are_taken_name_who_has_them() -> None:
    around = Surroundings(containers={"hub": "other"}, networks={"mojaloop-net": ""})
    name, network = objections(PROJECT, around)
    assert "a container of the project other has that name" in name.cause
    assert "docker compose -p other down" in name.remedy
    assert "made by hand" in network.cause
    assert "docker network rm mojaloop-net" in network.remedy


def test_a_port_that_is_taken_names_its_holder() -> None:
    around = Surroundings(taken=(Taken(6379, "tcp", "redis-server (process 812)"),))
    assert causes(PROJECT, around) == [
        "hub publishes port 6379, which is held by redis-server (process 812)"
    ]
    assert causes(PROJECT, Surroundings(taken=(Taken(6379, "udp", "x"),))) == []


def test_profiles_without_any_service() -> None:
    assert "no service at all" in causes(replace(PROJECT, services=()), Surroundings())[0]


TOLD = """\
missing /opt/reports
container hub harness 0.0.0.0:6379->6379/tcp, :::6379->6379/tcp
container lone
network bridge
network mojaloop-net harness
tcp LISTEN 0 128 0.0.0.0:6379 0.0.0.0:* users:(("docker-proxy",pid=22,fd=4))
tcp LISTEN 0 128 [::]:22 [::]:* users:(("sshd",pid=47,fd=3))
tcp LISTEN 0 128 127.0.0.1:9660 0.0.0.0:*
udp UNCONN 0 0 0.0.0.0:123 0.0.0.0:* users:(("chronyd",pid=5,fd=5))
tcp rubbish
"""


def test_what_a_machine_tells_is_read() -> None:
    around = surroundings_of(TOLD + "profiles all debug\n")
    assert around.profiles == frozenset({"all", "debug"})
    assert around.missing == {"/opt/reports"}
    assert around.containers == {"hub": "harness", "lone": ""}
    assert around.networks == {"bridge": "", "mojaloop-net": "harness"}
    assert Taken(6379, "tcp", "the container hub", "harness") in around.taken
    assert Taken(22, "tcp", "sshd (process 47)") in around.taken
    assert Taken(9660, "tcp") in around.taken
    assert Taken(123, "udp", "chronyd (process 5)") in around.taken
    assert surroundings_of("").profiles is None
    assert surroundings_of("profiles\n").profiles == frozenset()


def test_the_paths_that_are_looked_at() -> None:
    page = Service("page", build="/src/page")
    assert paths_of(replace(PROJECT, services=(HUB, page))) == ("/opt/x/hub.js", "/src/page")
