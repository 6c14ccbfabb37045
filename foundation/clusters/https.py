"""A cluster by its kubeconfig: one client that asks the API server over HTTPS."""

from __future__ import annotations

import asyncio
import json
import shlex
import ssl
import subprocess
import tempfile
import urllib.request
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from foundation.clusters.api import ANSWER_OF_CHANGE, refused
from foundation.clusters.kubeconfig import Access, ExecProgram
from foundation.clusters.problems import (
    ApiRefused,
    ClusterLoginRefused,
    ClusterNotTrusted,
    ClusterProblem,
    ClusterSilent,
)
from foundation.hosts.openssh.allowed import ProgramsNotAllowed, is_remembered
from foundation.isolation import NOWHERE, environment
from foundation.moments import moment
from foundation.no_proxy import bypasses
from foundation.problems import InputProblem
from foundation.secrets import Secret, redact
from foundation.terminal import clean_line

_CONNECT_SECONDS: Final = 10.0
_SILENT_SECONDS: Final = 20.0
_CALL_SECONDS: Final = 60.0
"""For one answer as a whole: a server that trickles has an end too."""
_DONE: Final = (200, 201, 202)
_PLUGIN_SECONDS: Final = 60.0
_PLUGIN_LIMIT: Final = 1 << 20


class HttpsApi:
    """The way to a cluster that one context of a kubeconfig describes."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._client: httpx.AsyncClient | None = None
        self._try_it = f"`curl -vk {shlex.quote(access.server + '/version')}`"
        self.serving_ends = ""
        self.client_ends = _ends(access.certificate)

    @property
    def where(self) -> str:
        """The server's address."""
        return self._access.server

    @property
    def way(self) -> str:
        """The kubeconfig and its context."""
        return f"the kubeconfig {self._access.source}, context {self._access.name}"

    async def __aenter__(self) -> Self:
        if self._access.program is not None:
            self._access = await asyncio.to_thread(_with_program, self._access)
            self.client_ends = _ends(self._access.certificate)
        access = self._access
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if access.token is not None:
            headers["Authorization"] = f"Bearer {access.token.reveal()}"
        if access.impersonate is not None:
            headers["Impersonate-User"] = access.impersonate
        several = [("Impersonate-Group", group) for group in access.groups]
        try:
            self._client = httpx.AsyncClient(
                headers=[*headers.items(), *several],
                verify=_context(access),
                # Neither .netrc nor a variable may choose the login; the proxy is asked for below.
                trust_env=False,
                proxy=access.proxy or proxy_of(access.server),
                timeout=httpx.Timeout(_SILENT_SECONDS, connect=_CONNECT_SECONDS),
            )
        except (ValueError, httpx.InvalidURL, ImportError) as error:
            # The client brings no SOCKS of its own.
            told = "SOCKS is not spoken" if isinstance(error, ImportError) else redact(str(error))
            raise InputProblem(
                f"a proxy, a token or a name in it cannot be used: {told}",
                where=access.source,
                remedy="Give it a proxy for HTTP (proxy-url: http://proxy.example.org:3128), or "
                "none where the cluster is reached without: take proxy-url out of it, and name "
                "the server in NO_PROXY.",
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def get(self, path: str, *, limit: int) -> bytes | bytearray:
        """The body of an answer; see `Api.get`."""
        return await self._asked("GET", path, limit=limit)

    async def send(self, method: str, path: str, body: bytes | None = None) -> bytes | bytearray:
        """The answer to a change; see `ChangingApi.send`."""
        return await self._asked(method, path, limit=ANSWER_OF_CHANGE, content=body)

    async def _asked(
        self, method: str, path: str, *, limit: int, content: bytes | None = None
    ) -> bytes | bytearray:
        client = self._client
        if client is None:
            raise RuntimeError("the way to a cluster is a context manager")
        name = self._access.server_name
        try:
            async with (
                asyncio.timeout(_CALL_SECONDS),
                client.stream(
                    method,
                    self._access.server + path,
                    content=content,
                    headers={"Content-Type": "application/json"} if content is not None else {},
                    extensions={"sni_hostname": name} if name else {},
                ) as response,
            ):
                self._see_certificate(response)
                body = await _bounded(response, limit)
                status = response.status_code
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ClusterSilent(
                f"nothing more came within {_SILENT_SECONDS:g} s",
                where=self.where,
                remedy="See that the API server runs and that a firewall lets you through:"
                f" {self._try_it}.",
            ) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise self._problem(error) from error
        if status == 401:
            raise ClusterLoginRefused(
                f"it does not know who asks (401): {refused(status, body).message}",
                where=self.where,
                remedy="The token or the certificate may have expired, or be another cluster's:"
                " fetch a new kubeconfig.",
            )
        if status not in _DONE:
            raise refused(status, body)
        return body

    def _see_certificate(self, response: httpx.Response) -> None:
        stream = response.extensions.get("network_stream")
        seen = stream.get_extra_info("ssl_object") if stream is not None else None
        if seen is not None and not self.serving_ends:
            shown = seen.getpeercert()
            if shown and shown.get("notAfter"):
                at = ssl.cert_time_to_seconds(str(shown["notAfter"]))
                ends = moment(at)
                self.serving_ends = ends.isoformat() if ends else ""

    def _problem(self, error: Exception) -> ClusterProblem:
        seen: BaseException | None = error
        while seen is not None:
            if isinstance(seen, ssl.SSLCertVerificationError):
                return ClusterNotTrusted(
                    f"its certificate does not hold: {seen.verify_message}",
                    where=self.where,
                    remedy="If it has expired, renew it on the control plane. If it is another"
                    " cluster's, the kubeconfig is of an older one: fetch it anew. Sitewright does"
                    " not skip this.",
                )
            seen = seen.__cause__ or seen.__context__
        why = clean_line(redact(str(error))).strip() or type(error).__name__
        return ClusterProblem(
            f"nobody speaks HTTPS there: {why}",
            where=self.where,
            remedy="See that the address is right and that a firewall lets you through:"
            f" {self._try_it}. Where only a machine of the site reaches it, name"
            " that one: --through MACHINE.",
        )


async def _bounded(response: httpx.Response, limit: int) -> bytes | bytearray:
    # Nobody asked for it, and some bytes of it may become all the memory that there is.
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ApiRefused("Unread", "the answer is compressed, which was not asked for")
    # It grows in place: pieces that are joined would be there twice.
    body = bytearray()
    async for piece in response.aiter_raw():
        if len(body) + len(piece) > limit:
            raise ApiRefused("Unread", f"the answer has more than {limit >> 20} MiB")
        body += piece
    return body


def _context(access: Access) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    where = access.source
    try:
        if access.authority is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cadata=access.authority.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise InputProblem(
            "its certificate-authority is no certificate in PEM", where=where
        ) from error
    if access.certificate is None or access.key is None:
        return context

    def unasked() -> str:
        raise ValueError("the key is encrypted, and a kubeconfig has no place for its passphrase")

    # Python's library takes a key from a file alone: one that nobody else can open, gone at once.
    with tempfile.NamedTemporaryFile(prefix="sitewright-") as file:
        file.write(access.certificate + b"\n" + access.key.reveal().encode())
        file.flush()
        try:
            context.load_cert_chain(file.name, password=unasked)
        except (ssl.SSLError, ValueError) as error:
            why = str(error) if isinstance(error, ValueError) else "they do not belong together"
            if isinstance(error, ssl.SSLError):
                why = f"they are no pair in PEM ({error.reason or 'unreadable'})"
            raise InputProblem(
                f"its client certificate and key cannot be used: {why}", where=where
            ) from error
    return context


def _ends(certificate: bytes | None) -> str:
    """The last moment of the first certificate of a PEM text; "" where there is none to read."""
    if certificate is None:
        return ""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc.isoformat()
    except ValueError:
        return ""


def proxy_of(server: str) -> str | None:
    """The proxy that the environment names for a server, as curl and kubectl take it."""
    parts = urlsplit(server)
    host = parts.hostname or ""
    if host in {"localhost", "::1"} or host.startswith("127."):
        return None
    # The library's own reading of no_proxy knows neither networks nor ports of a name.
    named = urllib.request.getproxies_environment()
    proxy = named.get("https")
    if not proxy or bypasses(host, named.get("no", "").split(","), parts.port or 443):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def require_allowed(access: Access, *, allowed: bool = False) -> None:
    """Raise ProgramsNotAllowed where a kubeconfig starts a program that nobody allowed."""
    if access.program is None or allowed:
        return
    shown = (access.program.shown,)
    if not is_remembered(shown):
        raise ProgramsNotAllowed(
            shown,
            where=access.source,
            remedy="Read it. To allow exactly this, say yes where the command asks on a terminal,"
            " or give --allow-programs; else give a kubeconfig with a token or a certificate.",
        )


def _with_program(access: Access) -> Access:
    """The access with what its program tells: a token, or a certificate and its key."""
    program = access.program
    if program is None:
        return access
    said = _run(program, access.source)
    status = said.get("status")
    if said.get("kind") != "ExecCredential" or not isinstance(status, dict):
        raise ClusterLoginRefused(
            f"{program.argv[0]} told no credentials",
            where=access.source,
            remedy="Run it by hand: it should write an ExecCredential.",
        )
    token, certificate, key = (
        status.get(name) for name in ("token", "clientCertificateData", "clientKeyData")
    )
    return replace(
        access,
        program=None,
        token=Secret(str(token)) if token else access.token,
        certificate=str(certificate).encode() if certificate else access.certificate,
        key=Secret(str(key)) if key else access.key,
    )


def _run(program: ExecProgram, where: str) -> dict[str, Any]:
    asked = {"apiVersion": program.version, "kind": "ExecCredential",
             "spec": {"interactive": False}}  # fmt: skip
    variables = {**dict(program.variables), "KUBERNETES_EXEC_INFO": json.dumps(asked)}
    try:
        done = subprocess.run(
            program.argv, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=_PLUGIN_SECONDS, cwd=NOWHERE, env=environment(variables),
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ClusterLoginRefused(
            f"{program.argv[0]} gave no credentials: {error}", where=where
        ) from error
    if done.returncode != 0:
        said = clean_line(done.stderr[-400:].decode("utf-8", "replace")).strip()
        raise ClusterLoginRefused(
            f"{program.argv[0]} ended with {done.returncode}: {said or 'it said nothing'}",
            where=where,
            remedy="Run it by hand; you may have to log in with it first.",
        )
    try:
        value = json.loads(done.stdout[:_PLUGIN_LIMIT])
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}
