"""Supplies: the bundle of a site, as its plan and its run use it.

A plan is made from the bundle's index: which items go to which machine, and how large they are. A
run begins with the whole bundle verified, signature first, and with the same index as the plan's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation.hosts.transfer import SUPPLIES
from foundation.problems import InputProblem, Problem
from installer.supply.bundle_order import (
    OLDER,
    OlderBundle,
    OrderUnknown,
    refuse_older,
    refuse_older_than,
    remember,
)

if TYPE_CHECKING:
    from bundles.read.age import Stamp
    from bundles.read.opened import Bundle
    from bundles.read.signers import Signer
    from bundles.read.structure import Structure
    from bundles.read.verify import Verified
    from installer.plans.plan import Plan
    from installer.sites.site import Site


ADDRESSES: Final = ("registry", "apt", "charts", "git", "files")
"""What the site may have of its own, or what serves the bundle; each an address, or empty."""


@dataclass(frozen=True, slots=True)
class Supplied:
    """A bundle whose index was read, and whose signature was checked where keys are given."""

    path: Path
    keys: Path | None
    structure: Structure
    signer: str
    """Who signed it; empty where nobody's signature was asked for."""
    own_keys: Path | None = None
    """Sitewright's own list on this machine, where it has to hold beside the site's."""
    unsigned: bool = False
    """Whether the site file says that nobody's signature is asked for."""
    older: bool = False
    """Whether a person allowed an older bundle than the site had."""
    by_word_of: str = ""
    """Who allows an older one, with a waiver's last day and reason; "" where nobody had to."""

    @property
    def index(self) -> str:
        """The digest of the index, which names all the rest."""
        return self.structure.index_digest


def read_supplies(
    site: Site, base: Path, *, allow_older: str | Mapping[str, str] = ""
) -> Supplied | None:
    """The site's bundle, its index read and its signature checked; None where it has none.

    `base` is the site file's folder; `allow_older` is who allows an older bundle than the site had,
    or by the index of a bundle who allows just that one. Raises OlderBundle, BundleProblem,
    InputProblem. The bytes are verified when a run begins.
    """
    supplied = read_in_any_order(site, base)
    if supplied is None:
        return None
    from bundles.read.age import stamp_of

    structure, named = supplied.structure, allow_older
    word = named if isinstance(named, str) else named.get(supplied.index, "")
    if not word:
        stamp = stamp_of(structure.index, structure.index_digest)
        try:
            refuse_for_site(site, stamp, str(site.bundle_path(base)))
        except OlderBundle:
            word = _waived(site)
            if not word:
                raise
    return replace(supplied, older=bool(word), by_word_of=word)


def read_in_any_order(site: Site, base: Path) -> Supplied | None:
    """The same without asking whether the site had a newer one; to look at, never to install from.

    Raises BundleProblem, InputProblem.
    """
    path = site.bundle_path(base)
    if path is None:
        return None
    keys, own = keys_of(site, base), own_keys_of(site, base)
    with judged(path, keys, own) as (_, signer, structure):
        pass
    made_for(site, structure, str(path))
    return Supplied(
        path.absolute(),
        keys,
        structure,
        signer.name if signer else "",
        own_keys=own,
        unsigned=site.supplies.unsigned is not None,
    )


def refuse_for_site(site: Site, stamp: Stamp, where: str) -> None:
    """Raise OlderBundle where a site had a newer bundle than that."""
    from installer.record.witnessed import was_noted

    memory = _memory(site)
    if was_noted(memory):
        refuse_older(stamp, memory, where, _OTHER)
    else:
        _refuse_by_record(site, stamp, memory, where)


_OTHER: Final = "the one that this site had"


def _refuse_by_record(site: Site, stamp: Stamp, memory: Path, where: str) -> None:
    """Compare with what the plans of the site's runs say, where nothing is noted.

    That there is no note is no first time for a site whose record has a bundle.
    """
    from installer.record.identity import runs_for, site_key

    for run in runs_for(site_key(site)):
        try:
            kept = dict(run.plan().supplies)
        except InputProblem:
            continue  # what is wrong with a record is told where it is looked through
        if not kept.get("index"):
            continue
        before = _stamp_in(kept, stamp)
        if before is not None:
            refuse_older_than(before, stamp, memory, where, _OTHER)
        elif kept["index"] != stamp.index:
            why = f"its run {run.id} had one, and what was noted of it is gone"
            raise OrderUnknown(stamp, memory, where, _OTHER, why)
        return


def _stamp_in(kept: Mapping[str, str], like: Stamp) -> Stamp | None:
    """The bundle of a plan; None where the plan is one that does not say when it was made."""
    from bundles.read.age import stamp_from

    counter = kept.get("counter", "")
    return stamp_from(
        {
            "solution": like.solution,
            "environment": like.environment,
            "version": kept.get("version"),
            "created": kept.get("created"),
            "index": kept["index"],
            "counter": int(counter) if counter.isdecimal() else None,
        }
    )


def _waived(site: Site) -> str:
    """Whose word in the site file is for an older bundle, while it counts; "" for nobody's."""
    today = datetime.now(UTC).astimezone().date()
    for one in site.waivers:
        if one.check == OLDER and one.host is None and today <= one.until:
            return f"{one.by} until {one.until}: {one.reason}"
    return ""


@contextlib.contextmanager
def judged(
    path: Path, keys: Path | None, own: Path | None
) -> Iterator[tuple[Bundle, Signer | None, Structure]]:
    """A bundle that is open, who signed it, and then what it has; raises BundleProblem.

    What a bundle says of itself is looked at here, so that nothing of it is told of one whose
    signature is not good by every list that has to hold.
    """
    from bundles.read.opened import open_bundle
    from bundles.read.structure import read_structure

    with open_bundle(path) as bundle:
        signer = signed_by(bundle, keys, own)
        yield bundle, signer, read_structure(bundle)


def keys_of(site: Site, base: Path) -> Path | None:
    """The file of who may have made the bundle: the site's, else Sitewright's own."""
    named = site.keys_path(base)
    if named is not None:
        return named.absolute()
    own = own_signers()
    return own if own.exists() else None


def own_keys_of(site: Site, base: Path) -> Path | None:
    """Sitewright's own list where the site names another, which does not stand in its place.

    A site file and a bundle often come by one courier; this machine's own list does not.
    """
    own = own_signers()
    named = site.keys_path(base)
    if named is None or not own.exists() or named.resolve() == own.resolve():
        return None
    return own


def own_signers() -> Path:
    """Where this machine's own list of makers lies, or would lie."""
    from foundation.paths import config_folder

    return config_folder() / "allowed_signers"


def _signers(keys: Path | None) -> tuple[Signer, ...]:
    from bundles.read.signers import read_signers

    return read_signers(keys) if keys else ()


def nobody_named(path: Path) -> Problem:
    """The problem of a bundle for which neither a list of makers nor a word that none is asked."""
    from bundles.format.problems import SignatureProblem

    return SignatureProblem(
        "nobody is named who may have made it, so anybody may have",
        where=str(path),
        remedy="Name the makers' file in the site file (supplies: {bundle: …, keys: "
        "FILE}), or put it at ~/.config/sitewright/allowed_signers. If an unsigned bundle "
        "is meant, say so: supplies: {bundle: …, unsigned: accepted}.",
    )


def makers_of(site: Site, base: Path, path: Path) -> tuple[Signer, ...]:
    """The makers whose signature counts for a site and a bundle, which is looked at.

    Raises SignatureProblem where it is of nobody whom every list names, or nobody is named.
    """
    from bundles.read.opened import open_bundle

    keys, own = keys_of(site, base), own_keys_of(site, base)
    if keys is None and site.supplies.unsigned is None:
        raise nobody_named(path)
    with open_bundle(path) as bundle:
        signed_by(bundle, keys, own)
    return _signers(keys)


def signed_by(bundle: Bundle, keys: Path | None, own: Path | None) -> Signer | None:
    """Who signed a bundle, by every list that has to hold; raises SignatureProblem."""
    from bundles.format.problems import SignatureProblem
    from bundles.read.verify import check_signature

    signer = check_signature(bundle, _signers(keys))
    if own is None:
        return signer
    try:
        check_signature(bundle, _signers(own))
    except SignatureProblem as problem:
        raise SignatureProblem(
            f"by the site's keys ({keys}) it is of {signer.name if signer else 'nobody'}, and "
            f"this machine's own list ({own}) does not have that maker",
            where=str(bundle.path),
            remedy="The site's list came with the site. Ask the maker for the public key another "
            f"way; if it is the one that signed, add its line to {own}.",
        ) from problem
    return signer


def made_for(site: Site, structure: Structure, where: str) -> None:
    """Raise InputProblem unless a bundle is for the solution and the environment of a site."""
    made = structure.index
    if site.solution is not None and made.solution != site.solution:
        raise InputProblem(
            f"the bundle was made for {made.solution}, and the site is one of {site.solution}",
            where=where,
            remedy="Name the bundle that was made for this solution.",
        )
    environment = _environment(site)
    if made.environment not in ("default", environment) and environment is not None:
        raise InputProblem(
            f"the bundle was made for the environment {made.environment}, and the site is "
            f"{environment}",
            where=where,
            remedy="Name the bundle that was made for this environment, or make one: sitewright "
            "bundle create --site FILE.",
        )


def _environment(site: Site) -> str | None:
    """The environment of a site, its solution's own where it names none."""
    if site.environment is not None or site.solution is None:
        return site.environment
    from installer.catalogue.solution import load_solution

    try:
        return load_solution(site.solution).environment(None).id
    except InputProblem:
        return None  # a solution that is not known is told where it is looked for


def _memory(site: Site) -> Path:
    from foundation.paths import state_folder
    from installer.record.identity import site_key

    return state_folder() / "bundles" / f"{site_key(site)}.json"


def remember_bundle(site: Site, found: Verified) -> None:
    """Note which bundle a site has now, for the next one to be compared with."""
    from bundles.read.age import stamp_of

    structure = found.structure
    remember(stamp_of(structure.index, structure.index_digest), _memory(site))


def template_values(site: Site, supplied: Supplied | None) -> dict[str, Any]:
    """What templates and conditions find under `supplies`."""
    addresses = {name: getattr(site.supplies, name) or "" for name in ADDRESSES}
    return {
        "online": supplied is None,
        "bundle": supplied is not None,
        "folder": SUPPLIES,
        **addresses,
    }


def as_plan(supplied: Supplied | None) -> tuple[tuple[str, str], ...]:
    """What the plan keeps, so that a run can find the bundle again and knows it by its index."""
    if supplied is None:
        return ()
    return (
        ("bundle", str(supplied.path)),
        ("keys", str(supplied.keys) if supplied.keys else ""),
        ("index", supplied.index),
        ("version", supplied.structure.index.version),
        ("created", supplied.structure.index.created),
        ("counter", _number(supplied.structure.index.counter)),
        ("own_keys", str(supplied.own_keys) if supplied.own_keys else ""),
        ("signer", supplied.signer),
        ("unsigned", "accepted" if supplied.unsigned else ""),
        ("older", "allowed" if supplied.older else ""),
        ("older_by", supplied.by_word_of),
        ("items", str(len(supplied.structure.index.items))),
        ("bytes", str(supplied.structure.size)),
    )


def _number(counter: int | None) -> str:
    return "" if counter is None else str(counter)


def whose_word(plan: Plan) -> str:
    """Who says that a plan's bundle is good, and who named them: a sentence for the review."""
    kept = dict(plan.supplies)
    signer, keys, own = kept.get("signer"), kept.get("keys"), kept.get("own_keys")
    if not keys:
        return (
            "NOBODY's signature is asked for, as the site file accepts (unsigned: accepted)"
            if kept.get("unsigned")
            else "NO signature is asked for, so it is not installed from: name `keys:`, or accept "
            "that with `unsigned: accepted`"
        )
    by = f"signed by {signer}" if signer else f"signatures by {keys}"
    if own:
        return f"{by}, whom both the site's list ({keys}) and this machine's own ({own}) name"
    return f"{by}, whom {keys} names"


def verify_for(
    plan: Plan, *, progress: Callable[[int, int], None] | None = None
) -> Verified | None:
    """Verify a plan's bundle, every byte of it; None where it has none.

    Raises BundleProblem: nothing of it may have been used before.
    """
    kept: Mapping[str, str] = dict(plan.supplies)
    if "bundle" not in kept:
        return None
    from bundles.format.layout import INDEX_NAME
    from bundles.format.problems import CorruptBundle
    from bundles.format.strict_json import digest_of
    from bundles.read.opened import open_bundle, read_document
    from bundles.read.verify import verify_open

    path = Path(kept["bundle"])
    keys, own = _path(kept.get("keys")), _path(kept.get("own_keys"))
    with open_bundle(path) as bundle:
        if digest_of(read_document(bundle, INDEX_NAME)) != kept["index"]:
            raise CorruptBundle(
                "it is another bundle than the one that the plan was made with",
                where=str(path),
                remedy="Bring that one back, or make and review a new plan.",
            )
        # A plan of an older Sitewright does not say, and was reviewed as it stands.
        if keys is None and kept.get("unsigned", "accepted") != "accepted":
            raise nobody_named(path)
        signed_by(bundle, keys, own)
        return verify_open(bundle, _signers(keys), progress=progress)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
