"""Services: everything the screens ask of the floors below, as one protocol.

The wizard and its plain twin speak to this and to nothing else, so that recorded machines can
stand in for real ones. Methods raise Problem and nothing else; none blocks the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Host, Inventory
from foundation.problems import Problem
from installer.record.errand import Errand
from screens.services.acceptance_services import AcceptanceServices

if TYPE_CHECKING:
    from foundation.hosts.openssh.hostkeys import HostKeyOffer
    from foundation.hosts.openssh.ssh_files import Program
    from foundation.secrets import Secret
    from installer.catalogue.stages import Settings
    from installer.events import Event, Outcome
    from installer.guide.advice import Advice, Wishes
    from installer.guide.guide import Map
    from installer.hand_over.later import Later
    from installer.hand_over.model import HandOver
    from installer.planning.new_site_file import NewSite
    from installer.plans.plan import Plan
    from installer.record.kept_runs import KeptRuns, RunCount
    from installer.record.runs import Run
    from installer.record.state import RunState
    from installer.running.levers import Control
    from installer.running.order import Others
    from installer.running.work import Failure
    from installer.sites.site import Site
    from installer.steps.kind import Asker
    from installer.updates.applying.commits import Planned as Commit
    from installer.updates.applying.gates import Gate
    from installer.updates.applying.prepared import Prepared
    from installer.updates.applying.services import Service
    from installer.updates.applying.workloads import Workload
    from installer.updates.review import Review
    from preflight.assessment import Assessment, HostResult, Seen, SeenCluster
    from preflight.egress import Egress
    from preflight.findings import Finding, Waiver
    from preflight.mesh import Mesh
    from preflight.needs import SolutionNeeds
    from screens.answers.answers import Answers
    from screens.services.bundle_seen import BundleSeen, Going, Place, ToMake
    from screens.services.memory import Touched


@dataclass(frozen=True, slots=True)
class EnvironmentChoice:
    """One environment of a solution, with the tables that it is judged by."""

    id: str
    title: str
    needs: SolutionNeeds


@dataclass(frozen=True, slots=True)
class SolutionChoice:
    """One solution to choose from."""

    id: str
    title: str
    summary: str
    installable: bool
    """Whether Sitewright can install it already; it can be judged in any case."""
    note: str = ""
    """Why it cannot be installed yet, or what to know before."""
    environments: tuple[EnvironmentChoice, ...] = ()
    hub: bool = False
    """Whether it is a Mojaloop hub, whose figures an acceptance proves."""

    def installs(self, environment: str | None) -> bool:
        """Whether Sitewright installs this environment of it."""
        chosen = [one for one in self.environments if one.id == environment]
        return self.installable and not any(one.needs.not_installed for one in chosen)


@dataclass(frozen=True, slots=True)
class Access:
    """The machines with everything needed to get at them; equal values share connections."""

    inventory: Inventory
    credentials: Credentials = field(default_factory=Credentials)
    sudo: bool = True


@dataclass(frozen=True, slots=True)
class Tried:
    """What one try at a machine met, before any login."""

    host: Host
    problem: Problem | None = None
    offer: HostKeyOffer | None = None
    """The host key it offered; None for this machine itself, and where nobody answered."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    """What of the ssh config could not be judged or is not honoured, as sentences."""


@dataclass(frozen=True, slots=True)
class MachineFile:
    """What a file of machines said: a site file says more than an inventory."""

    path: Path
    hosts: tuple[Host, ...]
    answers: Answers | None = None
    """The answers of a site file, its machines included; None for an inventory or a list."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was read, as sentences."""


@dataclass(frozen=True, slots=True)
class ClusterWay:
    """How a cluster is reached: by a kubeconfig, through a machine, or from a file of facts."""

    context: str = ""
    """Of the kubeconfig; "" for its current one."""
    kubeconfig: Path | None = None
    """None for those that kubectl itself would choose."""
    machine: str = ""
    """The machine whose own kubectl is asked: its name on the list, or its address."""
    facts: Path | None = None


@dataclass(frozen=True, slots=True)
class ToUpdate:
    """Of what newer images are asked for, how far they may go, and where they may be."""

    way: ClusterWay = field(default_factory=ClusterWay)
    """Which cluster, where no machine is named in `on`."""
    strategy: str = "bugfix"
    newer: str = ""
    """A registry, REGISTRY=MIRROR, or the file of a bundle; "" for Docker Hub."""
    on: tuple[str, ...] = ()
    """Machines whose Compose projects are meant, in the place of a cluster: names, or addresses."""


@dataclass(frozen=True, slots=True)
class UpdatesSeen:
    """What runs there and what is newer, with what would be done about each of it."""

    asked: ToUpdate
    where: str
    """The cluster's server, or the machines that were asked."""
    way: str
    """How it was reached."""
    review: Review
    workloads: tuple[Workload, ...]
    note: str = ""
    """What a person must know of who was asked."""
    services: tuple[Service, ...] = ()
    """Of Compose projects, in the place of workloads."""
    machines: tuple[str, ...] = ()
    """The machines that were asked for Compose projects, by their names."""

    @property
    def meant(self) -> ToUpdate:
        """What was asked for, its machines by their names."""
        return replace(self.asked, on=self.machines)


@dataclass(frozen=True, slots=True)
class ToApply:
    """An update of some workloads or services, planned and not begun."""

    asked: ToUpdate
    chosen: tuple[str, ...]
    """Each as `updates apply --workload` names it."""
    answers: Answers
    """Of the site in whose record it will stand."""
    access: Access
    """To the machines of that site."""
    plan: Plan
    again: str
    """The command that makes the same plan."""
    prepared: Prepared | None = None
    """What it was planned from; None where an update that is under way comes first."""
    gates: tuple[Gate, ...] = ()
    """What must hold before it begins, as it stood when it was looked at."""
    run: Path | None = None
    """The folder of the update that is under way, whose plan this is then."""

    @property
    def migrates(self) -> tuple[str, ...]:
        """What changes its data as it begins."""
        return () if self.prepared is None else self.prepared.migrates


@dataclass(frozen=True, slots=True)
class Assigned:
    """Which machine plays which role, and what is short."""

    roles: Mapping[str, tuple[str, ...]]
    shortfalls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What the machines are judged against."""

    needs: SolutionNeeds
    carries_for: tuple[SolutionNeeds, ...] = ()
    roles: Mapping[str, tuple[str, ...]] | None = None
    """None leaves the roles to what the machines have."""
    waivers: tuple[Waiver, ...] = ()
    site: Site | None = None
    """The answers, once its settings were given; a document may demand more of them."""
    told: tuple[Finding, ...] = ()
    """What is known of the site beside its machines: its bundle."""


class Export(StrEnum):
    """The forms in which a result can be written to a file."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    JUNIT = "junit"
    FACTS = "facts"


class Driven(Protocol):
    """An engine as the screens see it; see installer.running.engine.Engine."""

    plan: Plan
    control: Control
    state: RunState
    failures: list[Failure]

    def subscribe(self, subscriber: Callable[[Sequence[Event]], None]) -> Callable[[], None]:
        """Have every event from now on, in batches, once on the disk."""

    async def run(self) -> Outcome:
        """Carry the plan through, from where the journal says it stands."""


@dataclass(frozen=True, slots=True)
class Order:
    """An installation that a person confirmed."""

    answers: Answers
    """With the roles that everybody has."""
    plan: Plan
    access: Access
    secrets: Mapping[str, Secret]
    by: str
    run: Path | None = None
    """The folder of a run to go on with; None for a new one."""
    take_over: bool = False
    """Whether to take the site from whoever holds it; said knowingly, once."""
    errand: Errand = Errand.INSTALL
    operation: str = ""
    """Which operation, where that is the errand; it has runs of its own."""


@dataclass(frozen=True, slots=True)
class Installing:
    """An installation under way or ended."""

    order: Order
    engine: Driven
    run: Run
    expected: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Seconds by (stage, step), from earlier runs."""

    @property
    def begun(self) -> bool:
        """Whether it came past its beginning; one that did not left nothing to go on with."""
        return self.engine.state.started is not None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run kept on this computer in which something is left to do."""

    run: Path
    name: str
    """The site: its solution and environment."""
    done: int
    total: int
    """Steps on machines."""
    when: datetime | None = None
    at_work: str = ""
    """Who is at work on it now, in another session; empty where nobody is."""


class Services(AcceptanceServices, Protocol):
    """What the screens ask for."""

    def now(self) -> datetime:
        """The time, with its zone; the screens know no other clock."""

    def this_machine(self) -> Host:
        """The machine that Sitewright runs on."""

    async def solutions(self) -> tuple[SolutionChoice, ...]:
        """Every solution there is, in the order in which to show them."""

    async def single_machine(self) -> tuple[SolutionNeeds, ...]:
        """What fits on one machine, the least demanding first."""

    async def hosts_from_text(self, text: str) -> tuple[Host, ...]:
        """Machines from typed or pasted text."""

    async def machine_file(self, path: Path) -> MachineFile:
        """Machines from a site file, an Ansible inventory or a list."""

    async def try_machine(self, host: Host, access: Access) -> Tried:
        """One try: does it answer, and with which host key? Nobody logs in."""

    async def trust(self, offers: Sequence[HostKeyOffer], access: Access) -> Path:
        """Trust these keys from now on; the file in which they stand."""

    async def allow_programs(self, programs: Sequence[Program]) -> None:
        """Keep that a person saw these programs of a site's files and allowed them."""

    async def look(self, host: Host, access: Access) -> Seen:
        """One machine as it is now; a problem becomes part of the answer."""

    async def measure(self, access: Access, question: Question, seen: Sequence[Seen]) -> Mesh:
        """Which machine reaches which, on the ports that the tables name."""

    def judge(self, seen: Seen, roles: tuple[str, ...], question: Question) -> HostResult:
        """One machine's findings; a few milliseconds."""

    async def assign(self, seen: Sequence[Seen], needs: SolutionNeeds) -> Assigned:
        """Which machine could play which role."""

    async def assess(
        self,
        seen: Sequence[Seen],
        question: Question,
        mesh: Mesh | None,
        egress: Egress | None = None,
    ) -> Assessment:
        """The whole site judged."""

    async def fetch(
        self,
        access: Access,
        question: Question,
        seen: Sequence[Seen],
        answers: Answers,
        count: Callable[[int, int], None],
    ) -> Egress | None:
        """Whether what the solution fetches can be fetched; None where it fetches nothing."""

    async def load_facts(self, path: Path) -> tuple[Seen, ...]:
        """What `sitewright facts` or an export saved."""

    async def export(
        self, kind: Export, path: Path, assessment: Assessment, seen: Sequence[Seen]
    ) -> None:
        """Write a result to a file."""

    async def write_site(self, answers: Answers, path: Path) -> None:
        """Write the site file that repeats these answers."""

    # ---- a cluster

    async def look_at_cluster(self, way: ClusterWay, access: Access) -> SeenCluster:
        """A cluster as it is; what prevented that is part of the answer. Raises InputProblem,
        ProgramsNotAllowed where its kubeconfig would start a program."""

    async def judge_cluster(self, seen: SeenCluster) -> Assessment:
        """How a cluster is, whatever is to stand on it."""

    async def write_cluster(self, kind: Export, path: Path, assessment: Assessment) -> None:
        """Write the report of a cluster, or what was seen of it; raises InputProblem."""

    async def look_for_updates(
        self, asked: ToUpdate, answers: Answers, access: Access
    ) -> UpdatesSeen:
        """What of the images that run has something newer; nothing is changed. Raises Problem,
        ProgramsNotAllowed where its kubeconfig would start a program."""

    async def prepare_update(
        self, asked: ToUpdate, chosen: tuple[str, ...], answers: Answers, access: Access
    ) -> ToApply:
        """What an update of these would do, one after another, of the site of these answers;
        nothing is changed. Raises Problem."""

    async def approve_update(self, to_apply: ToApply, person: str) -> ToApply:
        """Keep a person's word for its plan; raises NotNow for one who may not give it."""

    async def through_gates(self, to_apply: ToApply, by: str, without: str) -> Plan:
        """The plan to carry through, with who approved it; raises NotNow where it may not begin.

        `without` is why `by` lets data be changed without a verified backup.
        """

    async def plan_commit(self, workloads: Sequence[Workload], folder: Path) -> Commit:
        """The commit that Argo CD's and Flux's workloads need in a clone; raises InputProblem."""

    async def make_commit(self, commit: Commit, branch: str) -> str:
        """Put it on a new branch of the clone, and say what is to be done then; nothing is pushed.

        Raises InputProblem."""

    # ---- installing

    def person(self) -> str:
        """The name of the user here, for the record until a person says another."""

    async def settings(self, answers: Answers) -> Settings:
        """What the solution asks of a site."""

    async def plan(self, answers: Answers, older: Mapping[str, str] = MappingProxyType({})) -> Plan:
        """What an installation would do; no machine is asked. Raises InputProblem.

        OlderBundle where its bundle is older than the site's last, unless `older` has who meant it,
        by its index.
        """

    async def first_time(self, plan: Plan, answers: Answers) -> tuple[str, ...]:
        """Sentences on the site file, playbooks and bundle that were never used here before."""

    def installing(
        self, order: Order, ask: Asker, others: Others | None = None
    ) -> AbstractAsyncContextManager[Installing]:
        """Hold the site's lock and everything an installation needs; raises Problem.

        `others` asks the person what to do about work of others on the machines.

        For a new run the machines are looked at once more first.
        """

    async def unfinished(self) -> Unfinished | None:
        """The last run on this machine, where something is left to do in it."""

    async def left_update(self) -> Unfinished | None:
        """The last update of any site that was begun and not seen to its end."""

    async def reopen(self, run: Path) -> tuple[Answers, Plan]:
        """The answers and the plan of a run, to go on with it."""

    async def counted_runs(self) -> RunCount:
        """How many runs of how many sites lie on this computer; no record is read for it."""

    async def kept_runs(self) -> KeptRuns:
        """The runs of every site that lie on this computer, by their records alone."""

    async def new_site(
        self, solution: str, environment: str, hosts: Sequence[Host], path: Path
    ) -> NewSite:
        """Write a commented site file, as `sitewright init`; raises InputProblem."""

    async def touched(self, addresses: Sequence[str]) -> Touched:
        """What the record here says was done to machines; to any, where none is named."""

    async def recall(self, run: Path) -> tuple[RunState, tuple[Event, ...]]:
        """Where a run stands by its record, and the last events in it."""

    async def write_text(self, path: Path, text: str) -> None:
        """Write a text for people to a file."""

    # ---- handing over

    async def hand_over(self, run: Path) -> HandOver:
        """The report of a run, from its folder alone."""

    async def later(self, run: Path) -> tuple[Later, ...]:
        """What can be done with the site of a run, each with its command; raises InputProblem."""

    async def write_hand_over(self, kind: Export, path: Path, report: HandOver) -> None:
        """Write the report to a file in one of its forms; raises InputProblem."""

    async def close(self) -> None:
        """End every connection."""

    # ---- the guide

    async def guide(self) -> Map:
        """The map of deployment options."""

    async def advise(self, wishes: Wishes, seen: Sequence[Seen], *, named: bool) -> Advice:
        """What suits these wishes; `named` says that the machines are those meant for it."""

    async def look_here(self) -> Seen:
        """This machine as it is now, without a login; it changes nothing."""

    # ---- supplies

    async def bundle_place(self, path: Path) -> Place:
        """What lies at a path: a bundle, or volumes; raises InputProblem where nothing does."""

    async def open_bundle(self, path: Path, keys: Path | None, answers: Answers) -> BundleSeen:
        """Read a bundle's index and check its signature; the bytes are not compared."""

    async def verify_bundle(
        self, seen: BundleSeen, tell: Callable[[Going], None], answers: Answers
    ) -> BundleSeen:
        """Compare every byte of a bundle with its hash."""

    async def join_volumes(
        self, path: Path, output: Path, tell: Callable[[Going], None]
    ) -> tuple[str, ...]:
        """Join volumes into one file; what had to be repaired, as sentences."""

    async def make_bundle(
        self, wanted: ToMake, answers: Answers, tell: Callable[[Going], None]
    ) -> None:
        """Make the bundle of the chosen solution, or finish one."""
