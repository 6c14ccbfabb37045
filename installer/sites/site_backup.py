"""What a site says of its backup: where it goes, who can open it, how often it is made."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from installer.sites.site_words import Paths

_FOLDER: Final = re.compile(r"(/[A-Za-z0-9._-]+)+/?")
_LOGIN: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_MACHINE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_HOST_KEY: Final = r"^((ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/]{40,2000}={0,3})?$"


class Backup(BaseModel):
    """The backup of a site."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    target: str
    """A folder of the first master on a disk of its own, or ssh://user@machine[:port]/folder."""
    host_key: str = Field(default="", pattern=_HOST_KEY)
    """Of a target over SSH: its host key, as `ssh-keyscan` or the machine's own .pub has it."""
    keys: Paths = Field(min_length=1)
    """Files with the public OpenPGP keys of the persons who can open it, one person a file."""
    vault: bool = True
    """Whether what Vault keeps is in it; no where that is backed up otherwise."""
    every_hours: int = Field(default=6, ge=1, le=168)
    keep: int = Field(default=28, ge=2, le=1000)
    """How many are kept at the target."""

    @field_validator("target")
    @classmethod
    def _is_target(cls, value: str) -> str:
        if not value.startswith("ssh://"):
            if not _FOLDER.fullmatch(value) or "/../" in f"{value}/":
                raise ValueError(
                    "it is no whole path of a folder, and no ssh://user@machine/folder"
                )
            return value.rstrip("/")
        parts = urlsplit(value)
        try:
            port = parts.port
        except ValueError as error:
            raise ValueError("its port is none") from error
        good = (
            _LOGIN.fullmatch(parts.username or "")
            and parts.password is None
            and _MACHINE.fullmatch(parts.hostname or "")
            and port != 0
            and _FOLDER.fullmatch(parts.path)
            and "/../" not in f"{parts.path}/"
            and not parts.query
            and not parts.fragment
        )
        if not good:
            raise ValueError("write it as ssh://user@machine/folder, with a port where it has one")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _known_host(self) -> Backup:
        if self.target.startswith("ssh://") and not self.host_key:
            raise ValueError("a target over SSH needs its host_key, so that no other is believed")
        return self
