"""The documents of a bundle: an OCI image layout whose one index names every item.

`index.json` is the root of trust: it names the solution, its version, the recipe, and every item
with its kind, name, size, hash and origin, and it is what is signed. Each item is an OCI manifest.
The sizes and media types that a document states are checked before anything they name is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from bundles.format import budgets, media
from bundles.format.problems import HostileBundle
from bundles.format.strict_json import canonical_json, digest_of, parse_model
from foundation.problems import Problem

Model = TypeVar("Model", bound=BaseModel)

INDEX_NAME: Final = "index.json"
SIGNATURE_NAME: Final = "index.json.sig"
LAYOUT_NAME: Final = "oci-layout"
INSTALL_NAME: Final = "install.sh"
"""What begins from a bundle on a machine that has no Sitewright; the same bytes are a record."""
INSTALL_LIMIT: Final = budgets.INSTALL_BYTES
LAYOUT_TEXT: Final = b'{"imageLayoutVersion":"1.0.0"}'

INDEX_LIMIT: Final = budgets.INDEX_BYTES
"""Bytes of index.json; an item takes about 1 kB."""
MANIFEST_LIMIT: Final = budgets.MANIFEST_BYTES
"""Bytes of a manifest, as registries bound it too."""
LARGEST_BLOB: Final = budgets.BLOB_BYTES
"""Bytes (64 TiB): sizes beyond are no sizes."""
SIGNATURE_LIMIT: Final = budgets.SIGNATURE_BYTES

REF_NAME: Final = "org.opencontainers.image.ref.name"
TITLE: Final = "org.opencontainers.image.title"
CREATED: Final = "org.opencontainers.image.created"
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~:@%=-]{0,254}")
_ITEM: Final = "sitewright.item."
_PIN: Final = "sitewright.pin."
_BUNDLE: Final = "sitewright.bundle."
_UNTIL: Final = _BUNDLE + "maintained-until"
_COUNTER: Final = _BUNDLE + "counter"


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds characters that cannot be shown")
    return text


Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, le=LARGEST_BLOB, strict=True)]
MediaType = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.+-]{1,80}/[A-Za-z0-9.+_-]{1,120}$")]
Printable = Annotated[
    str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_printable)
]
_Annotations = dict[
    Annotated[str, StringConstraints(max_length=256)],
    Annotated[str, StringConstraints(max_length=65536)],
]


_PlatformWord = Annotated[str, StringConstraints(max_length=64)]


class _Outside(BaseModel):
    # Registries add fields of later versions of OCI, so what is unknown is passed over here;
    # nothing of it is ever used, and the bytes keep their digest.
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Platform(_Outside):
    """The platform of a manifest in an image index; empty where its maker left it out."""

    os: _PlatformWord = ""
    architecture: _PlatformWord = ""
    variant: _PlatformWord | None = None
    os_version: _PlatformWord | None = Field(default=None, alias="os.version")
    os_features: Annotated[tuple[_PlatformWord, ...], Field(max_length=100)] | None = Field(
        default=None, alias="os.features"
    )

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(_Outside):
    """What one document says of another: type, digest and size in bytes."""

    media_type: MediaType = Field(alias="mediaType")
    digest: Digest
    size: Size
    artifact_type: MediaType | None = Field(default=None, alias="artifactType")
    platform: Platform | None = None
    annotations: _Annotations | None = None


class Manifest(_Outside):
    """An OCI or Docker manifest: a configuration and the contents."""

    schema_version: Annotated[int, Field(ge=2, le=2, strict=True, alias="schemaVersion")]
    media_type: MediaType | None = Field(default=None, alias="mediaType")
    artifact_type: MediaType | None = Field(default=None, alias="artifactType")
    config: Descriptor
    layers: Annotated[tuple[Descriptor, ...], Field(max_length=1000)]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The configuration and the contents."""
        return (self.config, *self.layers)


class ImageIndex(_Outside):
    """An OCI index or a Docker manifest list."""

    schema_version: Annotated[int, Field(ge=2, le=2, strict=True, alias="schemaVersion")]
    media_type: MediaType | None = Field(default=None, alias="mediaType")
    artifact_type: MediaType | None = Field(default=None, alias="artifactType")
    manifests: Annotated[tuple[Descriptor, ...], Field(max_length=100_000)]
    annotations: _Annotations | None = None


class _ItemFields(BaseModel):
    """The annotations of an item, without their prefix."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: Printable
    name: Printable
    version: Printable | None = None
    origin: Printable
    content: Digest | None = None
    content_size: Annotated[int, Field(ge=0, le=LARGEST_BLOB)] = Field(alias="content-size")
    platform: Printable | None = None
    licence: Printable | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a bundle, as the index states it.

    `size` is the manifest's, `content_size` what the item brings (bytes); `content` is the digest
    of the one file that the item is, where it is one. `pins` hold what is needed to get the very
    same again, by the names that its source knows.
    """

    kind: str
    name: str
    origin: str
    media_type: str
    digest: str
    size: int
    content_size: int
    version: str | None = None
    content: str | None = None
    platform: str | None = None
    licence: str | None = None
    ref_name: str | None = None
    pins: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """What may stand in a bundle only once."""
        place = "/".join(self.pins.get(name, "") for name in ("release", "architecture"))
        return (self.kind, self.name, self.version or "", self.platform or "", place)

    def as_descriptor(self) -> dict[str, Any]:
        """The item as a descriptor of the index."""
        fields = {
            "kind": self.kind,
            "name": self.name,
            "version": self.version,
            "origin": self.origin,
            "content": self.content,
            "content-size": str(self.content_size),
            "platform": self.platform,
            "licence": self.licence,
        }
        annotations = {_ITEM + key: value for key, value in fields.items() if value is not None}
        annotations |= {_PIN + key: value for key, value in self.pins.items()}
        if self.ref_name:
            annotations[REF_NAME] = self.ref_name
        descriptor: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
            "annotations": annotations,
        }
        if self.kind in media.ARTIFACTS:
            descriptor["artifactType"] = media.ARTIFACTS[self.kind]
        if self.platform and self.kind == media.IMAGE:
            parts = self.platform.split("/")
            names = ("os", "architecture", "variant")
            descriptor["platform"] = dict(zip(names, parts, strict=False))
        return descriptor


@dataclass(frozen=True, slots=True)
class BundleIndex:
    """The index of a bundle: what it is for, and every item."""

    solution: str
    version: str
    environment: str
    recipe: str
    created: str
    items: tuple[Item, ...]
    maintained_until: str = ""
    """The last day on which its maker looks after it, ISO 8601; "" where none was named."""
    counter: int | None = None
    """Which of its maker's bundles it is; None where its maker does not count."""

    def as_bytes(self) -> bytes:
        """The bytes of index.json; the same items always give the same bytes."""
        ordered = sorted(self.items, key=lambda item: (*item.identity, item.digest))
        return canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": media.OCI_INDEX,
                "artifactType": media.BUNDLE,
                "annotations": {
                    _BUNDLE + "solution": self.solution,
                    _BUNDLE + "version": self.version,
                    _BUNDLE + "environment": self.environment,
                    _BUNDLE + "recipe": self.recipe,
                    CREATED: self.created,
                    # One without them has the bytes that it always had.
                    **({_UNTIL: self.maintained_until} if self.maintained_until else {}),
                    **({_COUNTER: str(self.counter)} if self.counter is not None else {}),
                },
                "manifests": [item.as_descriptor() for item in ordered],
            }
        )

    @property
    def content_size(self) -> int:
        """Bytes of all items, each counted by itself."""
        return sum(item.content_size for item in self.items)

    def of_kind(self, *kinds: str) -> tuple[Item, ...]:
        """The items of some kinds."""
        return tuple(item for item in self.items if item.kind in kinds)


class _BundleFields(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    solution: Printable
    version: Printable
    environment: Printable
    recipe: Digest
    created: Printable
    maintained_until: date | None = None
    counter: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,14}$")] | None = None


def is_file_name(text: str) -> bool:
    """Whether a text is the plain name of a file: no folder, nothing hidden, no option."""
    return bool(_FILE_NAME.fullmatch(text))


def is_install_script(item: Item) -> bool:
    """Whether an item is the record of the bundle's install.sh."""
    return item.kind == media.RECORD and item.name == INSTALL_NAME


def parse_index(raw: bytes, *, where: str) -> BundleIndex:
    """The index of a bundle from its bytes; raises HostileBundle with the reason."""
    index = parse_model(ImageIndex, raw, where=where, limit=INDEX_LIMIT)
    if index.media_type != media.OCI_INDEX or index.artifact_type != media.BUNDLE:
        raise HostileBundle(
            "its index does not say that it is a bundle",
            where=where,
            remedy="Check that this is the folder or file that `sitewright bundle create` made.",
        )
    stated = dict(index.annotations or {})
    fields = _fields(_BundleFields, stated, _BUNDLE, {CREATED: "created"}, where)
    items = tuple(_item(entry, where) for entry in index.manifests)
    _only_once(items, where)
    return BundleIndex(
        solution=fields.solution,
        version=fields.version,
        environment=fields.environment,
        recipe=fields.recipe,
        created=fields.created,
        items=items,
        maintained_until=fields.maintained_until.isoformat() if fields.maintained_until else "",
        counter=int(fields.counter) if fields.counter is not None else None,
    )


def _fields(
    model: type[Model],
    annotations: Mapping[str, str],
    prefix: str,
    more: Mapping[str, str],
    where: str,
) -> Model:
    stated = {more[key]: value for key, value in annotations.items() if key in more}
    stated |= {
        key.removeprefix(prefix).replace("-", "_"): value
        for key, value in annotations.items()
        if key.startswith(prefix)
    }
    try:
        return model.model_validate(stated)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = prefix + ".".join(str(part) for part in first["loc"])
        raise HostileBundle(
            f"{place}: {first['msg'].removeprefix('Value error, ')}", where=where
        ) from error


def _item(entry: Descriptor, where: str) -> Item:
    annotations = dict(entry.annotations or {})
    fields = _fields(_ItemFields, annotations, _ITEM, {}, where)
    if fields.kind not in media.KINDS:
        raise HostileBundle(
            f'{fields.name} is of the kind "{fields.kind}", which no bundle has', where=where
        )
    expected = media.INDEXES if fields.kind == media.IMAGE_INDEX else media.MANIFESTS
    if entry.media_type not in expected:
        raise HostileBundle(
            f"{fields.name} has the media type {entry.media_type}, which a {fields.kind} never has",
            where=where,
        )
    if entry.artifact_type != media.ARTIFACTS.get(fields.kind):
        raise HostileBundle(f"{fields.name} has the type {entry.artifact_type}", where=where)
    if entry.size > MANIFEST_LIMIT:
        raise HostileBundle(
            f"the manifest of {fields.name} has {entry.size} bytes; "
            f"a manifest has at most {MANIFEST_LIMIT}",
            where=where,
        )
    pins = {
        key.removeprefix(_PIN): value for key, value in annotations.items() if key.startswith(_PIN)
    }
    # These become names of files on machines, so they can be nothing else.
    if fields.kind in media.ARTIFACTS:
        for name in (fields.name, pins.get("file", fields.name)):
            if not is_file_name(name):
                raise HostileBundle(f"{name[:200]!r} is no name of a file", where=where)
    for value in (*pins, *pins.values(), annotations.get(REF_NAME, "")):
        if not value.isprintable():
            raise HostileBundle(
                f"{fields.name} has an annotation that cannot be shown", where=where
            )
    return Item(
        kind=fields.kind,
        name=fields.name,
        version=fields.version,
        origin=fields.origin,
        media_type=entry.media_type,
        digest=entry.digest,
        size=entry.size,
        content=fields.content,
        content_size=fields.content_size,
        platform=fields.platform,
        licence=fields.licence,
        ref_name=annotations.get(REF_NAME),
        pins=pins,
    )


def _only_once(items: Iterable[Item], where: str) -> None:
    seen: set[object] = set()
    for item in items:
        for mark in (item.identity, ("ref", item.ref_name) if item.ref_name else None):
            if mark is None:
                continue
            if mark in seen:
                raise HostileBundle(f"{item.kind} {item.name} stands in it twice", where=where)
            seen.add(mark)


def parse_manifest(raw: bytes, *, where: str, problem: type[Problem] = HostileBundle) -> Manifest:
    """An image or artifact manifest from its bytes; raises the given class of problem."""
    return parse_model(Manifest, raw, where=where, limit=MANIFEST_LIMIT, problem=problem)


def parse_image_index(
    raw: bytes, *, where: str, problem: type[Problem] = HostileBundle
) -> ImageIndex:
    """An image index from its bytes; raises the given class of problem."""
    return parse_model(ImageIndex, raw, where=where, limit=MANIFEST_LIMIT, problem=problem)


def artifact_manifest(kind: str, contents: Iterable[tuple[str, str, int]]) -> bytes:
    """The manifest of an artifact of ours from its files: (name, digest, size in bytes)."""
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "artifactType": media.ARTIFACTS[kind],
            "config": {
                "mediaType": media.OCI_EMPTY,
                "digest": digest_of(media.EMPTY),
                "size": len(media.EMPTY),
            },
            "layers": [
                {
                    "mediaType": media.LAYERS[kind],
                    "digest": digest,
                    "size": size,
                    "annotations": {TITLE: name},
                }
                for name, digest, size in contents
            ],
        }
    )
