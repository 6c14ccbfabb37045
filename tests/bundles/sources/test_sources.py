"""Debian packages, wheels and Git, each from a real source on the loopback."""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from bundles.format.contents import sbom
from bundles.format.problems import SourceProblem
from bundles.format.recipe import AptSource
from bundles.make.create import Created, CreateOptions
from bundles.read.verify import verify_bundle
from bundles.sources import debs
from tests.bundles.conftest import MOMENT
from tests.bundles.creating import again, create, run
from tests.bundles.places import need
from tests.bundles.servers import Answer, Asked, answering, serving
from tests.lab.recipe import mirror as debian_mirror

# Debian packages


COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: front

Files: *
Copyright: 2020 Somebody
License: GPL-2+

Files: lib/*
Copyright: 2021 Somebody
License: Expat

License: GPL-2+
 The text of it.
"""


def deb(pool: Path, name: str, version: str, depends: str = "", script: str = "") -> None:
    folder = pool.parent / f"build-{name}-{version.replace(':', '_')}"
    (folder / "DEBIAN").mkdir(parents=True)
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": "all" if name.endswith("data") else "amd64",
        "Maintainer": "Test <test@example.org>",
        "Description": "a test",
    } | ({"Depends": depends} if depends else {})
    if name == "front":
        fields["Recommends"] = "unrelated, some-data"
    if script:
        (folder / "DEBIAN" / "preinst").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "DEBIAN" / "preinst").chmod(0o755)
    (doc := folder / "usr/share/doc" / name).mkdir(parents=True)
    (doc / "copyright").write_text(COPYRIGHT if name == "front" else "Somebody's, all of it.\n")
    control = "".join(f"{key}: {value}\n" for key, value in fields.items())
    (folder / "DEBIAN" / "control").write_text(control)
    run("dpkg-deb", "--build", "--root-owner-group", folder, pool, cwd=pool)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed apt source of a release "testing-release", with its keyring beside it."""
    need("apt-get", "apt-ftparchive", "gpg", "dpkg-deb")
    root = tmp_path_factory.mktemp("mirror")
    (pool := root / "pool").mkdir()
    deb(pool, "front", "2.8-1", "middle (>= 1:1.0)")
    deb(pool, "middle", "1:1.5-2", "data-of-it | some-data")
    deb(pool, "some-data", "3")
    deb(pool, "unrelated", "1")
    deb(pool, "browser", "1:1snap1", script="if true; then\n  snap install browser\nfi")
    release = root / "dists" / "testing-release"
    (binary := release / "main" / "binary-amd64").mkdir(parents=True)
    packages = run("apt-ftparchive", "packages", "pool", cwd=root)
    (binary / "Packages").write_text(packages)
    (binary / "Packages.gz").write_bytes(gzip.compress(packages.encode(), mtime=0))
    words = ["Suite=testing-release", "Codename=testing-release", "Components=main"]
    words.append("Architectures=amd64")
    options = [part for word in words for part in ("-o", f"APT::FTPArchive::Release::{word}")]
    text = run("apt-ftparchive", *options, "release", "dists/testing-release", cwd=root)
    (release / "Release").write_text(text)
    (home := root / "gpg").mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "")
    run(*gpg, "--quick-gen-key", "test@example.org", "ed25519", "sign", cwd=root)
    run(*gpg, "--export", "--output", root / "keyring.gpg", cwd=root)
    run(*gpg, "--clearsign", "--output", release / "InRelease", release / "Release", cwd=root)
    run("gpgconf", "--homedir", home, "--kill", "all", cwd=root)
    return root


def debs_of(url: str, keyring: Path, *packages: str) -> dict[str, object]:
    source = {"url": url, "suites": ["testing-release"], "keyring": str(keyring)}
    return {"release": "testing-release", "sources": [source], "packages": packages}


def test_packages_come_with_everything_they_depend_on(mirror: Path, tmp_path: Path) -> None:
    with serving(mirror) as url:
        line = debs_of(url, mirror / "keyring.gpg", "front")
        made = create(tmp_path / "bundle", debs=[line])
        assert again(made, tmp_path / "again") == (tmp_path / "bundle/index.json").read_bytes()
    found = verify_bundle(tmp_path / "bundle").structure.index.of_kind("deb")
    assert {(item.name, item.version) for item in found} == {
        ("front", "2.8-1"),
        ("middle", "1:1.5-2"),
        ("some-data", "3"),
    }
    assert {item.name: item.licence for item in found} == {
        "front": "GPL-2+, Expat",
        "middle": None,
        "some-data": None,
    }
    for item in found:
        (file,) = [
            path
            for path in (mirror / "pool").iterdir()
            if "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest() == item.content
        ]
        assert file.name.startswith(item.name)
        assert item.pins["release"] == "testing-release"


def test_a_source_signed_by_a_stranger_is_refused(mirror: Path, tmp_path: Path) -> None:
    (home := tmp_path / "gpg").mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "")
    run(*gpg, "--quick-gen-key", "x@example.org", "ed25519", "sign", cwd=tmp_path)
    run(*gpg, "--export", "--output", tmp_path / "other.gpg", cwd=tmp_path)
    run("gpgconf", "--homedir", home, "--kill", "all", cwd=tmp_path)
    with serving(mirror) as url, pytest.raises(SourceProblem, match="apt-get failed"):
        create(tmp_path / "bundle", debs=[debs_of(url, tmp_path / "other.gpg", "front")])


def test_a_package_that_is_not_there_is_named(mirror: Path, tmp_path: Path) -> None:
    with serving(mirror) as url, pytest.raises(SourceProblem, match="no-such-thing"):
        create(tmp_path / "b", debs=[debs_of(url, mirror / "keyring.gpg", "no-such-thing")])


def test_packages_come_alone_where_that_is_wanted(mirror: Path, tmp_path: Path) -> None:
    with serving(mirror) as url:
        line = debs_of(url, mirror / "keyring.gpg", "front") | {"depends": False}
        made = create(tmp_path / "bundle", debs=[line])
    found = verify_bundle(tmp_path / "bundle").structure.index.of_kind("deb")
    assert [item.name for item in found] == ["front"]
    told = {(one.kind, str(one)) for one in made.lock.all_untold}
    of = "the package front of testing-release: it"
    needed = f"{of} depends on middle (>= 1:1.0), left out as the recipe says (depends: false); "
    assert ("perhaps", f"{needed}the machine must have it") in told
    assert any(one.startswith(f"{of} recommends unrelated, some-data, which") for _, one in told)


def test_a_package_that_stands_for_a_snap_is_told(mirror: Path, tmp_path: Path) -> None:
    """As Ubuntu's chromium-browser, firefox and thunderbird do."""
    with serving(mirror) as url:
        made = create(tmp_path / "b", debs=[debs_of(url, mirror / "keyring.gpg", "browser")])
    (entry,) = made.lock.all_untold
    assert entry.kind == "untold"
    assert entry.what.startswith("its preinst runs snap install when it is installed")


@pytest.mark.timeout(300)
def test_packages_of_a_release_and_an_architecture_that_are_not_this_machines(
    tmp_path: Path,
) -> None:
    """Debian's own archive, its signature checked with the keyring for it."""
    need("apt-get")
    archive = debian_mirror()
    if archive is None:
        pytest.skip("this machine has no Debian archive among its package sources")
    source: dict[str, object] = {"url": archive, "suites": ["trixie"]}
    if "debian" not in archive:
        source["keyring"] = str(
            Path(debs.__file__).parents[1] / "keyrings/debian-archive-keyring.gpg"
        )
    release, architecture = "trixie", "arm64"
    line = {"release": release, "architecture": architecture, "sources": [source]}
    patient = CreateOptions(created=MOMENT)
    create(tmp_path / "bundle", patient, debs=[{**line, "packages": ["hello"]}])
    found = verify_bundle(tmp_path / "bundle").structure.index.of_kind("deb")
    names = {item.name: item for item in found}
    assert {"hello", "libc6"} <= set(names)
    assert {i.pins["architecture"] for i in found} <= {architecture, "all"}
    assert names["hello"].pins["release"] == release
    assert any(item.licence for item in found)


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("http://archive.ubuntu.com/ubuntu", ["ubuntu"]),
        ("http://deb.debian.org/debian", ["debian"]),
        ("http://mirror.example.org/all", ["ubuntu", "debian"]),
    ],
)
def test_a_source_is_checked_with_its_distributions_keyring(url: str, names: list[str]) -> None:
    source = AptSource(url=url, suites=("s",))
    line = debs._source_lines(source, Path.cwd())
    keyrings = line.partition("signed-by=")[2].partition("]")[0].split(",")
    assert [Path(name).name for name in keyrings] == [f"{n}-archive-keyring.gpg" for n in names]
    assert all(Path(name).is_file() for name in keyrings)


def test_the_shipped_keyrings_are_the_archives_own() -> None:
    need("gpg")
    folder = Path(debs.__file__).parent.parent / "keyrings"
    listed = run("gpg", "--show-keys", "--with-colons", folder / "ubuntu-archive-keyring.gpg",
                 cwd=folder)  # fmt: skip
    # https://wiki.ubuntu.com/SecurityTeam/FAQ names these two
    assert "F6ECB3762474EDA9D21B7022871920D1991BC93C" in listed
    assert "790BC7277767219C42C86F933B4FE6ACC0B21F32" in listed


# Python wheels


def wheel(folder: Path, name: str, version: str, requires: str = "", python: str = "") -> None:
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: Apache-2.0\n"
    metadata += "".join(f"Requires-Dist: {one}\n" for one in requires.split(", ") if one)
    metadata += "Provides-Extra: more\n"
    metadata += f"Requires-Python: {python}\n" if python else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as packed:
        packed.writestr(f"{name}.py", "")
        packed.writestr(f"{info}/METADATA", metadata)
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        packed.writestr(f"{info}/RECORD", "")


def test_wheels_come_with_what_they_require(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, requires in (("outer", "inner>=1"), ("inner", "")):
        (tmp_path / "www" / "simple" / name).mkdir(parents=True)
        wheel(tmp_path / "www" / "simple" / name, name, "1.2", requires)
    with serving(tmp_path / "www") as url:
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple/")
        monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        made = create(tmp_path / "bundle", wheels=[{"requirements": ["outer==1.2"]}])
        assert again(made, tmp_path / "again") == (tmp_path / "bundle/index.json").read_bytes()
    wheels = verify_bundle(tmp_path / "bundle").structure.index.of_kind("wheel")
    assert {(item.name, item.version) for item in wheels} == {("outer", "1.2"), ("inner", "1.2")}
    assert {item.licence for item in wheels} == {"Apache-2.0"}
    packages = json.loads(sbom(verify_bundle(tmp_path / "bundle").structure.index))["packages"]
    assert {package["licenseDeclared"] for package in packages} == {"Apache-2.0"}
    target = tmp_path / "wheelhouse"
    target.mkdir()
    for item in wheels:
        blob = tmp_path / "bundle/blobs/sha256" / (item.content or "").removeprefix("sha256:")
        (target / item.pins["file"]).write_bytes(blob.read_bytes())
    monkeypatch.delenv("PIP_INDEX_URL")
    run(
        *(sys.executable, "-m", "pip", "install", "--no-index", "--find-links", target),
        *("--target", tmp_path / "site", "outer"),
        cwd=tmp_path,
    )
    assert (tmp_path / "site" / "inner.py").exists()


def test_a_wheel_that_does_not_run_on_the_target_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways: it would run here and not there, or there and not here."""
    other = f"3.{sys.version_info.minor + 1}"
    (simple := tmp_path / "www" / "simple" / "thing").mkdir(parents=True)
    wheel(simple, "thing", "1.2", python=f">={other}")
    with serving(tmp_path / "www") as url:
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple/")
        monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        line = {"requirements": ["thing==1.2"]}
        create(tmp_path / "there", wheels=[{**line, "python": other}])
        with pytest.raises(SourceProblem, match=f"asks for Python >={other}, and 3.10 is meant"):
            create(tmp_path / "nowhere", wheels=[{**line, "python": "3.10"}])


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Gives a package index a wheel: its name, and what it requires."""

    def offer(name: str, requires: str = "") -> None:
        (tmp_path / "www" / "simple" / name).mkdir(parents=True)
        wheel(tmp_path / "www" / "simple" / name, name, "1.2", requires)

    (tmp_path / "www").mkdir()
    with serving(tmp_path / "www") as url:
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple/")
        monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
        monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
        yield offer


def wheels_of(made: Created) -> set[str]:
    return {item.name for item in made.structure.index.of_kind("wheel")}


def test_markers_are_judged_for_the_target_and_not_for_the_makers_python(
    tmp_path: Path, index: Callable[..., None]
) -> None:
    """pip judges them by the Python that it runs on, so an older one would lack its backports."""
    backport = "backport>=1; python_version < '3.11'"
    index("outer", f"{backport}, win; sys_platform == 'win32'")
    index("backport")
    line = {"requirements": ["outer==1.2"], "platforms": ["manylinux2014_x86_64"]}
    made = create(tmp_path / "old", wheels=[{**line, "python": "3.10"}])
    assert wheels_of(made) == {"outer", "backport"}
    assert not made.lock.all_untold


def test_extras_and_markers_of_a_recipe_are_brought_or_told(
    tmp_path: Path, index: Callable[..., None]
) -> None:
    index("outer", "inner; extra == 'more' and python_version < '3.11'")
    index("inner")
    asked = ["outer[more,gone]==1.2", "inner; python_version >= '3.13'"]
    made = create(tmp_path / "bundle", wheels=[{"requirements": asked, "python": "3.10"}])
    assert wheels_of(made) == {"outer", "inner"}
    told = {(one.kind, one.what) for one in made.lock.all_untold}
    assert ("untold", "pip says: WARNING: outer 1.2 does not provide the extra 'gone'") in told
    left = "inner; python_version >= '3.13' does not count there, by its own marker"
    assert ("note", left) in told
    with pytest.raises(SourceProblem, match="none of its requirements counts there"):
        create(tmp_path / "none", wheels=[{"requirements": asked[1:], "python": "3.10"}])


@pytest.mark.parametrize("marker", ["", "; python_version == '3.10'"])
def test_no_code_of_a_package_runs_where_a_bundle_is_made(
    marker: str, tmp_path: Path, index: Callable[..., None]
) -> None:
    """Where the address counts for pip's own Python, pip follows it itself; and where it does not,
    it is told and not followed."""
    ran = tmp_path / "ran"
    (evil := tmp_path / "evil").mkdir()
    (evil / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'evil'\nversion = '1'\n"
    )
    (evil / "backend.py").write_text(f"open({str(ran)!r}, 'w').write('ran')\n")
    index("outer", f"evil @ {evil.as_uri()} {marker}")
    line = {"python": "3.10", "requirements": ["outer==1.2"]}
    if marker:
        made = create(tmp_path / "bundle", wheels=[line])
        assert wheels_of(made) == {"outer"}
        (told,) = made.lock.all_untold
        assert (told.kind, "which is not from the index" in told.what) == ("untold", True)
    else:
        with pytest.raises(SourceProblem, match="only wheels are taken"):
            create(tmp_path / "bundle", wheels=[line])
    with pytest.raises(SourceProblem, match="names no wheel"):
        create(tmp_path / "own", wheels=[{"requirements": [f"evil @ {evil.as_uri()}"]}])
    assert not ran.exists()


# Git


def test_a_repository_comes_as_one_file_that_git_clones(tmp_path: Path) -> None:
    source = tmp_path / "www" / "repo.git"
    work = tmp_path / "work"
    run("git", "init", "-q", "-b", "main", work, cwd=tmp_path)
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    for number in range(3):
        (work / "file").write_text(f"{number}\n")
        run("git", "add", ".", cwd=work)
        run("git", *identity, "commit", "-q", "-m", f"c{number}", cwd=work)
    run("git", "tag", "v1", "HEAD~1", cwd=work)
    run("git", "clone", "-q", "--bare", work, source, cwd=tmp_path)
    run("git", "update-server-info", cwd=source)
    with serving(tmp_path / "www") as url:
        line = {"name": "repo", "url": f"{url}/repo.git", "ref": "v1"}
        made = create(tmp_path / "bundle", git=[line])
        assert again(made, tmp_path / "again") == (tmp_path / "bundle/index.json").read_bytes()
        with pytest.raises(SourceProblem, match="there is no nothing in it"):
            create(tmp_path / "none", git=[{**line, "ref": "nothing"}])
    (item,) = verify_bundle(tmp_path / "bundle").structure.index.of_kind("git")
    assert item.pins["commit"] == run("git", "rev-parse", "v1", cwd=work).strip()
    blob = tmp_path / "bundle/blobs/sha256" / (item.content or "").removeprefix("sha256:")
    run("git", "clone", "-q", "-b", "bundle", blob, tmp_path / "clone", cwd=tmp_path)
    assert (tmp_path / "clone" / "file").read_text() == "1\n"


@pytest.mark.parametrize("listed", [False, True])
def test_a_chart_repository_that_breaks_off_ends_in_a_problem(tmp_path: Path, listed: bool) -> None:
    """In its index, or in a chart of which the index names no hash."""
    index = b"apiVersion: v1\nentries: {x: [{version: 1.0.0, urls: [x.tgz]}]}\n"

    def answer(asked: Asked) -> Answer:
        return Answer(body=index, cut=None if listed and asked.path.endswith("yaml") else 9)

    line = {"name": "x", "version": "1.0.0"}
    with answering(answer) as server, pytest.raises(SourceProblem):
        create(tmp_path / "bundle", charts=[{**line, "repository": server.url}])


def test_a_transport_that_runs_programs_is_refused(tmp_path: Path) -> None:
    line = {"name": "evil", "url": f"ext::sh%20-c%20touch%20{tmp_path}/ran"}
    with pytest.raises(ValidationError, match="no plain one of a server"):
        create(tmp_path / "bundle", git=[line])
    assert not (tmp_path / "ran").exists()
