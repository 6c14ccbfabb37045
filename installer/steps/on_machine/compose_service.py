"""Brings one service of a Compose project to another image, watches it, and takes it back.

compose_service.py JSON, on a machine with Docker: see `Service`. It lives on where nobody watches:
a service that does not stand is taken back to the very image that ran, though whoever began it
closed the laptop.

The image is pulled by its digest first, while the former one runs. What the files come to is asked
of Compose before any of them is changed: this one image, and nothing besides.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from installer.steps.on_machine.compose_files import (
    HEAD,
    Json,
    has_variable,
    override_of,
    variable_of,
    with_image,
    with_variable,
)
from installer.steps.on_machine.kube import (
    BACK,
    CHANGED,
    EVERY,
    LEFT,
    LOG_LINES,
    NOT_BACK,
    ODD,
    PATIENCE,
    REFUSED,
    Ended,
    Silent,
    answer,
    clean,
    ordered,
    read,
    say,
)

LOOK_SECONDS = 120.0
CHANGE_SECONDS = 600.0
PULL_SECONDS = 7200.0
MOST_RESTARTS = 3
STATE = "/var/lib/sitewright"
CONTAINER = (
    '{"name":{{json .Name}},"image":{{json .Image}},"asked":{{json .Config.Image}},'
    '"status":{{json .State.Status}},"code":{{json .State.ExitCode}},'
    '"health":{{if .State.Health}}{{json .State.Health.Status}}{{else}}""{{end}},'
    '"restarts":{{json .RestartCount}},"started":{{json .State.StartedAt}}}'
)


class Service:
    """One service, as it is ordered: project, directory, files, env_files, profiles, service;
    before and after (images), former (the id of what runs), pinned (before, with its digest, or
    ""), containers, seconds, settle, unhealthy, migrates, back."""

    def __init__(self, order: Json) -> None:
        self.order = order
        self.begun = False
        self.files: list[str] = [str(one) for one in order["files"]]
        self.env_files: list[str] = [str(one) for one in order["env_files"]]
        self.profiles: list[str] | None = order["profiles"]

    @property
    def name(self) -> str:
        """The service's own name."""
        return str(self.order["service"])

    def docker(self, *words: str, seconds: float = LOOK_SECONDS) -> str:
        """What Docker answers; raises Silent with its last line."""
        return answer(["docker", *words], f"docker {words[0]}", seconds=seconds)

    def compose(
        self, files: list[str], env_files: list[str], *words: str, seconds: float = LOOK_SECONDS
    ) -> str:
        """What Compose answers of the project as some files make it."""
        order = self.order
        told = ["compose", "--project-name", order["project"], "--project-directory",
                order["directory"]]  # fmt: skip
        for option, values in (("--file", files), ("--env-file", env_files),
                               ("--profile", self.profiles or [])):  # fmt: skip
            for value in values:
                told += [option, value]
        return self.docker(*told, *words, seconds=seconds)

    def config(self, files: list[str], env_files: list[str], *words: str) -> Json:
        """What the files come to."""
        found: Any = read(self.compose(files, env_files, "config", *words, "--format", "json"))
        if not isinstance(found, dict) or not isinstance(found.get("services"), dict):
            raise Silent("docker compose config tells no services")
        return found

    def image_of(self, config: Json) -> str:
        """The image that the project has for the service."""
        return str((config["services"].get(self.name) or {}).get("image") or "")

    def id_of(self, image: str) -> str:
        """The machine's own name of an image; "" for one that is not there."""
        try:
            return self.docker("image", "inspect", "--format", "{{.Id}}", image).strip()
        except Silent as silent:
            if "o such image" in str(silent):
                return ""
            raise

    def containers(self) -> list[Json]:
        """Its containers as they are now."""
        label = "label=com.docker.compose"
        ids = self.docker(
            "ps", "--all", "--quiet", "--no-trunc",
            "--filter", f"{label}.project={self.order['project']}",
            "--filter", f"{label}.service={self.name}", "--filter", f"{label}.oneoff=False",
        ).split()  # fmt: skip
        if not ids:
            return []
        told = self.docker("inspect", "--type", "container", "--format", CONTAINER, *ids)
        return [read(line) for line in told.splitlines() if line.strip()]

    def up(self) -> None:
        """Bring this one service to what the files say now; raises Silent."""
        many = int(self.order["containers"])
        scale = ["--scale", f"{self.name}={many}"] if many > 1 else []
        self.compose(
            self.files, self.env_files, "up", "--detach", "--no-deps", "--no-build",
            "--pull", "never", *scale, self.name, seconds=CHANGE_SECONDS,
        )  # fmt: skip

    @property
    def kept(self) -> str:
        """Where it is written down what a file was before."""
        folder = Path(os.environ.get("SITEWRIGHT_STATE") or STATE, "updates")
        return str(folder / f"{self.order['project']}.{self.name}.json")


def text_of(path: str) -> str | None:
    """A file's text; None where there is none."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def put(path: str, text: str, *, like: str = "", mode: int = 0o644) -> None:
    """Write a file whole, with the rights and the owner of another one where that is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if like and Path(like).exists():
        there = Path(like).stat()
        Path(path).chmod(there.st_mode & 0o7777)
        os.chown(path, there.st_uid, there.st_gid)


def put_whole(path: str, text: str, *, mode: int = 0o644) -> None:
    """Have a file be its new text at once, or stay as it was."""
    new = f"{path}.sitewright-new"
    put(new, text, like=path, mode=mode)
    Path(new).replace(path)


class Way:
    """One file by which the image can be said, and what it would come to."""

    def __init__(self, path: str, variable: str = "", before: str = "") -> None:
        self.path, self.variable, self.before = path, variable, before

    def text(self, former: str | None, service: str, image: str) -> str:
        """The file with another image."""
        if self.variable:
            return with_variable(former or "", self.variable, image.removeprefix(self.before))
        return with_image(HEAD if former is None else former, service, image)

    def files(self, service: Service, path: str) -> tuple[list[str], list[str]]:
        """The files of the project, with another one in the place of this."""
        if self.variable:
            every = service.env_files or [self.path]
            return service.files, [path if one == self.path else one for one in every]
        if self.path in service.files:
            return [path if one == self.path else one for one in service.files], service.env_files
        return [*service.files, path], service.env_files


def ways_of(service: Service) -> list[Way]:
    """The files that may say the image, the one first that does."""
    plain: Json = {}
    override = override_of(service.files)
    found = [Way(override)] if override else []
    try:
        plain = service.config(service.files, service.env_files, "--no-interpolate")
    except (Silent, ValueError):
        return found
    named = variable_of(plain, service.name, str(service.order["after"]))
    env = [*service.env_files, str(Path(service.order["directory"], ".env"))][0]
    if named is None or len(service.env_files) > 1:
        return found
    text = text_of(env)
    if text is None or not has_variable(text, named[0]):
        return found
    way = Way(env, *named)
    return [*found, way] if override and text_of(override) is not None else [way, *found]


def proven(service: Service, way: Way, config: Json) -> tuple[str | None, str]:
    """A file before and after, where the project comes to this one image; raises Silent."""
    former = text_of(way.path)
    text = way.text(former, service.name, str(service.order["after"]))
    tried = f"{way.path}.sitewright-tried"
    try:
        put(tried, text, like=way.path, mode=0o600)
        then = service.config(*way.files(service, tried))
    finally:
        Path(tried).unlink(missing_ok=True)
    wanted = copy.deepcopy(config)
    wanted["services"][service.name]["image"] = service.order["after"]
    if then != wanted:
        raise Silent(f"{way.path} would change more than the image of {service.name}, or not it")
    return former, text


def pulled(service: Service) -> str:
    """Have the image on the machine; its id. Raises Ended where it cannot be had."""
    after = str(service.order["after"])
    if found := service.id_of(after):
        return found
    say(f"pulling {after}")
    try:
        service.docker("pull", "--quiet", after, seconds=PULL_SECONDS)
    except Silent as silent:
        raise Ended(REFUSED, f"{after} cannot be had: {silent}; nothing was changed") from silent
    found = service.id_of(after)
    if not found:
        raise Ended(REFUSED, f"{after} was pulled and is not there; nothing was changed")
    return found


def brought(service: Service) -> None:
    """Bring it to the new image and watch it; raises Ended, and Silent where nothing was done."""
    order = service.order
    if service.profiles is None:
        service.profiles = service.compose(
            service.files, service.env_files, "config", "--profiles"
        ).split()
    there = service.containers()
    record = text_of(service.kept)
    ours = read(record) if record is not None else {}
    again = ours.get("after") == order["after"] and text_of(ours["path"]) == ours["text"]
    if not again and [one["image"] for one in there] != [order["former"]] * order["containers"]:
        raise Ended(CHANGED, "its containers changed since the list was made; nothing was done")
    new = pulled(service)
    if not again:
        keep(service)
    service.begun = True
    say(f"{service.name}: {order['before']} -> {order['after']}")
    path = read(text_of(service.kept) or "{}")["path"]
    if path not in [*service.files, *service.env_files] and not path.endswith(".env"):
        service.files.append(path)
    try:
        service.up()
        why = until_it_stands(service, new)
    except Silent as silent:
        why = f"docker compose up says no: {silent}"
    if not why:
        return
    say(why)
    show(service)
    if order.get("migrates"):
        left = f"{order['migrates']} may have changed its data, so the former image is not put back"
        raise Ended(LEFT, f"{why}; {left}")
    taken_back(service, why)


def with_ours(service: Service, config: Json) -> Json:
    """What the files come to with the override that we wrote for another service of the project.

    It came after this service's containers, which do not name it. Nothing but other services may
    differ by it; else it stays out, and what it changes is told where the image is said.
    """
    override = override_of(service.files)
    if not override or override in service.files:
        return config
    if not (text_of(override) or "").startswith(HEAD):
        return config
    files = [*service.files, override]
    found = service.config(files, service.env_files)
    if {**found, "services": None} != {**config, "services": None}:
        return config
    if found["services"].get(service.name) != config["services"].get(service.name):
        return config
    service.files = files
    return found


def keep(service: Service) -> None:
    """Change the file that says the image, and write down what it was; raises Ended."""
    order = service.order
    config = with_ours(service, service.config(service.files, service.env_files))
    if service.image_of(config) != order["before"]:
        raise Ended(
            CHANGED,
            f"its files say {clean(service.image_of(config))} by now, and {order['before']} runs; "
            "nothing was done",
        )
    said = []
    for way in ways_of(service):
        try:
            former, text = proven(service, way, config)
        except (Silent, OSError, ValueError) as odd:
            said.append(str(odd))
            continue
        note = {"path": way.path, "former": former, "text": text, "after": order["after"],
                "variable": way.variable, "before": way.before, "image": order["before"],
                "id": order["former"]}  # fmt: skip
        Path(service.kept).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A .env may hold passwords.
        put_whole(service.kept, json.dumps(note), mode=0o600)
        put_whole(way.path, text)
        say(f"{way.path} says it from now on")
        return
    why = "; ".join(said) or (
        "no file beside the vendor's is read by Compose, and its name is taken from no .env alone: "
        "bring the project up with an override as its last file (docker compose -f FILE -f "
        "OVERRIDE up), then make the list anew"
    )
    raise Ended(REFUSED, f"the image cannot be said so: {why}; nothing was changed")


def taken_back(service: Service, why: str) -> NoReturn:
    """Put the former file back and wait until the former image stands; raises Ended."""
    note = read(text_of(service.kept) or "{}")
    if text_of(note["path"]) != note["text"]:
        raise Ended(LEFT, f"{why}; somebody else changed {note['path']} meanwhile, so it was left")
    try:
        restore(service, note)
        say("the former image is put back")
        again = back_to(service, str(note["id"]))
    except (Silent, OSError) as odd:
        raise Ended(NOT_BACK, f"{why}; how it stands now is not known: {odd}") from odd
    if again:
        show(service)
        raise Ended(NOT_BACK, f"{why}; its former image is back, and {again}")
    Path(service.kept).unlink()
    raise Ended(BACK, f"{why}; its former image is back, to the byte, and it stands")


def restore(service: Service, note: Json) -> None:
    """Have the file say the former image again: as it was, or by its digest where its tag moved."""
    way, former = Way(note["path"], note["variable"], note["before"]), note["former"]
    text = former
    if service.id_of(str(note["image"])) != note["id"]:
        pinned = str(service.order.get("pinned") or "")
        if not pinned or service.id_of(pinned) != note["id"]:
            raise Silent(f"{note['image']} leads to another image on this machine than ran before")
        text = way.text(former, service.name, pinned)
    if text is None:
        service.files = [one for one in service.files if one != way.path]
        Path(way.path).unlink()
    else:
        put_whole(way.path, text)


def back_to(service: Service, image_id: str) -> str:
    """Bring it up with the former image, asked again for a while where Docker is silent."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            service.up()
            break
        except Silent as silent:
            if time.monotonic() > end:
                raise
            say(f"docker compose up says no, and is asked again: {silent}")
            time.sleep(EVERY)
    return until_it_stands(service, image_id)


def put_back(service: Service) -> None:
    """Take back what was brought: for an undo of a person; raises Ended."""
    note = read(text_of(service.kept) or "{}")
    if not note or text_of(note["path"]) != note["text"]:
        raise Ended(CHANGED, "what says its image was changed since; nothing was done")
    if service.profiles is None:
        service.profiles = service.compose(
            service.files, service.env_files, "config", "--profiles"
        ).split()
    if note["path"] not in service.files and not note["variable"]:
        service.files.append(note["path"])
    service.begun = True
    restore(service, note)
    if why := back_to(service, str(note["id"])):
        show(service)
        raise Ended(NOT_BACK, f"its former image is back, and {why}")
    Path(service.kept).unlink()


def until_it_stands(service: Service, image_id: str) -> str:
    """Why it does not stand; "" where all its containers run that image, and do so for a while."""
    order = service.order
    end, since, sick, words = (
        time.monotonic() + float(order["seconds"]),
        0.0,
        0.0,
        "nothing is seen",
    )
    told, starts = "", ""
    while time.monotonic() < end:
        time.sleep(EVERY)
        try:
            there = service.containers()
            if any(one["image"] != image_id for one in there):
                words, since = "not all its containers run the new image", 0.0
                continue
            hopeless, waits, ill = judged(there, int(order["containers"]))
        except (Silent, *ODD) as odd:
            words, since = f"Docker does not answer: {odd}", 0.0
            continue
        now, words = time.monotonic(), waits or "all run"
        if words != told:
            say(words)
            told = words
        if hopeless:
            return hopeless
        sick = (sick or now) if ill else 0.0
        if ill and now - sick >= float(order["unhealthy"]):
            return ill
        begun = json.dumps([[one["name"], one["started"]] for one in there])
        if waits or ill or begun != starts:
            since, starts = now, begun
        if not waits and not ill and now - since >= float(order["settle"]):
            return ""
    return f"after {order['seconds']} s it does not stand: {words}"


def judged(there: list[Json], wanted: int) -> tuple[str, str, str]:
    """What no waiting mends, what is waited for, and what is ill and may get well."""
    waits, ill = "", ""
    for one in there:
        name = clean(str(one["name"]).lstrip("/"))
        status, health, restarts = one["status"], one["health"], int(one["restarts"])
        ended = f"it ends again and again, last with {one['code']}"
        if restarts >= MOST_RESTARTS:
            return f"{name}: {ended}", "", ""
        if status == "exited":
            return f"{name}: it ended with {one['code']}", "", ""
        if status in ("paused", "dead", "removing"):
            return f"{name}: it is {status}", "", ""
        if status != "running":
            waits = waits or f"{name} is {clean(status)}"
        elif health == "starting":
            waits = waits or f"{name} is not healthy yet"
        elif health == "unhealthy":
            ill = ill or f"{name}: its health check says no"
    if len(there) < wanted:
        waits = f"{len(there)} of {wanted} containers are there"
    return "", waits, ill


def show(service: Service) -> None:
    """The last log lines of what does not stand, and the last word of its health check."""
    health = "{{if .State.Health}}{{range .State.Health.Log}}{{.Output}}{{end}}{{else}}{{end}}"
    try:
        for one in service.containers():
            name = str(one["name"]).lstrip("/")
            both = 'docker logs --tail "$1" "$2" 2>&1'
            argv = ["sh", "-c", both, "sh", str(LOG_LINES), name]
            for line in answer(argv, "docker logs", seconds=LOOK_SECONDS).splitlines()[-LOG_LINES:]:
                say(f"{service.name}: {line}")
            if one["health"] == "unhealthy":
                said = service.docker("inspect", "--type", "container", "--format", health, name)
                for line in [line for line in said.splitlines() if line.strip()][-2:]:
                    say(f"{service.name}, its health check: {line}")
    except (Silent, *ODD) as odd:
        say(f"what it says of itself could not be read: {odd}")


def main(words: list[str]) -> int:
    """What is ordered, to its end; the exit status."""
    service = Service(read(words[0]))
    act = put_back if service.order.get("back") else brought
    return ordered(
        lambda: act(service), lambda: bool(service.begun), "it could not be done", "Docker's"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
