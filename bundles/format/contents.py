"""What is in a bundle, for people and for auditors: a list, and an SPDX document."""

from __future__ import annotations

import uuid
from typing import Any, Final
from urllib.parse import quote

from bundles.format import media
from bundles.format.layout import BundleIndex, Item
from bundles.format.strict_json import canonical_json
from foundation.version import __version__
from foundation.wording import human_size

_NAMES: Final = {
    "image": "container images",
    "image-index": "image indexes",
    "chart": "Helm charts",
    "snap": "snaps",
    "deb": "Debian packages",
    "wheel": "Python wheels",
    "git": "Git repositories",
    "file": "files",
    "record": "records of the bundle itself",
}


def contents_text(index: BundleIndex, *, full: bool = True) -> str:
    """The list of everything in a bundle with version, size, hash and origin."""
    number = f", its maker's number {index.counter}" if index.counter is not None else ""
    lines = [
        f"{index.solution} {index.version}, environment {index.environment}",
        f"made {index.created}{number}; recipe {index.recipe}",
    ]
    for kind in media.KINDS:
        items = sorted(index.of_kind(kind), key=lambda item: item.identity)
        if not items:
            continue
        total = sum(item.content_size for item in items)
        lines += ["", f"{_NAMES[kind]}: {len(items)}, {human_size(total)}"]
        for item in items if full else ():
            lines += _item_lines(item)
    return "\n".join(lines) + "\n"


def _item_lines(item: Item) -> list[str]:
    details = [
        item.version if item.version and not item.name.endswith(f":{item.version}") else None,
        item.platform,
        human_size(item.content_size) if item.content_size else None,
        item.licence,
    ]
    words = ", ".join(detail for detail in details if detail)
    return [
        f"  {item.name}" + (f"  ({words})" if words else ""),
        f"      {item.content or item.digest}",
        f"      from {item.origin}",
    ]


def contents_dict(index: BundleIndex, index_digest: str) -> dict[str, Any]:
    """The list as plain values for JSON: schema sitewright.bundle-contents/1."""
    return {
        "schema": "sitewright.bundle-contents/1",
        "solution": index.solution,
        "version": index.version,
        "environment": index.environment,
        "created": index.created,
        **({"maintained_until": index.maintained_until} if index.maintained_until else {}),
        **({"counter": index.counter} if index.counter is not None else {}),
        "recipe": index.recipe,
        "index": index_digest,
        "items": [
            {
                "kind": item.kind,
                "name": item.name,
                "version": item.version,
                "platform": item.platform,
                "digest": item.digest,
                "content": item.content,
                "size_bytes": item.content_size,
                "origin": item.origin,
                "licence": item.licence,
                "pins": dict(item.pins),
            }
            for item in sorted(index.items, key=lambda item: item.identity)
        ],
    }


def sbom(index: BundleIndex) -> bytes:
    """The items as an SPDX 2.3 document in JSON; the same items give the same bytes."""
    listed = sorted(
        (item for item in index.items if item.kind not in ("record", media.IMAGE_INDEX)),
        key=lambda item: (*item.identity, item.digest),
    )
    packages = [_spdx_package(number, item) for number, item in enumerate(listed, 1)]
    seed = "\n".join([index.solution, index.version, index.created, *(i.digest for i in listed)])
    return canonical_json(
        {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": f"{index.solution} {index.version} {index.environment}",
            "documentNamespace": "https://spdx.org/spdxdocs/sitewright-bundle-"
            + str(uuid.uuid5(uuid.NAMESPACE_URL, seed)),
            "creationInfo": {
                "created": index.created,
                "creators": [f"Tool: sitewright-{__version__}"],
            },
            "packages": packages,
            "relationships": [
                {
                    "spdxElementId": "SPDXRef-DOCUMENT",
                    "relationshipType": "DESCRIBES",
                    "relatedSpdxElement": package["SPDXID"],
                }
                for package in packages
            ],
        }
    )


def _spdx_package(number: int, item: Item) -> dict[str, Any]:
    package: dict[str, Any] = {
        "SPDXID": f"SPDXRef-{number}",
        "name": item.name,
        "downloadLocation": item.origin if "://" in item.origin else "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "checksums": [
            {
                "algorithm": "SHA256",
                "checksumValue": (item.content or item.digest).removeprefix("sha256:"),
            }
        ],
        "comment": f"{item.kind}, from {item.origin}",
    }
    expression = _expression(item.licence)
    if expression:
        package["licenseDeclared"] = expression
    elif item.licence:
        # What a package says of itself is often free text; SPDX takes expressions only.
        package["licenseComments"] = item.licence
    if item.version:
        package["versionInfo"] = item.version
    locator = _purl(item)
    if locator:
        package["externalRefs"] = [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": locator,
            }
        ]
    return package


def _expression(licence: str | None) -> str | None:
    """A licence as an SPDX expression; None where it is not one."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(licence) if licence else None
    except (InvalidLicenseExpression, ValueError):
        return None


def _purl(item: Item) -> str | None:
    version = quote(item.version or "", safe="")
    if item.kind == "deb":
        place = item.pins.get("architecture", "")
        return f"pkg:deb/{quote(item.name)}@{version}?arch={quote(place)}"
    if item.kind == "wheel":
        return f"pkg:pypi/{quote(item.name.lower())}@{version}"
    if item.kind == media.IMAGE:
        repository = item.name.rsplit(":", 1)[0] if item.version else item.name
        last = repository.rsplit("/", 1)[-1]
        digest = quote(item.digest, safe="")
        return f"pkg:oci/{quote(last)}@{digest}?repository_url={quote(repository)}"
    return None
