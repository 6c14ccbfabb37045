"""Mirrors that podman's files name on the maker's machine are told, and not asked unnamed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bundles.format.problems import SourceProblem
from bundles.format.reference import parse_reference
from bundles.make.create import CreateOptions, create_bundle
from bundles.registries.registries_conf import RegistriesConf, read_here
from tests.bundles.odd_registry import OddRegistry, running
from tests.bundles.registries.test_registry import QUICK, recipe_of

TEXT = """
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.local:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.local"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.local"
pull-from-mirror = "tag-only"
[[registry]]
prefix = "docker.io/team"
location = "harbor.local/team"
[[registry]]
prefix = "docker.io/library/odd:1"
location = "odd.local/one:2"
[[registry]]
prefix = "*.quay.local"
location = "other.local"
[[registry]]
prefix = "*.wild.local"
mirror-by-digest-only = true
[[registry.mirror]]
location = "m.local/w"
"""
DIGEST = "sha256:" + "0" * 64


def here(tmp_path: Path, text: str) -> RegistriesConf:
    """What this machine says where that is the file of its user."""
    (folder := tmp_path / "containers").mkdir()
    (folder / "registries.conf").write_text(text)
    return read_here({"XDG_CONFIG_HOME": str(tmp_path)}, system=tmp_path / "no")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nginx:1", ("mirror.local:5000/hub/library/nginx:1", "tags.local/library/nginx:1",
                     "docker.io/library/nginx:1")),
        (f"nginx@{DIGEST}", (f"mirror.local:5000/hub/library/nginx@{DIGEST}",
                             f"digests.local/library/nginx@{DIGEST}",
                             f"docker.io/library/nginx@{DIGEST}")),
        ("docker.io/team/thing:1", ("harbor.local/team/thing:1",)),
        ("docker.io/teamwork/thing:1", ("mirror.local:5000/hub/teamwork/thing:1",
                                        "tags.local/teamwork/thing:1",
                                        "docker.io/teamwork/thing:1")),
        ("odd:1", ("odd.local/one:2",)),
        ("a.b.quay.local/x:1", ("other.local/x:1",)),
        ("quay.local/x:1", ()),
        (f"a.wild.local/x@{DIGEST}", (f"m.local/w/x@{DIGEST}", f"a.wild.local/x@{DIGEST}")),
        ("a.wild.local/x:1", ()),
        ("ghcr.io/x/y:1", ()),
    ],
)  # fmt: skip
def test_images_are_led_as_containers_image_has_it(
    name: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    """The longest prefix at the end of a part of the name, what stands for it, kinds of mirrors."""
    places = here(tmp_path, TEXT).places_of(parse_reference(name))
    assert tuple(str(place.reference) for place in places) == expected
    assert [place.location for place in places if place.insecure] == [
        place.location for place in places if place.location.startswith("mirror.local")
    ]


def test_a_file_of_the_first_form_counts_as_podman_has_it(tmp_path: Path) -> None:
    found = here(
        tmp_path,
        '[registries.search]\nregistries = ["quay.io"]\n'
        '[registries.block]\nregistries = ["bad.local"]\n',
    )
    assert found.blocked_by(parse_reference("bad.local/x:1")).endswith("registries.conf")
    assert found.taken_for("redis") == ("quay.io/redis",)
    (tmp_path / "containers" / "registries.conf").write_text(
        'unqualified-search-registries = ["a.local"]\n[registries.block]\nregistries = ["b"]\n'
    )
    both = read_here({"XDG_CONFIG_HOME": str(tmp_path)}, system=tmp_path / "no")
    assert (len(both.broken), both.entries) == (1, [])


def test_it_is_asked_where_podman_would_ask_once_somebody_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the word it is told with the word; what is broken is told once, not an image."""
    registry = OddRegistry()
    registry.tag("it", registry.image("it", stated=False))
    registry.tag("more", registry.image("more", stated=False))
    file = tmp_path / "r.conf"
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(file))
    (folder := tmp_path / "home" / "containers" / "registries.conf.d").mkdir(parents=True)
    (folder / "z.conf").write_text("no = [toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (folder.parent / "registries.conf").write_text("")
    with running(registry) as server:
        file.write_text(
            f'[[registry]]\nprefix = "gone.invalid/team"\nlocation = "{server.host}/t"\n'
            "insecure = true\n"
        )
        recipe = recipe_of("gone.invalid/team/it:1", "gone.invalid/team/more:1")
        led = CreateOptions(patience=QUICK, as_podman=True)
        made = asyncio.run(create_bundle(recipe, tmp_path / "a", led))
        names = {item.name for item in made.structure.index.items}
        assert names >= {"gone.invalid/team/it:1", "gone.invalid/team/more:1"}
        told = [str(entry) for entry in made.lock.all_untold]
        assert len([line for line in told if "z.conf" in line]) == 1
        assert len([line for line in told if f"--plain-http {server.host}" in line]) == 1
        file.write_text(
            f'[[registry]]\nlocation = "{server.host}"\n'
            '[[registry.mirror]]\nlocation = "m.invalid/x"\n'
        )
        plain = CreateOptions(patience=QUICK)
        made = asyncio.run(create_bundle(recipe_of(f"{server.host}/t/it:1"), tmp_path / "b", plain))
        assert any(
            "leads to m.invalid/x, which was not asked" in entry.what
            and "--registries-conf" in entry.what
            for entry in made.lock.all_untold
        )


def test_short_names_blocks_and_files_that_are_broken_are_known(tmp_path: Path) -> None:
    (folder := tmp_path / "containers").mkdir()
    (folder / "registries.conf").write_text(
        'unqualified-search-registries = ["quay.io", "docker.io"]\n'
        '[aliases]\n"team/thing" = "r.local/team/thing"\n"nginx" = "docker.io/library/nginx"\n'
        '[[registry]]\nlocation = "ghcr.io"\nblocked = true\n'
        '[[registry]]\nprefix = "ghcr.io/we"\nlocation = "ghcr.io/we"\n'
    )
    (folder / "registries.conf.d").mkdir()
    (folder / "registries.conf.d" / "z.conf").write_text("no = [toml")
    found = read_here({"XDG_CONFIG_HOME": str(tmp_path)}, system=tmp_path / "no")
    assert found.blocked_by(parse_reference("ghcr.io/x/y")) == str(folder / "registries.conf")
    assert found.blocked_by(parse_reference("ghcr.io/we/y")) == ""
    assert found.taken_for("team/thing:1") == ("r.local/team/thing",)
    assert found.taken_for("nginx@sha256:" + "0" * 64) == ("docker.io/library/nginx",)
    assert found.taken_for("redis") == ("quay.io/redis", "docker.io/library/redis")
    assert found.taken_for("localhost/x") == found.taken_for("r.local:5000/x") == ()
    assert found.broken == [str(folder / "registries.conf.d" / "z.conf")]


def test_what_is_forbidden_here_is_not_pulled_and_a_short_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = OddRegistry()
    registry.tag("it", registry.image("it", stated=False))
    file = tmp_path / "r.conf"
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(file))
    with running(registry) as server:
        file.write_text(f'[[registry]]\nlocation = "{server.host}"\nblocked = true\n')
        recipe = recipe_of(f"{server.host}/t/it:1")
        with pytest.raises(SourceProblem, match="this machine forbids to pull it") as caught:
            asyncio.run(create_bundle(recipe, tmp_path / "a", CreateOptions(patience=QUICK)))
        assert f"--mirror {server.host}=HOST" in (caught.value.remedy or "")
        # A mirror that has it not is no leave to ask the registry itself.
        empty = CreateOptions(patience=QUICK, mirrors={server.host: ["127.0.0.1:9"]})
        with pytest.raises(SourceProblem, match="its own registry was not asked"):
            asyncio.run(create_bundle(recipe, tmp_path / "m", empty))
        # Through a mirror that is named, whatever is forbidden; the short name means another image.
        file.write_text(
            '[aliases]\n"t/it" = "r.local/t/it"\n'
            '[[registry]]\nlocation = "docker.io"\nblocked = true\n'
        )
        options = CreateOptions(patience=QUICK, mirrors={"docker.io": [server.host]})
        made = asyncio.run(create_bundle(recipe_of("t/it:1"), tmp_path / "b", options))
        (entry,) = made.lock.all_untold
        assert "podman here takes r.local/t/it for the short name t/it" in entry.what
        made = asyncio.run(create_bundle(recipe, tmp_path / "c", CreateOptions(patience=QUICK)))
    assert made.lock.all_untold == ()


@pytest.mark.parametrize("text", ["registry = 3", "no = [toml", "registry = [1]", "\x00"])
def test_files_of_another_form_name_no_mirror(text: str, tmp_path: Path) -> None:
    file = tmp_path / "r.conf"
    file.write_text(text)
    env = {"CONTAINERS_REGISTRIES_CONF": str(file), "XDG_CONFIG_HOME": str(tmp_path)}
    assert read_here(env, system=tmp_path / "no").places_of(parse_reference("x/y")) == ()
