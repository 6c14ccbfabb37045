"""The images that a Kubernetes object names, wherever one can stand in it.

Containers of every kind and image volumes; images of custom resources (`image`, `imageName`, and
`registry`, `repository`, `tag` beside each other); flags (`--agent-image=…`) and variables
(`RELATED_IMAGE_…`); the lists in annotations; and objects that are the text of another, such as a
configuration in a ConfigMap. What looks like an image's name and is not whole is told, never
completed by a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bundles.format.reference import parse_reference
from bundles.manifests.encoded import encoded_texts
from bundles.manifests.gitops_forms import objects_in, without_given
from bundles.manifests.operated import Operated, operated
from bundles.manifests.yaml_documents import helm_text, read_documents
from foundation.problems import InputProblem

_DEEPEST: Final = 60
_LONGEST: Final = 500
"""Characters of an image's name, with its digest."""
_LONGEST_LIST: Final = 1 << 16
_POD_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_ONE_LINE: Final = re.compile(
    r"\s*(?:[{\[].*image|[\w.-]*image[\w.-]*:[ \t]+\S|[\w.-]+:[ \t]+[{\[].*image)", re.I
)
"""A mapping or a list of YAML or JSON in one line that speaks of an image."""
_LISTS: Final = ("helm.sh/images", "artifacthub.io/images", "charts.openshift.io/images")
_NAME_SIGNS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,400}")
_PICTURE: Final = re.compile(r"\.(?:png|jpe?g|svg|gif|ico|webp|iso|qcow2|img|vmdk)$", re.I)
_OPEN_ENDS: Final = re.compile(r"\{\{|\$[({A-Za-z_]|<[a-z_-]+>|\{[a-z_]+\}", re.I)
_IMAGE_KEY: Final = re.compile(r"(?:^|[._/-])image(?:[._-]?name)?$|Image(?:Name)?$|IMAGE$", re.I)
_REPOSITORY_KEY: Final = re.compile(r"image[_-]?repo(?:sitory)?$", re.I)
_FLAG: Final = re.compile(r"(--?[A-Za-z0-9][\w.-]*)=(.*)", re.S)
_IMAGE_FLAG: Final = re.compile(r"--?(?:[\w.-]*[-_.])?image", re.I)
_IMAGE_VARIABLE: Final = re.compile(r"RELATED_IMAGE_\w+|(?:\w+_)?IMAGE(?:_NAME|_URL|_REF)?")
_WHOLE_WITH_HOST: Final = re.compile(
    r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+(?::[0-9]+)?(?:/[a-z0-9._-]+)+"
    r"(?::[A-Za-z0-9_][\w.-]*(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})"
)
_TEXT_IMAGE: Final = re.compile(
    r"""(?:^[ \t]*(?:-[ \t]+)*|[{,][ \t]*)["']?image["']?[ \t]*:[ \t]+(?:[&!][^\s]+[ \t]+)?["']?"""
    r"""([^\s"'{}\[\],#|>&*][^\s"'{}\[\],]*)["']?[ \t]*(?:$|[,}]|[ \t]#)""",
    re.M,
)


@dataclass(slots=True)
class ImagesNamed:
    """What files or objects name; each image in full with the place that named it first."""

    images: dict[str, str] = field(default_factory=dict)
    perhaps: dict[str, str] = field(default_factory=dict)
    """Where only the looks of a text say that it is an image."""
    tests: dict[str, str] = field(default_factory=dict)
    """Of the hooks that `helm test` runs, and of nothing else."""
    off: dict[str, str] = field(default_factory=dict)
    """Of what is turned off, as far as nobody renders it: left out, and told."""
    operated: dict[Operated, str] = field(default_factory=dict)
    """Kinds of objects whose images an operator chooses, each with the place of the first."""
    untold: list[str] = field(default_factory=list)
    """What was seen and cannot be told, as a sentence each."""

    def image(self, text: str, where: str) -> None:
        """An image that is needed."""
        self._put(self.images, text, where)

    def maybe(self, text: str, where: str) -> None:
        """An image that is perhaps needed."""
        self._put(self.perhaps, text, where)

    def turned_off(self, text: str, where: str) -> None:
        """An image below something that is turned off."""
        self._put(self.off, text, where)

    def open(self, sentence: str) -> None:
        """What cannot be told."""
        if sentence not in self.untold:
            self.untold.append(sentence)

    def take(self, other: ImagesNamed) -> None:
        """What another found as well."""
        for mine, its in (
            (self.images, other.images),
            (self.perhaps, other.perhaps),
            (self.tests, other.tests),
            (self.off, other.off),
        ):
            for name, where in its.items():
                mine.setdefault(name, where)
        for kind, where in other.operated.items():
            self.operated.setdefault(kind, where)
        for sentence in other.untold:
            self.open(sentence)

    def settle(self) -> ImagesNamed:
        """The same, where whatever is needed counts as that alone."""
        for name in self.images:
            self.perhaps.pop(name, None)
            self.tests.pop(name, None)
        for name in self.tests:
            self.perhaps.pop(name, None)
        for name in (*self.images, *self.perhaps, *self.tests):
            self.off.pop(name, None)
        return self

    def _put(self, into: dict[str, str], text: str, where: str) -> None:
        try:
            into.setdefault(str(parse_reference(text)), where)
        except InputProblem:
            self.open(f"{where}: which image is meant by {text[:100]!r}")


def images_of_text(text: str, where: str) -> ImagesNamed:
    """What a file of manifests names; what is no YAML is searched for lines with `image:`."""
    found = ImagesNamed()
    documents = read_documents(text)
    for value in documents.values:
        images_of_object(without_given(value, where), where, found)
    for broken in documents.broken:
        if not broken.is_template:
            found.open(f"{where}: line {broken.line} is no YAML ({broken.why})")
        search_text(broken.text, where, found)
    return found.settle()


def search_text(text: str, where: str, found: ImagesNamed) -> None:
    """Note the images on the lines of a text that is no YAML, as far as they stand there whole."""
    for name in lines_with_images(text):
        found.maybe(name, where)


def lines_with_images(text: str) -> list[str]:
    """The images that stand whole behind `image:`, comments and anchors passed over."""
    found = _TEXT_IMAGE.findall(text.replace("\r\n", "\n"))
    return [name for name in found if not _OPEN_ENDS.search(name)]


def images_among_words(text: str) -> Iterator[str]:
    """The words of a script that look like images: `docker run HOST/NAME:TAG`."""
    if "/" in text and ":" in text:
        for word in re.split(r"[\s,;=\"'`()|&<>]+", text[:_LONGEST_LIST]):
            if len(word) < _LONGEST and _WHOLE_WITH_HOST.fullmatch(word):
                yield word


def images_of_object(value: Any, where: str, found: ImagesNamed) -> None:
    """Note the images that one document names."""
    if isinstance(value, dict) and _is_test(value):
        inner = ImagesNamed()
        _Walk(where, inner, kubernetes=True).walk(value)
        for name, place in (inner.images | inner.perhaps).items():
            found.tests.setdefault(name, place)
        for sentence in inner.untold:
            found.open(f"{sentence} (for `helm test` alone)")
        return
    for one in objects_in(value) if isinstance(value, dict) else ():
        _note_operated(one, where, found)
    kubernetes = isinstance(value, dict) and "kind" in value and "apiVersion" in value
    services = value.get("services") if isinstance(value, dict) and not kubernetes else None
    for name, one in services.items() if isinstance(services, dict) else ():
        if isinstance(one, dict) and one.get("build") and not one.get("image"):
            found.open(
                f"{where}: the image of the service {str(name)[:100]}, which Compose builds; push "
                "it to a registry, and name it under `images`"
            )
    _Walk(where, found, kubernetes=kubernetes).walk(value)


def _note_operated(value: Mapping[Any, Any], where: str, found: ImagesNamed) -> None:
    """Note an object whose images an operator chooses, unless it names some itself."""
    kind = operated(value)
    if kind is not None:
        own = ImagesNamed()
        _Walk(where, own, kubernetes=True).walk(value)
        if not own.images:
            found.operated.setdefault(kind, where)


def _is_test(value: Mapping[Any, Any]) -> bool:
    metadata = value.get("metadata")
    notes = metadata.get("annotations") if isinstance(metadata, dict) else None
    hooks = notes.get("helm.sh/hook") if isinstance(notes, dict) else None
    words = {word.strip() for word in hooks.split(",")} if isinstance(hooks, str) else set()
    return bool(words) and words <= {"test", "test-success", "test-failure"}


class _Walk:
    """One document on its way."""

    def __init__(self, where: str, found: ImagesNamed, *, kubernetes: bool) -> None:
        self.where = where
        self.found = found
        self.kubernetes = kubernetes
        self.hub: tuple[str, str] | None = None
        """Where the images of a mapping come from, and their tag, as Istio writes it."""

    def walk(self, value: Any, depth: int = 0) -> None:
        """Go through everything that a value holds."""
        if depth > _DEEPEST:
            self.found.open(f"{self.where}: what stands more than {_DEEPEST} levels deep")
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, str) and _is_written(one):
                    self._inner(one, depth)
                else:
                    self.walk(one, depth + 1)
        elif isinstance(value, dict):
            if value.get("kind") == "CustomResourceDefinition":
                return  # it describes objects, and is none that runs
            self._package(value)
            for text in filter(_is_written, encoded_texts(value)):
                self._inner(text, depth)
            outer, hub, tag = self.hub, value.get("hub"), value.get("tag")
            if isinstance(hub, str) and hub and isinstance(tag, (str, int, float)):
                self.hub = (hub.rstrip("/"), helm_text(tag))
            self._mapping(value, depth)
            self.hub = outer

    def _mapping(self, value: dict[Any, Any], depth: int) -> None:
        parts = image_parts(value)
        if parts is not None:
            self._parts(parts)
        if "op" in value and str(value.get("path", "")).endswith("/image"):
            self._typed(value.get("value"))  # a line of a JSON patch
        for key, one in value.items():
            name = str(key)
            if name in _POD_LISTS and isinstance(one, list):
                self._containers(one, depth)
                continue
            if name == "volumes" and isinstance(one, list):
                for volume in _mappings(one):
                    image = volume.get("image")
                    if isinstance(image, dict) and "reference" in image:
                        self._typed(image["reference"])
            elif name in ("args", "command") and isinstance(one, list):
                self._flags(one)
            elif name == "env" and isinstance(one, list):
                self._variables(one)
            elif name in _LISTS and isinstance(one, str):
                self._listed(one)
                continue
            elif name == _APPLIED:
                continue  # what kubectl was given last, and not what is given now
            elif isinstance(one, str) and _is_written(one):
                self._inner(one, depth)
                continue
            elif isinstance(one, str) and _IMAGE_KEY.search(name):
                self._named(one, name, value)
            elif isinstance(one, dict) and _IMAGE_KEY.search(name):
                named = image_parts({"repository": one.get("name"), **one})
                if named is not None and "repository" not in one:
                    self._parts(named)
                elif named is None and self.kubernetes:
                    self._half(one)
            elif isinstance(one, list) and name.lower().endswith("images"):
                for text in one:
                    if isinstance(text, str):
                        self._named(text, name, {})
            elif isinstance(one, str) and self.kubernetes and _REPOSITORY_KEY.search(name):
                self._repository(name, one, value)
            elif isinstance(one, str) and self.kubernetes:
                self._looks(one)
            self.walk(one, depth + 1)

    def _package(self, value: Mapping[Any, Any]) -> None:
        """Packages of operators, which are images, or lead to some that nobody can say here."""
        api, kind, spec = str(value.get("apiVersion", "")), value.get("kind"), value.get("spec")
        if not isinstance(spec, dict):
            return
        if api.startswith("extensions.istio.io/") and str(spec.get("url", "")).startswith("oci://"):
            self.found.open(f"{self.where}: what {spec['url'][:300]} holds, which Istio fetches")
        elif api.startswith("pkg.crossplane.io/") and isinstance(spec.get("package"), str):
            self._typed(spec["package"])
        elif api.startswith("operators.coreos.com/") and kind == "Subscription":
            self.found.open(
                f"{self.where}: what the operator {str(spec.get('name'))[:100]} of the catalogue "
                f"{str(spec.get('source'))[:100]} brings; name its images under `images`"
            )

    def _containers(self, containers: list[Any], depth: int) -> None:
        for container in _mappings(containers):
            self.walk({k: v for k, v in container.items() if k != "image"}, depth + 1)
            image = container.get("image")
            if image == "auto":
                self.found.open(
                    f"{self.where}: the image of the container {container.get('name')} is put in "
                    "by Istio; name it under `images`"
                )
            elif isinstance(image, str) and image:
                self._typed(image)
            elif "image" in container:
                self.found.open(
                    f"{self.where}: the container {container.get('name')} is given no image"
                )

    def _typed(self, image: Any) -> None:
        if isinstance(image, str) and not _OPEN_ENDS.search(image):
            self.found.image(image, self.where)
        elif image is not None:
            self.found.open(f"{self.where}: which image is meant by {str(image)[:100]!r}")

    def _named(self, text: str, key: str, beside: Mapping[Any, Any]) -> None:
        """A text under a key that says image, where nothing says that it is a container's."""
        if not text or "://" in text or " " in text.strip() or _PICTURE.search(text):
            return
        if self.hub and re.fullmatch(r"[a-z0-9][a-z0-9._-]*", text):
            self.found.maybe(f"{self.hub[0]}/{text}:{self.hub[1]}", self.where)
            return
        if _OPEN_ENDS.search(text):
            self.found.open(f"{self.where}: which image is meant by {text[:100]!r}")
        elif not _NAME_SIGNS.fullmatch(text):
            return
        elif ":" in text.rpartition("/")[2] or "@sha256:" in text:
            self.found.image(text, self.where)
        elif image_parts(beside) is None and self.kubernetes:
            self.found.open(
                f"{self.where}: which image is meant by {key}: {text[:100]}, which has no tag"
            )
        elif image_parts(beside) is None:
            self.found.maybe(text, self.where)

    def _looks(self, text: str) -> None:
        """A text under any other key, of which the looks alone say that it is an image."""
        if text.startswith("docker://"):
            self._typed(text.removeprefix("docker://"))
        else:
            self._words_of(text)

    def _repository(self, key: str, text: str, beside: Mapping[Any, Any]) -> None:
        """A repository under a key of its own, and perhaps its tag under another beside it."""
        ends = re.compile(rf"{re.escape(_REPOSITORY_KEY.sub('', key))}(?:image)?[_-]?tag", re.I)
        tags = [one for name, one in beside.items() if ends.fullmatch(str(name))]
        # For kubeadm that one is where several images lie.
        if key != "imageRepository" and tags and isinstance(tags[0], (str, int, float)):
            self._typed(f"{text}:{helm_text(tags[0])}")
        else:
            self.found.open(f"{self.where}: which images of {text[:100]} are meant ({key})")

    def _half(self, value: Mapping[Any, Any]) -> None:
        """An image's repository with nothing that says which of its images is meant."""
        repository = value.get("repository")
        if isinstance(repository, str) and "://" not in repository and repository:
            self._named(repository, "repository", {})

    def _parts(self, parts: ImageParts) -> None:
        if parts.is_whole and self.kubernetes:
            self.found.image(parts.text(), self.where)
        elif parts.is_whole:
            self.found.maybe(parts.text(), self.where)
        else:
            self.found.open(f"{self.where}: which tag of {parts.name[:100]} is meant")

    def _flags(self, words: list[Any]) -> None:
        texts = [word for word in words if isinstance(word, str)]
        for number, word in enumerate(texts):
            if "\n" in word:
                continue  # a script; walked through as a text
            found = _FLAG.fullmatch(word)
            name, value = (found[1], found[2]) if found else (word, "")
            if not found and name.startswith("-") and number + 1 < len(texts):
                value = texts[number + 1]
                value = "" if value.startswith("-") else value
            if _IMAGE_FLAG.fullmatch(name) and value:
                self._flag(name, value)
            else:
                self._words_of(value or word)

    def _flag(self, name: str, value: str) -> None:
        if _OPEN_ENDS.search(value):
            # $(VARIABLE) of the container itself, which is read where it is set
            if not re.fullmatch(r"\$\(\w+\)", value):
                self.found.open(f"{self.where}: which image is meant by {name}={value[:100]}")
        elif not _NAME_SIGNS.fullmatch(value):
            return
        elif ":" in value or "/" in value:
            self.found.image(value, self.where)
        else:
            self.found.open(f"{self.where}: which image is meant by {name}={value[:100]}")

    def _variables(self, variables: list[Any]) -> None:
        for one in _mappings(variables):
            name, value = one.get("name"), one.get("value")
            if not isinstance(name, str) or not isinstance(value, str) or not value:
                continue
            if _IMAGE_VARIABLE.fullmatch(name) and "://" not in value and " " not in value:
                if _NAME_SIGNS.fullmatch(value) and (":" in value or "@" in value):
                    self.found.image(value, self.where)
                elif not _PICTURE.search(value):
                    self.found.open(f"{self.where}: which image is meant by {name}={value[:100]}")
            else:
                # Also a list, or one a version: 3.9.0=quay.io/strimzi/kafka:0.45.0-kafka-3.9.0
                for word in re.split(r"[\s,;=\"']+", value[:_LONGEST_LIST]):
                    if _WHOLE_WITH_HOST.fullmatch(word):
                        self.found.maybe(word, self.where)

    def _listed(self, text: str) -> None:
        """The list of images that an annotation holds as YAML."""
        for listed in read_documents(text).values:
            for one in listed if isinstance(listed, list) else [listed]:
                image = one.get("image") if isinstance(one, dict) else one
                if isinstance(image, str) and _NAME_SIGNS.fullmatch(image):
                    self.found.maybe(image, f"{self.where}, in its list of images")

    def _inner(self, text: str, depth: int) -> None:
        """A text that may be YAML itself: a configuration, a patch, an object to be made later."""
        if "image" not in text.lower():
            self._words_of(text)
            return
        documents = read_documents(text)
        structured = [one for one in documents.values if isinstance(one, (dict, list))]
        inner = ImagesNamed()
        for one in structured:
            kubernetes = isinstance(one, dict) and "kind" in one and "apiVersion" in one
            _Walk(self.where, inner, kubernetes=kubernetes).walk(one, depth + 1)
        if not structured or documents.broken:
            search_text(text, self.where, inner)
            self._words_of(text)
        self.found.take(inner)

    def _words_of(self, text: str) -> None:
        for word in images_among_words(text):
            self.found.maybe(word, self.where)


@dataclass(frozen=True, slots=True)
class ImageParts:
    """An image in parts, as values and custom resources have it."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to a guess."""
        text = f"{self.name}{self.tag}"
        return bool(self.tag or self.digest) and not _OPEN_ENDS.search(text)

    def text(self, tag: str = "") -> str:
        """The image in one word; `tag` where it has none of its own."""
        label = self.tag or tag
        whole = self.name + (f":{label}" if label else "")
        return f"{whole}@{self.digest}" if self.digest else whole


def image_parts(value: Mapping[Any, Any]) -> ImageParts | None:
    """The parts of an image, if a mapping is one: a repository, and what only images have."""
    repository = value.get("repository")
    if not isinstance(repository, str) or not repository or "://" in repository:
        return None
    marks = {"tag", "digest", "registry", "pullPolicy", "imagePullPolicy", "sha"} & set(value)
    if not marks or " " in repository or repository.endswith(".git"):
        return None
    registry = value.get("registry")
    digest = value.get("digest") or value.get("sha")
    digest = digest if isinstance(digest, str) else ""
    if re.fullmatch(r"[0-9a-f]{64}", digest):
        digest = f"sha256:{digest}"
    tag = value.get("tag")
    return ImageParts(
        registry=registry.strip("/") if isinstance(registry, str) else "",
        repository=repository,
        tag=helm_text(tag) if isinstance(tag, (str, int, float)) else "",
        digest=digest if digest.startswith("sha256:") else "",
    )


def _is_written(text: str) -> bool:
    """Whether a text may be a document by itself, of several lines or of one."""
    return "\n" in text.strip() or bool(_ONE_LINE.match(text) and len(text) < _LONGEST_LIST)


def _mappings(value: list[Any]) -> Iterator[dict[Any, Any]]:
    return (one for one in value if isinstance(one, dict))
