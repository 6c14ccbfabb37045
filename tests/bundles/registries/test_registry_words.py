"""Whatever a registry, a token server or a file of logins says: a problem, and nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundles.format import media
from bundles.format.layout import Descriptor
from bundles.format.problems import SourceProblem
from bundles.format.reference import Reference
from bundles.format.strict_json import digest_of
from bundles.registries.credentials import Logins, login_file
from bundles.registries.registry import Endpoint, Found, media_type_of
from bundles.sources.image_index import Look
from foundation.problems import Problem

KEYS = (
    *("schemaVersion", "mediaType", "manifests", "layers", "config", "digest", "size", "platform"),
    *("os", "architecture", "variant", "os.version", "os.features", "annotations", "artifactType"),
    *("vnd.docker.reference.type", "auths", "credsStore", "credHelpers", "auth", "identitytoken"),
)
WORDS = (
    *(media.OCI_INDEX, media.OCI_MANIFEST, media.DOCKER_INDEX, media.OCI_CONFIG, "linux", "amd64"),
    *("sha256:" + "a" * 64, "sha512:" + "b" * 128, "unknown", "a.example", "YTpi", ""),
)
LEAVES: Any = st.sampled_from((None, True, 0, 2, -1, 1 << 70, 1.5, *WORDS)) | st.text(max_size=8)
VALUES: Any = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=20,
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
REFERENCE = Reference("a.example", "b", "1")


def found(value: Any, media_type: str) -> Found:
    raw = json.dumps(value).encode()
    return Found(media_type, raw, digest_of(raw), Endpoint("a.example", "https://a.example"))


@QUICK
@given(VALUES, st.sampled_from((*WORDS, "text/html")))
def test_any_document_has_a_type_or_a_problem(value: Any, stated: str) -> None:
    try:
        kind = media_type_of(stated, json.dumps(value).encode(), "https://a.example/v2/b")
    except SourceProblem:
        return
    assert kind in media.INDEXES | media.MANIFESTS


@QUICK
@given(st.dictionaries(st.just("manifests"), st.lists(VALUES, max_size=4)), VALUES, VALUES)
def test_any_index_leads_to_images_or_a_problem(index: Any, child: Any, config: Any) -> None:
    async def fetch(digest: str) -> Found:
        return found(child, media.OCI_MANIFEST)

    async def config_of(descriptor: Descriptor) -> bytes:
        return json.dumps(config).encode()

    top = found({"schemaVersion": 2, "mediaType": media.OCI_INDEX, **index}, media.OCI_INDEX)
    look = Look(REFERENCE, fetch, config_of, ("linux/amd64",))
    try:
        offers = asyncio.run(look.offers(top))
    except Problem as problem:
        assert problem.exit_code in (4, 6)  # noqa: PT017 - of a source, or of what was pinned
        return
    assert isinstance(offers.words(), str)
    offers.best("linux/amd64")


@QUICK
@given(VALUES, st.sampled_from((".dockercfg", "config.json")))
def test_any_file_of_logins_holds_logins_or_none(value: Any, name: str) -> None:
    if isinstance(value, dict):
        # Programs are tried elsewhere; here only what stands in the file itself.
        value = {key: one for key, one in value.items() if not key.startswith("cred")}
    logins = Logins((login_file(Path(name), value),))
    sought = asyncio.run(logins.find("a.example", "b/c"))
    assert sought.words
