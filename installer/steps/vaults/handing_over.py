"""Initialising Vault once, and handing each share to its person.

Between Vault's answer and the last hand-over the shares are in this process alone. Before Vault is
initialised it is noted in the cluster that they are on their way, and after each person confirmed,
who has one; so whoever comes next, on whichever computer, is told what was lost. Until all have
theirs Vault is not opened, so that nothing is in it, and what is lost with the shares is nothing:
it is set aside, and initialised anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from foundation.problems import Refused
from foundation.secrets import Secret
from foundation.wording import listed
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed
from installer.steps.vaults.held import Held, held
from installer.steps.vaults.shares import made_shares
from installer.steps.vaults.standing import Kept, Program, Standing

HANDING: Final = "handing-over"
HANDED: Final = "handed-over"
_TRIES: Final = 60
_SECONDS_BETWEEN: Final = 5.0


async def hand_over(
    context: StepContext, program: Program, shares: int, threshold: int, names: Sequence[str]
) -> str:
    """Initialise Vault, and hand each share to one person; raises StepFailed and Refused."""
    standing = await program.standing(context)
    mine = held(context.run_id)
    kept = standing.kept
    going_on = kept.phase == HANDING and kept.run == context.run_id and bool(mine.shares)
    if not going_on:
        if kept.phase == HANDING and standing.initialised is not False:
            await _set_aside(context, program, standing)
            standing = await program.standing(context)
        kept = await _initialise(context, program, standing, mine, (shares, threshold))
    # What the cluster would not note was handed over all the same.
    kept = kept.with_(handed=list(mine.handed))
    while len(kept.handed) < kept.shares:
        name = await _hand_one(context, kept, mine.shares[len(kept.handed)], names)
        mine.handed.append(name)
        kept = kept.with_(handed=list(mine.handed))
        if len(kept.handed) < kept.shares:
            await _surely_kept(context, program, kept)
    await _surely_kept(context, program, kept.with_(phase=HANDED))
    mine.shares.clear()
    return (
        f"Vault was initialised, and its {kept.shares} shares were handed to "
        f"{listed(kept.handed)}; {kept.threshold} of them open it."
    )


async def _initialise(
    context: StepContext, program: Program, standing: Standing, mine: Held, wanted: tuple[int, int]
) -> Kept:
    """Note it, then do it: the shares and the root token are in memory then, and nowhere else."""
    if standing.initialised is not False:
        raise StepFailed(
            f"whether Vault is initialised is not certain, and nothing was begun: {standing.words}",
            where=context.host.name,
            remedy="All of its pods must run and answer first. Look at them: sudo microk8s kubectl "
            f"-n {program.namespace} get pods -o wide. Then: sitewright resume.",
            again=False,
        )
    seals = {pod.type for pod in standing.pods} - {"", "shamir"}
    if seals:
        raise StepFailed(
            f"this Vault opens itself (seal {listed(sorted(seals))}), and has recovery keys in "
            "place of shares, which Sitewright does not hand over",
            where=context.host.name,
            remedy="Initialise it by hand (vault operator init -recovery-shares=5 "
            "-recovery-threshold=3), and set vault_initialise to no.",
            again=False,
        )
    shares, threshold = wanted
    # Whoever is not there now would not be there either when the shares are.
    answer = await context.ask_unseen(
        f"Vault is initialised now, its key in {shares} shares for {shares} persons; any "
        f"{threshold} of them open it. Each is shown to its person alone, at this screen. "
        "When this program ends, those that were not handed over are lost, and it is begun anew. "
        "Are the persons here?"
    )
    if not answer.yes:
        raise Refused(
            "the persons who get the shares are not here, and Vault was not initialised",
            where=context.step.key,
            remedy="Go on when they are: sitewright resume.",
        )
    mine.shares.clear()
    mine.handed.clear()
    mine.typed.clear()
    mine.by.clear()
    mine.root = None
    kept = Kept(
        phase=HANDING, run=context.run_id, shares=shares, threshold=threshold, handed=[], root=True
    )
    await program.keep(context, kept)
    told = await program.tell(
        context,
        "initialise Vault",
        "init",
        {"pod": standing.pods[0].pod, "shares": shares, "threshold": threshold},
    )
    if "refused" in told:
        raise StepFailed(
            f"Vault did not let itself be initialised: {told['refused']}",
            where=context.host.name,
            again=False,
        )
    made, root = made_shares(told.get("shares")), told.get("root")
    if len(made) != shares or len(set(made)) != shares or not isinstance(root, str) or not root:
        raise StepFailed(
            f"Vault was to be initialised with {shares} shares, and what came is not that; no "
            "share was shown to anybody",
            where=context.host.name,
            remedy="Find out what answers on that master before anything else. Then sitewright "
            "resume sets it aside, and begins anew.",
            again=False,
        )
    mine.shares.extend(made)
    mine.root = Secret(root)
    return kept


async def _hand_one(context: StepContext, kept: Kept, share: Secret, names: Sequence[str]) -> str:
    """Hand a share to its person; their name."""
    number = len(kept.handed)
    name = names[number] if names else ""
    why = ""
    while True:
        answer = await context.ask_unseen(
            f"{why}Share {number + 1} of {kept.shares} of Vault's key, for "
            f"{name or 'one person'}. Any {kept.threshold} of them open Vault. There is no "
            "second copy: that person copies it, alone at the screen. Until the last one is handed "
            "over they are in the memory of this program only: do not end it.",
            hands=share,
            person=name,
        )
        person = answer.by.strip()
        if not answer.yes:
            raise Refused(
                f"share {number + 1} was not taken",
                where=context.step.key,
                remedy="It is in the memory of this program, until that ends: retry the step here. "
                "After it has ended, sitewright resume says what is lost and begins anew.",
            )
        if person.casefold() not in {one.casefold() for one in kept.handed}:
            return person
        why = f"{person} has a share already; each has one alone. "


async def _surely_kept(context: StepContext, program: Program, kept: Kept) -> None:
    """Note who has a share. A cluster that is away must not cost the shares that are left."""
    for number in range(_TRIES):
        try:
            await program.keep(context, kept)
        except StepFailed as problem:
            if number == 0:
                text = f"Who has a share cannot be noted yet: {problem.cause}. Trying again."
                context.emit(Kind.NOTE, text=text)
            if kept.phase != HANDED:
                return  # the next one notes it too
            await asyncio.sleep(_SECONDS_BETWEEN)
        else:
            return
    raise StepFailed(
        f"all {kept.shares} shares were handed over, to {listed(kept.handed)}, and the cluster "
        "does not take the note of it",
        where=context.host.name,
        remedy="The shares are good: let nobody set Vault aside. When the API answers again: "
        f"sudo microk8s kubectl -n {program.namespace} delete configmap sitewright-vault, then "
        "sitewright resume.",
        again=False,
    )


async def _set_aside(context: StepContext, program: Program, standing: Standing) -> None:
    """Where the shares were lost on their way: ask, and have Vault begin with nothing."""
    kept = standing.kept
    told = (
        f"{len(kept.handed)} of {kept.shares} shares were handed over"
        + (f" ({listed(kept.handed)})" if kept.handed else "")
        + f", and the others were lost with the run {kept.run}; {kept.threshold} open it"
    )
    by_hand = (
        f"Where {kept.threshold} persons have a share all the same: have them open it (vault "
        "operator unseal) and make new shares (vault operator rekey) by hand, then say so: sudo "
        f"microk8s kubectl -n {program.namespace} delete configmap sitewright-vault."
    )
    if any(pod.said not in ("sealed", "uninitialised") for pod in standing.pods):
        raise StepFailed(
            f"Vault was initialised, and then cut off: {told}. It is not sealed, or does not say "
            f"how it stands, and so is not set aside: {standing.words}",
            where=context.host.name,
            remedy=by_hand,
            again=False,
        )
    name = f"set-aside-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    answer = await context.ask_unseen(
        f"Vault was initialised, and then cut off: {told}. Sitewright never opened it: unless "
        f"somebody did by hand, nothing is in it. What it keeps is moved to the folder {name} on "
        "each of its volumes, nothing is deleted, and it is initialised anew; shares of before "
        "then open nothing. May that be done?"
    )
    if not answer.yes:
        raise Refused(
            f"{answer.by} did not let it be set aside", where=context.step.key, remedy=by_hand
        )
    await program.tell(context, "set aside what nobody can open", "set-aside", {"name": name})
    context.emit(Kind.NOTE, text=f"What Vault kept lies in {name} on its volumes now.")
