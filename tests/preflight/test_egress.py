"""Egress: names, TCP, TLS, its issuer, HTTP and proxies, against real servers on this machine."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from foundation.hosts.connection import Connection, Dialled, PortState
from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.no_proxy import bypasses
from foundation.problems import ConnectTimeout
from installer.catalogue.solution import load_solution, solution_ids
from installer.plans.plan import CONTROL_HOST
from preflight import egress_ways
from preflight.egress import (
    HERE,
    Attempt,
    Destination,
    Egress,
    Met,
    destinations,
    judge_egress,
)
from preflight.egress_ways import measure
from preflight.findings import Severity
from preflight.proxies import Way, proxy_of, way_by, way_of
from preflight.trust_stores import context_of
from tests.preflight.egress_servers import Authority, Proxy, authority, silence, site

DIRECT = Way()


class Nobody:
    """No machine is asked: everything is tried from here."""

    async def connect(self, host: Host) -> Connection:
        """Never called."""
        raise AssertionError(host)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority of the servers."""
    return authority(tmp_path_factory.mktemp("own"), "Public Test Authority")


async def tried(url: str, *, trust: ssl.SSLContext | None = None, way: Way = DIRECT) -> Attempt:
    """One attempt from here."""
    place = Destination("registry", url)
    egress = await measure(Nobody(), [], [place], ways={HERE: way}, trust=trust)
    (attempt,) = egress.attempts
    return attempt


async def test_a_place_that_answers_passes_and_tells_status_and_issuer(own: Authority) -> None:
    async with site(own.server, "401 Unauthorized") as port:
        attempt = await tried(f"https://localhost:{port}/v2/", trust=own.trusted())
    assert attempt.met is Met.ANSWERED
    assert "HTTP 401" in attempt.detail
    assert "Public Test Authority" in attempt.detail


async def test_who_opened_tls_is_named(own: Authority) -> None:
    async with site(own.server) as port:
        attempt = await tried(f"https://localhost:{port}/")
    assert attempt.met is Met.ISSUER
    assert "Public Test Authority" in attempt.detail
    (finding,) = judge_egress(Egress((attempt,)))
    assert "Public Test Authority" in finding.title
    assert "authorities:" in finding.remedy


async def test_a_proxy_that_opens_tls_is_named_by_its_authority(
    own: Authority, tmp_path: Path
) -> None:
    corporate = authority(tmp_path, "ACME Inspection CA")
    async with site(own.server) as port, Proxy(opens=corporate.server).running() as proxy:
        way = way_by(f"http://127.0.0.1:{proxy.port}")
        attempt = await tried(f"https://localhost:{port}/", trust=own.trusted(), way=way)
        assert (attempt.met, attempt.proxy) == (Met.ISSUER, f"127.0.0.1:{proxy.port}")
        assert "ACME Inspection CA" in attempt.detail
        # With its authority given to the site it is in order.
        again = await tried(f"https://localhost:{port}/", trust=corporate.trusted(), way=way)
        assert again.met is Met.ANSWERED


async def test_the_proxy_is_gone_through_and_no_proxy_is_heeded(own: Authority) -> None:
    async with site(own.server) as port, Proxy().running() as proxy:
        url = f"https://localhost:{port}/"
        way = way_by(f"http://127.0.0.1:{proxy.port}")
        assert (await tried(url, trust=own.trusted(), way=way)).met is Met.ANSWERED
        assert proxy.asked == [f"CONNECT localhost:{port}"]
        past = Way(way.proxy, no_proxy=("localhost",))
        assert (await tried(url, trust=own.trusted(), way=past)).proxy == ""
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("proxy", "words"), [(Proxy(login="u:p"), "407"), (Proxy(refused=True), "403")]
)
async def test_a_proxy_that_does_not_let_through_is_the_culprit(proxy: Proxy, words: str) -> None:
    async with proxy.running():
        way = way_by(f"http://127.0.0.1:{proxy.port}")
        attempt = await tried("https://localhost:1/", way=way)
    assert attempt.met is Met.PROXY
    assert words in attempt.detail


async def test_ports_that_refuse_cut_or_do_not_speak_tls(own: Authority) -> None:
    async with site(None) as port:
        spoken = await tried(f"https://localhost:{port}/")
    assert spoken.met is Met.NO_TLS
    assert (await tried(f"https://localhost:{port}/")).met is Met.REFUSED
    async with site(own.server, "503 Service Unavailable") as port:
        broken = await tried(f"https://localhost:{port}/", trust=own.trusted())
    assert (broken.met, broken.detail) == (Met.HTTP, "HTTP 503 Service Unavailable")


async def test_a_portal_that_answers_in_its_place_is_told() -> None:
    portal = "302 Found\r\nLocation: http://portal.example/login"
    async with site(None, portal) as port:
        attempt = await tried(f"http://localhost:{port}/ubuntu/")
    assert attempt.met is Met.HTTP
    assert "portal.example" in attempt.detail


PLACES = [Destination("registry", f"https://{name}/v2/") for name in ("quay.io", "ghcr.io")]


def of(machine: str, at: int, met: Met, detail: str = "") -> Attempt:
    """One attempt that met this."""
    return Attempt(machine, PLACES[at], met, detail)


def test_one_finding_a_kind_with_the_machines_in_it() -> None:
    egress = Egress(
        (
            *(of(f"w{n}", at, Met.SILENT) for n in range(1, 4) for at in (0, 1)),
            of("m1", 0, Met.ANSWERED, "HTTP 401"),
            of(HERE, 0, Met.ANSWERED),
        )
    )
    (finding,) = judge_egress(egress)
    assert (finding.id, finding.severity) == ("egress.registry", Severity.FAIL)
    assert finding.actual == "quay.io and ghcr.io from w1, w2 and w3: nothing comes back"
    assert "m1" not in finding.actual
    assert finding.expected == "an answer of quay.io and ghcr.io, from w1, w2, w3, m1 and here"
    assert "bundle create" in finding.remedy


def test_what_fails_from_here_alone_warns_and_what_is_not_told_is_unknown() -> None:
    (here,) = judge_egress(Egress((of("w1", 0, Met.ANSWERED), of(HERE, 0, Met.NO_NAME))))
    assert here.severity is Severity.WARN
    (open_one,) = judge_egress(Egress((of("w1", 0, Met.NOT_TOLD, "sshd forbids it"),)))
    assert open_one.severity is Severity.UNKNOWN
    assert "sshd forbids it" in open_one.actual


def test_a_site_with_a_bundle_says_that_nothing_was_tried() -> None:
    (finding,) = judge_egress(Egress(skipped="the site's bundle brings it."))
    assert (finding.severity, finding.actual) == (Severity.PASS, "not tried")


@pytest.mark.parametrize(
    ("host", "no_proxy", "past"),
    [
        ("registry.example.org", ("example.org",), True),
        ("registry.example.org", (".example.org",), True),
        ("registry.example.org", ("*.example.org",), True),
        ("badexample.org", ("example.org",), False),
        ("quay.io", ("*",), True),
        ("quay.io", ("",), False),
        ("10.1.2.3", ("10.0.0.0/8",), True),
        ("10.1.2.3", ("10.1.2.99/24",), True),
        ("10.1.2.3", ("10.1.2.3",), True),
        ("10.1.2.3", ("2.3", "10.2.0.0/16", "fd00::/8", "10.1.2.0/33", "a/b"), False),
        ("fd00::7", ("FD00::/8",), True),
        ("fd00::7", ("[fd00::7]",), True),
        ("fd00::7", ("[fd00::7]:8443",), True),
        ("git.x", ("git.x:8443",), True),
        ("a.git.x", (".git.x:8443",), True),
        ("10.1.2.3", ("10.1.2.3:8443",), True),
        ("git.x", ("git.x:443", "x:"), False),
    ],
)
def test_no_proxy_is_read_as_the_tools_read_it(
    host: str, no_proxy: tuple[str, ...], *, past: bool
) -> None:
    assert bypasses(host, no_proxy, 8443) is past


def test_git_and_apt_are_judged_by_what_they_read_of_no_proxy() -> None:
    """Networks and ports hold for what Go and curl fetch, and not for these two."""
    way = way_by("http://proxy.example:3128", ("10.0.0.0/8", "git.x:443", "10.1.2.4"))
    for host in ("10.1.2.3", "git.x"):
        assert way.by(Destination("registry", f"https://{host}/v2/")) is None
        for one in (
            Destination("git", f"https://{host}/"),
            Destination("packages", f"https://{host}/ubuntu/"),
        ):
            assert way.by(one) is not None
            assert way.unread(one)
    itself = Destination("git", "https://10.1.2.4/x.git")
    assert way.by(itself) is None
    assert not way.unread(itself)
    assert not way.unread(Destination("git", "https://elsewhere.example/x.git"))


async def test_a_network_in_no_proxy_is_heeded_and_told_where_the_tool_does_not_read_it(
    own: Authority,
) -> None:
    async with site(own.server) as port, Proxy(refused=True).running() as proxy:
        way = way_by(f"http://127.0.0.1:{proxy.port}", ("127.0.0.0/8",))
        url = f"https://127.0.0.1:{port}/"
        places = [Destination("registry", url), Destination("git", url)]
        egress = await measure(Nobody(), [], places, ways={HERE: way}, trust=own.trusted())
    registry, git = egress.attempts
    # It is reached, though its certificate is of the name localhost.
    assert (registry.met, registry.proxy) == (Met.ISSUER, "")
    assert (git.met, git.proxy) == (Met.PROXY, f"127.0.0.1:{proxy.port}")
    assert "name it there itself" in git.detail


def test_the_way_out_of_a_machine_is_read_from_its_environment() -> None:
    way = way_of({"HTTPS_PROXY": "http://u:p@proxy.example:8080/", "no_proxy": "a,.b"})
    secure, plainly = Destination("git", "https://x/"), Destination("packages", "http://x/")
    by = way.by(secure)
    assert by is not None
    assert (by.at, by.login) == ("proxy.example:8080", "Basic dTpw")
    assert "dTpw" not in repr(way)
    assert way.by(plainly) is None, "https_proxy says nothing of http"
    assert way.no_proxy == ("a", ".b")


@pytest.mark.parametrize(
    ("url", "at", "scheme", "has_login"),
    [
        ("proxy.example", "proxy.example:3128", "http", False),
        ("http://***@proxy.example:8080", "proxy.example:8080", "http", True),
        ("http://u:p@ss/w@proxy:81/", "proxy:81", "http", False),
        ("socks5h://proxy.example", "proxy.example:1080", "socks5h", False),
        ("https://proxy.example:8443", "proxy.example:8443", "https", False),
        ("http://[fd00::1]:3128", "[fd00::1]:3128", "http", False),
    ],
)
def test_a_proxy_s_address_in_every_form(url: str, at: str, scheme: str, has_login: bool) -> None:
    proxy = proxy_of(url)
    assert proxy is not None
    assert (proxy.at, proxy.scheme, proxy.has_login) == (at, scheme, has_login)


def test_what_is_no_address_of_a_proxy_names_none() -> None:
    assert proxy_of("http://[bad") is None
    assert proxy_of("") is None


async def test_a_login_is_sent_and_never_shown(own: Authority) -> None:
    async with site(own.server) as port, Proxy(login="u:p@ss").running() as proxy:
        way = way_by(f"http://u:p%40ss@127.0.0.1:{proxy.port}")
        attempt = await tried(f"https://localhost:{port}/", trust=own.trusted(), way=way)
    assert attempt.met is Met.ANSWERED
    assert "p@ss" not in repr(attempt)


async def test_a_login_that_the_machine_keeps_to_itself_is_no_failure() -> None:
    """Its facts hide it, so what the proxy says to somebody without one tells nothing."""
    async with Proxy(login="u:p").running() as proxy:
        way = way_by(f"http://***@127.0.0.1:{proxy.port}")
        attempt = await tried("https://localhost:1/", way=way)
    assert attempt.met is Met.NOT_TOLD
    assert "the machine has one" in attempt.detail


async def test_a_proxy_that_speaks_socks_is_told_and_not_spoken_to_in_http() -> None:
    attempt = await tried("https://localhost:1/", way=way_by("socks5://127.0.0.1:1"))
    assert attempt.met is Met.NOT_TOLD
    assert "socks5" in attempt.detail


async def test_a_proxy_is_spoken_to_over_tls_where_its_address_says_so(own: Authority) -> None:
    """TLS within TLS; and a proxy's own certificate that nobody believes is the proxy's fault."""
    async with site(own.server) as port, Proxy().running(context=own.server) as proxy:
        way = way_by(f"https://localhost:{proxy.port}")
        url = f"https://localhost:{port}/"
        assert (await tried(url, trust=own.trusted(), way=way)).met is Met.ANSWERED
        assert (await tried(url, way=way)).met is Met.PROXY


async def test_behind_a_proxy_over_tls_it_is_still_told_who_issued_a_certificate(
    own: Authority, tmp_path: Path
) -> None:
    """The proxy is believed by the machine's own authorities in the second look as well."""
    other = authority(tmp_path, "ACME Inspection CA")
    async with site(other.server) as port, Proxy().running(context=own.server) as proxy:
        way = way_by(f"https://localhost:{proxy.port}")
        attempt = await tried(f"https://localhost:{port}/", trust=own.trusted(), way=way)
    assert attempt.met is Met.ISSUER
    assert "ACME Inspection CA" in attempt.detail


async def test_each_machine_is_judged_by_its_own_authorities(own: Authority) -> None:
    """One that has the corporate authority, one that has not, one that has none at all."""
    hosts = [Host(name, LOCAL_ADDRESS) for name in ("has", "lacks", "bare")]
    stores = {
        "has": context_of(own.pem.read_bytes(), ""),
        "lacks": ssl.create_default_context(),
        "bare": None,
    }
    async with site(own.server) as port:
        place = Destination("registry", f"https://localhost:{port}/")
        egress = await measure(Nobody(), hosts, [place], trust=own.trusted(), stores=stores)
    met = {attempt.machine: attempt.met for attempt in egress.attempts}
    assert met == {"has": Met.ANSWERED, "lacks": Met.ISSUER, "bare": Met.NO_AUTHORITIES}
    # What the site gives to its machines counts for each of them.
    assert context_of(b"", own.pem.read_text()).get_ca_certs()
    with pytest.raises(ValueError, match="no certificate"):
        context_of(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "")


class Unreachable:
    """A pool whose machines do not answer."""

    async def connect(self, host: Host) -> Connection:
        raise ConnectTimeout("it does not answer", where=host.name)


async def test_what_means_the_machine_itself_is_not_asked_from_here() -> None:
    places = [
        Destination("registry", "http://localhost:1/v2/"),
        Destination("git", "http://[::1]:1/"),
    ]
    egress = await measure(Unreachable(), [Host("m1", "10.0.0.1")], places)
    assert [one.machine for one in egress.attempts] == ["m1", "m1"]


async def test_it_ends_in_time_and_tells_what_was_not_asked(own: Authority) -> None:
    """A server that never speaks: the whole ends, and nothing passes for it."""
    async with silence() as port:
        place = Destination("registry", f"https://localhost:{port}/")
        egress = await measure(Nobody(), [], [place], whole=0.05)
    (attempt,) = egress.attempts
    assert attempt.met is Met.NOT_TOLD
    assert "was not asked to its end" in attempt.detail


@pytest.mark.parametrize("name", solution_ids())
def test_every_solution_names_what_it_fetches_by_kind(name: str) -> None:
    solution = load_solution(name)
    for environment in solution.environments:
        for place in destinations(solution.needs(environment.id)):
            assert place.host
            assert place.port in (80, 443)


async def test_a_place_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preflight.egress_ways.ATTEMPT_SECONDS", 0.2)

    async def never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.wait_closed()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    attempt = await tried(f"https://localhost:{port}/")
    server.close()
    assert attempt.met is Met.SILENT


@pytest.mark.parametrize(
    ("state", "detail", "met"),
    [
        (PortState.UNKNOWN, "the name does not resolve: Name or service not known", Met.NO_NAME),
        (PortState.UNKNOWN, "Temporary failure in name resolution", Met.NO_NAME),
        (PortState.REFUSED, "Connection refused", Met.REFUSED),
        (PortState.FILTERED, "no answer in 5 s", Met.SILENT),
        (PortState.UNREACHABLE, "No route to host", Met.UNREACHABLE),
        (PortState.UNKNOWN, "sshd forbids forwarding", Met.NOT_TOLD),
    ],
)
async def test_what_a_connection_met_is_told_apart(
    state: PortState, detail: str, met: Met, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dialled(*_: object) -> Dialled:
        return Dialled(state, "channel", detail)

    monkeypatch.setattr("preflight.egress_ways.directly", dialled)
    assert (await tried("https://quay.io/v2/")).met is met


async def greeting(*lines: bytes) -> tuple[asyncio.Server, int]:
    """A server that says some lines to whoever comes, and ends."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.writelines(lines)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("lines", "met", "detail"),
    [
        ((b"SSH-2.0-OpenSSH_9.6\r\n",), Met.ANSWERED, "SSH-2.0-OpenSSH_9.6"),
        ((b"welcome\r\n", b"SSH-2.0-x\r\n"), Met.ANSWERED, "SSH-2.0-x"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), Met.HTTP, "no SSH server: HTTP/1.1 400"),
        ((), Met.HTTP, "it ended without a word"),
        ((b"x" * 70_000,), Met.HTTP, "no SSH server: it says a line without an end"),
    ],
)
async def test_git_by_ssh_is_asked_for_its_name(
    lines: tuple[bytes, ...], met: Met, detail: str
) -> None:
    """Straight, whatever proxy there is for the web."""
    server, port = await greeting(*lines)
    async with server:
        place = Destination("git", f"ssh://127.0.0.1:{port}/site.git")
        way = way_by("http://127.0.0.1:9")
        egress = await measure(Nobody(), [], [place], ways={HERE: way})
    (attempt,) = egress.attempts
    assert attempt.met is met
    assert attempt.detail.startswith(detail)
    assert attempt.proxy == ""
    (finding,) = judge_egress(egress)
    assert finding.evidence == f"ssh-keyscan -T 10 -p {port} 127.0.0.1"


async def test_what_cannot_be_tried_is_told() -> None:
    place = Destination("packages", "tor+http://apt.example.onion/")
    (attempt,) = (await measure(Nobody(), [], [place])).attempts
    assert attempt.met is Met.NOT_TOLD
    assert "tor+http, which is not tried" in attempt.detail


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://mirror:99999/debian/", "mirror:99999"),
        ("http://u:p@mirror:port/debian/", "mirror:port"),
        ("http://:80/debian/", ":80"),
    ],
)
async def test_an_address_that_leads_nowhere_is_told_and_ends_nothing(url: str, shown: str) -> None:
    """apt names the sources of a machine as they are written there."""
    (attempt,) = (await measure(Nobody(), [], [Destination("packages", url)])).attempts
    assert attempt.met is Met.NOT_TOLD
    assert "no machine and port that there can be" in attempt.detail
    assert attempt.destination.shown == shown
    judge_egress(Egress((attempt,)))


def test_what_is_fetched_where_helm_runs_is_asked_of_no_other_machine() -> None:
    """A node without a way to a chart repository does not stand against beginning."""
    charts = Destination("charts", "https://charts.test/", roles=("control",))
    node = Host("w1", "10.0.0.1", roles=("worker",))
    assert not egress_ways._fetches(node, charts, {})
    assert egress_ways._fetches(node, charts, {"w1": ("worker", "control")})


@pytest.mark.parametrize("name", solution_ids())
def test_who_fetches_what_is_said_by_roles_that_there_are(name: str) -> None:
    solution = load_solution(name)
    roles = {role.id for role in solution.roles}
    for environment in solution.environments:
        platform = solution.needs(environment.id).platform
        assert platform.internet_roles.keys() <= platform.internet.keys()
        assert {one for some in platform.internet_roles.values() for one in some} <= roles | {
            CONTROL_HOST
        }
        assert not platform.internet or platform.internet_roles
