"""Mirrors that podman's files name on the maker's machine are told, and not asked unnamed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundles.registries_conf import entries_here, mirrors_of

TEXT = """
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.local:5000/hub"
[[registry]]
prefix = "docker.io/team"
location = "harbor.local/team"
[[registry]]
prefix = "*.quay.local"
location = "other.local"
"""


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("docker.io/library/nginx", ("mirror.local:5000/hub",)),
        ("docker.io/team/thing", ("harbor.local/team",)),
        ("docker.io/teamwork/thing", ("mirror.local:5000/hub",)),
        ("a.quay.local/x", ("other.local",)),
        ("ghcr.io/x/y", ()),
    ],
)
def test_the_longest_prefix_counts_as_podman_has_it(
    repository: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    (folder := tmp_path / "containers").mkdir()
    (folder / "registries.conf").write_text(TEXT)
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert mirrors_of(repository, entries_here(env, system=tmp_path / "no")) == expected


@pytest.mark.parametrize("text", ["registry = 3", "no = [toml", "registry = [1]", "\x00"])
def test_files_of_another_form_name_no_mirror(text: str, tmp_path: Path) -> None:
    file = tmp_path / "r.conf"
    file.write_text(text)
    here = {"CONTAINERS_REGISTRIES_CONF": str(file), "XDG_CONFIG_HOME": str(tmp_path)}
    assert mirrors_of("docker.io/x/y", entries_here(here, system=tmp_path / "no")) == ()
