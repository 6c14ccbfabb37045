"""Making a bundle: everything that a recipe names, fetched in parallel, into one folder.

It can be interrupted at any moment and run again: whole blobs stay, broken-off downloads go on,
and lines of the recipe that were finished are not asked for again. The index is written last, so
a folder without one is not a bundle yet.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bundles.format.contents import sbom
from bundles.format.layout import (
    INDEX_NAME,
    INSTALL_NAME,
    LAYOUT_NAME,
    LAYOUT_TEXT,
    SIGNATURE_NAME,
    BundleIndex,
    Item,
    is_install_script,
)
from bundles.format.lock import LOCK_RECORD, Gathered, Lock, make_lock
from bundles.format.problems import HostileBundle, SourceProblem
from bundles.format.progress import Event, Tracker
from bundles.format.recipe import (
    ChartWanted,
    DebsWanted,
    FileWanted,
    GitWanted,
    ImageWanted,
    Recipe,
    SitewrightWanted,
    SnapWanted,
    Wanted,
    WheelsWanted,
    with_login,
    without_logins,
)
from bundles.format.strict_json import digest_of
from bundles.read.folder import DIFFERENCE_NAME
from bundles.read.opened import open_bundle
from bundles.read.signature import sign
from bundles.read.store import Store, cannot_write
from bundles.read.structure import Structure, read_structure
from bundles.registries.credentials import Login, Logins
from bundles.registries.registry import Registries
from bundles.registries.web import Patience, Web
from bundles.sources.renderers import Renderers
from bundles.sources.workshop import Locked, Workshop
from foundation.moments import moment
from foundation.problems import InputProblem, Problem, Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from bundles.sources.snap_store import StoreAddress

_Gather = Callable[[Workshop, Any, Locked], Awaitable[list[Item]]]
_SOURCES: Final[Mapping[type[Wanted], tuple[str, str]]] = {
    ImageWanted: ("images", "gather_image"),
    ChartWanted: ("charts", "gather_chart"),
    DebsWanted: ("debs", "gather_debs"),
    SnapWanted: ("snaps", "gather_snap"),
    WheelsWanted: ("wheels", "gather_wheels"),
    GitWanted: ("git", "gather_git"),
    FileWanted: ("files", "gather_file"),
    SitewrightWanted: ("sitewright", "gather_sitewright"),
}

RECORDS: Final = ("recipe.json", LOCK_RECORD, "sbom.spdx.json")


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """How a bundle is made."""

    environment: str = "default"
    lock: Lock | None = None
    key: Ed25519PrivateKey | None = None
    logins: Mapping[str, Login] | Logins = field(default_factory=dict)
    mirrors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    plain_http: frozenset[str] = frozenset()
    as_podman: bool = False
    """Whether images are asked for where this machine's registries.conf leads."""
    parallel: int = 6
    patience: Patience = field(default_factory=Patience)
    snap_store: StoreAddress | None = None
    """Another store than Canonical's own address."""
    programs: str | None = None
    """The folders in which Helm and Kustomize are looked for; None: those of the maker's path."""
    recipe_folder: Path = field(default_factory=Path.cwd)
    """The folder from which the recipe names keyrings."""
    created: str | None = None
    """The moment that the bundle states (ISO 8601, UTC); without: SOURCE_DATE_EPOCH or now."""


@dataclass(frozen=True, slots=True)
class Created:
    """A finished bundle."""

    structure: Structure
    lock: Lock
    fetched: int
    """Bytes that came over the network in this run."""


async def create_bundle(
    recipe: Recipe,
    folder: Path,
    options: CreateOptions | None = None,
    *,
    listener: Callable[[Event], None] | None = None,
) -> Created:
    """Make a bundle in a folder, or finish one; raises SourceProblem, WrongContent, InputProblem.

    With a lock, exactly what it names is fetched, and anything else raises WrongContent.
    """
    options = options or CreateOptions()
    # Programs that help run in other folders than this one.
    folder = Path(os.path.abspath(folder))  # noqa: ASYNC240, PTH100 - it asks no disk
    chosen = (options.lock.recipe if options.lock else recipe).for_environment(options.environment)
    _refuse_other_contents(folder)
    store = Store(folder)
    tracker = Tracker(listener)
    with _locked(store):
        web = Web(patience=options.patience, parallel=options.parallel, waiting=tracker.waiting)
        async with web:
            shop = Workshop(
                store=store,
                web=web,
                registries=Registries(
                    web,
                    logins=options.logins,
                    mirrors=options.mirrors,
                    plain_http=options.plain_http,
                    as_podman=options.as_podman,
                ),
                tracker=tracker,
                recipe_folder=options.recipe_folder,
                snap_store=options.snap_store,
                renderers=Renderers(chosen, search=options.programs),
            )
            if options.lock:
                shop.require_space(_still_needed(store, options.lock))
            try:
                gathered = await _gather(shop, chosen, options.lock)
            finally:
                await shop.close()
        created = options.lock.created if options.lock else options.created or _now()
        lock = make_lock(chosen, options.environment, created, gathered)
        _compare(lock, options.lock)
        return await asyncio.to_thread(_finish, shop, chosen, lock, gathered, options)


def _still_needed(store: Store, lock: Lock) -> int:
    """Bytes that a locked bundle will take, without what is there; what two share counts once."""
    contents = {item.content or item.digest: item.content_size for item in lock.items}
    return sum(size for digest, size in contents.items() if not store.has(digest))


async def _gather(shop: Workshop, recipe: Recipe, lock: Lock | None) -> list[Gathered]:
    from bundles.make.drafts import Drafts

    drafts = Drafts(shop.store)
    tracker = shop.tracker
    lines = list({line.key: line for line in recipe.lines}.values())
    tracker.items_total = len(lines)
    tracker.resolving = len(lines)

    async def one(line: Wanted) -> Gathered:
        try:
            kept = drafts.load(line.key)
            if kept is None:
                kept = await _line(shop.for_line(), line, lock)
                drafts.save(kept)
        finally:
            tracker.resolving -= 1
        tracker.item(", ".join(sorted({f"{item.kind} {item.name}" for item in kept.items})[:3]))
        return kept

    answers = await asyncio.gather(*(one(line) for line in lines), return_exceptions=True)
    problems = [answer for answer in answers if isinstance(answer, Problem)]
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, Problem):
            raise answer
    if len(problems) == 1:
        raise problems[0]
    if problems:
        # A wrong hash is graver than a server that is away: its class and exit code count.
        worst = max(problems, key=lambda problem: not isinstance(problem, SourceProblem))
        raise type(worst)(
            f"{len(problems)} of {len(lines)} things are missing: {_by_cause(problems)}"
        )
    return [answer for answer in answers if isinstance(answer, Gathered)]


_PLACES: Final = 12
"""Places that are named of one cause."""


def _by_cause(problems: Sequence[Problem]) -> str:
    """Each cause once, with where it was met: most often one cable is out, and not twelve."""
    places: dict[str, list[str]] = {}
    for problem in problems:
        places.setdefault(problem.cause.rstrip("."), []).append(problem.where or problem.title)
    told = []
    for cause, where in places.items():
        more = f" and {len(where) - _PLACES} more" if len(where) > _PLACES else ""
        told.append(f"{cause}, at {', '.join(where[:_PLACES])}{more}")
    return "; ".join(told)


async def _line(shop: Workshop, line: Wanted, lock: Lock | None) -> Gathered:
    # What a lock pins holds no login; that of its server stands on the line, where one was given.
    said = line.model_dump(mode="json") if lock else {}
    locked = [
        item.model_copy(
            update={"pins": {name: with_login(text, said) for name, text in item.pins.items()}}
        )
        for item in (lock.items_of(line.key) if lock else ())
    ]
    try:
        items = tuple(await _source(line)(shop, line, locked))
    except HostileBundle as problem:
        # Nothing is a bundle yet: what has a foreign form came from a source.
        raise SourceProblem(
            problem.cause,
            where=problem.where,
            remedy="What this place gave is not what it should be. Look at it there, or at a proxy "
            "in between, and run the same command again.",
        ) from problem
    # The same bundle again tells what was told then.
    untold = lock.untold_of(line.key) if lock else tuple(shop.untold)
    # Every site is given the lock and the index: whatever a source pinned, a login is the maker's.
    bare = (replace(item, pins=without_logins(dict(item.pins))) for item in items)
    # Two files may lead to one image: it is one thing, however often it is named.
    once = {(item.identity, item.digest): item for item in bare}
    return Gathered(line.key, tuple(once.values()), untold)


def _source(line: Wanted) -> _Gather:
    # A source is imported when a recipe needs it: most need only one or two of them.
    module, function = _SOURCES[type(line)]
    found: _Gather = getattr(import_module(f"bundles.sources.{module}"), function)
    return found


def _finish(
    shop: Workshop,
    recipe: Recipe,
    lock: Lock,
    gathered: Sequence[Gathered],
    options: CreateOptions,
) -> Created:
    store = shop.store
    items = _distinct(item for one in gathered for item in one.items)
    raw_recipe = recipe.as_bytes()
    index = BundleIndex(
        solution=recipe.solution,
        version=recipe.version,
        environment=options.environment,
        recipe=digest_of(raw_recipe),
        created=lock.created,
        items=tuple(items),
        maintained_until=recipe.maintained_until.isoformat() if recipe.maintained_until else "",
        counter=recipe.counter,
    )
    records = zip(RECORDS, (raw_recipe, lock.as_bytes(), sbom(index)), strict=True)
    for name, raw in records:
        blob = store.add(raw)
        items.append(shop.artifact("record", [(name, blob)], name=name, origin="this bundle"))
    whole = replace(index, items=tuple(items))
    try:
        store.sync()
    except OSError as error:
        raise cannot_write(error, store.root) from error
    raw_index = whole.as_bytes()
    signature = sign(raw_index, options.key) if options.key else None
    _write(store.root, LAYOUT_NAME, LAYOUT_TEXT)
    _write(store.root, SIGNATURE_NAME, signature)
    _write(store.root, DIFFERENCE_NAME, None)
    script = next((item for item in items if is_install_script(item)), None)
    _write(store.root, INSTALL_NAME, store.read(script.content or "") if script else None)
    _write(store.root, INDEX_NAME, raw_index)
    with open_bundle(store.root) as bundle:
        structure = read_structure(bundle)
        for digest, size in structure.blobs.items():
            if bundle.blobs.get(digest) != size:
                raise InputProblem(
                    f"{digest} went missing while the bundle was made", where=str(store.root)
                )
    store.keep_only(structure.blobs)
    return Created(structure, lock, shop.tracker.fetched)


def _distinct(items: Any) -> list[Item]:
    # Two lines may lead to the same thing (a package that two others need): it stands once.
    found: dict[object, Item] = {}
    for item in items:
        other = found.setdefault(item.identity, item)
        if other.digest != item.digest:
            raise InputProblem(
                f"two lines of the recipe ask for different things of one name: "
                f"{item.kind} {item.name} ({other.digest} and {item.digest})"
            )
    return list(found.values())


def _compare(made: Lock, wanted: Lock | None) -> None:
    if wanted is not None:
        once = {item.model_dump_json(): item for item in wanted.items}
        wanted = wanted.model_copy(update={"items": tuple(once.values())})
    if wanted is None or made.as_bytes() == wanted.as_bytes():
        return
    before = {(i.wanted, i.kind, i.name, i.platform): i for i in wanted.items}
    after = {(i.wanted, i.kind, i.name, i.platform): i for i in made.items}
    names = [
        f"{key[1]} {key[2]}" for key in {**before, **after} if before.get(key) != after.get(key)
    ]
    from bundles.format.problems import WrongContent

    raise WrongContent(
        "what came is not what the lock names: " + (", ".join(names[:10]) or "the recipe differs"),
        remedy="Something that the lock names is no longer the same at its source. Keep the "
        "bundle that was made then, or make a new one without the lock.",
    )


def _write(folder: Path, name: str, raw: bytes | None) -> None:
    path = folder / name
    if raw is None:
        path.unlink(missing_ok=True)
        return
    temporary = folder / f".work/{name}"
    # On a medium that somebody else prepared a link may lie there.
    temporary.unlink(missing_ok=True)
    with temporary.open("xb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(0o644)
    temporary.replace(path)


def _now() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    at = moment(int(epoch)) if epoch.isdecimal() and len(epoch) < 19 else None
    if epoch and at is None:
        raise InputProblem(
            "the time that SOURCE_DATE_EPOCH names is none that a calendar has",
            where="SOURCE_DATE_EPOCH",
            remedy="Give it as whole seconds since 1970, or take it away: unset SOURCE_DATE_EPOCH",
        )
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


_OURS: Final = re.compile(
    r"blobs|oci-layout|index\.json(\.sig)?|install\.sh|difference\.json|\.work|lost\+found"
)


def _refuse_other_contents(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputProblem("a bundle is made in a folder, and this is a file", where=str(folder))
    foreign = [entry.name for entry in folder.iterdir() if not _OURS.fullmatch(entry.name)]
    linked = [entry.name for entry in folder.iterdir() if entry.is_symlink()]
    if linked:
        raise InputProblem(
            f"a link lies where a bundle has none: {', '.join(sorted(linked)[:3])}",
            where=str(folder),
            remedy="Name an empty folder; what a link leads to is not written through it.",
        )
    if foreign:
        raise InputProblem(
            f"the folder holds something else: {', '.join(sorted(foreign)[:3])}",
            where=str(folder),
            remedy="Name an empty folder, or one in which a bundle was begun.",
        )


class _locked:  # noqa: N801 - a context like a function
    """Holds the work folder, so that no second run writes there; raises Refused."""

    def __init__(self, store: Store) -> None:
        self._file = (store.work / "lock").open("w")
        self._root = store.root

    def __enter__(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise Refused(
                "another run is making this bundle",
                where=str(self._root),
                remedy="Wait for it, or stop it; or name another folder.",
            ) from error

    def __exit__(self, *details: object) -> None:
        self._file.close()
