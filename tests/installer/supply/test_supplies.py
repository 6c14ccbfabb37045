"""The bundle of a site in its plan: what is chosen, what is left out, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundles.format.layout import BundleIndex, Item
from bundles.format.problems import CorruptBundle, SignatureProblem
from bundles.read.structure import Structure
from foundation.hosts.transfer import SPARE, Blob, MachineFull
from foundation.problems import ExitCode, InputProblem
from installer.catalogue.solution import Solution, load_solution
from installer.planning.make import make_plan
from installer.plans.plan import Plan
from installer.plans.plan_files import plan_from_json
from installer.sites.site import Site, dump_site, load_site, resolved
from installer.steps.deliver import DeliverStep
from installer.supply.disk_room import objection
from installer.supply.supplies import Supplied, makers_of, read_supplies, verify_for, whose_word
from tests.bundles.conftest import Keys, file_recipe, keys, make
from tests.installer.planning.test_planning import MACHINES, made, stage, step
from tests.installer.planning.test_planning import site as pm4ml_site

__all__ = ["keys"]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Path:
    """A signed bundle of PM4ML with two files."""
    folder = tmp_path_factory.mktemp("supplied")
    recipe = file_recipe(folder / "src", kubectl=b"a program", helm=b"another program")
    return make(recipe.model_copy(update={"solution": "pm4ml"}), folder / "bundle", keys.key)


def site(bundle: Path | None, **supplies: str) -> Site:
    given = {**({"bundle": str(bundle)} if bundle else {}), **supplies}
    return Site.model_validate(
        {
            "solution": "pm4ml",
            "hosts": [
                {"name": name, "address": f"10.10.0.{number + 11}", "roles": [role]}
                for number, (name, role) in enumerate(MACHINES)
            ],
            "supplies": given,
        }
    )


def planned(solution: Solution, chosen: Site) -> Plan:
    return make_plan(solution, chosen, (), supplied=read_supplies(chosen, Path("/")))


def deliver(*items: str, to: str = "folder", **more: Any) -> dict[str, Any]:
    return {"id": "bring", "kind": "deliver", "title": "Bring it", "on": ["worker"],
            "items": list(items), "to": to, **more}  # fmt: skip


def test_a_delivery_names_its_items_and_their_size(bundle: Path, tmp_path: Path) -> None:
    solution = made(tmp_path, stage("one", deliver("files:*")))
    plan = planned(solution, site(bundle))
    (one,) = plan.stages[0].steps
    assert one.hosts == ("w2", "w1")
    assert one.spec["size"] == len(b"a program") + len(b"another program")
    assert [line.split(",")[0] for line in one.files[0][1].splitlines()] == [
        "file helm", "file kubectl"
    ]  # fmt: skip
    assert dict(plan.supplies)["index"].startswith("sha256:")
    # What the planner adds, the step kind must take.
    DeliverStep.model_validate({"id": one.id, "kind": one.kind, "title": one.title, **one.spec})


def test_the_plan_is_another_with_another_bundle(bundle: Path, tmp_path: Path, keys: Keys) -> None:
    solution = made(tmp_path, stage("one", step("a")))
    recipe = file_recipe(tmp_path / "src", kubectl=b"a newer program")
    other = make(recipe.model_copy(update={"solution": "pm4ml"}), tmp_path / "other", keys.key)
    hashes = {planned(solution, site(which)).sha256 for which in (None, bundle, other)}
    assert len(hashes) == 3


def test_a_plan_with_a_bundle_can_be_read_again(bundle: Path, tmp_path: Path) -> None:
    plan = planned(made(tmp_path, stage("one", deliver("files:*"))), site(bundle))
    (tmp_path / "plan.json").write_text(json.dumps(plan.as_json()))
    assert plan_from_json(tmp_path / "plan.json") == plan
    (tmp_path / "plan.json").write_text(json.dumps({**plan.as_json(), "supplies": {"bytes": "1"}}))
    with pytest.raises(InputProblem, match="does not say from which"):
        plan_from_json(tmp_path / "plan.json")


def test_what_hangs_on_a_bundle_is_planned_with_one_only(bundle: Path, tmp_path: Path) -> None:
    words = "{{ supplies.online }} {{ supplies.registry }} {{ supplies.folder }}"
    solution = made(
        tmp_path,
        stage("online", step("a", when="not bundle")),
        stage("offline", step("b", when="bundle", script=words), deliver("files:helm")),
        stage("whole", step("c"), when="bundle"),
    )
    assert [s.id for s in planned(solution, site(None)).stages] == ["online"]
    plan = planned(solution, site(bundle, registry="10.10.0.5:5000"))
    assert [s.id for s in plan.stages] == ["offline", "whole"]
    assert plan.stages[0].steps[0].spec["script"] == (
        "False 10.10.0.5:5000 /var/lib/sitewright/supplies"
    )


def test_a_setting_that_the_bundle_answers_is_filled_in(bundle: Path, tmp_path: Path) -> None:
    settings = (
        "settings:\n"
        "  - {name: snaps, title: S, type: text, default: '', "
        "supplied: '{{ supplies.folder }}/snaps'}\n"
        "  - {name: mirror, title: M, type: text, default: '', "
        "supplied: '{{ supplies.registry }}'}\n"
    )
    solution = made(tmp_path, stage("one", step("a", script="{{ snaps }}|{{ mirror }}")),
                    given=settings)  # fmt: skip
    script = "script"
    assert planned(solution, site(None)).stages[0].steps[0].spec[script] == "''|''"
    chosen = site(bundle)
    assert planned(solution, chosen).stages[0].steps[0].spec[script] == (
        "/var/lib/sitewright/supplies/snaps|''"
    )
    own = chosen.model_copy(update={"settings": {"snaps": "/mnt/snaps"}})
    assert planned(solution, own).stages[0].steps[0].spec[script] == "/mnt/snaps|''"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (deliver("files:kubeadm", "files:helm"), "nothing for files:kubeadm"),
        (deliver("kubectl"), "chooses nothing"),
        (deliver("images:*"), "cannot be delivered to folder"),
        (deliver("files:*", to="apt"), "cannot be delivered to apt"),
        (deliver("files:*", on=[]), "the step names none"),
    ],
)
def test_a_delivery_that_cannot_be_is_refused(
    bundle: Path, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputProblem, match=said):
        planned(made(tmp_path, stage("one", given)), site(bundle))


def test_the_bundle_of_another_solution_is_refused(tmp_path: Path, keys: Keys) -> None:
    other = make(file_recipe(tmp_path / "src", one=b"x"), tmp_path / "bundle", keys.key)
    with pytest.raises(InputProblem, match="made for test"):
        read_supplies(site(other), Path("/"))


def test_a_stranger_s_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    from tests.foundation.sshd import keygen

    keygen(tmp_path / "stranger")
    public = (tmp_path / "stranger.pub").read_text()
    (tmp_path / "signers").write_text(f'stranger namespaces="sitewright-bundle" {public}')
    with pytest.raises(SignatureProblem) as caught:
        read_supplies(site(bundle, keys="signers"), tmp_path)
    assert caught.value.exit_code is ExitCode.BUNDLE_INVALID


def test_every_byte_is_verified_before_a_run(tmp_path: Path, keys: Keys) -> None:
    recipe = file_recipe(tmp_path / "src", kubectl=b"a program" * 1000)
    made_for = recipe.model_copy(update={"solution": "pm4ml"})
    bundle = make(made_for, tmp_path / "bundle", keys.key)
    chosen = site(bundle, keys=str(keys.allowed))
    plan = planned(made(tmp_path / "s", stage("one", deliver("files:*"))), chosen)
    found = verify_for(plan)
    assert found is not None
    assert found.signer is not None
    largest = max((bundle / "blobs/sha256").iterdir(), key=lambda file: file.stat().st_size)
    raw = bytearray(largest.read_bytes())
    raw[len(raw) // 2] ^= 1
    largest.write_bytes(raw)
    with pytest.raises(CorruptBundle) as caught:
        verify_for(plan)
    assert caught.value.exit_code is ExitCode.BUNDLE_INVALID


def test_another_bundle_than_the_plan_s_is_refused(tmp_path: Path, keys: Keys) -> None:
    recipe = file_recipe(tmp_path / "src", kubectl=b"one")
    bundle = make(recipe.model_copy(update={"solution": "pm4ml"}), tmp_path / "b", keys.key)
    plan = planned(made(tmp_path / "s", stage("one", deliver("files:*"))), site(bundle))
    recipe = file_recipe(tmp_path / "src", kubectl=b"two")
    other = make(recipe.model_copy(update={"solution": "pm4ml"}), tmp_path / "o", keys.key)
    bundle.rename(tmp_path / "away")
    other.rename(bundle)
    with pytest.raises(CorruptBundle, match="another bundle"):
        verify_for(plan)


def test_the_paths_of_supplies_count_from_the_site_file(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "solution: pm4ml\nsupplies: {bundle: ./site.bundle, keys: keys/signers}\n"
    )
    whole = resolved(load_site(tmp_path / "site.yaml"), tmp_path)
    assert whole.supplies.keys == f"{tmp_path}/keys/signers"
    assert "site.bundle" in dump_site(whole)


@pytest.mark.parametrize(("needed", "room", "full"), [
    (0, 0, False), (1000, SPARE + 1000, False), (1001, SPARE + 1000, True), (10**12, 10**9, True),
])  # fmt: skip
def test_a_machine_without_room_is_named(needed: int, room: int, full: bool) -> None:
    found = objection("w1", {"a" * 64: Blob("a" * 64, needed)}, needed, room)
    assert (found is not None) is full
    if found is not None:
        assert isinstance(found, MachineFull)
        assert found.where == "w1"


def with_items(*names: str) -> Supplied:
    """A bundle of PM4ML with these items, `kind name`, as its index states them."""
    items = tuple(
        Item(kind=kind, name=name, origin="a test", media_type="x/y", size=1, content_size=1000,
             digest=f"sha256:{number:064x}")
        for number, (kind, name) in enumerate(one.split(" ") for one in names)
    )  # fmt: skip
    index = BundleIndex("pm4ml", "1", "production", "r", "2026-01-01T00:00:00Z", items)
    structure = Structure(index, "sha256:" + "f" * 64, {}, {}, frozenset())
    return Supplied(Path("/media/site.bundle"), None, structure, "")


PM4ML = (
    "deb chrony", "deb haproxy", "snap microk8s", "snap core20", "snap snapd", "snap microceph",
    "image docker.io/calico/node:v3.25.1", "file argocd-v2.14.20.yaml", "chart ceph-csi-rbd",
)  # fmt: skip


@pytest.mark.parametrize(
    ("git", "given", "used"),
    [
        ("https://10.10.0.1:5443/git/", None, "https://10.10.0.1:5443/git/site.git"),
        ("https://10.10.0.1/own.git", None, "https://10.10.0.1/own.git"),
        (
            "https://10.10.0.1:5443/git",
            "https://git.example.org/a.git",
            "https://git.example.org/a.git",
        ),
    ],
)
def test_pm4ml_deploys_from_the_repository_that_is_served(
    git: str, given: str | None, used: str
) -> None:
    """The site's own word goes before it."""
    chosen = pm4ml_site(git_url=given)
    supplies = chosen.supplies.model_copy(update={"git": git})
    chosen = chosen.model_copy(update={"supplies": supplies})
    plan = make_plan(load_solution("pm4ml"), chosen, (), supplied=with_items(*PM4ML))
    assert dict(plan.settings)["git_url"] == used


def test_pm4ml_takes_everything_from_its_bundle() -> None:
    """The packages come first and to every machine; nothing is asked for on the internet."""
    solution = load_solution("pm4ml")
    chosen = pm4ml_site()
    plan = make_plan(solution, chosen, (), supplied=with_items(*PM4ML))
    first = plan.stages[0]
    assert (first.id, plan.stages[1].needs) == ("supplies", ("supplies",))
    assert first.steps[0].spec["to"] == "apt"
    assert "usb" not in first.steps[0].hosts
    assert {"w1", "m1", "lb1", "s1"} <= set(first.steps[0].hosts)
    settings = dict(plan.settings)
    folder = "/var/lib/sitewright/supplies"
    assert settings["snap_folder"] == f"{folder}/snaps"
    assert settings["argocd_manifest"] == f"{folder}/files/argocd-v2.14.20.yaml"
    assert settings["ceph_csi_chart"] == f"{folder}/charts/ceph-csi-rbd-3.13.0.tgz"
    assert "images" in [step.id for step in first.steps]


def test_with_a_registry_of_the_site_no_node_is_given_every_image() -> None:
    chosen = pm4ml_site()
    supplies = chosen.supplies.model_copy(update={"registry": "10.10.0.5:5000"})
    chosen = chosen.model_copy(update={"supplies": supplies})
    plan = make_plan(load_solution("pm4ml"), chosen, (), supplied=with_items(*PM4ML))
    assert "images" not in [step.id for step in plan.stages[0].steps]
    assert dict(plan.settings)["registry_mirror"] == "https://10.10.0.5:5000"
    assert dict(plan.settings)["registry_mirror_only"] == "yes"


def test_a_bundle_that_lacks_what_the_plan_needs_is_refused_before_anything_starts() -> None:
    lacking = [name for name in PM4ML if name != "snap microceph"]
    with pytest.raises(InputProblem, match="nothing for snaps:microceph"):
        make_plan(load_solution("pm4ml"), pm4ml_site(), (), supplied=with_items(*lacking))


# Whose word counts


@pytest.fixture
def own_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine's own list of makers would lie; it is not there yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config/sitewright").mkdir(parents=True)
    return tmp_path / "config/sitewright/allowed_signers"


def stranger(folder: Path) -> str:
    from tests.foundation.sshd import keygen

    return f"stranger {keygen(folder / 'stranger').with_suffix('.pub').read_text()}"


def test_the_site_s_list_never_stands_in_place_of_this_machine_s(
    bundle: Path, tmp_path: Path, keys: Keys, own_list: Path
) -> None:
    chosen = site(bundle, keys=str(keys.allowed))
    other = stranger(tmp_path)
    own_list.write_text(other)
    with pytest.raises(SignatureProblem, match="this machine's own list") as caught:
        read_supplies(chosen, Path("/"))
    assert caught.value.exit_code is ExitCode.BUNDLE_INVALID
    assert str(own_list) in (caught.value.remedy or "")
    own_list.write_text(other + keys.allowed.read_text())
    supplied = read_supplies(chosen, Path("/"))
    assert supplied is not None
    assert supplied.own_keys == own_list
    plan = planned(made(tmp_path / "s", stage("one", step("a"))), chosen)
    sentence = whose_word(plan)
    assert "maker@example.org" in sentence
    assert str(keys.allowed) in sentence
    assert str(own_list) in sentence
    assert verify_for(plan) is not None
    # Taken back between the plan and the run.
    own_list.write_text(other)
    with pytest.raises(SignatureProblem, match="this machine's own list"):
        verify_for(plan)


def test_this_machine_s_list_alone_decides_where_the_site_names_none(
    bundle: Path, tmp_path: Path, keys: Keys, own_list: Path
) -> None:
    own_list.write_text(keys.allowed.read_text())
    supplied = read_supplies(site(bundle), Path("/"))
    assert supplied is not None
    assert (supplied.keys, supplied.own_keys) == (own_list, None)
    # A site file cannot say that nobody is asked where this machine asks.
    own_list.write_text(stranger(tmp_path))
    with pytest.raises(SignatureProblem, match="does not trust"):
        read_supplies(site(bundle, unsigned="accepted"), Path("/"))


def test_without_any_list_nothing_is_installed_unless_that_is_named(
    bundle: Path, tmp_path: Path, own_list: Path
) -> None:
    solution = made(tmp_path / "s", stage("one", step("a")))
    plan = planned(solution, site(bundle))
    assert "unsigned: accepted" in whose_word(plan)
    with pytest.raises(SignatureProblem, match="nobody is named") as caught:
        verify_for(plan)
    assert "unsigned: accepted" in (caught.value.remedy or "")
    accepted = planned(solution, site(bundle, unsigned="accepted"))
    assert "NOBODY" in whose_word(accepted)
    assert verify_for(accepted) is not None
    assert accepted.sha256 != plan.sha256


def test_only_one_word_accepts_it() -> None:
    with pytest.raises(ValueError, match="accepted"):
        site(None, unsigned="yes")


def test_a_delivery_asks_the_same_lists_as_an_installation(
    bundle: Path, tmp_path: Path, keys: Keys, own_list: Path
) -> None:
    with pytest.raises(SignatureProblem, match="nobody is named"):
        makers_of(site(bundle), Path("/"), bundle)
    assert makers_of(site(bundle, unsigned="accepted"), Path("/"), bundle) == ()
    chosen = site(bundle, keys=str(keys.allowed))
    assert [one.name for one in makers_of(chosen, Path("/"), bundle)] == ["maker@example.org"]
    own_list.write_text(stranger(tmp_path))
    for asked in (chosen, site(bundle, unsigned="accepted")):
        with pytest.raises(SignatureProblem):
            makers_of(asked, Path("/"), bundle)
