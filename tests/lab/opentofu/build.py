"""OpenTofu 1.12.6 for tests, built from the sources that Go's module proxy serves.

Beside it the provider hashicorp/local 1.4.0, which looks at files outside of the state, so that a
change by hand is a drift; the proxy serves no later one under its own name. Both are built once,
some three minutes of two processors, and kept in the cache folder under a hash of what went in.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.lab import go

VERSION = "1.12.6"
"""As in go/go.mod."""
_PROVIDER = "registry.opentofu.org/hashicorp/local/1.4.0/linux_amd64"
"""Where the program looks for it in a mirror (opentofu.org/docs/cli/config/config-file)."""
_SOURCE = Path(__file__).parent / "go"


def missing() -> str | None:
    """Why there can be no OpenTofu here; None where there can."""
    if shutil.which("go") is None:
        return "go is not installed on this machine (package golang)"
    return None


def opentofu() -> Path:
    """The path of the program, built if need be; `mirror` lies beside it."""
    return go.built("opentofu", _SOURCE, "tofu", _build)


def mirror() -> Path:
    """The folder of the filesystem mirror of providers."""
    return opentofu().with_name("mirror")


def _build(program: Path) -> None:
    provider = program.with_name("mirror") / _PROVIDER / "terraform-provider-local_v1.4.0"
    provider.parent.mkdir(parents=True, exist_ok=True)
    released = "-X github.com/opentofu/opentofu/version.dev=no"
    with tempfile.TemporaryDirectory(dir=program.parent, prefix="building-") as made:
        # The large one is moved last: where it is, all is there.
        for target, folder, package, flags in (
            (provider, _SOURCE / "local", ".", ""),
            (program, _SOURCE, "github.com/opentofu/opentofu/cmd/tofu", released),
        ):
            new = Path(made) / target.name
            go.build_one("OpenTofu", folder, flags, new, package)
            new.replace(target)
