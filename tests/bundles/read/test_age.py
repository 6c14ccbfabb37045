"""An older bundle after a newer one: refused by the machine and by the site, unless it is meant."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bundles.deliver.cargo import Cargo, load, place_command
from bundles.deliver.on_machine import place as place_program
from bundles.format.layout import Item
from bundles.format.reference import parse_reference
from bundles.make.create import CreateOptions, create_bundle
from bundles.read.age import Stamp, is_older, looked_after, stamp_from, stamp_of
from bundles.read.opened import Bundle, open_bundle
from bundles.read.signature import load_signing_key
from bundles.read.structure import read_structure
from bundles.read.verify import verify_bundle
from bundles.registries import push
from bundles.registries.push import Pushed
from foundation.problems import InputProblem
from installer.cli import main
from installer.sites.site import Site, dump_site
from installer.supply.bundle_order import GivenOut, OlderBundle, OrderUnknown
from installer.supply.judged_bundle import judged_bundle
from installer.supply.supplies import as_plan, read_supplies, remember_bundle
from preflight.findings import Severity
from tests.bundles.conftest import Keys, file_recipe

OLD, NEW = "2027-01-01T00:00:00Z", "2027-06-01T00:00:00Z"
SERVED = "the one that was served before"
STAMP = Stamp("pm4ml", "default", "1", NEW, "sha256:" + "a" * 64)


def make_at(
    folder: Path, created: str, content: bytes, keys: Keys, environment: str = "default"
) -> Path:
    recipe = file_recipe(folder / "src", kubectl=content).model_copy(update={"solution": "pm4ml"})
    options = CreateOptions(
        created=created, key=load_signing_key(keys.key), environment=environment
    )
    asyncio.run(create_bundle(recipe, folder / "bundle", options))
    return folder / "bundle"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> tuple[Path, Path]:
    """Two signed bundles of one solution, the older and the newer."""
    folder = tmp_path_factory.mktemp("pair")
    return make_at(folder / "1", OLD, b"one", keys), make_at(folder / "2", NEW, b"two", keys)


def test_the_older_one_is_known_by_the_moment_that_is_signed() -> None:
    older = replace(STAMP, created=OLD, index="sha256:" + "b" * 64)
    assert is_older(older, STAMP)
    assert not is_older(STAMP, older)
    assert not is_older(STAMP, None)
    assert not is_older(STAMP, STAMP)
    assert not is_older(replace(older, created=NEW), STAMP)
    assert is_older(replace(older, created="2027-06-01T01:00:00+02:00"), STAMP)
    # One that does not say when it was made is no newer one.
    assert is_older(replace(older, created="some day"), STAMP)
    assert not is_older(older, replace(STAMP, created="some day"))


def test_the_makers_counter_goes_before_every_clock() -> None:
    first = replace(STAMP, counter=6, created=NEW, index="sha256:" + "b" * 64)
    second = replace(STAMP, counter=7, created=OLD)
    assert (is_older(first, second), is_older(second, first)) == (True, False)
    # Of two with one number the moment decides; after a counter, one without it is older.
    again = replace(first, counter=7)
    assert is_older(second, again)
    assert is_older(replace(STAMP, created="2028-01-01T00:00:00Z", index="sha256:c"), second)
    assert not is_older(second, replace(first, counter=None, created=OLD))
    # A machine's program, which has none of this, says the same of every two.
    every = [
        replace(one, created=day, index=f"sha256:{number}{day}")
        for number, one in enumerate((STAMP, first, second))
        for day in (OLD, NEW)
    ]
    for one, than in product(every, every):
        if one.index != than.index:
            notes = [each.as_dict() | {"moment": each.moment} for each in (one, than)]
            assert place_program.is_older(*notes) is is_older(one, than), (one, than)


@pytest.mark.parametrize("counter", [True, "7", 7.5, [7]], ids=["bool", "text", "half", "list"])
def test_a_counter_that_is_none_makes_no_stamp(counter: object) -> None:
    plain = STAMP.as_dict() | {"counter": counter, "moment": 1.0}
    assert stamp_from(plain) is None
    assert not place_program.is_stamp(plain)


def test_the_counter_is_signed_and_told_and_a_site_holds_to_it(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = {}
    for number, created in ((7, OLD), (6, NEW)):
        folder = tmp_path / str(number)
        recipe = file_recipe(folder / "src", kubectl=str(number).encode()).model_copy(
            update={"solution": "pm4ml", "counter": number}
        )
        options = CreateOptions(created=created, key=load_signing_key(keys.key))
        index = asyncio.run(create_bundle(recipe, folder / "bundle", options)).structure.index
        assert index.counter == number
        made[number] = folder / "bundle"
    assert main(["bundle", "inspect", str(made[7]), "--summary", "--keys", str(keys.allowed)]) == 0
    assert "its maker's number 7" in capsys.readouterr().out
    site = site_of(made[6], keys)
    remember_bundle(site, verify_bundle(made[7]))
    with pytest.raises(OlderBundle, match=f"of {OLD}, number 7") as caught:
        read_supplies(site, tmp_path)
    assert "a waiver of bundle.older" in (caught.value.remedy or "")
    # A machine that was given number 7 refuses the later moment too.
    store = tmp_path / "store"
    assert place(made[7], store)[0] == 0
    assert place(made[6], store)[0] == 2


def test_an_older_bundle_is_taken_by_a_named_word_while_that_counts(
    pair: tuple[Path, Path], tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    old, new = pair
    word = {"check": "bundle.older", "by": "A. Name", "reason": "The newer one is broken."}
    today = datetime.now(UTC).astimezone().date()
    site = site_of(old, keys, waivers=[word | {"until": today + timedelta(days=2)}])
    first = read_supplies(site, tmp_path)
    assert first is not None
    assert not first.older  # nobody's word is needed as long as it is no older one
    remember_bundle(site, verify_bundle(new))
    taken = read_supplies(site, tmp_path)
    assert taken is not None
    assert taken.older
    assert taken.by_word_of.startswith("A. Name until ")
    assert dict(as_plan(taken))["older_by"] == taken.by_word_of
    for more in ({"until": today - timedelta(days=2)}, {"until": today, "host": "m1"}):
        with pytest.raises(OlderBundle):
            read_supplies(site_of(old, keys, waivers=[{**word, **more}]), tmp_path)


def test_preflight_says_of_a_bundle_that_it_is_older_and_looked_after_by_nobody(
    pair: tuple[Path, Path], tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    old, new = pair
    day = date(2027, 6, 30)

    def said(bundle: Path, today: date = day) -> list[tuple[str, Severity]]:
        found = judged_bundle(site_of(bundle, keys), tmp_path, today)
        return [(one.id, one.severity) for one in found]

    assert said(old) == []  # its maker named no day, and the site had none before
    remember_bundle(site_of(old, keys), verify_bundle(new))
    assert said(old) == [("bundle.older", Severity.FAIL)]
    assert said(tmp_path / "none") == [("bundle.maintained", Severity.UNKNOWN)]
    recipe = file_recipe(tmp_path / "src", kubectl=b"x").model_copy(
        update={"solution": "pm4ml", "maintained_until": day}
    )
    options = CreateOptions(created="2028-01-01T00:00:00Z", key=load_signing_key(keys.key))
    asyncio.run(create_bundle(recipe, tmp_path / "bundle", options))
    for days, severity in ((-30, "pass"), (-29, "warn"), (0, "warn"), (1, "warn")):
        expected = [("bundle.maintained", Severity(severity))]
        assert said(tmp_path / "bundle", day + timedelta(days=days)) == expected


def test_create_and_check_know_the_counter_and_the_day(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    recipe = file_recipe(tmp_path / "src", kubectl=b"one").model_copy(update={"solution": "pm4ml"})
    file = tmp_path / "recipe.yaml"
    file.write_bytes(recipe.as_bytes())
    bundle = tmp_path / "bundle"
    words = ["--counter", "7", "--maintained-until", "2999-12-31"]
    made = ["bundle", "create", "--output", str(bundle), "--key", str(keys.key), "--quiet"]
    lock = tmp_path / "lock"
    anew = [*made, "--recipe", str(file), "--environment", "production", *words]
    assert main([*anew, "--write-lock", str(lock)]) == 0
    assert main([*made, "--lock", str(lock), *words]) == 2
    assert "has the same counter" in " ".join(capsys.readouterr().err.split())
    site = site_of(bundle, keys, environment="production")
    (tmp_path / "site.yaml").write_text(dump_site(site))
    check = ["bundle", "check", str(bundle), "--recipe", str(file), "--keys", str(keys.allowed)]
    assert main(check) == 0
    assert "Its maker looks after it until 31 December 2999." in capsys.readouterr().out
    anew[anew.index("7")], anew[anew.index(str(bundle))] = "8", str(tmp_path / "newer")
    assert main(anew) == 0
    capsys.readouterr()
    remember_bundle(site, verify_bundle(tmp_path / "newer"))
    check += ["--site", str(tmp_path / "site.yaml"), "--format", "json"]
    assert main(check) == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["older"], told["counter"], told["maintained_until"]) == (True, 7, "2999-12-31")


@pytest.mark.parametrize("value", [None, [], {}, {"solution": 1}, "x"])
def test_what_is_no_stamp_is_none(value: object) -> None:
    assert stamp_from(value) is None
    assert stamp_from(json.loads(json.dumps(STAMP.as_dict()))) == STAMP


def cargo_of(bundle: Path, *, older: str = "") -> Cargo:
    with open_bundle(bundle) as opened:
        structure = read_structure(opened)
        stamp = stamp_of(structure.index, structure.index_digest)
        items = structure.index.of_kind("file")
        created = structure.index.created
        return load(opened, items, "folder", "r", created=created, stamp=stamp, older=older)


def place(bundle: Path, store: Path, *, older: str = "", verb: str = "place") -> tuple[int, str]:
    cargo = cargo_of(bundle, older=older)
    (store / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    for name in cargo.blobs:
        (store / "blobs/sha256" / name).write_bytes((bundle / "blobs/sha256" / name).read_bytes())
    argv = [sys.executable, *place_command(verb)[1:]]
    done = subprocess.run(
        argv, input=cargo.as_bytes(str(store)), capture_output=True, text=False, check=False
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.decode()


def test_a_machine_refuses_an_older_bundle_and_keeps_what_it_has(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = pair
    store = tmp_path / "store"
    kubectl = store / "files/kubectl"
    assert place(new, store)[0] == 0
    status, said = place(old, store)
    assert status == 2
    assert NEW in said
    assert "--allow-older" in said
    assert kubectl.read_bytes() == b"two"
    assert len(list((store / "blobs/sha256").iterdir())) == 1
    assert place(new, store)[0] == 0
    assert place(old, store, older="A. Name")[0] == 0
    known = json.loads((store / "bundles.json").read_bytes())
    assert known["pm4ml"]["older_by"] == "A. Name"
    assert kubectl.read_bytes() == b"one"
    # What is there now is what the next one is compared with.
    assert place(old, store)[0] == 0
    assert place(new, store)[0] == 0


def test_a_machine_remembers_after_an_undo(pair: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = pair
    store = tmp_path / "store"
    place(new, store)
    assert place(new, store, verb="undo")[0] == 0
    assert place(old, store)[0] == 2


DAMAGED = [
    "{", "[]", "null", "[" * 100_000, '{"pm4ml": []}', '{"pm4ml": null}', '{"pm4ml": {}}',
    '{"pm4ml": {"moment": "x"}}', '{"pm4ml": {"moment": null}}', '{"pm4ml": {"moment": NaN}}',
    '{"pm4ml": {"moment": true}}', '{"pm4ml": {"moment": -Infinity}}',
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_machines_damaged_memory_is_no_leave_for_an_older_bundle(
    pair: tuple[Path, Path], tmp_path: Path, damage: str
) -> None:
    old, new = pair
    store = tmp_path / "store"
    memory = store / "bundles.json"
    place(new, store)
    if damage == '{"pm4ml": null}':
        damage = '{"pm4ml": "x"}'
    memory.write_text(damage)
    status, said = place(old, store)
    assert status == 2
    assert f"{memory} is damaged" in said
    assert "--allow-older" in said
    assert (store / "files/kubectl").read_bytes() == b"two"
    # A word is enough, and the memory is a good one from there on.
    assert place(old, store, older="A. Name")[0] == 0
    assert place(new, store)[0] == 0
    assert place(old, store)[0] == 2


def test_what_was_lost_of_other_solutions_stays_lost_until_a_word(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """One word is of one solution: the memory of the others is not made good by it."""
    old, new = pair
    store = tmp_path / "store"
    place(new, store)
    (store / "bundles.json").write_text("not JSON")
    assert (
        place(new, store, older="A. Name")[0] == 0
    )  # all is there: nothing is placed, nothing noted
    (store / "files/kubectl").unlink()
    assert place(new, store, older="A. Name")[0] == 0
    known = json.loads((store / "bundles.json").read_bytes())
    del known["pm4ml"]
    (store / "bundles.json").write_text(json.dumps(known))
    status, said = place(old, store)
    assert status == 2
    assert "is damaged" in said


@pytest.mark.parametrize("damage", ["{", "[]", '{"blobs": 1}', '{"blobs": [1]}'])
def test_a_damaged_record_of_a_machine_is_told_with_a_way_out(
    pair: tuple[Path, Path], tmp_path: Path, damage: str
) -> None:
    old, new = pair
    store = tmp_path / "store"
    place(old, store)
    [record] = (store / "records").iterdir()
    record.write_text(damage)
    status, said = place(new, store)
    assert status == 2
    assert f"{record} is damaged" in said
    [command] = re.findall(r"\((mv [^)]+)\)", said)
    subprocess.run(shlex.split(command), check=True)
    assert place(new, store)[0] == 0


def test_an_older_bundle_is_not_given_out_after_a_newer_one(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Served, or pushed: whoever fetches for itself compares nothing."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    old, new = map(verify_bundle, pair)
    GivenOut(old, "served", SERVED, allow_older="").begun()
    GivenOut(new, "served", SERVED, allow_older="").begun()
    with pytest.raises(
        InputProblem, match="older than the one that was served before: this"
    ) as caught:
        GivenOut(old, "served", SERVED, allow_older="")
    assert "--allow-older" in (caught.value.remedy or "")
    # Elsewhere is another memory; a word is enough; what is refused is not remembered.
    GivenOut(old, "pushed to r.example.org/../a", SERVED, allow_older="")
    GivenOut(new, "served", SERVED, allow_older="")
    GivenOut(old, "served", SERVED, allow_older="A. Name").begun()
    GivenOut(old, "served", SERVED, allow_older="")
    memory = tmp_path / "state/sitewright/bundles/served+pm4ml+default.json"
    memory.write_text("{}")
    with pytest.raises(OrderUnknown, match="its note is another than the one that"):
        GivenOut(old, "served", SERVED, allow_older="")
    GivenOut(new, "served", SERVED, allow_older="A. Name").begun()
    with pytest.raises(OlderBundle, match="is older"):
        GivenOut(old, "served", SERVED, allow_older="")


@pytest.mark.parametrize("verb", ["serve", "push"])
def test_the_commands_hold_that_order(
    pair: tuple[Path, Path], tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], verb: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    old, new = pair
    way = "served" if verb == "serve" else "pushed to 127.0.0.1:1/x"
    GivenOut(verify_bundle(new), way, SERVED, allow_older="").begun()
    where = ["--address", "127.0.0.1"] if verb == "serve" else ["127.0.0.1:1/x"]
    if verb == "serve":
        where += ["--port", "0", "--for", "0.0001"]
    words = ["bundle", verb, str(old), *where, "--keys", str(keys.allowed)]
    assert main(words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "--allow-older" in said
    done = "served from here" if verb == "serve" else "pushed from here to 127.0.0.1:1/x"
    assert f"it is older than the one that was {done} before: this is pm4ml" in said
    if verb == "serve":
        assert main([*words, "--allow-older"]) == 2
        assert 'say who allows it: --allow-older "A. Name"' in " ".join(
            capsys.readouterr().err.split()
        )
        assert main([*words, "--allow-older", "A. Name"]) == 0
        [memory] = (tmp_path / "state/sitewright/bundles").iterdir()
        assert json.loads(memory.read_bytes())["older_by"] == "A. Name"


@pytest.mark.parametrize("taken", [True, False])
def test_a_push_is_noted_when_the_registry_took_something(
    pair: tuple[Path, Path], tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch,
    taken: bool,
) -> None:  # fmt: skip
    """The registry is a stand-in: it refuses the login, or breaks off after its first item."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    async def refused(bundle: Bundle, items: tuple[Item, ...], *_: object, **more: Any) -> None:
        if taken:
            target = parse_reference("127.0.0.1:1/x:1")
            more["done"](Pushed(items[0], target, 1))
        raise InputProblem("the registry refuses this login")

    monkeypatch.setattr(push, "push_bundle", refused)
    words = ["bundle", "push", str(pair[1]), "127.0.0.1:1/x", "--keys", str(keys.allowed)]
    assert main(words) == 2
    assert (tmp_path / "state/sitewright/bundles").is_dir() is taken


def test_who_ends_a_push_is_not_told_that_nothing_was_changed(
    pair: tuple[Path, Path], tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    async def ended(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(push, "push_bundle", ended)
    words = ["bundle", "push", str(pair[1]), "127.0.0.1:1/x", "--keys", str(keys.allowed)]
    assert main(words) == 130
    said = capsys.readouterr().err
    assert "what the registry has taken stays there" in " ".join(said.split())
    assert "nothing was changed" not in said


def site_of(bundle: Path, keys: Keys, **more: Any) -> Site:
    supplies = {"bundle": str(bundle), "keys": str(keys.allowed)}
    host = {"name": "m1", "address": "10.10.0.11", "roles": ["master"]}
    return Site.model_validate({"solution": "pm4ml", "hosts": [host], "supplies": supplies, **more})


def test_a_site_refuses_an_older_bundle_than_it_had(
    pair: tuple[Path, Path], tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    old, new = pair
    site = site_of(old, keys)
    assert read_supplies(site, tmp_path) is not None
    remember_bundle(site, verify_bundle(new))
    with pytest.raises(InputProblem, match="older than the one") as caught:
        read_supplies(site, tmp_path)
    assert "--allow-older" in (caught.value.remedy or "")
    allowed = read_supplies(site, tmp_path, allow_older="A. Name")
    assert allowed is not None
    assert dict(as_plan(allowed))["older_by"] == "A. Name"
    named = read_supplies(site, tmp_path, allow_older={allowed.index: "A. Name"})
    assert named == allowed
    with pytest.raises(OlderBundle):
        read_supplies(site, tmp_path, allow_older={"sha256:another": "A. Name"})
    assert read_supplies(site_of(new, keys), tmp_path) is not None
    # Another site has a memory of its own.
    assert read_supplies(site_of(old, keys, environment="development"), tmp_path) is not None
    (file,) = (tmp_path / "state/sitewright/bundles").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    noted = file.read_text()
    for damage in ("{", "[]", "null", "{}", noted.replace(NEW, "soon"), noted.replace('"1"', "1")):
        file.write_text(damage)
        with pytest.raises(OrderUnknown, match="cannot be told") as lost:
            read_supplies(site, tmp_path)
        assert "--allow-older" in (lost.value.remedy or "")
        assert read_supplies(site, tmp_path, allow_older="A. Name") is not None


def test_a_bundle_of_another_environment_is_refused(
    tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    bundle = make_at(tmp_path, NEW, b"x", keys, environment="development")
    assert read_supplies(site_of(bundle, keys, environment="development"), tmp_path) is not None
    for site in (site_of(bundle, keys, environment="production"), site_of(bundle, keys)):
        with pytest.raises(InputProblem, match="for the environment development"):
            read_supplies(site, tmp_path)


def test_a_bundle_says_until_when_its_maker_looks_after_it(
    tmp_path: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = file_recipe(tmp_path / "src", kubectl=b"one")
    raw = recipe.as_bytes()
    options = CreateOptions(created=OLD, key=load_signing_key(keys.key))
    for day, words in (("2999-12-31", "looks after it until 31 December 2999"),
                       ("2026-01-31", "looked after it until 31 January 2026")):  # fmt: skip
        named = recipe.model_copy(update={"maintained_until": date.fromisoformat(day)})
        made = asyncio.run(create_bundle(named, tmp_path / day, options)).structure
        assert made.index.maintained_until == day
        for command in ("inspect", "verify"):
            line = ["bundle", command, str(tmp_path / day), "--keys", str(keys.allowed)]
            assert main(line) == 0
            assert words in " ".join(capsys.readouterr().out.split())
    # One whose maker names no day has the bytes that it always had.
    assert b"maintained" not in raw
    plain = asyncio.run(create_bundle(recipe, tmp_path / "plain", options)).structure
    assert b"maintained" not in plain.index.as_bytes()
    assert looked_after("") == ""


def test_the_plan_says_until_when_the_bundle_is_looked_after() -> None:
    from types import SimpleNamespace

    from installer.planning.notes import maintained

    index = SimpleNamespace(maintained_until="2026-01-31")
    supplied: Any = SimpleNamespace(structure=SimpleNamespace(index=index))
    (note,) = maintained(supplied)
    # Made again on another day it is the same plan.
    end = "The bundle: the last day on which its maker looks after it is 31 January 2026."
    assert note == end
    assert maintained(None) == ()
