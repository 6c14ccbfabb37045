"""One workload of Kubernetes as kubectl tells it and changes it; a part of `rollout`."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import os
import selectors
import subprocess
import tempfile
import time
import zlib
from collections.abc import Callable
from typing import IO, Any

Json = dict[str, Any]

CHANGED, REFUSED, BACK, NOT_BACK, LEFT = 10, 11, 12, 13, 14
"""Exit status: it was another one by then, so nothing was done; the API refused; it did not stand
and was taken back; it was taken back and does not stand so either; somebody changed it meanwhile,
so it was left. 0: it stands."""

EVERY = 1.0
LONGEST = 600
PATIENCE = 300.0
"""Seconds for which an API that does not answer is asked again to take something back."""
LOG_LINES = 10
MOST_BYTES = 64 << 20
"""Of one answer of kubectl or Helm: a cluster that lies must not fill a machine's memory."""
HASH = {"deployment": "pod-template-hash"}
REVISION = "controller-revision-hash"


class Ended(Exception):
    """The end, with its exit status and the sentence that says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Silent(Exception):
    """A program did not bring an answer."""


ODD = (
    ValueError, TypeError, LookupError, AttributeError, RecursionError, ArithmeticError, EOFError,
    gzip.BadGzipFile, zlib.error,
)  # fmt: skip
"""What comes of an answer that is not as Kubernetes or Helm writes it: 1e999 is a number of JSON,
and what Helm keeps is compressed."""


def ordered(what: Callable[[], object], begun: Callable[[], bool], unasked: str, whose: str) -> int:
    """Do what is ordered to its end; the exit status. What stood against it is told.

    `unasked` says what it means where a program brought no answer, `whose` answers are read.
    """
    try:
        what()
    except Ended as end:
        say(f"@why {end.why}")
        return end.status
    except ODD as odd:
        say(f"@why {whose} answer is an odd one ({type(odd).__name__})")
        return LEFT if begun() else REFUSED
    except (Silent, OSError) as silent:
        say(f"@why {unasked}: {silent}")
        return LEFT if begun() else REFUSED
    say("it stands")
    return 0


def read(text: str | bytes) -> Json:
    """What Helm, kubectl or Docker said as JSON; raises ValueError, also for what goes too deep."""
    try:
        found: Json = json.loads(text)
    except RecursionError as error:
        raise ValueError("the answer goes too deep") from error
    return found


def say(text: str) -> None:
    """A line for whoever watches."""
    print(clean(text), flush=True)


def clean(text: object) -> str:
    """One line, without what a terminal would obey; an ellipsis says where it was cut."""
    line = "".join(sign if sign.isprintable() else " " for sign in str(text or "")[: LONGEST + 1])
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 2]} …"


def digest(template: Json) -> str:
    """What tells a pod template from every other."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()


def owned(thing: Json) -> dict[str, str]:
    """The marks by which owners know it."""
    meta = thing["metadata"]
    every = {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}
    ours = ("meta.helm.sh/", "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/",
            "helm.toolkit.fluxcd.io/", "app.kubernetes.io/managed-by")  # fmt: skip
    return {key: str(value) for key, value in sorted(every.items()) if key.startswith(ours)}


def answer(argv: list[str], name: str, *, seconds: float, stdin: str | None = None) -> str:
    """What a program answers that is called so; raises Silent with its own words."""
    with tempfile.TemporaryFile() as given:
        given.write((stdin or "").encode())
        given.seek(0)
        try:
            process = subprocess.Popen(
                argv, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise Silent(f"{argv[0]} cannot be started: {error.strerror}") from error
    try:
        out, err = _said(process, name, time.monotonic() + seconds)
        status = process.wait(timeout=seconds)
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise Silent(f"{name} did not end within {seconds:g} s") from error
    finally:
        process.kill()
        process.wait()
        for stream in _ways_of(process):
            stream.close()
    if status != 0:
        lines = [line for line in err.splitlines() if line.strip()]
        raise Silent(clean(lines[-1] if lines else f"{name} ended with {status}"))
    return out


def _ways_of(process: subprocess.Popen[bytes]) -> list[IO[bytes]]:
    return [stream for stream in (process.stdout, process.stderr) if stream is not None]


def _said(process: subprocess.Popen[bytes], name: str, end: float) -> list[str]:
    """What it writes on both ways, up to a bound; whatever it started may hold them open too."""
    said = {stream.fileno(): bytearray() for stream in _ways_of(process)}
    with selectors.DefaultSelector() as ways:
        for descriptor in said:
            ways.register(descriptor, selectors.EVENT_READ)
        while ways.get_map():
            ready = ways.select(max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                piece = os.read(key.fd, 1 << 16)
                said[key.fd] += piece
                if len(said[key.fd]) > MOST_BYTES:
                    raise Silent(f"{name} says more than {MOST_BYTES >> 20} MiB")
                if not piece:
                    ways.unregister(key.fd)
    return [text.decode("utf-8", "replace") for text in said.values()]


class Workload:
    """The workload, as kubectl tells it and changes it."""

    def __init__(self, order: Json) -> None:
        self.order = order
        self.kind, self.name = str(order["kind"]), str(order["name"])
        self.namespace = str(order["namespace"])
        job = "/spec/jobTemplate" if self.kind == "cronjob" else ""
        self.path = f"{job}/spec/template/spec"
        self.begun = False
        """Whether a change was sent: from then on nobody may say that nothing was done."""

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What kubectl answers; raises Silent with its own words."""
        argv = [*self.order["kubectl"], "--namespace", self.namespace, *words]
        return answer(argv, "kubectl", seconds=60, stdin=stdin)

    def read(self) -> Json:
        """The workload as it is."""
        return self._json("get", self.kind, self.name, "--output", "json")

    def read_in_the_end(self) -> Json:
        """The same, of an API that may be away for a while: what was begun must come to an end."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.read()
            except Silent:
                if time.monotonic() > end:
                    raise
                time.sleep(EVERY)

    def _json(self, *words: str) -> Json:
        try:
            found = json.loads(self.kubectl(*words))
        except (ValueError, RecursionError) as error:
            raise Silent("kubectl answers no JSON") from error
        if not isinstance(found, dict):
            raise Silent("kubectl answers no object")
        return found

    def every(self, kind: str, *words: str) -> list[Json]:
        """All objects of a kind that the words choose."""
        return list(self._json("get", kind, *words, "--output", "json").get("items") or ())

    def template(self, thing: Json) -> Json:
        """The pod template of a workload."""
        spec = thing["spec"]
        found = (spec["jobTemplate"]["spec"] if self.kind == "cronjob" else spec)["template"]
        return dict(found)

    def stand(self, thing: Json) -> str:
        """`before` what is ordered, `after` it, or `other`: changed by anybody else."""
        if thing["metadata"].get("uid") != self.order["uid"]:
            return "other"
        template = self.template(thing)
        if digest(template) == self.order["template"]:
            return "before"
        former = self.with_images(template, "to", "from")
        return "after" if former and digest(former) == self.order["template"] else "other"

    def with_images(self, template: Json, old: str, new: str) -> Json | None:
        """The template with its images changed; None where it has not those that should go."""
        made = copy.deepcopy(template)
        for change in self.order["changes"]:
            place = self._place(made, change)
            if place is None or place["image"] != change[old]:
                return None
            place["image"] = change[new]
        return made

    @staticmethod
    def _place(template: Json, change: Json) -> Json | None:
        among = template["spec"].get("initContainers" if change["init"] else "containers") or ()
        return next((one for one in among if one.get("name") == change["container"]), None)

    def change(self, thing: Json, old: str, new: str) -> None:
        """Change the images of the very object that was read, and nothing else of it."""
        meta, template = thing["metadata"], self.template(thing)
        patch: list[Json] = [
            {"op": "test", "path": f"/metadata/{key}", "value": meta[key]}
            for key in ("uid", "resourceVersion")
        ]
        for change in self.order["changes"]:
            key = "initContainers" if change["init"] else "containers"
            names = [one.get("name") for one in template["spec"].get(key) or ()]
            place = f"{self.path}/{key}/{names.index(change['container'])}/image"
            patch.append({"op": "test", "path": place, "value": change[old]})
            patch.append({"op": "replace", "path": place, "value": change[new]})
        self.begun = True
        words = ("patch", self.kind, self.name, "--type=json", "--patch", json.dumps(patch))
        self.kubectl(*words, "--output", "name")

    def changed(self, before: str, old: str, new: str) -> bool:
        """Change it from this stand; False where it is another one by now.

        Its status changes all the time: what was read is read again where only that moved.
        """
        said = ""
        end = time.monotonic() + (PATIENCE if before == "after" else 10.0)
        while time.monotonic() < end:
            try:
                thing = self.read()
                if self.stand(thing) != before:
                    return False
                self.change(thing, old, new)
            except Silent as silent:
                said = str(silent)
                time.sleep(EVERY)
                continue
            return True
        status = NOT_BACK if before == "after" else REFUSED
        raise Ended(status, f"the API did not take the change: {said}")

    def pods(self, thing: Json) -> list[Json]:
        """The pods of the workload's present template; empty where they are not to be told."""
        if self.kind == "cronjob":
            return []
        selector = thing["spec"]["selector"]
        words = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
        for one in selector.get("matchExpressions") or ():
            among = "({})".format(",".join(one.get("values") or ()))
            form = {"In": "{} in " + among, "NotIn": "{} notin " + among, "Exists": "{}",
                    "DoesNotExist": "!{}"}[one["operator"]]  # fmt: skip
            words.append(form.format(one["key"]))
        chosen = f"--selector={','.join(words)}"
        label, value = HASH.get(self.kind, REVISION), self._revision(thing, chosen)
        return [
            pod for pod in self.every("pods", chosen)
            if value and (pod["metadata"].get("labels") or {}).get(label) == value
        ]  # fmt: skip

    def _revision(self, thing: Json, chosen: str) -> str:
        """How the pods of the present template are marked."""
        if self.kind == "statefulset":
            return str((thing.get("status") or {}).get("updateRevision") or "")
        kind = "replicasets" if self.kind == "deployment" else "controllerrevisions"
        uid = thing["metadata"]["uid"]
        owned = [
            one for one in self.every(kind, chosen)
            if any(o.get("uid") == uid for o in one["metadata"].get("ownerReferences") or ())
        ]  # fmt: skip
        newest = max(owned, key=_number, default=None)
        if newest is None:
            return ""
        return str((newest["metadata"].get("labels") or {}).get(HASH.get(self.kind, REVISION), ""))


def _number(one: Json) -> int:
    notes = one["metadata"].get("annotations") or {}
    number = one.get("revision") or notes.get("deployment.kubernetes.io/revision") or 0
    return int(number)
