"""Images for a cluster, given out by a registry of the test's own: nothing can be pulled elsewhere.

An image is made of files of this machine: the programs that are named and the libraries that they
need. It is pulled for real (containerd, over HTTP, by way of a mirror), under its makers' name.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.kubernetes import build

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_LIBRARY = re.compile(r"(/\S+) \(0x")


@dataclass
class Registry:
    """What is given out: documents and blobs, by the path under /v2/."""

    folder: Path
    address: str = ""
    files: dict[str, tuple[str, Path]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The manifests that were asked for, NAME:TAG with the host that was meant."""

    def add(self, name: str, tag: str, config: Mapping[str, object], layer: Path) -> None:
        """Give out an image under a name without its host."""
        whole = {
            "architecture": "amd64",
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}"]},
        }
        kind = "application/vnd.oci.image."
        described = [
            {"mediaType": f"{kind}{what}", "digest": self._blob(name, path), "size": size}
            for what, path, size in (
                ("config.v1+json", self._document(whole), len(json.dumps(whole))),
                ("layer.v1.tar", layer, layer.stat().st_size),
            )
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
        document = self._document(manifest)
        for reference in (tag, f"sha256:{_digest(document)}"):
            self.files[f"{name}/manifests/{reference}"] = (_MANIFEST, document)

    def _blob(self, name: str, path: Path) -> str:
        digest = f"sha256:{_digest(path)}"
        self.files[f"{name}/blobs/{digest}"] = ("application/octet-stream", path)
        return digest

    def _document(self, said: Mapping[str, object]) -> Path:
        text = json.dumps(said)
        path = self.folder / hashlib.sha256(text.encode()).hexdigest()
        path.write_text(text)
        return path


@contextmanager
def registry(address: str) -> Iterator[Registry]:
    """A registry at an address of this machine, for the time of a `with` block."""
    with tempfile.TemporaryDirectory(prefix="swlab-registry-") as made:
        given = Registry(Path(made))

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                found = given.files.get(path.removeprefix("/v2/"))
                if path == "/v2/":
                    found = ("application/json", given._document({}))
                if "/manifests/" in path:
                    given.asked.append(f"{path.removeprefix('/v2/')} {query}")
                if found is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", found[0])
                self.send_header("Content-Length", str(found[1].stat().st_size))
                if "/manifests/" in path:
                    self.send_header("Docker-Content-Digest", f"sha256:{_digest(found[1])}")
                self.end_headers()
                if self.command == "GET":
                    with found[1].open("rb") as file:
                        while data := file.read(1 << 20):
                            self.wfile.write(data)

            do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer((address, 0), Answer)
        given.address = f"http://{address}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield given
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def layer(
    target: Path,
    *,
    programs: Sequence[str] = (),
    files: Mapping[str, Path | bytes] | None = None,
    links: Mapping[str, str] | None = None,
    folders: Sequence[str] = (),
) -> Path:
    """Write one layer: programs of this machine with their libraries, files, links and folders."""
    with tarfile.open(target, "w") as tar:
        for folder in ("tmp", *folders):
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(entry)
        for path in sorted({*programs, *_libraries(programs)}):
            tar.add(Path(path).resolve(), path.lstrip("/"))
        for name, source in (files or {}).items():
            if isinstance(source, Path):
                tar.add(source.resolve(), name.lstrip("/"))
                continue
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(source), 0o755
            with tempfile.TemporaryFile() as held:
                held.write(source)
                held.seek(0)
                tar.addfile(entry, held)
        for name, to in (links or {}).items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            tar.addfile(entry)
    return target


def _libraries(programs: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for program in programs:
        shown = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
        found |= set(_LIBRARY.findall(shown.stdout))
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_PASSWD = b"root:x:0:0:root:/root:/bin/sh\nargocd:x:999:999::/home/argocd:/bin/sh\n"
_TOOLS = ("/bin/sh", "/bin/bash", "/bin/cp", "/bin/cat", "/bin/ls", "/bin/mkdir", "/bin/rm")
_GIT = ("/usr/bin/git", "/usr/bin/ssh", "/usr/bin/gpg", "/usr/bin/gpg-agent", "/usr/bin/timeout")
_ARGO_CD = b"""\
#!/bin/sh
# As Argo CD's own program: which of its many it is says this variable, to Git's question too.
exec kubernetes "${ARGOCD_BINARY_NAME:-argocd}" "$@"
"""
_NAMES = (
    *("argocd-server", "argocd-repo-server", "argocd-application-controller", "argocd-dex"),
    *("argocd-applicationset-controller", "argocd-notifications", "argocd-git-ask-pass"),
)


def add_argo_cd(given: Registry) -> None:
    """The images that Argo CD's manifest names: Argo CD, and a stand-in of Redis (miniredis).

    Git, OpenSSH, GnuPG and the shell are this machine's. There is no Kustomize, no Helm, no Dex.
    """
    binary = build.kubernetes()
    https = Path("/usr/lib/git-core/git-remote-http")
    made = layer(
        given.folder / "argocd.tar",
        programs=[*_TOOLS, *_GIT, str(https)],
        files={
            "/usr/local/bin/kubernetes": binary,
            "/usr/local/bin/argocd": _ARGO_CD,
            "/etc/passwd": _PASSWD,
            # As bytes they are written as programs, which the kept copies are not.
            **{
                f"/usr/local/bin/{name}": binary.with_name(name).read_bytes()
                for name in ("gpg-wrapper.sh", "git-verify-wrapper.sh")
            },
        },
        links={
            **{f"/usr/local/bin/{name}": "kubernetes" for name in _NAMES},
            "/usr/lib/git-core/git": "/usr/bin/git",
            "/usr/lib/git-core/git-remote-https": "git-remote-http",
            "/etc/ssh/ssh_known_hosts": "/app/config/ssh/ssh_known_hosts",
        },
        folders=["home", "home/argocd", "etc", "etc/ssh", "app", "app/config"],
    )
    paths = ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/argocd", "USER=argocd"]
    config = {"Env": paths, "User": "999", "WorkingDir": "/home/argocd"}
    given.add("argoproj/argocd", build.ARGO_CD, config, made)
    redis = layer(given.folder / "redis.tar", files={"/redis-server": binary})
    given.add("library/redis", "7.2.11-alpine", {"Entrypoint": ["/redis-server"]}, redis)
