"""Registries for real: Debian's docker-registry, skopeo, and a token server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from bundles.format.problems import SourceProblem
from bundles.format.recipe import Recipe
from bundles.format.reference import parse_reference
from bundles.make.create import Created, CreateOptions, create_bundle
from bundles.read.archive_write import write_archive
from bundles.read.opened import open_bundle
from bundles.read.structure import read_structure
from bundles.read.verify import verify_bundle
from bundles.registries.credentials import Login, read_logins
from bundles.registries.push import Pushed, push_bundle
from bundles.registries.registry import Registries
from bundles.registries.web import Patience, Web
from foundation.problems import InputProblem
from foundation.secrets import Secret
from tests.bundles.conftest import MOMENT
from tests.bundles.places import Layout, RunningRegistry, layer, need, skopeo, start_registry
from tests.bundles.servers import Answer, Asked, answering

QUICK = Patience(attempts=2, first_pause=0.001, longest_pause=0.002)


def recipe_of(*images: str, platforms: tuple[str, ...] = ("linux/amd64",)) -> Recipe:
    return Recipe.model_validate(
        {"solution": "test", "version": "1", "images": images, "platforms": platforms}
    )


def create(recipe: Recipe, folder: Path, options: CreateOptions | None = None) -> Created:
    made = options or CreateOptions(created=MOMENT, patience=QUICK)
    return asyncio.run(create_bundle(recipe, folder, made))


@pytest.fixture(scope="module")
def pushed(registry: RunningRegistry, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two images that share a layer, each for two platforms, pushed by skopeo; their prefix."""
    layout = Layout(tmp_path_factory.mktemp("images") / "layout")
    shared = layer(shared=os.urandom(200_000))
    for name in ("one", "two"):
        children = [
            layout.image([shared, layer(name=f"{name} {arch}".encode())], arch)
            for arch in ("amd64", "arm64")
        ]
        layout.name(layout.index(children), name)
        layout.push(name, f"{registry.host}/test/{name}:1.0")
    return f"{registry.host}/test"


def digest_by_skopeo(reference: str) -> str:
    raw = skopeo("inspect", "--tls-verify=false", "--format={{.Digest}}", f"docker://{reference}")
    return raw.strip()


def test_images_are_brought_with_tag_and_digest_and_shared_layers_once(
    pushed: str, tmp_path: Path
) -> None:
    made = create(recipe_of(f"{pushed}/one:1.0", f"{pushed}/two:1.0"), tmp_path / "bundle")
    index = verify_bundle(tmp_path / "bundle").structure.index
    images = index.of_kind("image")
    assert [item.name for item in images] == [f"{pushed}/one:1.0", f"{pushed}/two:1.0"]
    for item in images:
        assert item.platform == "linux/amd64"
        assert item.pins["tag-digest"] == digest_by_skopeo(item.name)
        assert item.pins["tag-digest"] != item.digest
        assert item.origin.endswith(item.digest)
    assert made.fetched < 1.2 * 200_000
    assert made.structure.size < index.content_size


def test_skopeo_reads_the_folder_and_the_file(pushed: str, tmp_path: Path) -> None:
    create(recipe_of(f"{pushed}/one:1.0"), tmp_path / "bundle")
    write_archive(tmp_path / "bundle", tmp_path / "bundle.tar")
    verify_bundle(tmp_path / "bundle.tar")
    for place in (f"oci:{tmp_path}/bundle", f"oci-archive:{tmp_path}/bundle.tar"):
        target = tmp_path / place.split(":")[0]
        skopeo("copy", f"{place}:{pushed}/one:1.0", f"dir:{target}")
        names = {path.name for path in target.iterdir()}
        manifest = json.loads((target / "manifest.json").read_bytes())
        assert {blob["digest"][7:] for blob in manifest["layers"]} <= names


def test_several_platforms_keep_the_makers_index(pushed: str, tmp_path: Path) -> None:
    platforms = ("linux/amd64", "linux/arm64")
    create(recipe_of(f"{pushed}/one:1.0", platforms=platforms), tmp_path / "bundle")
    index = verify_bundle(tmp_path / "bundle").structure.index
    assert {item.platform for item in index.of_kind("image")} == set(platforms)
    (whole,) = index.of_kind("image-index")
    assert whole.digest == digest_by_skopeo(f"{pushed}/one:1.0")
    for arch in ("amd64", "arm64"):
        told = skopeo(
            f"--override-arch={arch}", "inspect", f"oci:{tmp_path}/bundle:{pushed}/one:1.0"
        )
        assert json.loads(told)["Architecture"] == arch


def test_the_same_bundle_is_made_again_from_its_lock_after_the_tag_moved(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    name = f"{registry.host}/moving/target:latest"
    layout = Layout(tmp_path / "layout")
    for version in ("old", "new"):
        layout.name(layout.image([layer(version=version.encode())]), version)
    layout.push("old", name)
    made = create(recipe_of(name), tmp_path / "first")
    layout.push("new", name)
    options = CreateOptions(lock=made.lock, patience=QUICK, environment="default")
    create(made.lock.recipe, tmp_path / "again", options)
    create(recipe_of(name), tmp_path / "newer")
    first, again, newer = (
        (tmp_path / n / "index.json").read_bytes() for n in ("first", "again", "newer")
    )
    assert again == first
    assert newer != first


def test_an_interrupted_run_goes_on_and_fetches_nothing_twice(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    """A proxy that stops after the first layer stands for the pulled plug."""
    layout = Layout(tmp_path / "layout")
    layers = [layer(a=os.urandom(50_000)), layer(b=os.urandom(50_000))]
    layout.name(layout.image(layers), "x")
    layout.push("x", f"{registry.host}/broken/off:1")
    served: list[str] = []
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    def forward(asked: Asked) -> Answer:
        import httpx

        answer = httpx.get(
            f"http://{registry.host}{asked.path}",
            headers={"Accept": asked.headers.get("accept", "*/*")},
            trust_env=False,
        )
        if "/blobs/" in asked.path:
            if len(served) == 2 and not ended.is_set():
                loop.call_soon_threadsafe(ended.set)
                return Answer(200, answer.content, cut=1000)
            served.append(asked.path)
        kept = {k: v for k, v in answer.headers.items() if k == "content-type"}
        return Answer(answer.status_code, answer.content, kept)

    patient = Patience(attempts=9, first_pause=30.0, longest_pause=60.0)
    with answering(forward) as server:
        recipe = recipe_of(f"{server.host}/broken/off:1")
        options = CreateOptions(created=MOMENT, patience=patient, parallel=1)

        async def interrupted() -> None:
            task = asyncio.create_task(create_bundle(recipe, tmp_path / "bundle", options))
            await ended.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        loop.run_until_complete(interrupted())
        loop.close()
        assert not (tmp_path / "bundle" / "index.json").exists()
        create(recipe, tmp_path / "bundle", CreateOptions(created=MOMENT, patience=QUICK))
    assert len(served) == len(set(served)) == 3
    verify_bundle(tmp_path / "bundle")
    assert not (tmp_path / "bundle" / ".work").exists()


def test_a_finished_bundle_made_again_fetches_nothing(pushed: str, tmp_path: Path) -> None:
    recipe = recipe_of(f"{pushed}/one:1.0")
    assert create(recipe, tmp_path / "bundle").fetched > 0
    assert create(recipe, tmp_path / "bundle").fetched == 0


def test_everything_that_is_missing_is_named_at_once(pushed: str, tmp_path: Path) -> None:
    recipe = recipe_of(f"{pushed}/one:1.0", f"{pushed}/none:1", f"{pushed}/one:9")
    with pytest.raises(SourceProblem, match="2 of 3 things") as caught:
        create(recipe, tmp_path / "bundle")
    assert "none" in caught.value.cause
    assert caught.value.exit_code == 4


def test_a_platform_that_an_image_lacks_is_named(pushed: str, tmp_path: Path) -> None:
    with pytest.raises(SourceProblem, match="none for linux/s390x; there are linux/amd64"):
        create(recipe_of(f"{pushed}/one:1.0", platforms=("linux/s390x",)), tmp_path / "bundle")


def test_a_login_is_used_and_its_absence_explained(
    tmp_path: Path, pushed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("htpasswd")
    passwords = tmp_path / "htpasswd"
    subprocess.run(["htpasswd", "-cbB", passwords, "me", "s3cret-word"], check=True)
    running = start_registry(tmp_path / "closed", password_file=passwords)
    try:
        layout = Layout(tmp_path / "layout")
        layout.name(layout.image([layer(a=b"private")]), "x")
        name = f"{running.host}/closed/image:1"
        layout.push("x", name, "--dest-creds=me:s3cret-word")
        with pytest.raises(SourceProblem, match="refuses it") as caught:
            create(recipe_of(name), tmp_path / "bundle")
        assert "podman login" in (caught.value.remedy or "")
        auth = base64.b64encode(b"me:s3cret-word").decode()
        file = tmp_path / "auth.json"
        file.write_text(json.dumps({"auths": {running.host: {"auth": auth}}}))
        monkeypatch.setenv("REGISTRY_AUTH_FILE", str(file))
        options = CreateOptions(created=MOMENT, logins=read_logins(), patience=QUICK)
        create(recipe_of(name), tmp_path / "bundle", options)
    finally:
        running.stop()
    everything = b"".join(p.read_bytes() for p in (tmp_path / "bundle").rglob("*") if p.is_file())
    assert b"s3cret-word" not in everything
    assert auth.encode() not in everything


def test_a_token_is_fetched_once_for_many_requests(pushed: str, registry: RunningRegistry) -> None:
    """A registry that wants tokens, in front of the real one."""
    import httpx

    def decide(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            login = base64.b64encode(b"me:pass-word").decode()
            if asked.headers.get("authorization") != f"Basic {login}":
                return Answer(403)
            assert "scope=repository%3Atest%2Fone%3Apull" in asked.path
            assert "service=the-registry" in asked.path
            return Answer(body=b'{"token": "abc123"}')
        if asked.headers.get("authorization") != "Bearer abc123":
            challenge = f'Bearer realm="{server.url}/token",service="the-registry",scope="x"'
            return Answer(401, headers={"WWW-Authenticate": challenge})
        accept = {"Accept": asked.headers["accept"]}
        url = f"http://{registry.host}{asked.path}"
        answer = httpx.get(url, headers=accept, trust_env=False)
        kind = {"Content-Type": answer.headers["content-type"]}
        return Answer(answer.status_code, answer.content, kind)

    async def run() -> None:
        async with Web(patience=QUICK) as web:
            logins = {server.host: Login("me", Secret("pass-word"))}
            registries = Registries(web, logins=logins)
            reference = parse_reference(f"{server.host}/test/one:1.0")
            found = await asyncio.gather(*(registries.manifest(reference) for _ in range(6)))
            assert len({one.digest for one in found}) == 1

    with answering(decide) as server:
        asyncio.run(run())
    assert sum(asked.path.startswith("/token") for asked in server.asked) == 1


def test_a_mirror_is_asked_first_and_the_registry_after_it(
    pushed: str, registry: RunningRegistry, tmp_path: Path
) -> None:
    name = "registry.invalid/one:1.0"
    options = CreateOptions(
        created=MOMENT,
        patience=QUICK,
        mirrors={"registry.invalid": [f"{registry.host}/nothing", f"{registry.host}/test"]},
    )
    create(recipe_of(name), tmp_path / "bundle", options)
    index = verify_bundle(tmp_path / "bundle").structure.index
    assert [item.name for item in index.of_kind("image")] == [name]


def test_a_registry_that_gives_other_bytes_for_a_digest_is_refused(tmp_path: Path) -> None:
    from bundles.format.problems import WrongContent

    digest = "sha256:" + "a" * 64
    kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    with (
        answering(lambda asked: Answer(body=b"{}", headers=kind)) as server,
        pytest.raises(WrongContent, match="has the digest"),
    ):
        create(recipe_of(f"{server.host}/a/b@{digest}"), tmp_path / "bundle")


async def push(folder: Path, target: str) -> list[Pushed]:
    async with Web(patience=QUICK) as web:
        with open_bundle(folder) as bundle:
            items = read_structure(bundle).index.items
            return await push_bundle(bundle, items, target, Registries(web))


def test_push_gives_a_site_the_same_images_and_sends_nothing_twice(
    pushed: str, registry: RunningRegistry, tmp_path: Path
) -> None:
    names = (f"{pushed}/one:1.0", f"{pushed}/two:1.0")
    platforms = ("linux/amd64", "linux/arm64")
    create(recipe_of(*names, platforms=platforms), tmp_path / "bundle")
    site = start_registry(tmp_path / "site")
    try:
        first = asyncio.run(push(tmp_path / "bundle", f"{site.host}/dpi"))
        again = asyncio.run(push(tmp_path / "bundle", f"{site.host}/dpi"))
        assert sum(one.sent for one in first) < 1.2 * 200_000
        assert sum(one.sent for one in again) == 0
        for name in ("one", "two"):
            there = digest_by_skopeo(f"{site.host}/dpi/test/{name}:1.0")
            assert there == digest_by_skopeo(f"{pushed}/{name}:1.0")
            skopeo(
                "copy", "--all", "--src-tls-verify=false",
                f"docker://{site.host}/dpi/test/{name}:1.0", f"dir:{tmp_path}/{name}",
            )  # fmt: skip
    finally:
        site.stop()


def test_one_platform_is_pushed_under_its_tag(pushed: str, tmp_path: Path) -> None:
    create(recipe_of(f"{pushed}/one:1.0"), tmp_path / "bundle")
    site = start_registry(tmp_path / "site")
    try:
        (one,) = asyncio.run(push(tmp_path / "bundle", site.host))
        assert digest_by_skopeo(f"{site.host}/test/one:1.0") == one.item.digest
    finally:
        site.stop()


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("haproxy", "docker.io/library/haproxy:latest"),
        ("index.docker.io/haproxy:2", "docker.io/library/haproxy:2"),
        ("mojaloop/sdk:v1", "docker.io/mojaloop/sdk:v1"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("quay.io/a/b@sha256:" + "0" * 64, "quay.io/a/b@sha256:" + "0" * 64),
        ("[::1]:5000/a:1", "[::1]:5000/a:1"),
    ],
)
def test_names_of_images_are_read_as_docker_reads_them(text: str, whole: str) -> None:
    assert str(parse_reference(text)) == whole


@pytest.mark.parametrize("text", ["", "A/b", "a b", "a:b:c", "a@sha256:12", "h.x/../etc", "a//b"])
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(InputProblem):
        parse_reference(text)
