"""Vault: initialised once and its shares handed to persons, or opened and given its first rights.

Shares and tokens are in the memory of this process and of the persons, and nowhere else: see
`docs/vault.md` for what happens where one of them is cut off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from foundation.problems import InputProblem
from installer.catalogue.stages import Planned, Planning, StepData
from installer.events import Json, Kind
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, parsed
from installer.steps.vaults.handing_over import hand_over
from installer.steps.vaults.opening import open_and_give
from installer.steps.vaults.rights import rights_of
from installer.steps.vaults.standing import Program


class VaultStep(StepData):
    """Vault's shares handed to persons, or Vault opened by them."""

    kind: Literal["vault"]
    does: Literal["hand-over", "open"]
    program: str
    """The solution's `operations/vaults.py`, as it lies on the machine."""
    namespace: str
    shares: str = "5"
    """A number, or the template of one."""
    threshold: str = "3"
    holders: str = ""
    """Who gets the shares, parted by commas; asked for where it is empty."""
    rights: str = ""
    """A file of the solution's folder with the first rights; "" where only shares are typed."""

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """With the rights as they will be given; raises InputProblem for shares that cannot be."""
        shares, threshold = int(str(spec.get("shares", 5))), int(str(spec.get("threshold", 3)))
        names = names_in(str(spec.get("holders", "")))
        wrong = (
            f"{threshold} of {shares} shares cannot be"
            if threshold > shares
            else "one share opens Vault, so that there can be but one"
            if threshold == 1 and shares > 1
            else f"{shares} shares and {len(names)} names do not fit"
            if names and len(names) != shares
            else "the same name stands there twice"
            if len({name.casefold() for name in names}) != len(names)
            else ""
        )
        if wrong and self.does == "hand-over":
            raise InputProblem(
                f"Vault's shares: {wrong}",
                where="settings vault_shares, vault_threshold and vault_holders",
                remedy="Name as many persons as there are shares, each once, or none; the "
                "threshold is at least 2 and at most the number of shares.",
            )
        if not self.rights:
            return Planned(dict(spec))
        text = planning.renderer.file(self.rights)
        rights_of(text, where=self.rights)
        return Planned(dict(spec), ((self.rights, text),))


class VaultKind(Probed):
    """What Vault itself says decides what is done."""

    model = VaultStep

    def data(self, context: StepContext) -> VaultStep:
        """The step's data."""
        return parsed(context, VaultStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether every share has its person; or whether all are open and no root token is left."""
        data = self.data(context)
        standing = await _program(data).standing(context)
        kept = standing.kept
        if data.does == "hand-over":
            return standing.initialised if kept.phase != "handing-over" else False
        return standing.open and not kept.root and (kept.rights or not data.rights)

    async def do(self, context: StepContext) -> str:
        """Do it with the persons; raises StepFailed and Refused."""
        data = self.data(context)
        if context.dry_run:
            context.emit(Kind.NOTE, text=f"Would do with the persons: {context.step.title}.")
            return "It would be done with the persons."
        if data.does == "hand-over":
            return await hand_over(
                context,
                _program(data),
                int(data.shares),
                int(data.threshold),
                names_in(data.holders),
            )
        text = dict(context.step.files).get(data.rights, "")
        rights = rights_of(text, where=data.rights) if text else None
        return await open_and_give(context, _program(data), rights)

    async def verify(self, context: StepContext) -> None:
        """By asking Vault once more."""
        data = self.data(context)
        standing = await _program(data).standing(context)
        wrong = not standing.open if data.does == "open" else not standing.initialised
        if wrong:
            raise StepFailed(
                f"Vault was told, and does not stand as it should: {standing.words}",
                where=context.host.name,
                remedy="Mend what is named, then: sitewright resume.",
            )

    async def undo(self, context: StepContext) -> bool:
        """Nothing is taken back; that a root token may be alive is told."""
        if context.dry_run:
            return False
        kept = (await _program(self.data(context)).standing(context)).kept
        if kept.root:
            raise StepFailed(
                "a root token of Vault may be alive, and only the persons with the shares can have "
                "it revoked",
                where=context.host.name,
                remedy="sitewright resume (or sitewright unseal --site FILE) revokes it with their "
                "shares; by hand: vault token revoke.",
                again=False,
            )
        return False


def names_in(text: str) -> tuple[str, ...]:
    """Names, parted by commas."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _program(data: VaultStep) -> Program:
    return Program(data.program, data.namespace)


KIND: Final[StepKind] = VaultKind()
