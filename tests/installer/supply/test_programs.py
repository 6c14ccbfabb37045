"""Helm and kubectl for a control host: what a plan needs, where it is had, how it is brought.

The machine is this one, its folders are the test's; the way by SSH is in test_control_host_lab.
"""

from __future__ import annotations

import asyncio
import io
import os
import platform
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from bundles.format.layout import INDEX_NAME
from bundles.format.strict_json import digest_of
from foundation.hosts.local import LocalConnection
from foundation.problems import Refused
from installer.plans.plan import Plan
from installer.steps.kind import step_kind
from installer.supply import control_host_programs as programs
from installer.supply.control_host_programs import PROGRAMS, needed, ready
from tests.bundles.conftest import file_recipe, make
from tests.installer.engine_site import LOCAL, plan, step

HELM = b"#!/bin/sh\necho v3.16.0+gtest\n"
BROKEN = b"#!/bin/sh\nexit 1\n"
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
RELEASE = {"release": "r", "namespace": "n", "chart": "c", "version": "1"}
USES_HELM = plan(step("x", "control", kind="helm", **RELEASE))

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="files of root are written")


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where programs are brought, in this test."""
    monkeypatch.setattr(programs, "FOLDER", str(tmp_path / "bin"))
    monkeypatch.setattr(programs, "_STORE", str(tmp_path / "store"))
    return tmp_path / "bin"


def packed(content: bytes, inside: str = f"linux-{ARCH}/helm") -> bytes:
    """A program as its makers pack it: Helm's, where nothing else is said."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        member = tarfile.TarInfo(inside)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def with_bundle(folder: Path, **files: bytes) -> Plan:
    """A plan with a helm step and a bundle of these files."""
    bundle = make(file_recipe(folder / "src", **files), folder / "bundle")
    index = digest_of((bundle / INDEX_NAME).read_bytes())
    return replace(USES_HELM, supplies=(("bundle", str(bundle)), ("index", index)))


def test_what_is_needed_is_what_steps_run_on_the_control_host() -> None:
    made = plan(
        step("a", "control", kind="helm", **RELEASE, program=["helm"]),
        step("b", "control", kind="kubectl", manifest="m"),
        step("c", "w1", kind="helm", **RELEASE),
        step("d", "control", kind="kubectl", manifest="m", program=["microk8s", "kubectl"]),
    )
    assert needed(made.stages) == ("helm", "kubectl")
    assert needed(plan(*made.stages[0].steps[2:]).stages) == ()


def see_to(made: Plan, said: list[str], **more: bool) -> None:
    """`ready` on this machine."""
    asyncio.run(ready(LocalConnection(LOCAL), made, ["helm"], say=said.append, **more))


@needs_root
@pytest.mark.parametrize(
    "files", [{"helm": HELM}, {f"helm-{ARCH}": packed(HELM), "helm": BROKEN}], ids=["plain", "gz"]
)
def test_a_bundle_has_it(tmp_path: Path, bin_folder: Path, files: dict[str, bytes]) -> None:
    """As a plain file or as its makers pack it; the one for the processor goes before."""
    made, said = with_bundle(tmp_path, **files), list[str]()
    see_to(made, said, dry_run=True)
    assert said == ["Would bring helm from the bundle."]
    assert not bin_folder.exists()
    for _ in range(2):
        see_to(made, said)
    assert (bin_folder / "helm").read_bytes() == HELM
    assert "from the bundle: v3.16.0+gtest (SHA-256 " in said[1]
    assert len(said) == 2
    assert [path.name for path in bin_folder.iterdir()] == ["helm"]
    assert not list((tmp_path / "store" / "blobs" / "sha256").iterdir())


@needs_root
def test_a_program_is_one_line_of_a_table(
    tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name, where its makers have it in their archive, and how it is tried."""
    # Whether or not this machine has one.
    monkeypatch.setattr(programs, "_FIND", 'echo "machine=$(uname -s) $(uname -m)"')
    script = b'#!/bin/sh\n[ "$*" = "version --client" ] && echo Client Version: v1.31.0\n'
    archive = packed(script, "kubernetes/client/bin/kubectl")
    made, said = with_bundle(tmp_path, kubectl=archive), list[str]()
    asyncio.run(ready(LocalConnection(LOCAL), made, ["kubectl"], say=said.append))
    assert (bin_folder / "kubectl").read_bytes() == script
    assert "from the bundle: Client Version: v1.31.0" in said[0]
    named = {"helm": "helm", "kubectl": "kubectl"}
    for kind, name in named.items():
        assert step_kind(kind).programs(step("x", kind=kind)) == (name,)
    assert set(named.values()) == set(PROGRAMS)


@needs_root
def test_what_does_not_run_there_is_not_left_there(tmp_path: Path, bin_folder: Path) -> None:
    with pytest.raises(Refused, match="it does not run here"):
        see_to(with_bundle(tmp_path, helm=BROKEN), [])
    assert list(bin_folder.iterdir()) == []


def test_what_nobody_has_is_told_with_what_to_do(bin_folder: Path) -> None:
    with pytest.raises(Refused, match="helm is not installed there") as caught:
        see_to(USES_HELM, [])
    assert f"helm-{ARCH}" in caught.value.remedy
    assert not bin_folder.exists()


@pytest.mark.parametrize("kind", ["program", "script", "snap"])
def test_this_machines_own_goes_along_where_it_is_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    folder = tmp_path / "path"
    folder.mkdir()
    match kind:
        case "program":
            shutil.copy("/bin/true", folder / "helm")
        case "script":
            (folder / "helm").write_bytes(HELM)
        case _:
            shutil.copy("/bin/true", folder / "snap")
            (folder / "helm").symlink_to("snap")
    (folder / "helm").resolve().chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    found = programs._own("helm", platform.machine())
    assert (found is not None) == (kind == "program")
    assert programs._own("helm", "riscv64") is None
