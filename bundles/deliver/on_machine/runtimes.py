"""Runtimes: where the images of a machine go, one a line of `RUNTIMES`.

Each says what it has of some images, takes them as a stream, and forgets what it was given. This
file goes to the machine in front of `place.py`, and needs nothing but Python there.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

BATCH = 2 << 30
"""Bytes of layers that one load takes at most, unless one image alone has more: a runtime keeps
what it is given in a temporary place until it has unpacked it."""
COPY = 1 << 20
LIST_SECONDS = 120

if TYPE_CHECKING:  # a machine may have a Python that knows no such types yet
    Image = dict[str, Any]  # an image of a cargo: its names, manifest, config and layers


class Failed(Exception):
    """Something that could not be done, in one sentence."""


class Runtime:
    """What runs containers on a machine, as far as their images go. Raises Failed."""

    def lacking(self, images: list[Image]) -> list[Image]:
        """The images that it does not have under all their names."""
        raise NotImplementedError

    def load(self, images: list[Image], blobs: Path) -> None:
        """Take images whose parts lie in a folder by their digests."""
        raise NotImplementedError

    def forget(self, names: Iterable[str], images: list[Image]) -> None:
        """Let go of names that it was given from here, unless something uses them; `images` are
        those of the cargo."""
        raise NotImplementedError


class Docker(Runtime):
    """Docker, by its own client."""

    def lacking(self, images: list[Image]) -> list[Image]:
        """By the names that it shows, and the digests of configurations."""
        there: dict[str, set[str]] = {}
        text = output("docker", "image", "ls", "--no-trunc",
                      "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")  # fmt: skip
        for line in text.splitlines():
            name, _, digest = line.partition(" ")
            there.setdefault(name, set()).add(digest.rpartition(":")[2])
        return not_there(images, there)

    def load(self, images: list[Image], blobs: Path) -> None:
        """`docker load`, so much at a time."""
        load_batches(("docker", "load"), images, blobs)

    def forget(self, names: Iterable[str], images: list[Image]) -> None:
        """One after the other; one that is in use stays."""
        for name in names:
            forgotten("docker", "image", "rm", familiar(name))


class Containerd(Runtime):
    """A containerd that a distribution of Kubernetes brings, by its `ctr`.

    Before it is installed, images wait in the folder from which it takes them when it is.
    """

    def __init__(self, name: str, ctr: tuple[str, ...], program: str, waiting: Path) -> None:
        """`ctr` are its words, the first a program that the path may lack and `program` names."""
        self.name = name
        self._ctr = ctr
        self._program = program
        self._waiting = waiting

    def _words(self) -> tuple[str, ...]:
        """Its `ctr`; empty where it is not installed."""
        found = shutil.which(self._ctr[0]) or (
            self._program if Path(self._program).exists() else ""
        )
        return (found, *self._ctr[1:]) if found else ()

    def _there(self) -> dict[str, set[str]]:
        there: dict[str, set[str]] = {}
        for line in output(*self._words(), "image", "ls").splitlines()[1:]:
            words = line.split()
            if len(words) > 2:
                there.setdefault(familiar(words[0]), set()).add(words[2].rpartition(":")[2])
        return there

    def lacking(self, images: list[Image]) -> list[Image]:
        """By its names, and the digests of manifests; else by what waits for it."""
        if not self._words():
            return [one for one in images if not self.waits_in(one).exists()]
        return not_there(images, self._there())

    def load(self, images: list[Image], blobs: Path) -> None:
        """`ctr image import`, so much at a time; else left to wait."""
        if words := self._words():
            load_batches((*words, "image", "import", "-"), images, blobs)
            return
        for image in images:
            path = self.waits_in(image)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                pack([image], blobs, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            print(f"{image['names'][0]} waits for {self.name} in {path}", flush=True)

    def waits_in(self, image: Image) -> Path:
        """Where an image waits for it."""
        return self._waiting / f"sitewright-{image['manifest'][:16]}.tar"

    def forget(self, names: Iterable[str], images: list[Image]) -> None:
        """One after the other, and what waits; then the bare names of those."""
        given = list(names)
        for name in given:
            self._forget(name, images)
        if given and self._words():
            # One that is stopped, or has no `ctr`, cannot be asked; its images do no harm.
            with contextlib.suppress(Failed):
                self._forget_bare(images)

    def _forget(self, name: str, images: list[Image]) -> None:
        for image in images:
            if name in image["names"] and self.waits_in(image).exists():
                self.waits_in(image).unlink()
        if words := self._words():
            forgotten(*words, "image", "rm", name)

    def _forget_bare(self, images: list[Image]) -> None:
        """Remove the names by digest that Kubernetes gave to images which have no other left."""
        ours = {image["manifest"] for image in images}
        left: dict[str, set[str]] = {}
        for name, digests in self._there().items():
            for digest in digests & ours:
                left.setdefault(digest, set()).add(name)
        for names in left.values():
            if all(name.startswith("sha256:") for name in names):
                for name in names:
                    self._forget(name, images)


RUNTIMES: Mapping[str, Runtime] = {
    "containers-docker": Docker(),
    # The folder is read by the hook that installs the snap; see microk8s/snap/hooks/install.
    "containers-microk8s": Containerd(
        "MicroK8s", ("microk8s", "ctr"), "/snap/bin/microk8s",
        Path("/var/snap/microk8s/common/sideload"),
    ),
}  # fmt: skip
"""By the target of a delivery. Another that has a containerd is one line."""


def not_there(images: list[Image], there: dict[str, set[str]]) -> list[Image]:
    """The images that are not there under all their names, by their digests."""
    return [
        image
        for image in images
        if not all(
            there.get(familiar(name), set()) & {image["config"], image["manifest"]}
            for name in image["names"]
        )
    ]


def load_batches(command: tuple[str, ...], images: list[Image], blobs: Path) -> None:
    """Hand images to a loader, some at a time as one stream."""
    for batch in batches(images):
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE)
        except OSError as error:
            raise Failed(f"{command[0]} cannot be started: {error.strerror}") from error
        try:
            if process.stdin is not None:
                with process.stdin as pipe:
                    pack(batch, blobs, pipe)
        except BrokenPipeError:
            pass  # its own words say why
        if process.wait() != 0:
            raise Failed(f"{' '.join(command)} ended with {process.returncode}")


def forgotten(*command: str) -> None:
    """A command whose failure leaves an image there, and nothing worse."""
    if shutil.which(command[0]):
        subprocess.run(command, stdin=subprocess.DEVNULL, check=False)


# -- images as a stream ---------------------------------------------------------------------------


def batches(images: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """Images in groups, so that what they share is handed over once and not all at once."""
    batch: list[dict[str, Any]] = []
    layers: dict[str, int] = {}
    for image in images:
        more = {layer["sha256"]: layer["size"] for layer in image["layers"]}
        if batch and sum({**layers, **more}.values()) > BATCH:
            yield batch
            batch, layers = [], {}
        batch.append(image)
        layers.update(more)
    if batch:
        yield batch


def pack(images: list[dict[str, Any]], blobs: Path, out: IO[bytes]) -> None:
    """Images as one archive: an OCI layout that also says what `docker load` of old asks for."""
    manifests = []
    legacy = []
    needed: dict[str, None] = {}
    for image in images:
        for name in image["names"]:
            manifests.append(
                {
                    "mediaType": image["media_type"],
                    "digest": "sha256:" + image["manifest"],
                    "size": image["manifest_size"],
                    "annotations": {
                        "io.containerd.image.name": name,
                        "org.opencontainers.image.ref.name": name.rpartition(":")[2],
                    },
                }
            )
        legacy.append(
            {
                "Config": "blobs/sha256/" + image["config"],
                "RepoTags": [familiar(name) for name in image["names"] if "@" not in name],
                "Layers": ["blobs/sha256/" + layer["sha256"] for layer in image["layers"]],
            }
        )
        names = [image["manifest"], image["config"], *(x["sha256"] for x in image["layers"])]
        needed.update(dict.fromkeys(names))
    index = {"schemaVersion": 2, "manifests": manifests}
    with tarfile.open(fileobj=out, mode="w|", bufsize=COPY) as tar:
        tar.copybufsize = COPY  # type: ignore[attr-defined]  # documented, and typeshed lacks it
        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(tar, "index.json", json.dumps(index).encode())
        add(tar, "manifest.json", json.dumps(legacy).encode())
        for name in needed:
            with (blobs / name).open("rb") as file:
                info = tarfile.TarInfo("blobs/sha256/" + name)
                info.size = os.fstat(file.fileno()).st_size
                info.mode = 0o644
                tar.addfile(info, file)


def add(tar: tarfile.TarFile, name: str, raw: bytes) -> None:
    """A small file of an archive."""
    info = tarfile.TarInfo(name)
    info.size = len(raw)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(raw))


def familiar(name: str) -> str:
    """An image's name as Docker shows it."""
    short = name[len("docker.io/") :] if name.startswith("docker.io/") else name
    return short[len("library/") :] if short.startswith("library/") else short


def output(*command: str) -> str:
    """What a command prints; raises Failed."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            timeout=LIST_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]} does not answer: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Failed(f"{' '.join(command[:3])}: {said[-1] if said else done.returncode}")
    return done.stdout.decode("utf-8", "replace")
