"""Recorded machines in the place of real ones, for the wizard and its plain twin.

Everything that decides is the real part: the solutions' data, the checks, the reports, the site
file. Only what would need a network answers from `tests/recorded/`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.hosts.openssh.hostkeys import HostKeyOffer
from foundation.problems import ConnectTimeout, InputProblem, Problem, UnknownHostKey
from installer.record.errand import Errand
from installer.running.order import Others
from installer.steps.kind import Asker
from preflight.assessment import Seen, SeenCluster
from preflight.egress import Egress
from preflight.mesh import Mesh
from preflight.recorded import load_facts
from screens.answers.answers import Answers
from screens.services.live import LiveServices
from screens.services.services import (
    Access,
    ClusterWay,
    Installing,
    Order,
    Question,
    ToApply,
    ToUpdate,
    Tried,
    UpdatesSeen,
)

FOLDER = Path(__file__).parent.parent / "recorded"
UNWELL = Path(__file__).parent / "cluster" / "unwell.json"
"""What a cluster served by tests/preflight/cluster/fake_api.py told, some of it broken."""
NOW = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)

SHAPES: Mapping[str, str] = {
    "m": "pm4ml-master",
    "w": "pm4ml-worker",
    "lb": "pm4ml-load-balancer",
    "st": "pm4ml-storage",
    "b": "pm4ml-bastion",
}
"""Which recorded machine stands behind a name, by the letters it begins with."""


def recorded(shape: str) -> Seen:
    """One recorded machine."""
    return load_facts(FOLDER / f"{shape}.json")[0]


def offer_of(
    host: Host, state: Literal["trusted", "unknown", "changed"] = "unknown"
) -> HostKeyOffer:
    """A host key that follows from the machine's name, so that it is the same every time."""
    digest = hashlib.sha256(host.name.encode()).digest()
    fingerprint = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    return HostKeyOffer(
        host=host,
        algorithm="ssh-ed25519",
        fingerprint=fingerprint,
        public_key="ssh-ed25519 " + base64.b64encode(digest).decode(),
        state=state,
        known_fingerprint="SHA256:" + "o" * 43 if state == "changed" else None,
        known_in="/home/op/.ssh/known_hosts:12" if state != "unknown" else None,
        known_as=host.address,
    )


@dataclass
class RecordedServices(LiveServices):
    """Machines from records: silent ones by name, a gate to hold answers back."""

    silent: frozenset[str] = frozenset()
    """Machines that never answer."""
    keys: dict[str, Literal["trusted", "unknown", "changed"]] = field(default_factory=dict)
    """The state of a machine's host key where it is not unknown."""
    shapes: dict[str, str] = field(default_factory=dict)
    """Machines that are another record than their name says."""
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    """Machines that answer only after their event is set."""
    trusted: list[HostKeyOffer] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    """Every machine that was looked at, in order."""
    accesses: list[Access] = field(default_factory=list)
    egress: Egress | None = None
    """What an attempt at what is fetched would meet."""
    fetched: list[Answers] = field(default_factory=list)
    """The answers for which it was tried, in order."""
    cluster: Path | None = UNWELL
    """The facts of a cluster that stand in for one; None asks the one that is named."""

    def __post_init__(self) -> None:
        super().__init__()

    def now(self) -> datetime:
        """A day that never changes."""
        return NOW

    def this_machine(self) -> Host:
        """A laptop."""
        return Host("thinkpad", LOCAL_ADDRESS)

    async def try_machine(self, host: Host, access: Access) -> Tried:
        """The recorded key, or silence."""
        if host.local:
            return Tried(host)
        if host.name in self.silent:
            return Tried(host, problem=self._silence(host))
        state = self.keys.get(host.name, "unknown")
        if any(offer.host.name == host.name for offer in self.trusted):
            state = "trusted"
        return Tried(host, offer=offer_of(host, state), seconds=0.01)

    async def trust(self, offers: Sequence[HostKeyOffer], access: Access) -> Path:
        """Remember them."""
        self.trusted += offers
        return Path("/home/op/.config/sitewright/known_hosts")

    async def look(self, host: Host, access: Access) -> Seen:
        """The recorded facts under the machine's own name, or why there are none."""
        self.looks.append(host.name)
        self.accesses.append(access)
        if host.name in self.gates:
            await self.gates[host.name].wait()
        await asyncio.sleep(0)
        if host.name in self.silent:
            return Seen(host, problem=self._silence(host), seen_at=NOW, seconds=15.0)
        tried = await self.try_machine(host, access)
        if tried.offer is not None and tried.offer.state != "trusted":
            problem = UnknownHostKey(
                "its host key is not confirmed", where=host.name, remedy="Confirm it on Trust."
            )
            return Seen(host, problem=problem, seen_at=NOW)
        return self.seen(host)

    async def look_here(self) -> Seen:
        """The laptop, which nobody logs in to."""
        return self.seen(self.this_machine())

    def seen(self, host: Host) -> Seen:
        """What is recorded of a machine, with the name, addresses and identity of this one."""
        letters = host.name.rstrip("0123456789")
        shape = self.shapes.get(host.name) or (
            "laptop" if host.local else SHAPES.get(letters, "small-vm")
        )
        entry = recorded(shape)
        assert entry.facts is not None
        identity = replace(
            entry.facts.identity,
            hostname=host.name,
            machine_id=hashlib.sha256(host.name.encode()).hexdigest()[:32],
            product_uuid=hashlib.sha256(host.name.encode()).hexdigest()[:32],
        )
        return replace(entry, host=host, facts=replace(entry.facts, identity=identity), seen_at=NOW)

    async def look_at_cluster(self, way: ClusterWay, access: Access) -> SeenCluster:
        """The recorded facts, where no others are named."""
        if way.facts is None and self.cluster is not None:
            way = ClusterWay(facts=self.cluster)
        return await super().look_at_cluster(way, access)

    async def look_for_updates(
        self, asked: ToUpdate, answers: Answers, access: Access
    ) -> UpdatesSeen:
        """What a stand-in tells, unless the cluster that is named is to be asked."""
        from tests.screens.updates.told import told

        if self.cluster is not None:
            return told(asked)
        return await super().look_for_updates(asked, answers, access)

    async def prepare_update(
        self, asked: ToUpdate, chosen: tuple[str, ...], answers: Answers, access: Access
    ) -> ToApply:
        """The same, planned."""
        from tests.screens.updates.told import told_plan

        if self.cluster is not None:
            return told_plan(asked, chosen, answers, access)
        return await super().prepare_update(asked, chosen, answers, access)

    @contextlib.asynccontextmanager
    async def installing(
        self, order: Order, ask: Asker, others: Others | None = None
    ) -> AsyncIterator[Installing]:
        """No update is begun that was planned from what a stand-in tells."""
        if order.errand is Errand.OPERATE and self.cluster is not None:
            raise InputProblem("no machine stands behind what is recorded", where="the test")
        async with super().installing(order, ask, others) as work:
            yield work

    async def measure(self, access: Access, question: Question, seen: Sequence[Seen]) -> Mesh:
        """Nothing was tried between recorded machines."""
        return Mesh()

    async def fetch(
        self,
        access: Access,
        question: Question,
        seen: Sequence[Seen],
        answers: Answers,
        count: Callable[[int, int], None],
    ) -> Egress | None:
        """What a test says was met; nothing is fetched from recorded machines."""
        self.fetched.append(answers)
        return self.egress

    def _silence(self, host: Host) -> Problem:
        return ConnectTimeout(
            f"nobody answered at {host.endpoint} within 15 s",
            where=host.name,
            remedy="Check the address, the cable and the firewall on the way.",
        )


class DemoServices(RecordedServices):
    """The recorded services with nothing to set up, to look at the screens by hand."""
