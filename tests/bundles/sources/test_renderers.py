"""Programs that render, as they are started: alone, without a network, and bounded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundles.format.recipe import FileWanted, Recipe
from bundles.sources import renderers
from bundles.sources.kustomize_charts import lay_charts
from bundles.sources.renderers import Renderers, RenderFailed, _complaints, unwrapped
from tests.bundles.programs import stand_in


class _NoShop:
    """Stands for a workshop, where no program is fetched."""


async def render(folder: Path, **more: Any) -> str | None:
    asked = Renderers(search=str(folder))
    asked.seconds = more.pop("seconds", asked.seconds)
    hear = more.pop("hear", lambda _: None)
    shop: Any = _NoShop()  # nothing is fetched
    return await asked.helm(shop, folder / "app", {}, hear)


@pytest.mark.asyncio
async def test_a_program_has_an_empty_home_and_none_of_our_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    stand_in(tmp_path / "bin", 'case "$*" in *--help*) exit 0 ;; esac\nexport -p; echo "$HOME"/*')
    text = await render(tmp_path / "bin") or ""
    assert "SECRET" not in text
    assert f"HOME='{Path.home()}'" not in text
    assert "HELM_NO_PLUGINS='1'" in text
    assert "HTTPS_PROXY='http://127.0.0.1:9'" in text
    assert text.splitlines()[-1].endswith("/values.yaml")


def networks_can_be_taken_away() -> bool:
    words = ["unshare", "--user", "--map-root-user", "--net", "--", "true"]
    return bool(shutil.which("unshare")) and not subprocess.run(words, check=False).returncode


@pytest.mark.asyncio
@pytest.mark.skipif(
    not networks_can_be_taken_away(), reason="nobody may take the network away here"
)
async def test_a_program_has_no_network(tmp_path: Path) -> None:
    script = (
        'case "$*" in *--help*) exit 0 ;; esac\nwhile read -r l; do echo "$l"; done </proc/net/dev'
    )
    stand_in(tmp_path / "bin", script)
    text = await render(tmp_path / "bin") or ""
    assert [line.partition(":")[0] for line in text.splitlines() if ":" in line] == ["lo"]


@pytest.mark.asyncio
async def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", "echo $$ >&2; while :; do :; done")
    with pytest.raises(RenderFailed, match="did not end within"):
        await render(tmp_path / "bin", seconds=0.3)


@pytest.mark.asyncio
async def test_a_program_that_says_too_much_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderers, "_MOST_BYTES", 1000)
    stand_in(tmp_path / "bin", "i=0; while [ $i -lt 200 ]; do echo 0123456789; i=$((i+1)); done")
    with pytest.raises(RenderFailed, match="more than 1000 bytes"):
        await render(tmp_path / "bin")


@pytest.mark.asyncio
async def test_what_a_program_warns_of_is_heard_though_it_renders(tmp_path: Path) -> None:
    text = (
        'case "$*" in *--help) exit 0 ;; esac; echo "kind: X"; '
        'echo "2026/11/28 23:00:00 coalesce.go:175: warning: cannot overwrite table" >&2; '
        'echo "# Warning: commonLabels is deprecated" >&2; echo "# Warning: commonLabels is '
        'deprecated" >&2'
    )
    stand_in(tmp_path / "bin", text)
    heard: list[str] = []
    assert await render(tmp_path / "bin", hear=heard.append) == "kind: X\n"
    assert heard == ["warning: cannot overwrite table", "Warning: commonLabels is deprecated"]


def test_what_a_program_warns_of_besides_is_counted_and_no_tab_hides_a_line() -> None:
    said = "".join(f"a\twarning {number}\n" for number in range(7))
    assert _complaints(said.encode()) == [
        *(f"a warning {number}" for number in range(5)), "and 2 more of that kind",
    ]  # fmt: skip


async def test_a_chart_whose_name_no_folder_can_hold_does_not_end_the_bundle(
    tmp_path: Path,
) -> None:
    (tmp_path / "charts").mkdir()
    chart = {"name": "a" * 300, "repo": "https://charts.example.org", "version": "1.0.0"}
    shop: Any = _NoShop()
    with pytest.raises(RenderFailed, match="cannot be laid beside it"):
        await lay_charts(shop, tmp_path, {"helmCharts": [chart]})


async def test_the_words_of_a_program_that_fails_are_told(tmp_path: Path) -> None:
    stand_in(tmp_path / "bin", 'echo "Error: no way" >&2; echo "Use --debug" >&2; exit 1')
    with pytest.raises(RenderFailed, match=r"^Error: no way$"):
        await render(tmp_path / "bin")
    assert await render(tmp_path / "nothing") is None


def test_a_program_that_snapd_starts_is_taken_itself(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "snap").write_text("")
    (link := tmp_path / "bin" / "helm").symlink_to("snap")
    assert unwrapped(link, "helm", snaps=tmp_path / "snap") == link
    own = tmp_path / "snap" / "helm" / "current" / "helm"
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert unwrapped(link, "helm", snaps=tmp_path / "snap") == own
    assert unwrapped(own, "helm", snaps=tmp_path / "snap") == own


def test_the_file_of_this_architecture_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    files = [
        FileWanted(name=name, url="file:///x", sha256="0" * 64)
        for name in ("helm-amd64", "helm-arm64", "helm")
    ]
    asked = Renderers(Recipe(solution="t", version="1", files=tuple(files)))
    assert (found := asked._line("helm")) is not None
    assert found.name == "helm-arm64"
