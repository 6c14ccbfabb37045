"""Package sources as makers publish them, asked by a real apt with a configuration of its own."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from bundles.format.problems import SourceProblem
from bundles.format.progress import Event
from bundles.format.recipe import AptSource, Recipe
from bundles.make.create import Created, CreateOptions, create_bundle
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from bundles.serve.catalogue import Catalogue
from bundles.sources.debs import silent_source
from bundles.sources.keyrings import form_of, keyring_folder, place_keyring
from bundles.sources.way_out import apt_settings, pip_settings, proxies_of
from foundation.problems import InputProblem
from tests.bundles.conftest import MOMENT
from tests.bundles.debs import build_deb
from tests.bundles.places import need
from tests.bundles.registries.test_registry import QUICK
from tests.bundles.servers import serving
from tests.foundation.processes import free_port


def run(*words: object, cwd: Path) -> str:
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def makers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources of one maker: `flat` as pkgs.k8s.io has it, `security` with suites."""
    need("apt-get", "apt-ftparchive", "gpg", "dpkg-deb")
    root = tmp_path_factory.mktemp("makers")
    (home := root / "gpg").mkdir(mode=0o700)
    gpg = ("gpg", "--homedir", home, "--batch", "--quiet", "--passphrase", "")
    run(*gpg, "--quick-gen-key", "maker@example.org", "ed25519", "sign", cwd=root)
    run(*gpg, "--export", "--output", root / "binary.key", cwd=root)
    run(*gpg, "--armor", "--export", "--output", root / "Release.key", cwd=root)

    def publish(base: Path, listed: Path, packages: str) -> None:
        """Sign what lies below `base`; file names are those that a client adds to its address."""
        release = listed if base / packages == listed else base / "dists/stable-security"
        listed.mkdir(parents=True, exist_ok=True)
        (listed / "Packages").write_text(run("apt-ftparchive", "packages", packages, cwd=base))
        fields = ("Suite=stable-security", "Components=main", "Architectures=amd64")
        options = [w for f in fields for w in ("-o", f"APT::FTPArchive::Release::{f}")]
        text = run("apt-ftparchive", *options, "release", ".", cwd=release)
        (root / "Release").write_text(text)
        run(*gpg, "--clearsign", "--output", release / "InRelease", root / "Release", cwd=root)

    for place in ("flat", "path/deb"):
        (folder := root / place).mkdir(parents=True)
        build_deb(folder, "kubelet", "1.31.2-1.1", depends="kubernetes-cni (>= 1)")
        build_deb(folder, "kubernetes-cni", "1:1.5-1")
    (root / "security").mkdir()
    build_deb(root / "security", "tool", "2.0+security")
    for left in root.glob("**/*-root"):
        shutil.rmtree(left)
    publish(root / "flat", root / "flat", ".")
    publish(root / "path", root / "path/deb", "deb")
    publish(root / "security", root / "security/dists/stable-security/main/binary-amd64", ".")
    run("gpgconf", "--homedir", home, "--kill", "all", cwd=root)
    return root


def source(url: str, suite: str, key: Path, **more: object) -> dict[str, object]:
    return {"url": url, "suites": [suite], "keyring": str(key), **more}


def bring(
    folder: Path,
    *sources: Mapping[str, object],
    packages: tuple[str, ...],
    told: list[str] | None = None,
) -> Created:
    line = {"release": "stable", "sources": list(sources), "packages": packages}
    recipe = Recipe.model_validate({"solution": "test", "version": "1", "debs": [line]})

    def listen(event: Event) -> None:
        if event.kind == "note" and told is not None:
            told.append(event.text)

    return asyncio.run(
        create_bundle(
            recipe, folder, CreateOptions(created=MOMENT, patience=QUICK), listener=listen
        )
    )


def names(made: Created) -> list[tuple[str, str | None]]:
    return [(item.name, item.version) for item in made.structure.index.of_kind("deb")]


@pytest.mark.parametrize(
    ("place", "suite", "key"),
    [
        ("flat", "/", "Release.key"),
        ("flat/", "./", "binary.key"),
        ("path", "deb/", "Release.key"),
    ],
)
def test_a_flat_source_is_brought_and_given_out_again(
    makers: Path, tmp_path: Path, place: str, suite: str, key: str
) -> None:
    """With its key beside the recipe, armored or not, under the name that its maker gave it."""
    with serving(makers) as url:
        made = bring(
            tmp_path / "bundle", source(f"{url}/{place}", suite, makers / key),
            packages=("kubelet",),
        )  # fmt: skip
    assert names(made) == [("kubelet", "1.31.2-1.1"), ("kubernetes-cni", "1:1.5-1")]
    with open_bundle(tmp_path / "bundle") as bundle:
        tree = Catalogue(bundle, read_structure(bundle)).apt()
    assert tree is not None
    assert tree.releases == ("stable",)
    listed = next(raw for path, raw in tree.files.items() if path.endswith("/Packages"))
    assert b"Package: kubelet\n" in listed


def test_a_source_that_is_silent_is_a_failure_whatever_the_others_have(
    makers: Path, tmp_path: Path
) -> None:
    with serving(makers) as url:
        whole = source(f"{url}/flat", "/", makers / "Release.key")
        security = source(f"{url}/security", "stable-security", makers / "Release.key")
        closed = security | {"url": f"http://127.0.0.9:{free_port()}/security"}
        both = bring(tmp_path / "both", whole, security, packages=("kubelet", "tool"))
        assert ("tool", "2.0+security") in names(both)
        for sources in ((whole, closed), (closed,)):
            with pytest.raises(SourceProblem, match="could not be asked") as caught:
                bring(tmp_path / "bundle", *sources, packages=("kubelet",))
            assert str(closed["url"]) in caught.value.cause
            assert caught.value.exit_code == 4


def test_the_configuration_of_this_machine_counts_for_nothing_but_the_way_out(
    makers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pin, a hook and a hand-made solver option that this machine's apt has."""
    (tmp_path / "hook").mkdir()
    config = tmp_path / "apt.conf"
    config.write_text(
        f'APT::Update::Pre-Invoke {{ "touch {tmp_path}/hook/ran"; }};\n'
        'APT::Get::Only-Source "true";\nDir::Ignore-Files-Silently { "."; };\n'
        'Acquire::http::Proxy::elsewhere.example "http://me:hush@proxy.example:3128/";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(config))
    told: list[str] = []
    with serving(makers) as url:
        bring(
            tmp_path / "bundle", source(f"{url}/flat", "/", makers / "Release.key"),
            packages=("kubelet",), told=told,
        )  # fmt: skip
    assert not (tmp_path / "hook" / "ran").exists()
    (note,) = [text for text in told if "proxy.example" in text]
    assert "hush" not in note


def test_what_apt_complains_of_is_told(makers: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with serving(makers) as url:
        twice = source(f"{url}/flat", "/", makers / "Release.key")
        made = bring(tmp_path / "bundle", twice, twice, packages=("kubelet",), told=told)
    assert any("apt says: W: Target Packages" in text for text in told)
    kept = [entry.told.what for entry in made.lock.untold]
    assert any("apt says" in text for text in kept)
    assert not any(str(tmp_path) in text for text in kept)


def test_another_key_is_told_with_the_way_to_the_right_one(makers: Path, tmp_path: Path) -> None:
    with serving(makers) as url:
        line = source(f"{url}/flat", "/", makers / "Release.key") | {"keyring": None}
        with pytest.raises(SourceProblem, match="not signed with") as caught:
            bring(tmp_path / "bundle", line, packages=("kubelet",))
    assert "keyring: FILE" in (caught.value.remedy or "")


def test_a_package_that_no_source_has_is_told_with_what_apt_said_of_them(
    makers: Path, tmp_path: Path
) -> None:
    with serving(makers) as url, pytest.raises(SourceProblem) as caught:
        bring(
            tmp_path / "out",
            source(
                f"{url}/security", "stable-security", makers / "binary.key",
                components=["nosuch"],
            ),
            packages=("tool",),
        )  # fmt: skip
    assert "Unable to locate package tool" in caught.value.cause
    assert "doesn't have the component 'nosuch'" in caught.value.cause
    assert "components" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("is expired (invalid since 5d). Updates for this repository will not be applied.",
         "a mirror that nobody renews"),
        ("is not valid yet (invalid for another 2h). Updates will not be applied.",
         "This machine's clock is behind"),
    ],
)  # fmt: skip
def test_a_source_that_is_not_of_today_is_told_as_one(line: str, remedy: str) -> None:
    url = "http://deb.example.org/dists/stable/InRelease"
    problem = silent_source([f"E: Release file for {url} {line}"], "here")
    assert problem is not None
    assert problem.certain
    assert url in problem.cause
    assert remedy in str(problem.remedy)


@pytest.mark.parametrize("suite", ["..", "../x", "/a", "a//b", "a b", "", "-x", "a/../b/"])
def test_what_is_no_suite_is_told_in_one_sentence(suite: str) -> None:
    with pytest.raises(ValueError, match="is no suite"):
        AptSource(url="http://a.example/x", suites=(suite,))


def test_components_belong_to_sources_that_are_not_flat() -> None:
    flat = AptSource(url="http://a.example", suites=("noble-cran40/",), components=())
    assert flat.components == ()
    with pytest.raises(ValueError, match="has no components"):
        AptSource(url="http://a.example", suites=("/",), components=("main",))
    with pytest.raises(ValueError, match=r"has components: \[main\]"):
        AptSource(url="http://a.example", suites=("noble",), components=())


def test_keys_are_known_by_what_is_in_them(makers: Path, tmp_path: Path) -> None:
    assert form_of((makers / "binary.key").read_bytes(), "x") == "gpg"
    assert form_of((makers / "Release.key").read_bytes(), "x") == "asc"
    for raw, words in (
        (b"", "no public key"),
        (b"<html>", "no public key"),
        (b"\0\0\0\x20\1\1\0\2KBXf", "keybox"),
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----", "private key"),
        (bytes(5 << 20), "more than"),
    ):
        with pytest.raises(InputProblem, match=words):
            form_of(raw, "a file")
    with pytest.raises(InputProblem, match="no such keyring"):
        place_keyring(tmp_path / "none", tmp_path)


def test_a_folder_with_spaces_has_its_keys_elsewhere(tmp_path: Path) -> None:
    with keyring_folder(tmp_path / "a bundle [1], or so") as folder:
        assert " " not in str(folder)
        assert folder.is_dir()
    assert not folder.exists()


def test_of_apts_settings_the_proxies_and_authorities_are_the_way_out() -> None:
    dumped = (
        'Acquire "";\nAcquire::http "";\nAcquire::http::Proxy "http://p.example:3128";\n'
        'Acquire::https::Proxy::a.example "DIRECT";\nAcquire::https::CaInfo "/ca.pem";\n'
        'Acquire::http::Proxy-Auto-Detect "/usr/bin/evil";\nAPT::Get::Force-Yes "1";\n'
    )
    assert apt_settings(dumped) == {
        "Acquire::http::Proxy": "http://p.example:3128",
        "Acquire::https::Proxy::a.example": "DIRECT",
        "Acquire::https::CaInfo": "/ca.pem",
    }


def test_of_pips_settings_the_index_and_the_proxy_are_the_way_out() -> None:
    listed = (
        "global.index-url='https://old.example/simple'\n:env:.index-url='https://new.example/x'\n"
        "global.extra-index-url='https://other.example'\n:env:.find-links='/opt/wheels'\n"
        "install.user='true'\nglobal.timeout='60'\nfreeze.exclude='x'\nnonsense\n"
    )
    kept, left = pip_settings(listed)
    assert kept == {"index-url": "https://new.example/x", "timeout": "60"}
    assert left == ["extra-index-url", "find-links", "user"]


def test_proxies_of_the_environment_are_told_without_their_logins() -> None:
    environment = {
        "http_proxy": "http://me:hush@p.example:3128/",
        "HTTP_PROXY": "http://other.example",
        "HTTPS_PROXY": "q.example:8080",
        "all_proxy": "",
        "NO_PROXY": "a.example",
    }
    assert proxies_of(environment) == {
        "HTTP_PROXY": "http://p.example:3128/",
        "HTTPS_PROXY": "http://q.example:8080",
    }
