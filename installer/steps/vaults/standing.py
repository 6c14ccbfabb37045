"""How the site's Vaults stand, by what each of them says; and the program that asks them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foundation.problems import ConnectionLost, ConnectionProblem
from foundation.secrets import Secret
from foundation.wording import listed
from installer.steps.kind import StepContext, StepFailed

QUESTION_SECONDS: Final = 600.0
"""For the program to ask all of them; it has bounds of its own for each."""

_SOMETHING_ELSE: Final = b"the program on the master answered something else"


PodName = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]
"""As Kubernetes has them: the name stands in commands that a person is told to paste."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Pod(_Answer):
    """One Vault, as it says itself."""

    pod: PodName
    node: str = ""
    said: str
    """uninitialised, sealed, standby, active, or unknown."""
    initialized: bool | None
    shares: int = 0
    threshold: int = 0
    type: str = ""
    version: str = ""
    why: str = ""
    """Why it is not known."""


class Kept(_Answer):
    """What is kept in the cluster of the handing over; nothing of it is secret."""

    phase: str = ""
    """"" before, "handing-over" from before Vault is initialised until every share has its person,
    "handed-over" after."""
    run: str = ""
    shares: int = 0
    threshold: int = 0
    handed: list[str] = []
    root: bool = False
    """Whether a root token may be alive."""
    rights: bool = False
    """Whether the first rights were given."""

    def with_(self, **changes: object) -> Kept:
        """The same with these changes."""
        return self.model_copy(update=changes)


class Standing(_Answer):
    """All of them."""

    wanted: int
    pods: list[Pod]
    kept: Kept

    @property
    def unknown(self) -> list[Pod]:
        """Those that did not say how they stand."""
        return [pod for pod in self.pods if pod.said == "unknown"]

    @property
    def sealed(self) -> list[Pod]:
        """Those that are to be opened."""
        return [pod for pod in self.pods if pod.said in ("sealed", "uninitialised")]

    @property
    def initialised(self) -> bool | None:
        """Whether any of them is; None where none says so and not all of them said."""
        if any(pod.initialized for pod in self.pods):
            return True
        all_said = not self.unknown and self.pods and len(self.pods) >= self.wanted
        return False if all_said else None

    @property
    def open(self) -> bool:
        """Whether all are there, none sealed, and one is the active one."""
        said = [pod.said for pod in self.pods]
        whole = len(said) >= max(self.wanted, 1) and set(said) <= {"active", "standby"}
        return whole and said.count("active") == 1

    @property
    def threshold(self) -> int:
        """How many shares open them."""
        return max((pod.threshold for pod in self.pods), default=0)

    @property
    def words(self) -> str:
        """How each stands, for a person."""
        said = [f"{p.pod} is {p.said}" + (f" ({p.why})" if p.why else "") for p in self.pods]
        missing = self.wanted - len(self.pods)
        return listed(said or ["no pod of Vault is there"]) + (
            f"; {missing} of {self.wanted} are not there" if missing > 0 and self.pods else ""
        )


@dataclass(frozen=True, slots=True)
class Program:
    """The program on a master, and the namespace that it asks about."""

    path: str
    namespace: str

    def words(self, verb: str) -> tuple[str, ...]:
        """The command line of one of its verbs."""
        return ("python3", "-I", "-B", self.path, verb, self.namespace)

    async def standing(self, context: StepContext) -> Standing:
        """How all of them stand; raises StepFailed where that cannot be told."""
        seen = await context.look(self.words("state"), timeout=QUESTION_SECONDS)
        if seen.status != 0:
            raise _untold(context, "ask Vault how it stands", seen.stderr)
        try:
            return Standing.model_validate_json(seen.stdout)
        except ValidationError as error:
            raise _untold(context, "ask Vault how it stands", _SOMETHING_ELSE) from error

    async def tell(
        self, context: StepContext, says: str, verb: str, given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Have something done whose words nobody else may have, and its answer; {} in a dry run.

        Raises StepFailed, also where the connection broke: it is not known then what came of it.
        """
        given = {name: _revealed(value) for name, value in given.items()}
        try:
            done = await context.privately(
                says, self.words(verb), stdin=json.dumps(given).encode(), timeout=QUESTION_SECONDS
            )
        except (ConnectionLost, ConnectionProblem) as problem:
            raise StepFailed(
                f"the connection broke while Sitewright was to {says}, and what came of it is not "
                f"known: {problem.cause}",
                where=context.host.name,
                remedy="sitewright resume asks Vault how it stands, and says what is lost.",
                again=False,
            ) from None
        if context.dry_run:
            return {}
        if done.status != 0:
            raise _untold(context, says, done.stderr)
        try:
            answer = json.loads(done.stdout)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            # Not what it said: that may hold a share.
            raise _untold(context, says, _SOMETHING_ELSE)
        return answer

    async def keep(self, context: StepContext, kept: Kept) -> None:
        """Keep in the cluster how far it is."""
        await self.tell(context, "note how far it is", "keep", kept.model_dump())


def _revealed(value: object) -> object:
    """For standard input, the one way by which secrets leave."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, (list, tuple)):
        return [_revealed(one) for one in value]
    return value


def _untold(context: StepContext, says: str, stderr: bytes) -> StepFailed:
    said = " ".join(stderr.decode("utf-8", "replace").split())[-500:]
    return StepFailed(
        f"Sitewright was to {says}, and could not: {said or 'no reason was given'}",
        where=context.host.name,
        remedy="Look at its pods: sudo microk8s kubectl get pods -A -l "
        "app.kubernetes.io/name=vault -o wide. Then: sitewright resume.",
        again=False,
    )
