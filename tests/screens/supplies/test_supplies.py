"""The supplies step: a bundle named, verified, looked into, joined and made."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from bundles.format.untold import told
from bundles.read.volumes import split_bundle
from foundation.problems import InputProblem
from screens.answers.answers import Answers
from screens.answers.site_answers import site_from_answers
from screens.answers.wizard import StepId
from screens.dialogs.ask_file import FileScreen
from screens.plain.plain import PlainWizard
from screens.plain.plain_supplies import supplies as plain_supplies
from screens.plain.prompt import BackWanted, Dialogue
from screens.services.bundle_seen import BundleSeen, Going, ToMake, going_words
from screens.shell.app import SitewrightApp
from screens.shell.theme import Look
from screens.supplies.bundle_inside import InsideScreen, ListScreen
from screens.supplies.bundle_make import MakeScreen
from screens.supplies.supplies import SuppliesScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.foundation.sshd import keygen
from tests.screens.bundles import RECIPE, small_bundle
from tests.screens.driving import on_step, shows, text, until, wizard
from tests.screens.saying import said
from tests.screens.scripted import SITE, ScriptedServices, scripted

SIZE = (80, 24)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small_bundle(tmp_path / "site.bundle")


@pytest.fixture
def services(tmp_path: Path) -> ScriptedServices:
    services = scripted(tmp_path)
    assert services.folder is not None
    (services.folder / "tiny" / "bundle.yaml").write_text(RECIPE)
    return services


@asynccontextmanager
async def supplies(
    services: ScriptedServices, answers: Answers = SITE
) -> AsyncIterator[Pilot[int]]:
    app = SitewrightApp(services)
    async with app.run_test(size=SIZE) as pilot:
        await on_step(pilot, StepId.WELCOME)
        wizard(pilot).go(StepId.SUPPLIES, answers)
        await on_step(pilot, StepId.SUPPLIES)
        yield pilot


def row(pilot: Pilot[int], key: str) -> str:
    board = wizard(pilot).step_screen.query_one("#supplies", Board)
    return next((r.cells[1].text for r in board.rows if r.key == key), "")


async def press_on(pilot: Pilot[int], key: str) -> None:
    pilot.app.screen.query_one("#supplies", Board).move_to(key)
    await pilot.press("enter")


async def name_file(pilot: Pilot[int], path: Path) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, FileScreen))
    asking = pilot.app.screen
    asking.query_one("#name", Line).value = str(path)
    await pilot.press("enter")
    await until(pilot, lambda: pilot.app.screen is not asking)


async def test_a_bundle_is_named_verified_and_stands_in_the_site_file(
    services: ScriptedServices, bundle: Path, tmp_path: Path
) -> None:
    async with supplies(services) as pilot:
        assert row(pilot, "online").startswith("(*)")
        await press_on(pilot, "bundle")
        await name_file(pilot, bundle)
        await until(pilot, lambda: "3 images" in row(pilot, "inside"))
        assert row(pilot, "bundle").startswith("(*) from site.bundle")
        assert "NOT checked" in row(pilot, "signed")
        assert row(pilot, "missing").startswith("image docker.io/mojaloop/ml-api-adapter:v16.5.0")
        await press_on(pilot, "bytes")
        await until(pilot, lambda: row(pilot, "bytes") == "every byte is right")
        answers = pilot.app.screen.collect()  # type: ignore[attr-defined] # a step screen
        assert answers.site.supplies.model_dump(exclude_none=True) == {"bundle": str(bundle)}
        site = site_from_answers(answers, tmp_path / "site.yaml")
        assert site.supplies.bundle == "site.bundle"
        assert site.bundle_path(tmp_path) == bundle
        await press_on(pilot, "online")
        assert row(pilot, "online").startswith("(*)")
        assert pilot.app.screen.collect().site.supplies.model_dump(exclude_none=True) == {}  # type: ignore[attr-defined] # a step


async def test_the_maker_is_named_where_keys_are_given(
    services: ScriptedServices, tmp_path: Path
) -> None:
    key = keygen(tmp_path / "maker")
    (tmp_path / "signers").write_text(f"maker@example.org {(tmp_path / 'maker.pub').read_text()}")
    keygen(tmp_path / "other")
    (tmp_path / "others").write_text(f"other@example.org {(tmp_path / 'other.pub').read_text()}")
    bundle = small_bundle(tmp_path / "site.bundle", key=key)
    async with supplies(services) as pilot:
        await press_on(pilot, "keys")
        await name_file(pilot, tmp_path / "signers")
        await press_on(pilot, "bundle")
        await name_file(pilot, bundle)
        await until(pilot, lambda: row(pilot, "signed") == "good, by maker@example.org")
        await press_on(pilot, "keys")
        await name_file(pilot, tmp_path / "others")
        await shows(pilot, "which this site does not trust", "Do not use this bundle")
        assert row(pilot, "signed") == ""
        await pilot.press("f10")
        await shows(pilot, "No bundle is read yet")
        assert isinstance(pilot.app.screen, SuppliesScreen)


async def test_a_byte_that_is_wrong_takes_the_bundle_away(
    services: ScriptedServices, bundle: Path
) -> None:
    largest = max((bundle / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    largest.write_bytes(b"K" + largest.read_bytes()[1:])
    answers = said(SITE, supplies={"bundle": str(bundle)})
    async with supplies(services, answers) as pilot:
        await until(pilot, lambda: row(pilot, "bytes"))
        await press_on(pilot, "bytes")
        await shows(pilot, "The bundle is damaged", "kubectl")
        assert row(pilot, "bytes") == ""


async def test_a_bundle_of_another_solution_and_a_path_to_nothing_are_refused(
    services: ScriptedServices, tmp_path: Path
) -> None:
    other = small_bundle(tmp_path / "other", solution="mosip")
    async with supplies(services) as pilot:
        for path, words in ((other, "made for mosip"), (tmp_path / "no", "Nothing is there")):
            await press_on(pilot, "bundle")
            await name_file(pilot, path)
            await shows(pilot, words)
            assert row(pilot, "inside") == ""


async def test_everything_inside_is_listed_and_filtered(
    services: ScriptedServices, bundle: Path
) -> None:
    answers = said(SITE, supplies={"bundle": str(bundle)})
    async with supplies(services, answers) as pilot:
        await until(pilot, lambda: row(pilot, "inside"))
        await press_on(pilot, "inside")
        await until(pilot, lambda: isinstance(pilot.app.screen, InsideScreen))
        await shows(pilot, "haproxy", "velero", "microk8s", "tiny 1.0 for single-box")
        await pilot.press(*"image led")
        await shows(pilot, "mojaloop/central-ledger", "1 image:", "sha256:", "a test")
        assert "velero" not in text(pilot)
        await pilot.press("x")
        await shows(pilot, "nothing")
        await pilot.press("escape")
        await press_on(pilot, "missing")
        await until(pilot, lambda: isinstance(pilot.app.screen, ListScreen))
        await shows(pilot, "ml-api-adapter:v16.5.0")


UNTOLD = (
    told("the repository site", "1 file lies in Git LFS"),
    told("the chart velero", "perhaps q.io/x:1", "perhaps"),
)


async def test_what_could_not_be_told_is_shown_where_there_is_any(
    services: ScriptedServices, bundle: Path, tmp_path: Path
) -> None:
    answers = said(SITE, supplies={"bundle": str(bundle)})
    async with supplies(services, answers) as pilot:
        await until(pilot, lambda: row(pilot, "inside"))
        assert row(pilot, "untold") == ""
    doubtful = small_bundle(tmp_path / "doubtful.bundle", untold=UNTOLD)
    answers = said(SITE, supplies={"bundle": str(doubtful)})
    async with supplies(services, answers) as pilot:
        await until(pilot, lambda: row(pilot, "untold").startswith("1 thing could not be told"))
        await press_on(pilot, "untold")
        await until(pilot, lambda: isinstance(pilot.app.screen, ListScreen))
        await shows(pilot, "the repository site: 1 file lies in Git LFS", "perhaps q.io/x:1")


async def test_volumes_are_joined_and_repaired_first(
    services: ScriptedServices, bundle: Path, tmp_path: Path
) -> None:
    volumes = split_bundle(bundle, tmp_path / "media", 1024 * 1024)
    volumes[0].write_bytes(b"scratched" + volumes[0].read_bytes()[9:])
    async with supplies(services) as pilot:
        await press_on(pilot, "bundle")
        await name_file(pilot, tmp_path / "media")
        await shows(pilot, "Join the volumes")
        await name_file(pilot, tmp_path / "joined.bundle")
        await until(pilot, lambda: "3 images" in row(pilot, "inside"))
        await shows(pilot, "was damaged")
        assert (tmp_path / "joined.bundle").is_file()


async def test_a_bundle_is_made_from_the_recipe(services: ScriptedServices, tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "tool").write_bytes(b"tool " * 100_000)
    digest = hashlib.sha256((tmp_path / "tool").read_bytes()).hexdigest()
    assert services.folder is not None
    (services.folder / "tiny" / "bundle.yaml").write_text(
        "solution: tiny\nversion: '1'\nfiles:\n"
        f"  - {{name: tool, url: '{(tmp_path / 'tool').as_uri()}', sha256: {digest}}}\n"
    )
    async with supplies(services) as pilot:
        await press_on(pilot, "make")
        await until(pilot, lambda: isinstance(pilot.app.screen, MakeScreen))
        pilot.app.screen.query_one("#folder", Line).value = str(tmp_path / "made")
        pilot.app.screen.query_one("#key", Line).value = "/no/such/key"
        await pilot.press("f10")
        await shows(pilot, "/no/such/key is no file")
        pilot.app.screen.query_one("#key", Line).value = ""
        await pilot.press("f10")
        await shows(pilot, "The bundle is made")
        assert row(pilot, "inside") == "1 file"
        assert row(pilot, "missing") == "nothing that the recipe asks for"


class Slow(ScriptedServices):
    """Work on a bundle that stays where it is until it is stopped."""

    going = Going(1_500_000_000, 4_200_000_000, 12_000_000.0, 225.0, "", (7, 24))

    async def make_bundle(self, wanted: ToMake, answers: Answers, tell: object) -> None:
        assert callable(tell)
        tell(self.going)
        await asyncio.Event().wait()

    async def verify_bundle(self, seen: BundleSeen, tell: object, answers: Answers) -> BundleSeen:
        assert callable(tell)
        tell(replace(self.going, items=None))
        await asyncio.Event().wait()
        raise AssertionError


async def test_work_shows_how_it_goes_and_can_be_stopped(tmp_path: Path) -> None:
    services = Slow()
    services.folder = scripted(tmp_path).folder
    async with supplies(services) as pilot:
        await press_on(pilot, "make")
        await until(pilot, lambda: isinstance(pilot.app.screen, MakeScreen))
        pilot.app.screen.query_one("#folder", Line).value = str(tmp_path / "made")
        await pilot.press("f10")
        await shows(pilot, "making [", "35 %", "7 of 24 lines", "12.0 MB/s", "4 min left")
        await press_on(pilot, "bundle")
        await shows(pilot, "Del stops that")
        await pilot.press("delete")
        await shows(pilot, "Stopped: making")
        assert "35 %" not in text(pilot)


async def test_verifying_ends_when_it_is_stopped(bundle: Path, services: ScriptedServices) -> None:
    told: list[Going] = []
    seen = await services.open_bundle(bundle, None, SITE)

    def stop(going: Going) -> None:
        told.append(going)
        working.cancel()

    working = asyncio.ensure_future(services.verify_bundle(seen, stop, SITE))
    try:
        whole = (await working).whole
    except asyncio.CancelledError:
        whole = False
    # It may be over before anybody could stop it; then it is right.
    assert whole is not working.cancelled()


@pytest.mark.parametrize("done", [0, 1, 999, 1000, 5000])
def test_a_bar_never_leaves_its_bounds(done: int) -> None:
    bar, _ = going_words("verifying", Going(done, 1000))
    assert bar.count("#") + bar.count(".") == 24
    assert going_words("x", Going(0, 0))[0].endswith("  0 %")


async def test_nothing_at_a_path_is_a_problem(services: ScriptedServices, tmp_path: Path) -> None:
    with pytest.raises(InputProblem):
        await services.bundle_place(tmp_path / "nothing")


# ---- pictures


async def chosen(pilot: Pilot[int], bundle: Path) -> None:
    await on_step(pilot, StepId.WELCOME)
    await pilot.pause()
    wizard(pilot).go(StepId.SUPPLIES, said(SITE, supplies={"bundle": str(bundle)}))
    await on_step(pilot, StepId.SUPPLIES)
    await until(pilot, lambda: row(pilot, "inside"))
    wizard(pilot).step_screen.query_one("#supplies", Board).move_to("missing")
    await pilot.pause()


async def inside(pilot: Pilot[int], bundle: Path) -> None:
    await chosen(pilot, bundle)
    await press_on(pilot, "inside")
    await until(pilot, lambda: isinstance(pilot.app.screen, InsideScreen))
    await shows(pilot, "microk8s", "hash")


async def under_way(pilot: Pilot[int], bundle: Path) -> None:
    await chosen(pilot, bundle)
    await press_on(pilot, "bytes")
    await shows(pilot, "verifying [", "35 %")


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("drive", [chosen, inside, under_way])
def test_how_it_looks(
    drive: Callable[[Pilot[int], Path], Awaitable[None]],
    size: tuple[int, int],
    bundle: Path,
    tmp_path: Path,
    snap_compare: Callable[..., bool],
) -> None:
    services = Slow()
    services.folder = scripted(tmp_path).folder
    assert services.folder is not None
    (services.folder / "tiny" / "bundle.yaml").write_text(RECIPE)
    app = SitewrightApp(services, look=Look.COLOUR)
    assert snap_compare(app, terminal_size=size, run_before=lambda pilot: drive(pilot, bundle))


# ---- in plain lines


def plainly(
    services: ScriptedServices, answers: Answers, *lines: str | Path
) -> tuple[Answers, str]:
    """The answers after these lines were typed, and what was said."""
    source, target = io.StringIO("".join(f"{line}\n" for line in lines)), io.StringIO()
    with asyncio.Runner() as runner:
        plain = PlainWizard(services, runner, Dialogue(source, target))
        plain.answers = answers
        plain_supplies(plain)
        return plain.answers, target.getvalue()


def test_plain_lines_take_a_bundle_after_looking_at_it(
    services: ScriptedServices, bundle: Path, tmp_path: Path
) -> None:
    answers, said = plainly(
        services, SITE, "2", tmp_path / "no", "-", bundle, "-", "2", "3", "image", "4", "1"
    )
    assert answers.site.supplies.model_dump(exclude_none=True) == {"bundle": str(bundle)}
    for words in (
        "Nothing is there",
        "NOT checked",
        "verifying: 100 percent",
        "every byte is right",
        "image docker.io/library/haproxy:2.8.10",
        "3 of 7 items",
        "ml-api-adapter:v16.5.0",
    ):
        assert "".join(words.split()) in "".join(said.split())
    assert plainly(services, answers, "1")[0].site.supplies.model_dump(exclude_none=True) == {}
    doubtful = small_bundle(tmp_path / "doubtful.bundle", untold=UNTOLD)
    _, said = plainly(services, SITE, "2", doubtful, "-", "4", "1")
    assert "1thingcouldnotbetold" in "".join(said.split())
    assert "therepositorysite:1fileliesinGitLFS" in "".join(said.split())


def test_plain_lines_make_one_and_join_volumes(
    services: ScriptedServices, bundle: Path, tmp_path: Path
) -> None:
    split_bundle(bundle, tmp_path / "media", 2 * 1024 * 1024)
    media, nowhere = tmp_path / "media", tmp_path / "nowhere" / "joined"
    # A folder that is not there is told, and asked for again.
    answers, said = plainly(
        services, SITE, "2", media, "-", nowhere, media, "-", tmp_path / "joined", "1"
    )
    assert "A file of this machine cannot be used" in " ".join(said.split())
    assert answers.site.supplies.bundle == str(tmp_path / "joined")
    assert "volumes lie there" in said
    assert services.folder is not None
    (services.folder / "tiny" / "bundle.yaml").unlink()
    with pytest.raises(BackWanted):
        plainly(services, SITE, "3", tmp_path / "made", "-", "n")
