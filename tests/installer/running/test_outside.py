"""What a run fetches from outside: which places are asked, and that nothing begins before."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bundles.read.completeness import Gap
from foundation.hosts.connection import Connection
from foundation.hosts.model import LOCAL_ADDRESS, Host, Inventory
from foundation.hosts.pool import Pool
from foundation.problems import InputProblem, Refused
from installer.catalogue.settings import load_settings, objection
from installer.catalogue.solution import load_solution
from installer.cli import main
from installer.running import begin, outside
from installer.running.gate import look_at
from installer.running.outside import beyond_the_bundle, places_of, try_outside
from installer.sites.site import Site, load_site_text
from preflight.assessment import Seen
from preflight.egress import Attempt, Destination, Egress, Met, judge_egress
from preflight.findings import Severity, Waiver
from preflight.recorded import load_facts
from tests.preflight.egress_servers import site as server

RECORDED = Path(__file__).parents[2] / "recorded"
TODAY = date(2026, 11, 28)
PM4ML = load_solution("pm4ml")
HARNESS = load_solution("core-test-harness")


def of(text: str) -> Site:
    """A site from the text of its file."""
    return load_site_text(text, "site.yaml")


def urls(places: list[Destination], kind: str) -> list[str]:
    """The addresses of one kind."""
    return [place.url for place in places if place.kind == kind]


def test_what_the_site_names_stands_in_for_the_solution_s_places() -> None:
    """A mirror or a repository of the site's own: the public ones need not answer."""
    needs = PM4ML.needs("production")
    text = "solution: pm4ml\nsettings: {registry_mirror: 'http://10.10.0.5:5000'}\n"
    plain, named = (places_of(needs, PM4ML, one) for one in (None, of(text)))
    assert "https://quay.io/v2/" in urls(plain, "registry")
    assert urls(named, "registry") == ["http://10.10.0.5:5000/v2/"]
    assert urls(named, "snaps") == urls(plain, "snaps")


def test_a_setting_that_does_not_apply_names_no_place() -> None:
    """The chart repository of Ceph is fetched from where Ceph is used, and only there."""
    needs = PM4ML.needs("production")
    without = places_of(needs, PM4ML, of("solution: pm4ml\nsettings: {ceph: false}\n"))
    withal = places_of(needs, PM4ML, of("solution: pm4ml\nsettings: {ceph: true}\n"))
    assert set(urls(withal, "charts")) - set(urls(without, "charts")) == {
        "https://ceph.github.io/csi-charts"
    }


@pytest.mark.parametrize("typed", ["--5", "-", "5-", "five", "\u0665", "1e3"])
def test_a_mistyped_number_breaks_nothing(typed: str) -> None:
    """It is told where the settings are read."""
    numbers = [one for one in load_settings(PM4ML).settings if one.type == "number"]
    site = of(f"solution: pm4ml\nsettings: {{{numbers[0].name}: '{typed}'}}\n")
    needs = PM4ML.needs("production")
    assert places_of(needs, PM4ML, site) == places_of(needs, PM4ML, of("solution: pm4ml\n"))


@pytest.mark.parametrize(
    "typed", ["[bad", "https://[bad", "https://h:99999", "https://h:x", "h:99999", "https://:1"]
)
async def test_a_mistyped_address_breaks_nothing(typed: str, tmp_path: Path) -> None:
    """It is told where the settings are read, or as what could not be tried; never a traceback."""
    for name, solution in (("registry_mirror", PM4ML), ("git_url", PM4ML),
                           ("image_registry", HARNESS), ("source", HARNESS)):  # fmt: skip
        site = of(f"solution: {solution.id}\nsettings: {{{name}: '{typed}'}}\n")
        [setting] = [one for one in load_settings(solution).settings if one.name == name]
        needs = solution.needs(None)
        if objection(setting, typed):
            assert typed not in str(places_of(needs, solution, site))
            continue
        async with Pool(Inventory(())) as pool:
            tried = await try_outside(
                pool, [], needs, solution=solution, roles={}, site=site, base=tmp_path, today=TODAY
            )
        assert tried is not None
        assert f"the setting {name} names no place that can be asked" in tried.untried


@pytest.mark.parametrize(
    "said",
    ["registry: 'h:99999'", "apt: 'http://[x/'", "git: 'http://:0/'", "charts: 'https://u:p@h/'"],
)
def test_a_server_of_the_site_that_nobody_can_ask_is_told_by_its_line(said: str) -> None:
    with pytest.raises(InputProblem, match="line 2"):
        of(f"solution: pm4ml\nsupplies: {{{said}}}\n")


def test_the_site_s_own_servers_are_asked_and_only_warn() -> None:
    supplies = "supplies: {registry: 'reg.site:5000', apt: 'http://apt.site/'}\n"
    places = places_of(PM4ML.needs("production"), PM4ML, of(f"solution: pm4ml\n{supplies}"))
    assert urls(places, "registry") == ["https://reg.site:5000/v2/"]
    assert urls(places, "packages") == ["http://apt.site/"]
    assert all(place.soft for place in places if place.kind in ("registry", "packages"))


def test_a_registry_named_without_a_scheme_is_asked_by_its_api() -> None:
    site = of("solution: core-test-harness\nsettings: {image_registry: 'mirror.site:5000'}\n")
    places = places_of(HARNESS.needs(None), HARNESS, site)
    assert urls(places, "registry") == ["https://mirror.site:5000/v2/"]


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ("mirror.site:5000", "https://mirror.site:5000/v2/"),
        ("localhost:5000", "http://localhost:5000/v2/"),
        ("127.0.0.1:5001", "http://127.0.0.1:5001/v2/"),
    ],
)
def test_a_registry_without_tls_stands_against_nothing(named: str, asked: str) -> None:
    """Docker pulls from it where it is an insecure registry, which it knows and we do not."""
    site = of(f"solution: core-test-harness\nsettings: {{image_registry: '{named}'}}\n")
    [place] = [
        one for one in places_of(HARNESS.needs(None), HARNESS, site) if one.kind == "registry"
    ]
    assert place.url == asked
    [finding] = judge_egress(Egress((Attempt("box", place, Met.NO_TLS),)))
    assert finding.severity is Severity.WARN
    assert "insecure-registries" in finding.remedy
    [public] = judge_egress(
        Egress((Attempt("box", Destination("registry", "https://quay.io/v2/"), Met.NO_TLS),))
    )
    assert public.severity is Severity.FAIL
    assert "insecure-registries" not in public.remedy


def test_with_a_bundle_only_what_it_lacks_is_asked_and_warns() -> None:
    places = places_of(PM4ML.needs("production"), PM4ML, None)
    gaps = [Gap("image", "x:1", "the recipe", ""), Gap("space", "1", "w1", "")]
    left = beyond_the_bundle(places, gaps)
    assert {place.kind for place in left} == {"registry"}
    assert all(place.soft for place in left)
    (finding,) = judge_egress(Egress((Attempt("w1", left[0], Met.SILENT),)))
    assert finding.severity is Severity.WARN


class Refusing:
    """A pool of whom nothing may be asked."""

    async def connect(self, host: Host) -> Connection:
        """Nobody connects."""
        raise AssertionError(host)


async def asked(site: Site, base: Path, waivers: tuple[Waiver, ...] = ()) -> Egress | None:
    """What came of it for the Core Test Harness."""
    return await try_outside(
        Refusing(), _seen(), HARNESS.needs(None), solution=HARNESS, roles={}, waivers=waivers,
        site=site, base=base, today=TODAY,
    )  # fmt: skip


def _seen() -> list[Seen]:
    return list(load_facts(RECORDED / "laptop.json"))


async def test_what_a_person_accepted_untried_is_not_asked(tmp_path: Path) -> None:
    """And it stays in the report, under the name of who accepted it."""
    waiver = Waiver(check="egress.*", by="Ma Ma", reason="the lab", until=TODAY)
    egress = await asked(of("solution: core-test-harness\n"), tmp_path, (waiver,))
    assert egress is not None
    assert not egress.attempts
    assert "Ma Ma" in egress.untried


async def test_a_bundle_that_cannot_be_read_is_told_and_is_no_pass(tmp_path: Path) -> None:
    text = "solution: core-test-harness\nsupplies: {bundle: ./none.bundle}\n"
    egress = await asked(of(text), tmp_path)
    assert egress is not None
    (finding,) = judge_egress(egress)
    assert (finding.id, finding.severity) == ("egress.untried", Severity.WARN)


async def test_authorities_that_cannot_be_read_are_told_and_are_no_pass(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    egress = await asked(of("solution: core-test-harness\nauthorities: ./ca.pem\n"), tmp_path)
    assert egress is not None
    assert "no certificate in it" in egress.untried
    (finding,) = judge_egress(egress)
    assert (finding.id, finding.severity) == ("egress.untried", Severity.WARN)


@pytest.mark.processes
async def test_the_gate_asks_and_what_does_not_answer_stands_against_beginning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing listens on port 1; with a server there, nothing stands against it any more."""
    site = of(
        "solution: core-test-harness\nhosts: [{name: box, address: local, roles: [box]}]\n"
        "settings: {source: 'https://localhost:1/harness.git'}\n"
    )
    inventory = Inventory((Host("box", LOCAL_ADDRESS, roles=("box",)),))
    told: list[str] = []

    async def refused(*, base: Path | None) -> set[str]:
        async with Pool(inventory) as pool:
            seen = await look_at(pool, site, HARNESS, base=base, tell=told.append)
        return {one.id for one in seen.all_findings if one.blocks and one.area == "egress"}

    async with server(None) as port:
        monkeypatch.setattr(
            outside, "destinations",
            lambda _: (Destination("registry", f"http://localhost:{port}/v2/"),),
        )  # fmt: skip
        assert await refused(base=tmp_path) == {"egress.git"}
        # Before each stage only the machines are looked at again.
        assert await refused(base=None) == set()
    assert told[0] == "Trying 2 places that are fetched from, from here …"
    assert await refused(base=tmp_path) == {"egress.git", "egress.registry"}


def test_an_installation_is_refused_and_told_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the command itself: the exit code, the sentence, and the word that leaves it out."""
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: core-test-harness\nhosts: [{name: box, address: local, roles: [box]}]\n"
        "settings: {source: 'https://localhost:1/harness.git', commit: " + "a" * 40 + "}\n"
    )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(outside, "destinations", lambda _: ())

    def never(*_: object, **__: object) -> None:
        raise AssertionError("an installation was begun")

    monkeypatch.setattr(begin, "create_run", never)
    words = ["install", "--site", str(site), "--yes", "--by", "Ma Ma"]
    assert main(words) == 3
    err = capsys.readouterr().err
    assert "nothing was changed on any machine" in err
    assert "localhost:1 cannot be used from box: the connection is refused" in err
    assert "outside: localhost:1" in err
    assert "between the machines" not in err


@pytest.mark.parametrize(("word", "asked"), [("--quiet", True), ("--no-egress", False)])
def test_the_word_that_leaves_it_out(
    word: str, asked: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing is begun here: the look before it is a stand-in that ends the command."""
    given: list[object] = []

    async def looked(*_: object, base: Path | None, **__: object) -> None:
        given.append(base)
        raise Refused("that is enough")

    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: core-test-harness\nhosts: [{name: box, address: local, roles: [box]}]\n"
        "settings: {commit: " + "a" * 40 + "}\n"
    )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(begin, "look_at", looked)
    assert main(["install", "--site", str(site), "--yes", "--by", "Ma Ma", word]) == 7
    assert given == [tmp_path if asked else None]


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("git@git.example.org:pm4ml/site.git", "ssh://git.example.org/pm4ml/site.git"),
        ("git.example.org:site.git", "ssh://git.example.org/site.git"),
        ("ssh://git@git.example.org:2222/site.git", "ssh://git@git.example.org:2222/site.git"),
        ("https://git.example.org/site.git", "https://git.example.org/site.git"),
    ],
)
def test_a_repository_by_ssh_is_a_place_too(typed: str, asked: str) -> None:
    site = of(f"solution: pm4ml\nsettings: {{git_url: '{typed}'}}\n")
    places = places_of(PM4ML.needs("production"), PM4ML, site)
    (place,) = (one for one in places if one.kind == "git")
    assert place.url == asked
    assert place.host == "git.example.org"
    assert place.port == (2222 if ":2222" in typed else 22 if place.scheme == "ssh" else 443)
