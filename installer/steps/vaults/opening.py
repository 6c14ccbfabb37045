"""Opening Vault with the shares that persons type, and giving its first rights with a root token.

A root token is used for the rights alone, is revoked at the end whatever came of them, and that
Vault knows none any more is proven by asking it. That one may be alive is noted before.
"""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any, Final

from foundation.problems import Refused
from foundation.secrets import Secret
from foundation.wording import listed
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed
from installer.steps.vaults.handing_over import HANDING
from installer.steps.vaults.held import held, let_go
from installer.steps.vaults.rights import Rights
from installer.steps.vaults.shares import place_of, read_share
from installer.steps.vaults.standing import Program, Standing

_ROUNDS: Final = 5
"""How often wrong shares are asked for anew before the step gives up."""


async def open_and_give(context: StepContext, program: Program, rights: Rights | None) -> str:
    """Open what is sealed, give the rights where they are due; raises StepFailed."""
    standing = await program.standing(context)
    if standing.initialised is not True:
        raise StepFailed(
            f"Vault cannot be opened before it is initialised: {standing.words}",
            where=context.host.name,
            remedy="All of its pods must run and answer; what initialises it is the installation.",
            again=False,
        )
    if (kept := standing.kept).phase == HANDING:
        # Opened now it would hold something, and still be taken for one that is set aside.
        raise StepFailed(
            f"only {len(kept.handed)} of {kept.shares} shares of Vault have their persons, and it "
            "is not opened before all have theirs",
            where=context.host.name,
            remedy="sitewright resume hands the others over, or says what is lost and begins anew. "
            "Where persons opened it by hand: have them make new shares (vault operator rekey); "
            f"then sudo microk8s kubectl -n {program.namespace} delete configmap sitewright-vault.",
            again=False,
        )
    said = []
    if standing.sealed:
        said.append(await _open(context, program, standing))
    if kept.root or (rights is not None and not kept.rights):
        said.append(await _give(context, program, standing, rights))
    let_go(context.run_id)
    return " ".join(said) or "Every Vault was open, and no root token was left."


async def _open(context: StepContext, program: Program, standing: Standing) -> str:
    """Have the shares typed until they open every Vault."""
    seals = {pod.type for pod in standing.sealed} - {"", "shamir"}
    if seals:
        raise StepFailed(
            f"it opens itself (seal {listed(sorted(seals))}) and is sealed: {standing.words}",
            where=context.host.name,
            remedy="What it is opened by does not answer it; its log says why: sudo microk8s "
            f"kubectl -n {program.namespace} logs {standing.sealed[0].pod}.",
            again=False,
        )
    answer = await _with_shares(context, program, standing, "open Vault", "unseal", {})
    by = listed(held(context.run_id).by)
    opened = listed([str(one) for one in answer.get("opened", ())]) or "nothing"
    return f"Opened with the shares of {by}: {opened}."


async def _give(
    context: StepContext, program: Program, standing: Standing, rights: Rights | None
) -> str:
    """Give the rights, and leave no root token alive."""
    kept = standing.kept.with_(root=True)
    await program.keep(context, kept)
    mine = held(context.run_id)
    given: dict[str, Any] = {
        "root": mine.root or "",
        "rights": {} if rights is None else rights.model_dump(),
    }
    says = "give the first rights in Vault and revoke its root token"
    answer: dict[str, Any] = {"needs": "shares"}
    if mine.root or mine.typed:
        answer = await program.tell(context, says, "rights", {**given, "shares": mine.typed})
    if "needs" in answer or "refused" in answer:
        mine.root = None
        given["root"] = ""
        answer = await _with_shares(context, program, standing, says, "rights", given)
    left, why = str(answer.get("revoked", "")), str(answer.get("why", ""))
    mine.root = None
    await program.keep(
        context, kept.with_(root=bool(left), rights=kept.rights or (rights is not None and not why))
    )
    if left:
        raise StepFailed(
            left,
            where=context.host.name,
            remedy="A root token of Vault may be alive. sitewright resume makes another one by the "
            "shares, and revokes both.",
            again=False,
        )
    if why:
        raise StepFailed(
            f"Vault did not take the first rights: {why}. The root token was revoked",
            where=context.host.name,
            remedy="Mend what it says, then: sitewright resume.",
            again=False,
        )
    if peers := answer.get("peers"):
        context.emit(Kind.NOTE, text=f"The quorum: {listed([str(one) for one in peers])}.")
    done = listed([str(one) for one in answer.get("done", ())])
    return f"{f'Given: {done}. ' if done else ''}The root token was revoked; Vault knows none."


async def _with_shares(
    context: StepContext,
    program: Program,
    standing: Standing,
    says: str,
    verb: str,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """Do it with the shares, asked for anew where they are not the right ones."""
    mine = held(context.run_id)
    why = ""
    for _ in range(_ROUNDS):
        if not mine.typed:
            await _typed(context, standing, why)
        answer = await program.tell(context, says, verb, {**given, "shares": mine.typed})
        if "refused" not in answer:
            return answer
        if opened := [str(one) for one in answer.get("opened", ())]:
            # They are right, and no typing of them mends it.
            raise StepFailed(
                f"{listed(opened)} opened with these shares, and {answer.get('pod')} does not take "
                f"them: {answer['refused']}",
                where=context.host.name,
                remedy="What it keeps is of another Vault, or damaged; its log says more: sudo "
                f"microk8s kubectl -n {program.namespace} logs {quote(str(answer.get('pod')))}.",
                again=False,
            )
        # Which of them is the wrong one, Vault cannot tell: shares are only good together.
        why = (
            f"Vault does not open with the shares of {listed(mine.by)} ({answer['refused']}): at "
            "least one is not of this Vault, or mistyped. All are asked for again; typed with its "
            "check behind it, a mistyped one is seen at once. "
        )
        mine.typed.clear()
    raise StepFailed(
        f"the shares were wrong {_ROUNDS} times",
        where=context.host.name,
        remedy="See which persons have shares of this Vault, then: sitewright resume.",
        again=False,
    )


async def _typed(context: StepContext, standing: Standing, why: str) -> None:
    """Have as many shares typed as open Vault, one by one, none of them twice."""
    mine = held(context.run_id)
    needed = standing.threshold
    names = standing.kept.handed
    known: list[str] = []
    person = ""
    """Who slipped, and types it again."""
    mine.typed.clear()
    mine.by.clear()
    while len(known) < needed:
        answer = await context.ask_unseen(
            f"{why}Share {len(known) + 1} of the {needed} that open Vault"
            + (f"; they were handed to {listed(names)}" if names else "")
            + ". It is typed unseen, with its check where it has one.",
            wants="The share",
            person=person,
        )
        if not answer.yes:
            raise Refused(
                "a share that opens Vault was not typed",
                where=context.step.key,
                remedy="Go on when the persons with shares are there: sitewright resume.",
            )
        person = answer.by
        typed = answer.typed.reveal() if answer.typed is not None else ""
        try:
            share = read_share(typed)
        except ValueError as error:
            why = f"Not taken: {error}. "
            continue
        if share in known:
            why, person = "Not taken: it was typed already; another person's is needed. ", ""
            continue
        if place_of(share) and place_of(share) in {place_of(one) for one in known}:
            why = "Not taken: another of this number was typed already, so that one is mistyped. "
            continue
        why = person = ""
        known.append(share)
        mine.typed.append(Secret(share))
        mine.by.append(answer.by)
