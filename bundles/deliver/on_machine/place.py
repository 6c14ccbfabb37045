"""Puts delivered blobs where a machine uses them, asks whether they are there, or takes them back.

Runs as root, with `place`, `check` or `undo` as its argument and what is wanted as JSON on standard
input. Files are hard links to the store, so nothing takes room twice; images are packed as a
stream into the runtime's own loader, straight from the store.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

BATCH = 2 << 30
"""Bytes of layers that one load takes at most, unless one image alone has more: a runtime keeps
what it is given in a temporary place until it has unpacked it."""
COPY = 1 << 20
APT = Path("/etc/apt/sitewright")
APT_CONFIG = Path("/etc/apt/apt.conf.d/90sitewright-supplies")
APT_ONLY = f"""\
// While this file is there, apt takes packages from what was delivered by Sitewright and from
// nowhere else. Removing it brings the machine's own sources back.
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{APT}";
"""
SIDELOAD = Path("/var/snap/microk8s/common/sideload")
"""Read by the hook that installs the snap; see microk8s/snap/hooks/install."""
LIST_SECONDS = 120
BUNDLES = "bundles.json"
"""Which bundle of each solution was placed last; it outlives an undo."""


IN_PLACE = "everything is in its place"
"""The last line where that is so; who reads a stream learns of it by this."""


class Failed(Exception):
    """Something that could not be done, in one sentence."""


class Placing:
    """One request on one machine."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.store = Path(wanted["store"])
        self.blobs = self.store / "blobs" / "sha256"
        self.record = self.store / "records" / (wanted["record"] + ".json")
        self.wanted = wanted
        self.links = {path for path, _ in wanted["links"]}
        self.target = str(wanted["to"])

    # -- asking -----------------------------------------------------------------------------------

    def lacking(self) -> list[str]:
        """What is not as it should be, in a few words each."""
        lacks = []
        for path, name in self.wanted["links"]:
            if not same_file(self.store / path, self.blobs / name):
                lacks.append(path)
        for path, content, once in self.wanted["files"]:
            there = read(self.path(path))
            if there is None or (not once and there != base64.b64decode(content)):
                lacks.append(path)
        if self.target == "apt" and read(APT_CONFIG) != APT_ONLY.encode():
            lacks.append(str(APT_CONFIG))
        if self.wanted["images"]:
            lacks += [image["names"][0] for image in self.images_lacking()]
        if self.target == "snap":
            lacks += [snap["name"] for snap in self.snaps_lacking()]
        return lacks

    def path(self, name: str) -> Path:
        """A file of the store, or of the system where its name is absolute."""
        return self.store / name  # an absolute name stands for itself

    def recorded(self) -> bool:
        """Whether the machine remembers just this use."""
        blobs = set(json.loads(read(self.record) or b"{}").get("blobs", ()))
        wanted = set(self.wanted["blobs"])
        return blobs == wanted if self.wanted["whole"] else wanted <= blobs

    # -- the order of bundles ---------------------------------------------------------------------

    def refuse_older(self) -> None:
        """Fail where this machine was given a newer bundle of the same solution before."""
        bundle = self.wanted.get("bundle")
        if not bundle or self.wanted.get("older"):
            return
        before = self.bundles().get(bundle["solution"])
        if not isinstance(before, dict) or before.get("index") == bundle["index"]:
            return
        if not isinstance(before.get("moment"), (int, float)):
            return
        if bundle["moment"] is not None and bundle["moment"] >= before["moment"]:
            return
        self.drop(set(self.wanted["blobs"]) - self.own_blobs())
        newer = f"{before.get('version')} of {before.get('created')}"
        raise Failed(
            f"this machine has a newer bundle: {newer}, and "
            f"this one is {bundle['version']} of {bundle['created']}; nothing was changed. If the "
            "older one is meant, say so with --allow-older"
        )

    def bundles(self) -> dict[str, Any]:
        """The bundle that was placed last, by solution."""
        try:
            found = json.loads(read(self.store / BUNDLES) or b"{}")
        except ValueError:
            raise Failed(f"{self.store / BUNDLES} is damaged, so which bundle came last is not "
                         "known; look at it, and remove it") from None  # fmt: skip
        return found if isinstance(found, dict) else {}

    def remember_bundle(self) -> None:
        """Note which bundle this is, for the next one to be compared with."""
        bundle = self.wanted.get("bundle")
        if bundle:
            known = {**self.bundles(), bundle["solution"]: bundle}
            write(self.store / BUNDLES, json.dumps(known, indent=1).encode())

    def own_blobs(self) -> set[str]:
        """What this use had before."""
        return set(json.loads(read(self.record) or b"{}").get("blobs", ()))

    # -- doing ------------------------------------------------------------------------------------

    def place(self) -> None:
        """Put everything where it belongs; nothing that is there already is done again."""
        os.umask(0o022)
        self.refuse_older()
        before = json.loads(read(self.record) or b"{}")
        record = {
            "blobs": sorted({*before.get("blobs", ()), *self.wanted["blobs"]}),
            "links": sorted({*before.get("links", ()), *self.links}),
            "loaded": before.get("loaded", []),
        }
        write(self.record, json.dumps(record).encode())
        for path, name in self.wanted["links"]:
            link(self.blobs / name, self.store / path)
            # A repository may hold what is not for every user of the machine; apt's own user
            # must read its source, and people their files.
            (self.blobs / name).chmod(0o600 if path.startswith("git/") else 0o644)
        for path, content, _ in self.wanted["files"]:
            write(self.path(path), base64.b64decode(content))
        if self.wanted["links"]:
            print(f"{len(self.wanted['links'])} files lie in {self.store}", flush=True)
        if self.target == "apt":
            write(APT_CONFIG, APT_ONLY.encode())
            apt_update()
        if self.wanted["images"]:
            lacking = self.images_lacking()
            new = {name for image in lacking for name in image["names"]}
            record["loaded"] = sorted({*record["loaded"], *new})
            write(self.record, json.dumps(record).encode())
            self.load(lacking)
        if self.target == "snap":
            self.install_snaps()
        if self.wanted["whole"]:
            self.forget_former(record)
        self.remember_bundle()

    def forget_former(self, record: dict[str, Any]) -> None:
        """Let go of what an earlier bundle brought for the same use and this one does not."""
        for path in set(record["links"]) - self.links - self.elsewhere("links"):
            with contextlib.suppress(FileNotFoundError):
                (self.store / path).unlink()
        former = set(record["blobs"]) - set(self.wanted["blobs"])
        record = {**record, "blobs": self.wanted["blobs"], "links": sorted(self.links)}
        write(self.record, json.dumps(record).encode())
        self.drop(former)

    def elsewhere(self, what: str) -> set[str]:
        """What other uses on this machine need: their blobs, or their links."""
        needed: set[str] = set()
        for other in self.record.parent.glob("*.json"):
            if other != self.record:
                needed.update(json.loads(other.read_bytes()).get(what, ()))
        return needed

    def drop(self, names: set[str]) -> None:
        """Remove blobs that no use needs any more."""
        for name in names - self.elsewhere("blobs"):
            with contextlib.suppress(FileNotFoundError):
                (self.blobs / name).unlink()

    def undo(self) -> None:
        """Take back what was put there; blobs that nothing else needs go as well."""
        record = json.loads(read(self.record) or b"{}")
        shared = self.elsewhere("links")
        for path, name in self.wanted["links"]:
            if path not in shared and same_file(self.store / path, self.blobs / name):
                (self.store / path).unlink()
        for path, _, _ in self.wanted["files"]:
            with contextlib.suppress(FileNotFoundError):
                self.path(path).unlink()
        if self.target == "apt" and not list(APT.glob("*.list")):
            with contextlib.suppress(FileNotFoundError):
                APT_CONFIG.unlink()
        for name in record.get("loaded", ()):
            self.forget_image(name)
        if self.target == "containers-microk8s" and record.get("loaded") and microk8s():
            # One that is stopped, or has no `ctr`, cannot be asked; its images do no harm.
            with contextlib.suppress(Failed):
                self.forget_bare_images()
        with contextlib.suppress(FileNotFoundError):
            self.record.unlink()
        self.drop(set(record.get("blobs", ())))
        print("what was delivered was taken back", flush=True)

    # -- images -----------------------------------------------------------------------------------

    def images_lacking(self) -> list[dict[str, Any]]:
        """The images that the runtime does not have under all their names."""
        if self.target == "containers-docker":
            there = docker_images()
        elif microk8s():
            there = microk8s_images()
        else:
            return [one for one in self.wanted["images"] if not self.sideloaded(one).exists()]
        return [
            image
            for image in self.wanted["images"]
            if not all(
                there.get(familiar(name), set()) & {image["config"], image["manifest"]}
                for name in image["names"]
            )
        ]

    def load(self, images: list[dict[str, Any]]) -> None:
        """Hand images to the runtime."""
        if self.target == "containers-docker":
            command = ["docker", "load"]
        elif microk8s():
            command = [microk8s(), "ctr", "image", "import", "-"]
        else:
            self.sideload(images)
            return
        for batch in batches(images):
            self.load_batch(command, batch)

    def load_batch(self, command: list[str], images: list[dict[str, Any]]) -> None:
        """Hand some images over as one stream."""
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE)
        except OSError as error:
            raise Failed(f"{command[0]} cannot be started: {error.strerror}") from error
        try:
            if process.stdin is not None:
                with process.stdin as pipe:
                    pack(images, self.blobs, pipe)
        except BrokenPipeError:
            pass  # its own words say why
        if process.wait() != 0:
            raise Failed(f"{' '.join(command)} ended with {process.returncode}")

    def sideload(self, images: list[dict[str, Any]]) -> None:
        """Leave images where the snap takes them from when it is installed."""
        for image in images:
            path = self.sideloaded(image)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                pack([image], self.blobs, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            print(f"{image['names'][0]} waits for MicroK8s in {path}", flush=True)

    def sideloaded(self, image: dict[str, Any]) -> Path:
        """Where an image waits for MicroK8s."""
        return SIDELOAD / f"sitewright-{image['manifest'][:16]}.tar"

    def forget_image(self, name: str) -> None:
        """Remove an image that was loaded from here, unless something uses it."""
        if self.target == "containers-docker":
            command = ["docker", "image", "rm", familiar(name)]
        else:
            command = [microk8s() or "microk8s", "ctr", "image", "rm", name]
            for image in self.wanted["images"]:
                if name in image["names"] and self.sideloaded(image).exists():
                    self.sideloaded(image).unlink()
        if shutil.which(command[0]):
            subprocess.run(command, stdin=subprocess.DEVNULL, check=False)

    def forget_bare_images(self) -> None:
        """Remove the names by digest that Kubernetes gave to images which have no other left."""
        ours = {image["manifest"] for image in self.wanted["images"]}
        left: dict[str, set[str]] = {}
        for name, digests in microk8s_images().items():
            for digest in digests & ours:
                left.setdefault(digest, set()).add(name)
        for names in left.values():
            if all(name.startswith("sha256:") for name in names):
                for name in names:
                    self.forget_image(name)

    # -- snaps ------------------------------------------------------------------------------------

    def snaps_lacking(self) -> list[dict[str, Any]]:
        """The snaps that are not installed."""
        lacks = []
        for snap in self.wanted["snaps"]:
            done = subprocess.run(
                ["snap", "list", snap["name"]], stdin=subprocess.DEVNULL, check=False,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIST_SECONDS,
            ) if shutil.which("snap") else None  # fmt: skip
            if done is None or done.returncode != 0:
                lacks.append(snap)
        return lacks

    def install_snaps(self) -> None:
        """Trust the assertions, then install: snapd first, then bases, then the rest."""
        for snap in self.snaps_lacking():
            run("snap", "ack", str(self.store / snap["assertions"]))
            more = ["--classic"] if snap["classic"] else []
            run("snap", "install", *more, str(self.store / snap["file"]))


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


def docker_images() -> dict[str, set[str]]:
    """Names of Docker's images, each with its id."""
    there: dict[str, set[str]] = {}
    text = output("docker", "image", "ls", "--no-trunc",
                  "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")  # fmt: skip
    for line in text.splitlines():
        name, _, digest = line.partition(" ")
        there.setdefault(name, set()).add(digest.rpartition(":")[2])
    return there


def microk8s() -> str:
    """The program of the snap, which sudo's path may lack; empty where it is not installed."""
    snap = "/snap/bin/microk8s"
    return shutil.which("microk8s") or (snap if Path(snap).exists() else "")


def microk8s_images() -> dict[str, set[str]]:
    """Names of the images in MicroK8s' containerd, each with the digest of its manifest."""
    there: dict[str, set[str]] = {}
    for line in output(microk8s(), "ctr", "image", "ls").splitlines()[1:]:
        words = line.split()
        if len(words) > 2:
            there.setdefault(familiar(words[0]), set()).add(words[2].rpartition(":")[2])
    return there


# -- files and programs ---------------------------------------------------------------------------


def apt_update() -> None:
    """Read the new source; another apt that is at work is waited for."""
    for attempt in range(60):
        done = subprocess.run(
            ["apt-get", "-q", "update"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        text = done.stdout.decode("utf-8", "replace")
        if "Could not get lock" not in text or attempt == 59:
            sys.stdout.write(text)
            sys.stdout.flush()
            # apt-get update ends well even where a source could not be read.
            if done.returncode != 0 or "\nE:" in text or "\nW:" in text or "\nErr:" in text:
                raise Failed("apt does not take the delivered source")
            return
        if not attempt:
            print("another apt is at work; waiting for it", flush=True)
        time.sleep(5)


def run(*command: str) -> None:
    """A command that must succeed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:3])} ended with {done.returncode}")


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


def read(path: Path) -> bytes | None:
    """A small file; None where it is not there."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(path: Path, raw: bytes) -> None:
    """A small file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(0o644)
    part.replace(path)


def same_file(path: Path, blob: Path) -> bool:
    """Whether a path is a blob, under its other name."""
    try:
        found, wanted = path.lstat(), blob.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)


def link(blob: Path, path: Path) -> None:
    """Give a blob a second name, in the place of what had it."""
    if same_file(path, blob):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    os.link(blob, part)
    part.replace(path)


def main() -> int:
    """Do what is asked: 0 done or there, 1 not there, 2 failed."""
    placing = Placing(json.loads(sys.stdin.buffer.read()))
    try:
        if sys.argv[1] == "check":
            lacks = placing.lacking()
            for name in lacks[:20]:
                print(f"lacking: {name}")
            return 1 if lacks else 0
        if sys.argv[1] == "undo":
            placing.undo()
            return 0
        if placing.lacking() or not placing.recorded():
            placing.place()
        print(IN_PLACE, flush=True)
    except (Failed, OSError) as error:
        print(error, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
