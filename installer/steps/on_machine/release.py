"""Brings the workloads of a Helm release to other images by its values, and rolls it back.

release.py JSON, on a machine with Helm and kubectl; `kube`, `watching` and `rollout` stand before
it. The chart is the very one that is deployed: Helm keeps it in the release. Nothing is upgraded
before Helm's own dry run showed that the images change and not one line besides: a chart that draws
passwords anew, or a value that means something else, is found so.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from installer.steps.on_machine.kube import (
    BACK,
    CHANGED,
    LEFT,
    NOT_BACK,
    ODD,
    REFUSED,
    Ended,
    Json,
    Silent,
    Workload,
    answer,
    clean,
    owned,
    read,
    say,
)
from installer.steps.on_machine.watching import Watch, restarts_of, show

LARGEST = 64 << 20
KEY = re.compile(r"\s*(?:- )?([A-Za-z][A-Za-z0-9_./-]{0,62}):(?: .*)?")
IMAGE = re.compile(r"""(\s*(?:- )?image:\s*)(["']?)([^"'\s]+)\2\s*""")


class Release:
    """A release, as Helm tells it and changes it."""

    def __init__(self, order: Json) -> None:
        self.order = order
        self.name, self.namespace = str(order["release"]), str(order["namespace"])
        workloads = order["workloads"]
        self.workloads = [Workload(one) for one in workloads]
        self.changes = [change for one in workloads for change in one["changes"]]
        self.begun = False
        """Whether Helm was told to change something."""

    def helm(self, *words: str, seconds: float = 900) -> str:
        """What Helm answers; raises Silent with its own words."""
        argv = [*self.order["helm"], *words, "--namespace", self.namespace]
        return answer(argv, f"helm {words[0]}", seconds=seconds)

    def revision(self) -> int:
        """The revision that is deployed; raises Ended where an operation is under way."""
        told = read(self.helm("status", self.name, "--output", "json"))
        status = str((told.get("info") or {}).get("status"))
        if status != "deployed":
            raise Ended(CHANGED, f"the release {self.name} is {clean(status)}; nothing was done")
        return int(told["version"])

    def chart(self, revision: int, folder: Path) -> None:
        """Write the chart of a revision as Helm keeps it; raises Ended for one with parts."""
        secret = f"sh.helm.release.v1.{self.name}.v{revision}"
        found = read(self.workloads[0].kubectl("get", "secret", secret, "--output", "json"))
        packed = base64.b64decode(base64.b64decode(found["data"]["release"]))
        with gzip.open(io.BytesIO(packed)) as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise Ended(REFUSED, "the release is larger than 64 MiB; nothing was done")
        chart = read(text)["chart"]
        meta = chart["metadata"]
        if meta.get("dependencies"):
            parts = ", ".join(clean(one.get("name")) for one in meta["dependencies"][:5])
            raise Ended(
                REFUSED,
                f"the chart {clean(meta.get('name'))} has parts of other charts ({parts}), which "
                "Helm does not keep with a release; nothing was done",
            )
        _write(folder, "Chart.yaml", json.dumps(meta).encode())
        _write(folder, "values.yaml", json.dumps(chart.get("values") or {}).encode())
        if chart.get("schema"):
            _write(folder, "values.schema.json", base64.b64decode(chart["schema"]))
        for one in (*(chart.get("templates") or ()), *(chart.get("files") or ())):
            _write(folder, str(one["name"]), base64.b64decode(one.get("data") or ""))

    def upgraded(self, chart: Path, values: list[list[str]], *more: str) -> str:
        """`helm upgrade` with the values as they are but for these."""
        words = [word for key, value in values for word in ("--set-string", f"{key}={value}")]
        return self.helm("upgrade", self.name, str(chart), "--reuse-values", *words, *more)

    def proven(self, chart: Path, values: list[list[str]]) -> str:
        """Why these values are not the change that is meant; "" where they are."""
        dry = ("--dry-run=server", "--output", "json")
        new = str(read(self.upgraded(chart, values, *dry)).get("manifest") or "")
        return only_images(self.helm("get", "manifest", self.name), new, self.changes)

    def values(self, chart: Path) -> list[list[str]]:
        """The values whose change is the change that is meant; raises Ended where none are."""
        told = read(self.helm("get", "values", self.name, "--all", "--output", "json"))
        chosen: list[list[str]] = []
        for image, after in dict.fromkeys((one["from"], one["to"]) for one in self.changes):
            found = list(candidates(told, image, after))
            if not found:
                raise Ended(REFUSED, f"no value of the release names {image}; nothing was done")
            chosen += [one for one in found if one not in chosen]
        if why := self.proven(chart, chosen):
            raise Ended(REFUSED, f"{why}; nothing was done")
        return chosen


def _write(folder: Path, name: str, data: bytes) -> None:
    """A file of the chart, inside the folder whatever its name says."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise Ended(REFUSED, "the chart has a file outside of itself; nothing was done")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def candidates(values: Json, image: str, after: str, way: str = "") -> list[list[str]]:
    """Values that name an image: as a whole, or its tag beside its name."""
    name, _, tag = image.rpartition(":")
    new = after.removeprefix(f"{name}:")
    found = []
    for key, value in values.items():
        place = f"{way}.{escaped(key)}" if way else escaped(key)
        if isinstance(value, dict):
            found += candidates(value, image, after, place)
        elif value == image:
            found.append([place, after])
        elif key == "tag" and (value == tag or not value) and named(values, name):
            found.append([place, new])
    return found


def escaped(key: str) -> str:
    """A key as --set takes it."""
    return re.sub(r"([.,\[\]=\\{}])", r"\\\1", key)


def named(values: Json, name: str) -> bool:
    """Whether the mapping round a tag names this image."""
    parts = [str(values.get(key) or "") for key in ("registry", "repository")]
    parts = [part.strip("/") for part in parts if part]
    whole = "/".join(parts) or "/".join(
        str(values.get(key)) for key in ("image", "name") if isinstance(values.get(key), str)
    )
    return bool(whole) and short(whole) == short(name)


def short(name: str) -> str:
    """An image's name without Docker Hub's own words."""
    return re.sub(r"^(?:docker\.io/)?(?:library/)?", "", name)


def only_images(old: str, new: str, changes: list[Json]) -> str:
    """What differs between two manifests besides the images that are meant; "" for nothing."""
    before, after = old.strip().splitlines(), new.strip().splitlines()
    if len(before) != len(after):
        return "with these values Helm would write other objects than those that are there"
    wanted = [(one["from"], one["to"]) for one in changes]
    for was, now in zip(before, after, strict=True):
        if was.rstrip() == now.rstrip():
            continue
        first, then = IMAGE.fullmatch(was), IMAGE.fullmatch(now)
        pair = (first[3], then[3]) if first and then else None
        if pair is None:
            # A key alone: of a text over several lines, each line is a value, and may be secret.
            key = KEY.fullmatch(was)
            what = clean(key[1]) if key else "a line of a text"
            return f"with these values Helm would change more than images: {what}"
        if pair not in wanted:
            return f"with these values {clean(pair[0])} would become {clean(pair[1])} as well"
        wanted.remove(pair)
    if wanted:
        return f"these values leave {clean(wanted[0][0])} as it is"
    return ""


def stands(release: Release) -> list[str]:
    """How each workload stands; raises Ended where one was changed by anybody else."""
    found = []
    for one in release.workloads:
        thing = one.read()
        if owned(thing) != one.order["owned"] or one.stand(thing) == "other":
            raise Ended(
                CHANGED, f"{one.name} was changed since the list was made; nothing was done"
            )
        found.append(one.stand(thing))
    return found


def watched(release: Release, stand: str, known: list[Json], *, early: bool = True) -> str:
    """Why a workload of the release does not stand; "" where all do."""
    for one, restarts in zip(release.workloads, known, strict=True):
        why, pod = Watch(one, restarts).until_it_stands(stand, early=early)
        if why:
            why = f"{one.kind} {one.name}: {why}"
            say(why)
            show(one, pod)
            return why
    return ""


def rolled_back(release: Release, revision: int, why: str) -> NoReturn:
    """Bring the release back to the revision before, and see that it stands; raises Ended."""
    if migrates := release.order.get("migrates"):
        data = f"{migrates} may have changed its data, so the revision before is not put back"
        raise Ended(LEFT, f"{why}; {data}")
    try:
        release.helm("rollback", release.name, str(revision))
        say(f"helm rollback {release.name} {revision}")
        again = watched(release, "before", [{} for _ in release.workloads], early=False)
    except Silent as silent:
        raise Ended(NOT_BACK, f"{why}; it was not rolled back: {silent}") from silent
    if again:
        raise Ended(NOT_BACK, f"{why}; revision {revision} is back, and {again}")
    raise Ended(BACK, f"{why}; the templates of revision {revision} are back, and they stand")


def brought_by_helm(release: Release) -> None:
    """Upgrade the release and watch its workloads; raises Ended, Silent where nothing was done."""
    if set(stands(release)) == {"after"}:
        release.begun = True
        # It was upgraded by what was cut off: the revision before is the one to go back to.
        revision = release.revision() - 1
    else:
        revision = release.revision()
        known = [restarts_of(one.pods(one.read())) for one in release.workloads]
        with tempfile.TemporaryDirectory(prefix="sitewright-") as made:
            chart = Path(made)
            release.chart(revision, chart)
            values = release.values(chart)
            for key, value in values:
                say(f"helm upgrade {release.name} --reuse-values --set-string {key}={value}")
            release.begun = True
            try:
                release.upgraded(chart, values)
            except Silent as silent:
                # How far it came is not known, and a release that failed is none to leave.
                rolled_back(release, revision, f"helm upgrade: {silent}")
        why = watched(release, "after", known)
        if why:
            rolled_back(release, revision, why)
        return
    why = watched(release, "after", [{} for _ in release.workloads])
    if why:
        rolled_back(release, revision, why)


def main_of_release(words: list[str]) -> int:
    """What is ordered, to its end; the exit status."""
    release = Release(read(words[0]))
    try:
        brought_by_helm(release)
    except Ended as end:
        say(f"@why {end.why}")
        return end.status
    except (Silent, *ODD) as error:
        # What stands in an odd answer is not told: it may be a value of the release.
        what = clean(error) if isinstance(error, Silent) else type(error).__name__
        say(f"@why Helm's answer was not understood or did not come: {what}")
        return LEFT if release.begun else REFUSED
    say("it stands")
    return 0


if __name__ == "__main__":
    sys.exit(main_of_release(sys.argv[1:]))
