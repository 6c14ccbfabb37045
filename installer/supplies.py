"""Supplies: the bundle of a site, as its plan and its run use it.

A plan is made from the bundle's index: which items go to which machine, and how large they are. A
run begins with the whole bundle verified, signature first, and with the same index as the plan's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation.hosts.transfer import SUPPLIES
from foundation.problems import InputProblem

if TYPE_CHECKING:
    from bundles.layout import Item
    from bundles.signers import Signer
    from bundles.structure import Structure
    from bundles.verify import Verified
    from installer.plan import Plan, PlannedStep
    from installer.site import Site

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

    @property
    def index(self) -> str:
        """The digest of the index, which names all the rest."""
        return self.structure.index_digest


def read_supplies(site: Site, base: Path) -> Supplied | None:
    """The site's bundle, its index read and its signature checked; None where it has none.

    `base` is the site file's folder. Raises BundleProblem, InputProblem. The bytes are verified
    when a run begins.
    """
    path = site.bundle_path(base)
    if path is None:
        return None
    from bundles.opened import open_bundle
    from bundles.structure import read_structure
    from bundles.verify import check_signature

    keys = keys_of(site, base)
    with open_bundle(path) as bundle:
        signer = check_signature(bundle, _signers(keys))
        structure = read_structure(bundle)
    made_for = structure.index.solution
    if site.solution is not None and made_for != site.solution:
        raise InputProblem(
            f"the bundle was made for {made_for}, and the site is one of {site.solution}",
            where=str(path),
            remedy="Name the bundle that was made for this solution.",
        )
    return Supplied(path.absolute(), keys, structure, signer.name if signer else "")


def keys_of(site: Site, base: Path) -> Path | None:
    """The file of who may have made the bundle: the site's, else Sitewright's own."""
    from foundation.paths import config_folder

    named = site.keys_path(base)
    if named is not None:
        return named.absolute()
    own = config_folder() / "allowed_signers"
    return own if own.exists() else None


def _signers(keys: Path | None) -> tuple[Signer, ...]:
    from bundles.signers import read_signers

    return read_signers(keys) if keys else ()


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
    )


def items_text(items: Iterable[Item]) -> str:
    """Items as lines for the review of a plan: what each is, and its size."""
    from bundles.contents import human_size

    lines = [
        f"{item.kind} {item.name} {item.version or ''}".rstrip()
        + f", {human_size(item.content_size)}, {item.digest[7:19]}"
        for item in items
    ]
    return "\n".join(lines) + "\n"


def delivery_words(step: PlannedStep) -> str:
    """What a planned delivery brings, and how much; empty for a step that is none."""
    size = step.spec.get("size")
    if step.kind != "deliver" or not isinstance(size, int):
        return ""
    from bundles.contents import human_size

    count = sum(text.count("\n") for _, text in step.files)
    return f"{count} items, {human_size(size)} to each machine that lacks them"


def verify_for(
    plan: Plan, *, progress: Callable[[int, int], None] | None = None
) -> Verified | None:
    """Verify a plan's bundle, every byte of it; None where it has none.

    Raises BundleProblem: nothing of it may have been used before.
    """
    kept: Mapping[str, str] = dict(plan.supplies)
    if "bundle" not in kept:
        return None
    from bundles.problems import CorruptBundle
    from bundles.verify import verify_bundle

    path = Path(kept["bundle"])
    keys = Path(kept["keys"]) if kept.get("keys") else None
    found = verify_bundle(path, _signers(keys), progress=progress)
    if found.structure.index_digest != kept["index"]:
        raise CorruptBundle(
            "it is another bundle than the one that the plan was made with",
            where=str(path),
            remedy="Bring that one back, or make and review a new plan.",
        )
    return found
