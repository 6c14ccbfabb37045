"""What a verified bundle offers: every table made once, at the start, from its small documents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bundles.format import budgets, media
from bundles.format.contents import contents_text
from bundles.format.layout import INDEX_NAME, MANIFEST_LIMIT, SIGNATURE_NAME, TITLE, Item, Manifest
from bundles.format.layout import parse_manifest as read_manifest
from bundles.format.problems import HostileBundle
from bundles.read.apt_index import AptTree, apt_tree
from bundles.read.opened import Bundle, read_document, read_small
from bundles.read.structure import Structure
from bundles.serve.answers import Offer
from bundles.serve.git import GitRepository, GitServer, unpack_repository
from bundles.serve.images import ImageRegistry
from bundles.serve.indexes import Chart, Part, helm_repository, plain_files, python_index
from bundles.serve.resources import JSON, OCTETS, Resource, Stored, Table, Written, add

_METADATA_LIMIT: Final = budgets.CHART_METADATA_BYTES
_STAMP: Final = "%Y-%m-%dT%H:%M:%SZ"
_DEB: Final = "application/vnd.debian.binary-package"


def moment_of(created: str) -> datetime:
    """When a bundle was made; the first day of 2020 where it does not say so in a usable way."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return datetime(2020, 1, 1, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Catalogue:
    """Reads what is needed of a bundle's documents and makes the tables from it."""

    def __init__(self, bundle: Bundle, structure: Structure) -> None:
        self._bundle = bundle
        self._index = structure.index
        self._digest = structure.index_digest
        self._where = str(bundle.path)
        self.moment = moment_of(structure.index.created)
        self._manifests = {
            item.digest: self._manifest(item)
            for item in structure.index.items
            if item.kind != media.IMAGE_INDEX
        }

    def apt(self) -> AptTree | None:
        """The package source, signed with a key made now; None where there are no packages."""
        debs = self._index.of_kind("deb")
        stamp = self.moment.astimezone(UTC).strftime(_STAMP)
        return apt_tree(self._bundle, debs, created=stamp) if debs else None

    def table(self, source: AptTree | None) -> dict[str, Resource]:
        """Everything but images and Git, by path; raises HostileBundle."""
        index = self._index
        table: dict[str, Resource] = {}
        for path, digest in source.blobs.items() if source else ():
            deb = Stored(digest, self._bundle.blobs[digest], f"deb {path.rpartition('/')[2]}", _DEB)
            add(table, f"apt/{path}", deb, where=self._where)
        for path, raw in source.files.items() if source else ():
            add(table, f"apt/{path}", Written(raw, OCTETS), where=self._where)
        charts = [self._chart(item) for item in index.of_kind(media.CHART)]
        stamp = self.moment.astimezone(UTC).strftime(_STAMP)
        table |= helm_repository(charts, moment=stamp, where=self._where)
        wheels = [(item, self._parts(item)[0]) for item in index.of_kind("wheel")]
        table |= python_index(wheels, where=self._where)
        for kind, folder in (("file", "files"), ("snap", "snaps")):
            items = [(item, self._parts(item)) for item in index.of_kind(kind)]
            table |= plain_files(items, folder, where=self._where)
        return table | self._papers()

    def registry(self) -> ImageRegistry:
        """The images and charts as a registry."""
        return ImageRegistry(self._index.items, self._manifests)

    async def git(self, folder: Path) -> GitServer:
        """The repositories, unpacked into a private folder; raises SourceProblem."""
        found = []
        for item in self._index.of_kind("git"):
            with self._bundle.blob(item.content or "") as reader:
                place = await unpack_repository(item, reader, folder, where=self._where)
            found.append(GitRepository(item.name, place, f"git {item.name}"))
        return GitServer(found)

    def _papers(self) -> dict[str, Resource]:
        raw = read_document(self._bundle, INDEX_NAME)
        signature = self._bundle.document(SIGNATURE_NAME)
        papers: dict[str, Resource] = {
            "bundle/index.json": Written(raw, JSON),
            "bundle/contents.txt": Written(contents_text(self._index, full=True).encode()),
        }
        if signature is not None:
            papers["bundle/index.json.sig"] = Written(signature)
        return papers

    def _manifest(self, item: Item) -> Manifest:
        raw = read_small(self._bundle, item.digest, item.size, MANIFEST_LIMIT)
        return read_manifest(raw, where=f"{self._where}, {item.kind} {item.name}")

    def _parts(self, item: Item) -> tuple[Part, ...]:
        layers = self._manifests[item.digest].layers
        return tuple(
            Part(
                (layer.annotations or {}).get(TITLE, item.pins.get("file", item.name)),
                layer.digest,
                layer.size,
                layer.media_type,
            )
            for layer in layers
        )

    def _chart(self, item: Item) -> Chart:
        config = self._manifests[item.digest].config
        raw = read_small(self._bundle, config.digest, config.size, _METADATA_LIMIT)
        try:
            metadata = json.loads(raw)
        except (ValueError, RecursionError) as error:
            place = f"{self._where}, chart {item.name}"
            raise HostileBundle("its metadata is no JSON", where=place) from error
        usable: Mapping[str, object] = metadata if isinstance(metadata, dict) else {}
        return Chart(item, self._parts(item), usable)


async def offer_of(catalogue: Catalogue, folder: Path) -> tuple[Offer, AptTree | None]:
    """Everything that a bundle offers; `folder` is private and empty; raises BundleProblem."""
    source = await asyncio.to_thread(catalogue.apt)
    table: Table = await asyncio.to_thread(catalogue.table, source)
    return Offer(table, catalogue.registry(), await catalogue.git(folder)), source
