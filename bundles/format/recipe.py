"""What a solution needs from outside: the file `bundle.yaml` of a solution's folder.

solution: pm4ml
version: "1.0"
platforms: [linux/amd64]
images:
  - docker.io/library/haproxy:2.8.10
  - {name: quay.io/cephcsi/cephcsi:v3.11.0, digest: "sha256:…", environments: [production]}
charts:
  - {name: velero, repository: https://vmware-tanzu.github.io/helm-charts, version: 7.2.1}
debs:
  - release: noble
    architecture: amd64
    sources: [{url: http://archive.ubuntu.com/ubuntu, suites: [noble, noble-updates]}]
    packages: [haproxy, chrony]
wheels: [{python: "3.12", requirements: [ansible-core==2.18.1]}]
snaps: [{name: microk8s, channel: 1.31/stable}]
git: [{name: environments, url: https://git.example.org/env.git, ref: main}]
files: [{name: kubectl, url: https://dl.k8s.io/…, sha256: …}]
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from bundles.format.layout import Printable, Size
from bundles.format.recipe_filling import Given, fill_in
from bundles.format.recipe_words import (
    PATTERN,
    Digest,
    Form,
    Hash,
    Kind,
    Name,
    Package,
    Pattern,
    Platform,
    Python,
    Ref,
    Requirement,
    SnapName,
    Url,
    Version,
    Word,
)
from bundles.format.reference import parse_reference
from bundles.format.strict_json import canonical_json, digest_of
from foundation.documents import parse_yaml, read_text, validate
from foundation.problems import InputProblem

RECIPE_NAME: Final = "bundle.yaml"


_LOGIN: Final = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<login>[^/?#]*)@", re.I)


_LATER: Final = frozenset({"lfs", "submodules", "operators"})
"""Keys that lines had not at first: where they say nothing, a line is the one that locks name."""


def without_logins(value: Any) -> Any:
    """Plain values in which no address holds a login; the user of an ssh address is no secret.

    A lock is given to every site, and a login is its maker's, also one in the query of an address
    (`?token=…`, a signed URL): it must be given again to fetch the same anew.
    """
    if isinstance(value, str):
        return _QUERY.sub(_without_tokens, _LOGIN.sub(_bare, value))
    if isinstance(value, dict):
        return {name: without_logins(part) for name, part in value.items()}
    return [without_logins(part) for part in value] if isinstance(value, list) else value


def _bare(found: re.Match[str]) -> str:
    user = found["login"].partition(":")[0]
    return found["scheme"] + (f"{user}@" if "ssh" in found["scheme"] and user else "")


_QUERY: Final = re.compile(r"^(?P<before>[a-z][a-z0-9+.-]*://[^?#]*)\?(?P<query>[^#]*)", re.I)
_TOKEN: Final = re.compile(
    r"(?:.*[-_.])?(?:access)?(?:token|key|keyid|sig|signature|secret|pass(?:word|wd)?|pwd|auth"
    r"|authorization|credentials?|session|jwt|code|sas)|x-(?:amz|goog|ms|oss|cos)-.*|awsaccesskeyid"
    r"|googleaccessid|s[eiprvt]|sk[a-z]+|spr|srt?",
    re.I,
)
"""What parameters of an address are called that let somebody in: tokens, and parts of signed URLs
(S3, Google, Azure, Alibaba, Tencent)."""
_OPAQUE: Final = re.compile(
    r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])(?![0-9a-f]+$)[A-Za-z0-9%+/=_.~-]{32,}"
)
"""A long word of letters and digits, and no hash in hexadecimal: whatever it is called."""


def _without_tokens(found: re.Match[str]) -> str:
    kept = [
        part
        for part in found["query"].split("&")
        if not _TOKEN.fullmatch(unquote(part.partition("=")[0]))
        and not _OPAQUE.fullmatch(part.partition("=")[2])
    ]
    return found["before"] + (f"?{'&'.join(kept)}" if kept else "")


def with_login(address: str, values: Any) -> str:
    """An address of a lock with the login that some values of a line have for its very server."""
    if isinstance(values, str):
        login, there = _LOGIN.match(values), _SERVER.match(address)
        own = _SERVER.match(_LOGIN.sub(r"\g<scheme>", values)) if login else None
        if login and own and there and own[0].lower() == there[0].lower():
            return f"{login[0]}{address[login.end('scheme') :]}"
        return address
    parts = values.values() if isinstance(values, dict) else values
    for part in parts if isinstance(values, (dict, list)) else ():
        if (found := with_login(address, part)) != address:
            return found
    return address


_SERVER: Final = re.compile(r"^[a-z][a-z0-9+.-]*://[^/?#@]+(?=[/?#]|$)", re.I)


class Wanted(BaseModel):
    """One line of a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    environments: tuple[Word, ...] = ()
    """Only for these environments; empty: for all."""

    @property
    def key(self) -> str:
        """The digest of what is wanted, under which finished work is kept."""
        said = self.model_dump(mode="json")
        said = {name: value for name, value in said.items() if value or name not in _LATER}
        said = without_logins(said)
        return digest_of(canonical_json([type(self).__name__, said]))


class ImageWanted(Wanted):
    """A container image; the tag is resolved to a digest when the bundle is made."""

    name: Printable
    digest: Digest | None = None
    platforms: tuple[Platform, ...] = ()
    """Instead of the recipe's."""


class ChartWanted(Wanted):
    """A Helm chart of a repository (https://…) or a registry (oci://…)."""

    name: Name
    repository: Url
    version: Version
    sha256: Hash | None = None
    platforms: tuple[Platform, ...] = ()
    """Of those images, instead of the recipe's."""
    images: bool = True
    """Whether the images that its templates and values name are brought as well."""
    values: dict[str, Any] = Field(default_factory=dict)
    """Laid over its own values to find the images, as the site will do."""
    without: tuple[Pattern, ...] = ()
    """Images that it names and this site does without: docker.io/bitnami/*."""
    operators: tuple[Kind, ...] = ()
    """Kinds of objects for which an operator chooses images that stand under `images`."""


_SUITE: Final = re.compile(
    r"/|\./|(?:[A-Za-z0-9][A-Za-z0-9._~+-]*/)*[A-Za-z0-9][A-Za-z0-9._~+-]*/?"
)


def _suite(text: str) -> str:
    if len(text) > 200 or not _SUITE.fullmatch(text):
        raise ValueError(
            f"{text[:60]!r} is no suite: write noble, noble-updates, or for a flat source / or a "
            "path that ends in a slash"
        )
    return text


class AptSource(BaseModel):
    """One package source of apt, whose signature is checked with its keyring.

    A suite that ends in a slash is a flat source (`deb URL /`), which has no components.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    url: Annotated[
        str,
        Form(
            r"^https?://[!-~]{1,500}$",
            "the address of a package source, http:// or https:// (of a PPA: "
            "https://ppa.launchpadcontent.net/OWNER/NAME/ubuntu, and its key as keyring)",
        ),
    ]
    suites: Annotated[
        tuple[Annotated[str, AfterValidator(_suite)], ...], Field(min_length=1, max_length=100)
    ]
    components: tuple[Word, ...] = ("main",)
    keyring: str | None = None
    """A file, named from the recipe's folder; without: that of the distribution in the address."""

    @model_validator(mode="after")
    def _components_where_they_belong(self) -> AptSource:
        flat = [suite.endswith("/") for suite in self.suites]
        if all(flat) and self.components and "components" in self.model_fields_set:
            raise ValueError("a flat source (a suite that ends in a slash) has no components")
        if not all(flat) and not self.components:
            raise ValueError("a source whose suite does not end in a slash has components: [main]")
        return self


class DebsWanted(Wanted):
    """Debian packages with everything that they depend on, for one release."""

    release: Word
    architecture: Word = "amd64"
    sources: Annotated[tuple[AptSource, ...], Field(min_length=1)]
    packages: Annotated[tuple[Package, ...], Field(min_length=1)]
    depends: bool = True
    """Whether what they depend on is brought as well."""


class SnapWanted(Wanted):
    """A snap with its assertions, its base, the providers of its content, and snapd."""

    name: SnapName
    channel: Annotated[
        str,
        Form(r"^[a-zA-Z0-9._/-]{1,80}$", "a channel of the snap store, as 1.31/stable"),
    ] = "latest/stable"
    architecture: Word = "amd64"
    """As Debian names it."""
    revision: Annotated[int, Field(ge=1)] | None = None
    """Exactly this one, whatever the channel holds now."""
    needs: bool = True
    """Whether what it stands on is brought as well."""
    beside: tuple[SnapName, ...] = ()
    """Snaps that other lines bring; filled in when the bundle is made."""


class WheelsWanted(Wanted):
    """Python packages with everything that they depend on, as wheels, for one Python."""

    python: Python = "3.12"
    platforms: tuple[Word, ...] = ("manylinux2014_x86_64", "manylinux_2_28_x86_64")
    requirements: Annotated[tuple[Requirement, ...], Field(min_length=1)]


class GitWanted(Wanted):
    """A Git repository at a branch or a tag, with its history."""

    name: Name
    url: Url
    ref: Ref = "HEAD"
    """A branch or a tag; refs/heads/NAME or refs/tags/NAME where there are both of one name."""
    commit: (
        Annotated[str, Form(r"^([0-9a-f]{40}|[0-9a-f]{64})$", "the whole name of a commit")] | None
    ) = None
    images: bool = False
    """Whether the images and charts that its manifests name are brought as well."""
    without: tuple[Pattern, ...] = ()
    """Images that they name and this site does without."""
    operators: tuple[Kind, ...] = ()
    """Kinds of objects for which an operator chooses images that stand under `images`."""
    platforms: tuple[Platform, ...] = ()
    """Of those images, instead of the recipe's."""
    lfs: Literal["leave"] | None = None
    """`leave`: its files in Git LFS are left where they are, and only their pointers brought."""
    submodules: Literal["leave"] | None = None
    """`leave`: its submodules are left where they are."""


class FileWanted(Wanted):
    """A plain file with its pinned hash; the addresses are tried in order."""

    name: Name
    url: Url | Annotated[tuple[Url, ...], Field(min_length=1)]
    sha256: Hash
    size: Size | None = None
    version: Printable | None = None
    licence: Printable | None = None
    images: bool = False
    """Whether it is a file of Kubernetes objects whose images are brought as well."""
    without: tuple[Pattern, ...] = ()
    """Images that it names and this site does without."""
    operators: tuple[Kind, ...] = ()
    """Kinds of objects for which an operator chooses images that stand under `images`."""
    platforms: tuple[Platform, ...] = ()
    """Of those images, instead of the recipe's."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address that has it."""
        return (self.url,) if isinstance(self.url, str) else self.url


class SitewrightWanted(Wanted):
    """Sitewright itself with all that it needs, so that a machine with only Python can begin."""

    pythons: Annotated[tuple[Python, ...], Field(min_length=1)] = ("3.11", "3.12", "3.13")
    platforms: tuple[Word, ...] = ("manylinux2014_x86_64", "manylinux_2_28_x86_64")


def _image(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


_LINES: Final = (*("images", "charts", "debs", "snaps", "wheels", "git", "files", "sitewright"),)


class Recipe(BaseModel):
    """Everything that a bundle brings."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    solution: Word
    version: Printable
    platforms: Annotated[tuple[Platform, ...], Field(min_length=1)] = ("linux/amd64",)
    images: tuple[Annotated[ImageWanted, BeforeValidator(_image)], ...] = ()
    charts: tuple[ChartWanted, ...] = ()
    debs: tuple[DebsWanted, ...] = ()
    snaps: tuple[SnapWanted, ...] = ()
    wheels: tuple[WheelsWanted, ...] = ()
    git: tuple[GitWanted, ...] = ()
    files: tuple[FileWanted, ...] = ()
    sitewright: tuple[SitewrightWanted, ...] = ()
    maintained_until: date | None = None
    """The last day on which its maker looks after the bundle."""
    counter: Annotated[int, Field(ge=1, lt=10**15)] | None = None
    """Which of its maker's bundles it is: a later one has a larger number."""

    def for_environment(self, environment: str) -> Recipe:
        """The recipe with the lines for one environment only, platforms filled in."""

        def chosen(lines: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(
                line for line in lines if not line.environments or environment in line.environments
            )

        def placed(lines: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(
                line
                if line.platforms or not getattr(line, "images", True)
                else line.model_copy(update={"platforms": self.platforms})
                for line in lines
            )

        more = {name: chosen(getattr(self, name)) for name in _LINES}
        more["snaps"] = tuple(_apart(line, more["snaps"]) for line in more["snaps"])
        more |= {name: placed(more[name]) for name in ("images", "charts", "files", "git")}
        return self.model_copy(update=more)

    @property
    def lines(self) -> tuple[Wanted, ...]:
        """Every line, the large and slow ones first."""
        heavy = (*self.debs, *self.snaps, *self.wheels, *self.charts, *self.images)
        return (*heavy, *self.git, *self.files, *self.sitewright)

    def together_with(self, other: Recipe) -> Recipe:
        """This recipe and the lines of another, such as what a site adds to a solution.

        A repository that both name (by name and address) is brought as the other one says.
        """
        lines = {name: (*getattr(self, name), *getattr(other, name)) for name in _LINES}
        named = {(line.name, line.url) for line in other.git}
        kept = (line for line in self.git if (line.name, line.url) not in named)
        lines["git"] = (*kept, *other.git)
        return self.model_copy(update=lines)

    def doing_without(self, patterns: Sequence[str]) -> Recipe:
        """This recipe without the images of some names, whoever names them.

        Raises InputProblem for a pattern that matches no name there can be.
        """
        for pattern in patterns:
            if not re.fullmatch(PATTERN, pattern):
                raise InputProblem(
                    f'"{pattern}" is no pattern of an image\'s name',
                    remedy="Write it as docker.io/bitnami/* or quay.io/example/thing:1.2.",
                )

        def narrowed(lines: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(
                line.model_copy(update={"without": (*line.without, *patterns)}) for line in lines
            )

        kept = tuple(
            line
            for line in self.images
            if not any(
                fnmatchcase(str(parse_reference(line.name)), pattern) for pattern in patterns
            )
        )
        more = {name: narrowed(getattr(self, name)) for name in ("charts", "git", "files")}
        return self.model_copy(update={"images": kept, **more})

    def as_bytes(self) -> bytes:
        """The recipe as it stands in a bundle, which every site is given."""
        return canonical_json(without_logins(self.model_dump(mode="json", exclude_defaults=True)))


def _apart(line: SnapWanted, lines: tuple[SnapWanted, ...]) -> SnapWanted:
    # A base that has a line of its own comes at that line's channel or revision, once.
    names = {one.name for one in lines if one.architecture == line.architecture}
    return line.model_copy(update={"beside": tuple(sorted(names - {line.name}))})


def load_recipe(
    path: Path, values: Mapping[str, Given] | None = None, *, environment: str | None = None
) -> Recipe:
    """A recipe from a file, or from the `bundle.yaml` of a folder; raises InputProblem.

    `values` are the site's, for `{{ name }}` and `when`; lines of other environments than the one
    given are left out, so that nobody is asked for values that are not needed.
    """
    file = path / RECIPE_NAME if path.is_dir() else path
    text = read_text(file)
    raw = parse_yaml(text, where=str(file))
    filled = fill_in(raw, values or {}, environment=environment, where=str(file))
    # Where lines were left out, the numbers of those that stay say nothing of the file.
    recipe = validate(Recipe, filled, where=str(file), text=text if filled == raw else "")
    for image in recipe.images:
        reference = parse_reference(image.name)
        if reference.digest and image.digest and reference.digest != image.digest:
            raise InputProblem(f"{image.name} is given two digests", where=str(file))
    if not recipe.lines:
        raise InputProblem("it asks for nothing", where=str(file))
    return recipe
