"""Assignment: which machine can play which role, and what is missing."""

from __future__ import annotations

from itertools import permutations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from installer.catalogue.solution import load_solution
from preflight.assessment import Seen
from preflight.assignment import assign, cheapest
from preflight.needs import DiskNeed, MachineKind, Shape, SolutionNeeds
from tests.preflight.facts_factory import (
    GIB,
    NVME,
    changed,
    disk,
    needs,
    platform,
    role,
    seen,
    unseen,
    worker_facts,
)


def machine(name: str, cpu: int, memory: int, disks: int, size: int, **host: object) -> Seen:
    """A virtual machine of a size."""
    facts = changed(
        worker_facts(),
        cpu={"logical": cpu},
        memory={"installed_bytes": memory * GIB, "total_bytes": int(memory * GIB * 0.98)},
        disks=tuple(
            disk(f"nvme{at}n1", size, mounts=("/",) if not at else ()) for at in range(disks)
        ),
    )
    return seen(name, facts, **{"roles": (), **host})


def shape(cpu: int, memory: int, disks: int, size: int) -> Shape:
    return Shape(
        cpu=cpu,
        memory_gb=memory,
        disks=(DiskNeed(count=disks, size_gb=size, kinds=(NVME,)),),
        machine=MachineKind.VM,
    )


SITE = needs(
    role("master", shape(8, 32, 2, 300), count=3),
    role("worker", shape(16, 64, 2, 500), count=3),
    role("load-balancer", shape(4, 16, 1, 100), count=2),
    role("bastion", shape(2, 8, 1, 50), optional=True),
    role("backup", Shape(machine=MachineKind.EXTERNAL)),
)
MASTERS = [machine(f"m{at}", 8, 32, 2, 300) for at in range(3)]
WORKERS = [machine(f"w{at}", 16, 64, 2, 500) for at in range(3)]
BALANCERS = [machine(f"lb{at}", 4, 16, 1, 100) for at in range(2)]


def test_machines_of_the_documented_sizes_find_their_roles_in_any_order() -> None:
    """A worker could be a master too, but then a worker would be missing."""
    for machines in ([*WORKERS, *MASTERS, *BALANCERS], [*BALANCERS, *MASTERS, *WORKERS]):
        found = assign(machines, SITE)
        assert found.shortfalls == ()
        assert found.complete
        for name, roles in found.roles.items():
            wanted = {"m": "master", "w": "worker", "l": "load-balancer"}[name[0]]
            assert roles == (wanted,)


def test_a_machine_that_falls_short_is_named_with_what_it_lacks() -> None:
    """It is put where it comes nearest, with the arithmetic."""
    short = machine("node7", 16, 64, 1, 500)
    found = assign([*WORKERS[:2], short, *MASTERS, *BALANCERS], SITE)
    assert found.roles["node7"] == ("worker",)
    assert found.shortfalls == ("node7 is short of 1 NVMe disk to be a worker.",)
    poor = machine("node8", 12, 32, 2, 500)
    found = assign([*WORKERS[:2], poor, *MASTERS, *BALANCERS], SITE)
    assert found.shortfalls == ("node8 is short of 4 CPUs and 32 GB of memory to be a worker.",)


def test_missing_machines_are_counted_by_role() -> None:
    """Seven machines where eight are needed."""
    found = assign([*WORKERS[:2], *MASTERS, *BALANCERS], SITE)
    assert found.shortfalls == ("The site is short of 1 worker machine: 3 are needed.",)
    assert not found.complete


def test_a_spare_machine_takes_the_optional_role_then_strengthens_another() -> None:
    """The bastion first; then another worker, never a fourth master by chance."""
    spare = machine("x1", 2, 8, 1, 50)
    found = assign([*WORKERS, *MASTERS, *BALANCERS, spare], SITE)
    assert found.roles["x1"] == ("bastion",)
    extra = machine("x2", 16, 64, 2, 500)
    found = assign([*WORKERS, *MASTERS, *BALANCERS, spare, extra], SITE)
    assert found.complete
    assert sorted(role for roles in found.roles.values() for role in roles) == sorted(
        [*["master"] * 3, *["worker"] * 4, *["load-balancer"] * 2, "bastion"]
    )


def test_a_machine_that_fits_nothing_is_left_over() -> None:
    """Where every place is taken by one that fits."""
    tiny = machine("tiny", 1, 1, 1, 10)
    found = assign([tiny, *WORKERS, *MASTERS, *BALANCERS], SITE)
    assert found.roles["tiny"] == ()
    assert found.complete


def test_roles_that_are_given_stay_and_count() -> None:
    """A person's word is not overruled."""
    fixed = machine("w9", 16, 64, 2, 500, roles=("load-balancer",))
    found = assign([fixed, *WORKERS, *MASTERS, BALANCERS[0]], SITE)
    assert found.roles["w9"] == ("load-balancer",)
    assert found.complete


def test_a_machine_that_was_not_seen_gets_no_role() -> None:
    """Nobody knows what it could carry."""
    gone = Seen(host=machine("w9", 1, 1, 1, 1).host, problem=unseen().problem)
    found = assign([gone, *WORKERS, *MASTERS, *BALANCERS], SITE)
    assert found.roles["w9"] == ()
    assert found.shortfalls == ("w9 was not seen, so it was given no role.",)


def test_roles_that_a_table_combines_are_given_together() -> None:
    """Two machines of staging are master and worker each."""
    both = shape(8, 16, 1, 500)
    wanted = needs(
        role("master", both, count=2),
        role("worker", both, count=2),
        combined=(frozenset({"master", "worker"}),),
    )
    found = assign([machine("n1", 8, 16, 1, 500), machine("n2", 8, 16, 1, 500)], wanted)
    assert found.complete
    assert set(found.roles.values()) == {("master", "worker")}


def test_a_solution_for_one_machine_gives_it_everything() -> None:
    """There is nothing to choose."""
    wanted = needs(role("box"), role("db")).model_copy(
        update={"single_machine": True, "platform": platform(kubernetes_roles=())}
    )
    assert assign([seen(roles=())], wanted).roles == {"w1": ("box", "db")}


COSTS = st.integers(1, 3).flatmap(
    lambda posts: st.tuples(
        st.lists(
            st.lists(st.integers(0, 9), min_size=posts, max_size=posts), min_size=0, max_size=5
        ),
        st.lists(st.integers(0, 3), min_size=posts, max_size=posts),
    )
)


@given(COSTS)
@settings(max_examples=300)
def test_the_assignment_is_the_cheapest_there_is(drawn: tuple[list[list[int]], list[int]]) -> None:
    """Compared with trying every way: as many places filled, at no higher cost."""
    costs, places = drawn
    slots = [post for post, number in enumerate(places) for _ in range(number)]
    chosen = cheapest(costs, places)
    filled = min(len(costs), len(slots))
    assert len(chosen) == len(costs)
    assert sum(post is not None for post in chosen) == filled
    for post, number in enumerate(places):
        assert chosen.count(post) <= number
    cost = sum(costs[at][post] for at, post in enumerate(chosen) if post is not None)
    if len(costs) <= len(slots):
        ways = (zip(range(len(costs)), way, strict=True) for way in permutations(slots, len(costs)))
    else:
        machines = permutations(range(len(costs)), len(slots))
        ways = (zip(way, slots, strict=True) for way in machines)
    assert cost == min(sum(costs[at][post] for at, post in way) for way in ways)


def test_five_hundred_machines_fill_their_places() -> None:
    """Machines of many sizes in any order: each place goes to one that fits it."""
    sizes = list(product((4, 8, 16, 32), (16, 32, 64, 128), (300, 500), range(16)))[:500]
    machines = [
        machine(f"n{at}", cpu, memory, 2, size) for at, (cpu, memory, size, _) in enumerate(sizes)
    ]
    wanted: SolutionNeeds = needs(
        *(row.model_copy(update={"count": row.count.model_copy(update={"min": 50})})
          for row in SITE.sizing.roles[:3])
    )  # fmt: skip
    found = assign(machines, wanted)
    assert found.complete
    for role_name in ("master", "worker", "load-balancer"):
        assert sum(roles == (role_name,) for roles in found.roles.values()) >= 50


def test_the_real_production_table_takes_machines_of_its_sizes() -> None:
    """Storage alone is missing, and said so."""
    found = assign([*WORKERS, *MASTERS, *BALANCERS], load_solution("pm4ml").needs())
    assert found.shortfalls == ("The site is short of 3 storage machines: 3 are needed.",)
