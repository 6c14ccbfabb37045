"""Docker: the engine, Compose, the storage driver, and with whose rights it runs."""

from __future__ import annotations

import re
from typing import Final

from preflight.facts import ABSENT, DockerFacts, Fact, Unknown
from preflight.parse.frames import Answer
from preflight.parse.sockets import process_names
from preflight.parse.text import plain, told

_VERSION: Final = re.compile(r"v?([0-9]+(\.[0-9]+)+[^\s]{0,60})")


def parse_docker(answer: Answer) -> DockerFacts:
    """The facts from the sections commands, compose, docker and processes."""
    if "commands" not in answer.sections:
        return DockerFacts()
    if not any(line.endswith("/docker") for line in answer.lines("commands")):
        return DockerFacts(ABSENT, ABSENT, ABSENT, ABSENT, ABSENT)
    compose = _compose(answer)
    names = set(process_names(answer).values())
    if "docker" not in answer.sections:
        rootless = "rootlesskit" in names
        return DockerFacts(ABSENT, compose, ABSENT, ABSENT, rootless=rootless)
    if not answer.succeeded("docker"):
        why = _refused(answer)
        return DockerFacts(why, compose, why, why, rootless=False)
    parts = [plain(part, 120) for part in "".join(answer.lines("docker")[-1:]).split("|")]
    if len(parts) != 5:
        why = Unknown("docker info said something else than was asked")
        return DockerFacts(why, compose, why, why, why)
    engine, driver, _, folder, security = parts
    return DockerFacts(
        engine=_version(engine) or Unknown("docker info told no version"),
        compose=compose,
        driver=told(driver, ABSENT),
        root_folder=told(folder, ABSENT),
        rootless="name=rootless" in security,
    )


def _compose(answer: Answer) -> Fact[str]:
    if not answer.succeeded("compose"):
        if answer.status("compose") in ("1", "125"):
            return ABSENT  # docker takes "compose" for a command that it does not know
        return answer.why_not("compose", "docker compose")
    found = next((v for line in answer.lines("compose") if (v := _version(line))), None)
    return found or ABSENT


def _version(text: str) -> str | None:
    found = _VERSION.fullmatch(text.strip())
    return plain(found[1], 60) if found else None


def _refused(answer: Answer) -> Unknown:
    said = " ".join(answer.lines("docker")).lower()
    if "permission denied" in said:
        return Unknown("the login has no right to Docker's socket (root's rights would have)")
    return answer.why_not("docker", "docker info")
