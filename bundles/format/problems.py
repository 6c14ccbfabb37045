"""What can be wrong with a bundle, and with a place that a bundle is made from."""

from __future__ import annotations

from collections.abc import Sequence

from foundation.problems import ExitCode, Problem


class BundleProblem(Problem):
    """A bundle that may not be used: nothing of the item that is named has been used."""

    code = "bundle"
    title = "The bundle is invalid"
    exit_code = ExitCode.BUNDLE_INVALID
    default_remedy = "Copy the bundle again from where it was made, and verify it there as well."


class SignatureProblem(BundleProblem):
    """A signature that is missing, broken, or of somebody whom this site does not trust."""

    code = "bundle-signature"
    title = "The bundle's signature is not good"
    default_remedy = (
        "Do not use this bundle. Ask its maker for it again, and for the public key over another "
        "way than the bundle's."
    )


class HostileBundle(BundleProblem):
    """A bundle whose form no bundle of ours has: links, devices, foreign paths, size bombs."""

    code = "bundle-form"
    title = "The bundle does not have the form of a bundle"
    default_remedy = "Do not use it; find out who made it, and copy it again from its maker."


class CorruptBundle(BundleProblem):
    """A bundle in which bytes differ from what its index states; `wrong` lists every place."""

    code = "bundle-corrupt"
    title = "The bundle is damaged"

    def __init__(
        self,
        cause: str,
        *,
        wrong: Sequence[str] = (),
        where: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(cause, where=where, remedy=remedy)
        self.wrong = tuple(wrong)


class WrongContent(BundleProblem):
    """Something that was fetched and is not what its pin says."""

    code = "bundle-content"
    title = "What was fetched is not what was pinned"
    default_remedy = (
        "Nothing of it was kept. If the maker published something new under the old name, check "
        "it and change the pin; if not, somebody changed it on the way."
    )


class SourceProblem(Problem):
    """A registry, a mirror or a site from which something cannot be had."""

    code = "source"
    title = "Something for the bundle cannot be fetched"
    exit_code = ExitCode.UNREACHABLE
    default_remedy = (
        "Mend the cause and run the same command again: what is already there is not fetched twice."
    )


class NotGiven(SourceProblem):
    """A registry says that there is no such thing, or that we may not have it (401, 403, 404).

    Registries answer both in the same way, so that nobody learns which private names there are.
    """

    code = "source-not-given"


class NoConnection(SourceProblem):
    """A server to which no connection can be made: whatever else is asked of it waits in vain."""

    code = "source-no-connection"


class NoToken(SourceProblem):
    """A registry's token server that does not give what the registry wants shown."""

    code = "source-no-token"


class Limited(SourceProblem):
    """A server that asks to wait longer than it is waited for; `seconds` is what it asked."""

    code = "source-limited"

    def __init__(
        self, cause: str, *, seconds: float, where: str | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(cause, where=where, remedy=remedy)
        self.seconds = seconds
