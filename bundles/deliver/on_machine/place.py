"""Puts delivered blobs where a machine uses them, asks whether they are there, or takes them back.

Runs as root, with `place`, `check` or `undo` as its argument and what is wanted as JSON on standard
input. Files are hard links to the store, so nothing takes room twice; images are packed as a
stream into the runtime's own loader, straight from the store: see `runtimes`, which goes to the
machine in front of this file.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bundles.deliver.on_machine.runtimes import LIST_SECONDS, RUNTIMES, Failed

APT = Path("/etc/apt/sitewright")
APT_CONFIG = Path("/etc/apt/apt.conf.d/90sitewright-supplies")
APT_ONLY = f"""\
// While this file is there, apt takes packages from what was delivered by Sitewright and from
// nowhere else. Removing it brings the machine's own sources back.
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{APT}";
"""
BUNDLES = "bundles.json"
"""Which bundle of each solution was placed last; it outlives an undo."""
LOST = "*"
"""Of every solution that is not named in it: what came last was noted, and cannot be read."""


IN_PLACE = "everything is in its place"
"""The last line where that is so; who reads a stream learns of it by this."""


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
            lacking = RUNTIMES[self.target].lacking(self.wanted["images"])
            lacks += [image["names"][0] for image in lacking]
        if self.target == "snap":
            lacks += [snap["name"] for snap in self.snaps_lacking()]
        return lacks

    def path(self, name: str) -> Path:
        """A file of the store, or of the system where its name is absolute."""
        return self.store / name  # an absolute name stands for itself

    def recorded(self) -> bool:
        """Whether the machine remembers just this use."""
        blobs = names_in(self.record, "blobs")
        wanted = set(self.wanted["blobs"])
        return blobs == wanted if self.wanted["whole"] else wanted <= blobs

    # -- the order of bundles ---------------------------------------------------------------------

    def refuse_older(self) -> None:
        """Fail where this machine was given a newer bundle of the same solution before."""
        bundle = self.wanted.get("bundle")
        if not bundle or self.wanted.get("older"):
            return
        known = self.bundles()
        before = known.get(bundle["solution"], known.get(LOST))
        if before is None or (isinstance(before, dict) and before.get("index") == bundle["index"]):
            return
        if not is_stamp(before):
            raise Failed(
                f"{self.store / BUNDLES} is damaged, so whether this machine had a newer bundle "
                f"than {bundle['version']} of {bundle['created']} is not known; nothing was "
                'changed. If this one is meant, say so by name, --allow-older "A. Name", and it is '
                "noted anew"
            )
        if not is_older(bundle, before):
            return
        self.drop(set(self.wanted["blobs"]) - self.own_blobs())
        newer = f"{before.get('version')} of {before.get('created')}"
        raise Failed(
            f"this machine has a newer bundle: {newer}, and "
            f"this one is {bundle['version']} of {bundle['created']}; nothing was changed. If the "
            'older one is meant, say so by name: --allow-older "A. Name"'
        )

    def bundles(self) -> dict[str, Any]:
        """The bundle that was placed last, by solution; under LOST where that is not known."""
        try:
            found = json.loads(read(self.store / BUNDLES) or b"{}")
        except (ValueError, RecursionError):
            found = None
        return found if isinstance(found, dict) else {LOST: "damaged"}

    def remember_bundle(self) -> None:
        """Note which bundle this is, for the next one to be compared with."""
        bundle = self.wanted.get("bundle")
        if bundle:
            by = {"older_by": self.wanted["older"]} if self.wanted.get("older") else {}
            known = {**self.bundles(), bundle["solution"]: bundle | by}
            write(self.store / BUNDLES, json.dumps(known, indent=1).encode())

    def own_blobs(self) -> set[str]:
        """What this use had before."""
        return names_in(self.record, "blobs")

    # -- doing ------------------------------------------------------------------------------------

    def place(self) -> None:
        """Put everything where it belongs; nothing that is there already is done again."""
        os.umask(0o022)
        self.refuse_older()
        record = {
            "blobs": sorted(names_in(self.record, "blobs") | set(self.wanted["blobs"])),
            "links": sorted(names_in(self.record, "links") | self.links),
            "loaded": sorted(names_in(self.record, "loaded")),
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
            many = len(self.wanted["links"])
            lie = "file lies" if many == 1 else "files lie"
            print(f"{many} {lie} in {self.store}", flush=True)
        if self.target == "apt":
            write(APT_CONFIG, APT_ONLY.encode())
            apt_update()
        if self.wanted["images"]:
            runtime = RUNTIMES[self.target]
            lacking = runtime.lacking(self.wanted["images"])
            new = {name for image in lacking for name in image["names"]}
            record["loaded"] = sorted({*record["loaded"], *new})
            write(self.record, json.dumps(record).encode())
            runtime.load(lacking, self.blobs)
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
                needed |= names_in(other, what)
        return needed

    def drop(self, names: set[str]) -> None:
        """Remove blobs that no use needs any more."""
        for name in names - self.elsewhere("blobs"):
            with contextlib.suppress(FileNotFoundError):
                (self.blobs / name).unlink()

    def undo(self) -> None:
        """Take back what was put there; blobs that nothing else needs go as well."""
        loaded, blobs = names_in(self.record, "loaded"), names_in(self.record, "blobs")
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
        if loaded:
            RUNTIMES[self.target].forget(sorted(loaded), self.wanted["images"])
        with contextlib.suppress(FileNotFoundError):
            self.record.unlink()
        self.drop(blobs)
        print("what was delivered was taken back", flush=True)

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


def read(path: Path) -> bytes | None:
    """A small file; None where it is not there."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def names_in(record: Path, what: str) -> set[str]:
    """What a record of a use names under a word; nothing where there is no record."""
    raw = read(record)
    try:
        found = json.loads(raw) if raw is not None else {}
        names = found.get(what, []) if isinstance(found, dict) else None
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Failed(
            f"{record} is damaged, so what this machine was given for that use is not known; "
            f"nothing more was changed. Put it aside (mv {record} {record}.damaged), and deliver "
            "again"
        )
    return set(names)


def is_older(one: dict[str, Any], than: dict[str, Any]) -> bool:
    """Whether a bundle is the older one, as `bundles.read.age` has it, which is not here."""
    count, before = one.get("counter"), than.get("counter")
    if before is not None and count != before:
        return count is None or count < before
    return one["moment"] is None or one["moment"] < than["moment"]


def is_stamp(value: Any) -> bool:
    """Whether a bundle's note says when it was made, so that another can be compared with it."""
    moment = value.get("moment") if isinstance(value, dict) else None
    if isinstance(moment, bool) or not isinstance(moment, int | float):
        return False
    counter = value.get("counter")
    if counter is not None and (isinstance(counter, bool) or not isinstance(counter, int)):
        return False
    return abs(moment) < 1e12  # which NaN is not


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
