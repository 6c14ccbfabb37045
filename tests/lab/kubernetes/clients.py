"""How tests speak with a Kubernetes: kubeconfigs, and kubectl with one of them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.host import LabError, wait_until
from tests.lab.kubernetes import programs
from tests.lab.kubernetes.certificates import Authority


@dataclass
class Api:
    """An API server, and the administrator's way to it."""

    folder: Path
    kubeconfig: Path
    """An administrator's way in (group system:masters)."""
    server: str
    authority: Authority

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator."""
        done = subprocess.run(
            [programs.kubectl(), *arguments],
            env=self.environment(),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        if check and done.returncode != 0:
            raise LabError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done

    def environment(self) -> dict[str, str]:
        """The environment in which kubectl and Helm find this API and nobody's own settings."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.kubeconfig),
        }

    def read(self, *arguments: str) -> Any:
        """What `kubectl get … -o json` answers."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json").stdout)

    def apply(self, *things: dict[str, Any]) -> None:
        """Apply objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(things)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(listed))

    def way_in(self, user: str, groups: tuple[str, ...] = (), *, days: float = 5) -> Path:
        """A kubeconfig of another user, known by a certificate that is good for `days`."""
        return kubeconfig(self.folder, self.server, self.authority, user, groups, days=days)

    def ready(self) -> bool:
        """Whether the API says of itself that it is ready."""
        with contextlib.suppress(LabError):
            return self.kubectl("get", "--raw", "/readyz").stdout == "ok"
        return False

    def wait_until_ready(self) -> None:
        """Wait until the API is ready."""
        wait_until(self.ready, "the Kubernetes API", seconds=300)


def kubeconfig(
    folder: Path,
    server: str,
    authority: Authority,
    user: str,
    groups: tuple[str, ...],
    *,
    days: float = 5,
    inline: bool = False,
) -> Path:
    """Write the way in of a user, known by a certificate; `inline` needs no file beside it."""
    name = user.replace(":", "-")
    pair = authority.issue(name, user, groups, days=days)

    def file(key: str, path: Path) -> dict[str, str]:
        if inline:
            return {f"{key}-data": base64.b64encode(path.read_bytes()).decode()}
        return {key: str(path)}

    path = folder / f"{name}.kubeconfig"
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [
            {
                "name": "lab",
                "cluster": {
                    "server": server,
                    **file("certificate-authority", authority.pair.certificate),
                },
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    **file("client-certificate", pair.certificate),
                    **file("client-key", pair.key),
                },
            }
        ],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
    }
    path.write_text(json.dumps(text))
    path.chmod(0o600)
    return path
