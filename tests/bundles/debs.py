"""Debian packages that a test builds with dpkg-deb."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bundles.format.layout import Item
from tests.bundles.places import need


def build_deb(
    folder: Path, name: str, version: str = "1.0", *, packing: str = "xz", depends: str = ""
) -> Path:
    """A package with one small file, packed as the release packs its packages."""
    need("dpkg-deb")
    root = folder / f"{name}-root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/share" / name).mkdir(parents=True)
    (root / "usr/share" / name / "text").write_text(f"{name} {version}\n")
    more = f"Depends: {depends}\n" if depends else ""
    (root / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: A <a@example.org>\n"
        f"{more}Description: a package of a test\n it has a long description\n .\n and more\n"
    )
    file = folder / f"{name}_{version.rpartition(':')[2]}_all.deb"
    subprocess.run(
        ["dpkg-deb", f"-Z{packing}", "--root-owner-group", "--build", str(root), str(file)],
        check=True,
        capture_output=True,
    )
    return file


def deb_item(name: str, version: str, digest: str, size: int, release: str = "bookworm") -> Item:
    """The item that a bundle has of such a package."""
    return Item(
        kind="deb",
        name=name,
        version=version,
        origin="a test",
        media_type="application/vnd.oci.image.manifest.v1+json",
        digest=digest,
        size=1,
        content=digest,
        content_size=size,
        pins={"release": release, "architecture": "all", "file": f"{name}_{version}_all.deb"},
    )
