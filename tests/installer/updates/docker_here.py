"""A Compose project on this computer, as the stand-in of `docker` has it, with its site."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

DOCKER = Path(__file__).parents[2] / "stand_ins/docker"
LABEL = "com.docker.compose."
NEW_DIGEST = "sha256:" + "2" * 64
OLD_DIGEST = "sha256:" + "1" * 64
OLD, NEW = "mojaloop/central-ledger:v1.0.0", f"mojaloop/central-ledger:v1.0.2@{NEW_DIGEST}"


class DockerHere:
    """The stand-in's state, the folder of a project, and what was called."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.project = folder / "docker", folder / "project"
        for made in (self.folder, self.project, folder / "bin"):
            made.mkdir()
        program = folder / "bin/docker"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {DOCKER} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("STAND_IN", str(self.folder))
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        self.file("docker-compose.yml", f"services:\n  ledger:\n    image: {OLD}\n")
        self.state: dict[str, Any] = {
            "containers": [],
            "images": {"sha256:old": {"digests": [f"mojaloop/central-ledger@{OLD_DIGEST}"]}},
            "names": {OLD: "sha256:old"},
            "registry": {NEW_DIGEST: "sha256:new"},
            "registry_images": {"sha256:new": {"behaves": "healthy"}},
        }
        self.runs("ledger", OLD, "sha256:old")

    def file(self, name: str, text: str) -> Path:
        """A file of the project."""
        path = self.project / name
        path.write_text(text)
        return path

    def runs(self, service: str, image: str, image_id: str, project: str = "hub") -> None:
        """One more container."""
        labels = {
            f"{LABEL}project": project, f"{LABEL}service": service, f"{LABEL}oneoff": "False",
            f"{LABEL}project.working_dir": str(self.project),
            f"{LABEL}project.config_files": str(self.project / "docker-compose.yml"),
        }  # fmt: skip
        number = len(self.state["containers"])
        self.state["containers"].append({
            "Id": f"first{number}", "Name": f"/{project}-{service}-1", "Image": image_id,
            "RestartCount": 0, "Path": "node", "Args": ["src/api/index.js"],
            "Config": {"Image": image, "Labels": labels},
            "State": {"Status": "running", "ExitCode": 0, "OOMKilled": False, "Health": None,
                      "StartedAt": "2026-01-01T00:00:00Z"},
        })  # fmt: skip
        self.keep()

    def keep(self) -> None:
        """Have the stand-in know what was said of it."""
        (self.folder / "docker.json").write_text(json.dumps(self.state))

    def now(self) -> dict[str, Any]:
        """The stand-in's state as it is."""
        found: dict[str, Any] = json.loads((self.folder / "docker.json").read_text())
        return found

    @property
    def calls(self) -> list[str]:
        """The words of every call."""
        return (self.folder / "calls").read_text().splitlines()


def site_here(folder: Path, solution: str = "core-test-harness") -> Path:
    """The file of a site whose one machine is this computer."""
    file = folder / "site.yaml"
    file.write_text(f"solution: {solution}\nhosts: [{{name: box, address: local, roles: [box]}}]\n")
    return file
