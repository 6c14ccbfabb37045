"""What apt prints of its sources and proxies, against the apt of this machine where it has one."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.hosts.pool import Pool
from installer.running.outside import with_own_sources
from preflight import apt_sources
from preflight.apt_sources import AptSources, sources_of, told_sources, with_programs
from preflight.egress import HERE, Attempt, Destination, Egress, Met, judge_egress
from preflight.findings import Severity

TOLD = """\
'http://user:secret@archive.example.org/ubuntu/dists/noble/InRelease' a_InRelease 0 
'http://archive.example.org/ubuntu/dists/noble/main/binary-amd64/Packages.xz' a_Packages 0 
'http://archive.example.org/ubuntu/dists/noble-updates/InRelease' b_InRelease 0 
'mirror+http://mirrors.example.org/list/dists/noble/InRelease' c_InRelease 0 
'mirror+file:/etc/apt/apt-mirrors.txt/dists/noble/InRelease' d_InRelease 0 
'https://flat.example.org/repo/InRelease' e_InRelease 0 
'cdrom://[Ubuntu]/dists/noble/InRelease' f_InRelease 0 
'file:/var/lib/repo/dists/noble/InRelease' g_InRelease 0 
'tor+http://apt.example.onion/debian/dists/sid/InRelease' h_InRelease 0 
"""  # noqa: W291 - as apt prints it
UBUNTU = "http://archive.ubuntu.com/ubuntu/"
OWN = Destination("packages", "http://a.example.org/", soft=True, machines=("m1", "w1"), own=True)
OTHER = Destination("packages", "http://b.example.org/", soft=True, machines=("m1",), own=True)


def test_sources_that_need_a_network_are_read_without_logins() -> None:
    read = told_sources(TOLD)
    assert read.urls == (
        "http://archive.example.org/ubuntu/",
        "http://mirrors.example.org/list/",
        "mirror+file://apt-mirrors.txt/",
        "https://flat.example.org/repo/",
        "tor+http://apt.example.onion/debian/",
    )
    assert read.way is None
    assert "secret" not in repr(read)


@pytest.mark.parametrize(
    ("told", "tls", "plain", "past"),
    [
        ("proxy Acquire::http::Proxy http://u:p@px:3128/", "px:3128", "px:3128", ()),
        ("proxy Acquire::https::Proxy http://px:1", "px:1", None, ()),
        ("proxy Acquire::http::Proxy http://px:1\nproxy Acquire::https::Proxy DIRECT",
         None, "px:1", ()),
        ("proxy Acquire::http::Proxy http://px:1\nproxy Acquire::http::Proxy::own.org DIRECT",
         "px:1", "px:1", ("own.org",)),
    ],
)  # fmt: skip
def test_the_proxy_is_apt_s_own(
    told: str, tls: str | None, plain: str | None, past: tuple[str, ...]
) -> None:
    way = told_sources(told).way
    assert way is not None
    assert (way.proxy and way.proxy.at, way.plain and way.plain.at) == (tls, plain)
    assert way.no_proxy == past
    assert "u:p" not in repr(way)


@pytest.mark.skipif(shutil.which("apt-config") is None, reason="no apt here")
def test_a_program_and_proxies_of_single_hosts_are_read_from_apt_itself(tmp_path: Path) -> None:
    """As apt prints what its configuration says, in either spelling of the program."""
    (tmp_path / "apt.conf").write_text(
        'Acquire::http::Proxy::deb.example.org "http://u:p@own:1/";\n'
        'Acquire::http::Proxy "http://px:2/";\n'
        'Acquire::https::ProxyAutoDetect "/usr/bin/find a-proxy";\n'
    )
    dumps = apt_sources._SCRIPT.partition("print-uris || exit 1\n")[2]
    environment = {**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")}
    told = subprocess.run(
        ["sh", "-c", dumps], env=environment, capture_output=True, text=True, check=True
    ).stdout
    read = told_sources(told)
    assert read.program == "/usr/bin/find a-proxy"
    assert read.way is not None
    by = {
        host: read.way.by(Destination("packages", f"http://{host}/"))
        for host in ("deb.example.org", "other.example.org")
    }
    assert {host: proxy and proxy.at for host, proxy in by.items()} == {
        "deb.example.org": "own:1",
        "other.example.org": "px:2",
    }
    assert "u:p" not in repr(read)


def test_what_fails_where_a_program_names_the_proxy_cannot_be_told() -> None:
    """Only apt runs that program: what went straight there and failed proves nothing."""
    own = {"m1": AptSources((OWN.url,), program="/usr/bin/find"), "w1": AptSources((OWN.url,))}
    tried = [Attempt(name, OWN, Met.SILENT) for name in ("m1", "w1")]
    first, second = with_programs(tried, own)
    assert (first.met, second.met) == (Met.NOT_TOLD, Met.SILENT)
    assert "/usr/bin/find" in first.detail
    assert with_programs([Attempt("m1", OWN, Met.ANSWERED)], own)[0].met is Met.ANSWERED


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt here")
def test_the_apt_of_this_machine_is_read_as_it_is() -> None:
    """Held against what apt itself downloads its lists from."""
    here = Host("here", LOCAL_ADDRESS)

    async def asked() -> Mapping[str, AptSources]:
        async with Pool(Inventory((here,))) as pool:
            return await sources_of(pool, [here])

    read = asyncio.run(asked())
    shown = subprocess.run(
        ["apt-get", "update", "--print-uris"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    # Each of apt's own addresses lies in one of the repositories, and none is named besides.
    lists = [line.split("'")[1] for line in shown.splitlines() if line.startswith("'http")]
    urls = read["here"].urls
    assert all(any(one.startswith(url) for url in urls) for one in lists)
    assert all(any(one.startswith(url) for one in lists) for url in urls)


DEB822 = """\
Types: deb deb-src
URIs: http://archive.example.org/ubuntu/ http://second.example.org/ubuntu/
Suites: noble noble-updates
Components: main universe
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

Types: deb
URIs: https://off.example.org/ubuntu/
Suites: noble
Components: main
Enabled: no
"""
ONE_LINE = """\
deb http://archive.example.org/ubuntu/ noble main universe
deb [signed-by=/etc/apt/ubuntu.gpg] http://second.example.org/ubuntu noble main
# deb https://off.example.org/ubuntu/ noble main
"""


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt here")
@pytest.mark.parametrize(("name", "text"), [("a.sources", DEB822), ("a.list", ONE_LINE)])
def test_both_forms_of_sources_are_read_by_way_of_apt(name: str, text: str, tmp_path: Path) -> None:
    """Ubuntu has the longer form since 24.04: several addresses, and one that is off."""
    for folder in ("parts", "lists/partial"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "parts" / name).write_text(text)
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "{tmp_path}/parts";'
        f' Dir::State::lists "{tmp_path}/lists"; Dir::Cache "{tmp_path}";'
    )
    printed = subprocess.run(
        ["apt-get", "update", "--print-uris"],
        capture_output=True, text=True, check=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "APT_CONFIG": f"{tmp_path}/apt.conf"},
    ).stdout  # fmt: skip
    assert sorted(told_sources(printed).urls) == [
        "http://archive.example.org/ubuntu/",
        "http://second.example.org/ubuntu/",
    ]


def test_the_solution_s_list_stays_for_machines_that_could_not_be_asked() -> None:
    hosts = [Host(name, f"10.0.0.{n}") for n, name in enumerate(("m1", "w1"), 1)]
    places = [Destination("packages", UBUNTU, soft=True), Destination("git", "https://g.test/")]
    known = AptSources(("http://mirror.site/ubuntu/",))
    both = with_own_sources(places, hosts, {"m1": known, "w1": known})
    assert [(one.url, one.machines, one.own) for one in both] == [
        ("https://g.test/", (), False),
        ("http://mirror.site/ubuntu/", ("m1", "w1"), True),
    ]
    one = with_own_sources(places, hosts, {"m1": known})
    assert [(place.url, place.machines) for place in one if place.kind == "packages"] == [
        (UBUNTU, ("w1",)),
        ("http://mirror.site/ubuntu/", ("m1",)),
    ]
    assert with_own_sources(places, hosts, {}) == places


@pytest.mark.parametrize(
    ("attempts", "severity"),
    [
        ([Attempt("m1", OWN, Met.SILENT), Attempt("m1", OTHER, Met.ANSWERED)], Severity.WARN),
        ([Attempt("m1", OWN, Met.SILENT), Attempt("m1", OTHER, Met.NO_NAME)], Severity.FAIL),
        ([Attempt("m1", OWN, Met.ANSWERED), Attempt("w1", OWN, Met.SILENT)], Severity.FAIL),
        ([Attempt("m1", OWN, Met.SILENT), Attempt("m1", OTHER, Met.NOT_TOLD)], Severity.UNKNOWN),
        ([Attempt(HERE, Destination("packages", UBUNTU, soft=True), Met.SILENT)], Severity.WARN),
    ],
)
def test_a_machine_without_any_source_of_its_own_stands_against_beginning(
    attempts: list[Attempt], severity: Severity
) -> None:
    """One that is away among others only warns: apt goes on without it."""
    (finding,) = judge_egress(Egress(tuple(attempts)))
    assert finding.severity is severity
