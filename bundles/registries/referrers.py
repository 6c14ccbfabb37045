"""What lies beside an image in its registry: signatures, lists of contents, attestations.

A bundle has a signature of its own and brings none of them. A site whose policy asks for them must
know that they are there, so they are looked for: by the list that OCI 1.1 has for it, by the tag
that stands in for that list, and by the tags of cosign. A few small questions an image; an answer
that cannot be had is told as that.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from bundles.format import media
from bundles.format.budgets import BESIDE_SECONDS, MANIFEST_BYTES
from bundles.format.problems import SourceProblem
from bundles.format.reference import Reference
from bundles.format.strict_json import parse_json
from bundles.registries.registry import Endpoint, Registries
from foundation.problems import Problem

_TAGS: Final = {".sig": "a signature", ".att": "an attestation", ".sbom": "a list of contents"}
"""What cosign calls the tags beside an image, after its digest."""
_KNOWN: Final = {
    "application/vnd.dev.cosign.artifact.sig.v1+json": "a signature",
    "application/vnd.dev.sigstore.bundle.v0.3+json": "a signature or attestation",
    "application/vnd.cncf.notary.signature": "a signature",
    "application/spdx+json": "a list of contents",
    "application/vnd.cyclonedx+json": "a list of contents",
    "application/vnd.in-toto+json": "an attestation",
}
_MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside an image, in words; or why that cannot be told."""

    what: tuple[str, ...] = ()
    problem: str = ""


async def look_beside(
    registries: Registries, at: Endpoint, reference: Reference, digest: str
) -> Beside:
    """Ask the server that gave an image what lies beside it; never raises for what it answers."""
    tag = digest.replace(":", "-")
    try:
        async with asyncio.timeout(BESIDE_SECONDS):
            listed = await _list(registries, at, reference, ("referrers", digest))
            tags = await asyncio.gather(
                *(_is_there(registries, at, reference, f"{tag}{end}") for end in _TAGS)
            )
            if listed is None:
                listed = await _list(registries, at, reference, ("manifests", tag))
    except TimeoutError:
        return Beside(problem=f"the registry did not answer within {BESIDE_SECONDS:.0f} s")
    except Problem as problem:
        return Beside(problem=problem.cause)
    found = [words for words, there in zip(_TAGS.values(), tags, strict=True) if there]
    return Beside(tuple(dict.fromkeys((*found, *(listed or ()))))[:_MOST])


async def _list(
    registries: Registries, at: Endpoint, reference: Reference, place: tuple[str, str]
) -> list[str] | None:
    """The kinds that a list of referrers names; None where the server has no such list."""
    response, raw = await registries.web.small(
        at.url(reference.repository, *place),
        limit=MANIFEST_BYTES,
        headers={"Accept": media.OCI_INDEX},
        authorize=registries.authorize(at, reference.repository, "pull"),
    )
    if response.status_code != 200:
        return None
    try:
        value: Any = parse_json(
            raw, where=str(reference), limit=MANIFEST_BYTES, problem=SourceProblem
        )
    except SourceProblem:
        return None  # a page of a registry that knows no such address
    entries = value.get("manifests") if isinstance(value, dict) else None
    kinds = [
        str(one.get("artifactType") or one.get("mediaType") or "something")
        for one in (entries if isinstance(entries, list) else ())
        if isinstance(one, dict)
    ]
    return [_KNOWN.get(kind, f"an artefact of the type {kind[:80]}") for kind in kinds]


async def _is_there(registries: Registries, at: Endpoint, reference: Reference, tag: str) -> bool:
    # A HEAD, which registries do not count as a pull.
    async with registries.web.answer(
        "HEAD",
        at.url(reference.repository, "manifests", tag),
        headers={"Accept": media.OCI_MANIFEST},
        authorize=registries.authorize(at, reference.repository, "pull"),
    ) as response:
        return response.status_code == 200
