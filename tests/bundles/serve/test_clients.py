"""What is served, fetched by the programs of the field themselves."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundles.format.recipe import Recipe
from bundles.make.create import CreateOptions, create_bundle
from bundles.registries.mirrors import Mirror, apt_settings, apt_sources, pip_settings
from bundles.serve import serve_bundle
from tests.bundles.places import need, skopeo, start_registry
from tests.bundles.serve.conftest import Everything, Running


def run(*words: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "LC_ALL": "C.UTF-8", **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_skopeo_copies_an_image_with_its_digest(
    running: Running, everything: Everything, tmp_path: Path
) -> None:
    need("skopeo")
    trust = running.ca.parent
    place = f"docker://{running.served.registry}/docker.io/library/app:1.0"
    skopeo("copy", "--src-cert-dir", str(trust), place, f"oci:{tmp_path / 'got'}:app")
    index = json.loads((tmp_path / "got/index.json").read_text())
    assert index["manifests"][0]["digest"] == everything.image.digest
    said = json.loads(skopeo("list-tags", "--cert-dir", str(trust), place.rpartition(":")[0]))
    assert said["Tags"] == ["1.0"]


def test_registries_conf_puts_it_in_the_place_of_each(running: Running, tmp_path: Path) -> None:
    """registries.conf(5), as podman, CRI-O and skopeo read it."""
    need("skopeo")
    place = running.served.registry
    (tmp_path / "registries.conf").write_text(
        "".join(
            f'[[registry]]\nprefix = "{name}"\nlocation = "{place}/{name}"\n'
            for name in ("docker.io", "quay.io")
        )
    )
    got = {}
    for name in ("docker.io", "quay.io"):
        (tmp_path / name).mkdir()
        skopeo(
            "--registries-conf", str(tmp_path / "registries.conf"), "copy",
            "--src-cert-dir", str(running.ca.parent),
            f"docker://{name}/library/app:1.0", f"dir:{tmp_path / name}",
        )  # fmt: skip
        got[name] = (tmp_path / name / "manifest.json").read_bytes()
    assert got["docker.io"] != got["quay.io"]


def test_a_registry_pulls_through_from_it(running: Running, tmp_path: Path) -> None:
    """Debian's docker-registry as a cache in front of it, as a site may have one."""
    need("docker-registry", "skopeo")
    cache = start_registry(
        tmp_path / "cache",
        proxy=running.served.base,
        environment={"SSL_CERT_FILE": str(running.ca)},
    )
    try:
        skopeo(
            "copy", "--src-tls-verify=false",
            f"docker://{cache.host}/library/app:1.0", f"oci:{tmp_path / 'got'}:app",
        )  # fmt: skip
    finally:
        cache.stop()


@pytest.mark.processes
def test_containerd_pulls_each_registry_by_its_own_name(
    running: Running, everything: Everything, tmp_path: Path
) -> None:
    """containerd with our hosts.toml asks nobody else, and tells the two registries apart."""
    from bundles.registries.mirrors import containerd_hosts
    from tests.bundles.serve.containerd import running_containerd

    mirror = Mirror(running.served.base, running.served.registries, authority=str(running.ca))
    for path, text in containerd_hosts(mirror).items():
        place = tmp_path / "certs.d" / path
        place.parent.mkdir(parents=True)
        place.write_text(text)
    with running_containerd(tmp_path / "containerd") as ctr:
        hosts = ("--hosts-dir", str(tmp_path / "certs.d"))
        names = ("docker.io/library/app:1.0", "quay.io/library/app:1.0", "quay.io/team/tool:v2")
        for name in names:
            ctr("content", "fetch", *hosts, name)
        listed = ctr("images", "list")
        for name in names:
            assert name in listed
        digests = {line.split()[2] for line in listed.splitlines() if "/app:1.0" in line}
        assert len(digests) == 2
        missing = ctr("content", "fetch", *hosts, "ghcr.io/any/thing:1", fails=True)
        assert "not found" in missing
    asked = {event.path for event in running.events if event.kind == "request"}
    assert any("ns=quay.io" in (path or "") for path in asked)


@pytest.mark.processes
def test_apt_installs_from_it_by_its_signature(running: Running, tmp_path: Path) -> None:
    """apt in a root of its own: the suite's signature, the authority, the hash, the package."""
    need("apt-get", "dpkg-deb")
    served = running.served
    (key := tmp_path / "archive.gpg").write_bytes(served.archive_key)
    mirror = Mirror(
        served.base,
        apt=served.apt,
        suites=served.suites,
        authority=str(running.ca),
        archive_key=str(key),
    )
    root = tmp_path / "root"
    for name in ("etc/parts", "etc/prefs", "lists/partial", "cache/archives/partial"):
        (root / name).mkdir(parents=True)
    (root / "status").touch()
    (root / "etc/parts/bundle.sources").write_text(apt_sources(mirror))
    (root / "apt.conf").write_text(apt_settings(mirror))
    settings = {
        "Dir": root,
        "Dir::Etc": root / "etc",
        "Dir::Etc::sourcelist": root / "etc/none",
        "Dir::Etc::sourceparts": root / "etc/parts",
        "Dir::Etc::preferencesparts": root / "etc/prefs",
        "Dir::Etc::trustedparts": root / "etc/none.d",
        "Dir::State": root,
        "Dir::State::status": root / "status",
        "Dir::Cache": root / "cache",
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    more = {"APT_CONFIG": str(root / "apt.conf")}
    run("apt-get", *options, "--error-on=any", "update", cwd=root, **more)
    run("apt-get", *options, "download", "sw-front", cwd=root, **more)
    printed = run("apt-get", *options, "--print-uris", "install", "sw-front", cwd=root, **more)
    assert "sw-middle" in printed
    (file,) = root.glob("*.deb")
    assert "2.8-1" in run("dpkg-deb", "-f", file, "Version", cwd=root)
    (root / "etc/parts/bundle.sources").write_text(
        apt_sources(mirror).replace(str(key), str(tmp_path / "other.gpg"))
    )
    from bundles.read.apt_signature import AptKey

    (tmp_path / "other.gpg").write_bytes(AptKey.new(1).public)
    with pytest.raises(AssertionError, match=r"NO_PUBKEY|not signed|public key"):
        run("apt-get", *options, "--error-on=any", "update", cwd=root, **more)


def test_git_clones_all_or_only_the_newest(
    running: Running, everything: Everything, tmp_path: Path
) -> None:
    url = f"{running.served.git}/environments.git"
    trust = {"GIT_SSL_CAINFO": str(running.ca)}
    run("git", "clone", "-q", url, "whole", cwd=tmp_path, **trust)
    head = run("git", "rev-parse", "main", cwd=everything.repository)
    assert run("git", "rev-parse", "HEAD", cwd=tmp_path / "whole") == head
    assert run("git", "branch", "--show-current", cwd=tmp_path / "whole") == "main\n"
    run("git", "clone", "-q", "--depth", "1", url, "shallow", cwd=tmp_path, **trust)
    assert run("git", "rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "1\n"
    dumb = {**trust, "GIT_SMART_HTTP": "0"}
    run("git", "clone", "-q", url, "dumb", cwd=tmp_path, **dumb)
    assert (tmp_path / "dumb/file").read_text() == "2\n"
    with pytest.raises(AssertionError, match="403"):
        run("git", "push", url, "HEAD:refs/heads/evil", cwd=tmp_path / "whole", **trust)


def test_pip_installs_with_what_is_required(running: Running, tmp_path: Path) -> None:
    served = running.served
    mirror = Mirror(served.base, wheels=served.wheels, authority=str(running.ca))
    (tmp_path / "pip.conf").write_text(pip_settings(mirror))
    run(
        *(sys.executable, "-m", "pip", "download", "--no-cache-dir", "-d", "wheels", "outer"),
        cwd=tmp_path,
        PIP_CONFIG_FILE=str(tmp_path / "pip.conf"),
    )
    names = sorted(path.name for path in (tmp_path / "wheels").iterdir())
    assert names == ["inner-1.2-py3-none-any.whl", "outer-1.2-py3-none-any.whl"]


def test_curl_goes_on_where_it_was_cut_off(running: Running, tmp_path: Path) -> None:
    url = f"{running.served.files}/kubectl"
    (tmp_path / "kubectl").write_bytes(b"x" * 1_000_000)
    run("curl", "-sSf", "--cacert", running.ca, "-C", "-", "-O", url, cwd=tmp_path)
    assert (tmp_path / "kubectl").read_bytes() == b"x" * 3_000_000
    listed = json.loads(
        run("curl", "-sSf", "--cacert", running.ca, f"{running.served.files}/index.json",
            cwd=tmp_path)
    )  # fmt: skip
    digest = hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert listed == [{"path": "kubectl", "version": "1.31", "size": 3_000_000, "sha256": digest}]


async def test_a_bundle_can_be_made_from_what_another_serves(
    everything: Everything, tmp_path: Path
) -> None:
    """Our own clients of Helm repositories and registries, on what is served over plain HTTP."""
    async with serve_bundle(everything.folder, "127.0.0.1", 0, tls=False) as served:
        recipe = Recipe.model_validate(
            {
                "solution": "again",
                "version": "1",
                "charts": [{"name": "web", "version": "0.3.1+b1", "repository": served.charts}],
                "images": [f"{served.registry}/quay.io/team/tool:v2"],
            }
        )
        options = CreateOptions(plain_http=frozenset({served.registry}))
        made = await create_bundle(recipe, tmp_path / "again", options)
    contents = {item.kind: item.content for item in made.structure.index.items}
    chart = next(item for item in everything.made.items if item.kind == "chart")
    assert contents["chart"] == chart.content
    image = next(i for i in everything.made.items if i.name == "quay.io/team/tool:v2")
    assert image.digest in {item.digest for item in made.structure.index.items}
