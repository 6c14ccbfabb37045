"""`sitewright bundle`: make, look inside, verify, cut, join, push, deliver and serve bundles."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.problems import ExitCode, InputProblem
from foundation.wording import are, counted, human_size
from installer.commands.bundle_options import add_bundle_options
from installer.commands.bundle_progress import ProgressLine
from installer.commands.interrupts import in_the_midst
from installer.commands.options import ask_secret, narrator, write_result

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from bundles.format.recipe import Recipe
    from bundles.read.signers import Signer
    from bundles.read.structure import Structure
    from bundles.read.verify import Verified
    from bundles.registries.push import Pushed
    from bundles.sources.snap_store import StoreAddress
    from installer.supply.bundle_order import GivenOut


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright bundle`."""
    add_bundle_options(parser)


def run(options: argparse.Namespace) -> int:
    """Do what is asked; a bundle that is invalid in any way ends with 6."""
    actions: Mapping[str, Callable[[argparse.Namespace], int]] = {
        "create": _create,
        "inspect": _inspect,
        "verify": _verify,
        "check": _check,
        "diff": _diff,
        "split": _split,
        "join": _join,
        "push": _push,
        "deliver": _deliver,
        "serve": _serve,
    }
    return actions[options.action](options)


def _create(options: argparse.Namespace) -> int:
    from bundles.format.lock import load_lock
    from bundles.format.untold import serious, untold_dicts, untold_lines
    from bundles.make.create import CreateOptions, create_bundle
    from bundles.read.archive_write import write_archive
    from bundles.registries.credentials import read_logins
    from installer.commands.bundle_recipe import recipe_of

    recipe, environment, folder = recipe_of(options)
    lock = load_lock(options.lock) if options.lock else None
    recipe = _stated(recipe, options)
    key = _key(options)
    mirrors: dict[str, list[str]] = {}
    for registry, mirror in options.mirror:
        mirrors.setdefault(registry, []).append(mirror)
    line = ProgressLine(quiet=options.quiet)
    made = asyncio.run(
        create_bundle(
            recipe if recipe is not None else _needed(lock).recipe,
            options.output,
            CreateOptions(
                environment=environment or (lock.environment if lock else "default"),
                lock=lock,
                key=key,
                logins=read_logins(),
                mirrors=mirrors,
                plain_http=frozenset(options.plain_http),
                as_podman=options.registries_conf,
                parallel=options.parallel,
                recipe_folder=folder,
                snap_store=_snap_store(options),
            ),
            listener=line.event,
        )
    )
    line.end()
    if options.write_lock:
        write_result(made.lock.as_bytes().decode(), options.write_lock, overwrite=options.overwrite)
    if options.one_file:
        write_archive(options.output, options.one_file, progress=line.bytes)
        line.end()
    structure = made.structure
    result = {
        "schema": "sitewright.bundle-created/1",
        "bundle": str(options.output),
        "index": structure.index_digest,
        "items": len(structure.index.items),
        "size_bytes": structure.size,
        "fetched_bytes": made.fetched,
        "signed": key is not None,
        "untold": untold_dicts(untold := made.lock.all_untold),
    }
    text = (
        f"{options.output}: {counted(len(structure.index.items), 'item')}, "
        f"{human_size(structure.size)}, "
        f"{'signed' if key else 'NOT signed (no --key)'}\n"
        f"index {structure.index_digest}"
    )
    first = _first_look(structure) if key is not None else []
    _tell(options, result, "\n".join([text, *first, *untold_lines(untold)]))
    return ExitCode.NOT_READY if options.strict and serious(untold) else ExitCode.DONE


def _stated(recipe: Recipe | None, options: argparse.Namespace) -> Recipe | None:
    """The recipe with what is said of this very bundle; InputProblem beside a lock."""
    said = {
        name: value
        for name in ("counter", "maintained_until")
        if (value := getattr(options, name)) is not None
    }
    if said and recipe is None:
        raise InputProblem(
            "the same bundle again has the same counter and the same last day",
            where="--lock",
            remedy="Leave both out, or make a new bundle without --lock.",
        )
    return recipe.model_copy(update=said) if said and recipe is not None else recipe


def _first_look(structure: Structure) -> list[str]:
    """How a machine that has nothing but a shell looks at the bundle before it runs anything."""
    from bundles.format.layout import INSTALL_NAME, is_install_script

    if not any(is_install_script(item) for item in structure.index.items):
        return []
    verify = "-f SIGNERS -I NAME -n sitewright-bundle -s index.json.sig < index.json"
    hashed = '"\\"sha256:$(sha256sum < install.sh | cut -c 1-64)\\""'
    return [
        f"Before {INSTALL_NAME} is run on a machine that has only a shell, in the bundle's folder:",
        f"  ssh-keygen -Y verify {verify}",
        f"  grep -A 4 {hashed} index.json | grep '\"install.sh\"'",
    ]


def _inspect(options: argparse.Namespace) -> int:
    from bundles.format.contents import contents_dict, contents_text, sbom
    from bundles.read.age import looked_after
    from bundles.read.opened import open_bundle
    from bundles.read.structure import read_structure
    from bundles.read.verify import check_signature

    with open_bundle(options.bundle) as bundle:
        signer = check_signature(bundle, _signers(options))
        structure = read_structure(bundle)
    if options.sbom:
        write_result(sbom(structure.index).decode(), options.output, overwrite=options.overwrite)
    elif options.format == "json":
        value = contents_dict(structure.index, structure.index_digest)
        value["signer"] = signer.name if signer else None
        write_result(
            json.dumps(value, indent=2, ensure_ascii=False),
            options.output,
            overwrite=options.overwrite,
        )
    else:
        text = contents_text(structure.index, full=not options.summary)
        if until := looked_after(structure.index.maintained_until):
            text += f"\n{until}\n"
        write_result(f"{text}\n{_signed_by(signer)}", options.output, overwrite=options.overwrite)
    return ExitCode.DONE


def _verify(options: argparse.Namespace) -> int:
    from bundles.format.problems import CorruptBundle
    from bundles.read.age import looked_after
    from bundles.read.verify import verify_bundle

    line = ProgressLine(quiet=options.quiet)
    try:
        found = verify_bundle(
            options.bundle, _signers(options), base=options.base, progress=line.bytes
        )
    except CorruptBundle as problem:
        line.end()
        for wrong in problem.wrong:
            print(wrong, file=sys.stderr)
        raise
    line.end()
    rate = found.bytes_read / max(found.seconds, 1e-6)
    text = (
        f"{options.bundle}: whole; {human_size(found.bytes_read)} in {found.seconds:.1f} s "
        f"({human_size(int(rate))}/s)\n{_signed_by(found.signer)}"
    )
    if until := looked_after(found.structure.index.maintained_until):
        text += f"\n{until}"
    if options.format == "json":
        text = json.dumps(_verified(options.bundle, found), indent=2)
    write_result(text, options.output, overwrite=options.overwrite)
    return ExitCode.DONE


def _check(options: argparse.Namespace) -> int:
    from installer.commands.bundle_check import check

    return check(options, _signers(options))


def _diff(options: argparse.Namespace) -> int:
    from bundles.read.difference import make_difference

    written, left = make_difference(options.bundle, options.have, options.output, _signers(options))
    result = {
        "schema": "sitewright.bundle-difference-made/1",
        "difference": str(options.output),
        "size_bytes": written,
        "left_out_bytes": left,
    }
    text = f"{options.output}: {human_size(written)}; {human_size(left)} are at the site already"
    return _tell(options, result, text)


def _split(options: argparse.Namespace) -> int:
    from bundles.read.verify import verify_bundle
    from bundles.read.volumes import split_bundle

    line = ProgressLine(quiet=options.quiet)
    # What is damaged already must not travel.
    verify_bundle(options.bundle, _signers(options), progress=line.bytes)
    line.end()
    paths = split_bundle(
        options.bundle, options.output, options.size, group=options.group, progress=line.bytes
    )
    line.end()
    result = {"schema": "sitewright.bundle-volumes-made/1", "volumes": [str(p) for p in paths]}
    parity = sum(".volumeP" in path.name for path in paths)
    text = "\n".join(
        [
            *map(str, paths),
            f"{counted(len(paths), 'volume')}, {parity} of them parity: carry all of them",
        ]
    )
    return _tell(options, result, text)


def _join(options: argparse.Namespace) -> int:
    from bundles.read.difference import join_difference
    from bundles.read.verify import verify_bundle
    from bundles.read.volumes import join_volumes

    line = ProgressLine(quiet=options.quiet)
    signers = _signers(options)
    repaired: tuple[str, ...] = ()
    if options.base is not None:
        if len(options.parts) != 1:
            raise InputProblem("one difference is joined with its base", where="--base")
        found = join_difference(options.parts[0], options.base, options.output, signers)
    else:
        repaired = join_volumes(options.parts, options.output, progress=line.bytes)
        line.end()
        try:
            found = verify_bundle(options.output, signers, progress=line.bytes)
        except BaseException:
            # What cannot be verified must not lie there as if it could be used.
            options.output.unlink(missing_ok=True)
            raise
    line.end()
    result = _verified(options.output, found) | {"repaired": list(repaired)}
    text = "\n".join([*repaired, f"{options.output}: whole", _signed_by(found.signer)])
    return _tell(options, result, text)


def _push(options: argparse.Namespace) -> int:
    line = ProgressLine(quiet=options.quiet)
    signers = _signers(options)
    from bundles.read.verify import verify_bundle
    from installer.supply.bundle_order import GivenOut

    verified = verify_bundle(options.bundle, signers, progress=line.bytes)
    line.end()
    target = options.target.rstrip("/").lower()
    order = GivenOut(
        verified, f"pushed to {target}", f"the one that was pushed from here to {target} before",
        allow_older=options.allow_older,
    )  # fmt: skip
    say = narrator(options)
    with in_the_midst(
        "what the registry has taken stays there",
        again="The same command goes on where this one was.",
    ):
        pushed = asyncio.run(_pushed(options, verified, say, order))
    result = {
        "schema": "sitewright.bundle-pushed/1",
        "images": [
            {
                "name": p.item.name,
                "target": str(p.target),
                "digest": p.item.digest,
                "sent": p.sent,
                "read_back": p.read_back,
            }
            for p in pushed
        ],
    }
    sent = sum(p.sent for p in pushed)
    left = len(verified.structure.index.items) - len(pushed)
    text = f"{counted(len(pushed), 'item')} pushed (images and charts), {human_size(sent)} sent" + (
        f"; {counted(left, 'other item')} {are(left)} for no registry" if left else ""
    )
    unread = sum(not p.read_back for p in pushed)
    if unread:
        text += (
            f"\nOf {unread} of them the registry was not asked whether it has them: this login may "
            "push and not pull."
        )
    return _tell(options, result, text)


def _deliver(options: argparse.Namespace) -> int:
    from installer.commands.bundle_deliver import deliver

    return deliver(options, _signers(options), ProgressLine(quiet=options.quiet))


def _serve(options: argparse.Namespace) -> int:
    from installer.commands.bundle_serve import serve

    return serve(options, _signers(options), ProgressLine(quiet=options.quiet))


async def _pushed(
    options: argparse.Namespace, verified: Verified, say: Callable[[str], None], order: GivenOut
) -> list[Any]:
    from bundles.read.opened import open_bundle
    from bundles.registries.credentials import read_logins
    from bundles.registries.push import push_bundle
    from bundles.registries.registry import Registries
    from bundles.registries.web import Web

    def done(one: Pushed) -> None:
        order.begun()  # what was refused at the login is nothing that the registry has
        say(f"{one.target}")

    async with Web(parallel=options.parallel) as web:
        registries = Registries(web, logins=read_logins(), plain_http=frozenset(options.plain_http))
        with open_bundle(options.bundle) as bundle:
            return await push_bundle(
                bundle,
                verified.structure.index.items,
                options.target,
                registries,
                keep_registry=options.keep_registry,
                parallel=options.parallel,
                done=done,
            )


def _snap_store(options: argparse.Namespace) -> StoreAddress | None:
    if not options.snap_store:
        return None
    from bundles.sources.snap_store import StoreAddress

    return StoreAddress(options.snap_store)


def _needed(lock: Any) -> Any:
    assert lock is not None  # noqa: S101 - the parser asks for one of three
    return lock


def _key(options: argparse.Namespace) -> Ed25519PrivateKey | None:
    if options.key is None:
        return None
    from bundles.read.signature import load_signing_key
    from foundation.secrets import secret_from_environment, secret_from_file

    if options.passphrase_file:
        passphrase = secret_from_file(options.passphrase_file)
    elif options.ask_passphrase:
        passphrase = ask_secret("Passphrase of the signing key: ")
    else:
        return load_signing_key(options.key, secret_from_environment("SITEWRIGHT_PASSPHRASE"))
    return load_signing_key(options.key, passphrase)


def _signers(options: argparse.Namespace) -> tuple[Signer, ...]:
    from bundles.read.signers import read_signers
    from foundation.paths import config_folder

    own = config_folder() / "allowed_signers"
    file: Path | None = options.keys or (own if own.exists() else None)
    return read_signers(file, told=narrator(options)) if file else ()


def _signed_by(signer: Signer | None) -> str:
    if signer is None:
        return "signature: NOT checked, since no keys were given (--keys FILE)"
    return f"signature: good, by {signer.name}"


def _verified(path: Path, found: Verified) -> dict[str, Any]:
    return {
        "schema": "sitewright.bundle-verified/1",
        "bundle": str(path),
        "index": found.structure.index_digest,
        "items": len(found.structure.index.items),
        "size_bytes": found.structure.size,
        "seconds": round(found.seconds, 3),
        "signer": found.signer.name if found.signer else None,
    }


def _tell(options: argparse.Namespace, result: dict[str, Any], text: str) -> int:
    write_result(json.dumps(result, indent=2) if options.format == "json" else text, None)
    return ExitCode.DONE
