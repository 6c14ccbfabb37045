"""What runs: images with the places where they were found, and whose the places are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image runs, or is said to."""

    kind: str
    """deployment, statefulset, daemonset, cronjob, pod, compose, bundle, or a word of the line."""
    name: str
    namespace: str = ""
    container: str = ""
    init: bool = False
    owner: str = ""
    """What brings it back to what it says, if anything does: a sentence's part, for a person."""

    def words(self) -> str:
        """The place for a person."""
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        whose = "init container" if self.init else "container"
        container = f", {whose} {self.container}" if self.container else ""
        return f"{self.kind} {name}{container}"


@dataclass(frozen=True, slots=True)
class Running:
    """One image as it is written there, and the digest that runs where that is known."""

    image: str
    places: tuple[Place, ...]
    digest: str | None = None


@dataclass(slots=True)
class Found:
    """What was found to run, and what could not be told."""

    places: dict[str, list[Place]] = field(default_factory=dict)
    digests: dict[str, set[str]] = field(default_factory=dict)
    untold: list[str] = field(default_factory=list)

    def add(self, image: str, place: Place) -> None:
        """An image at a place."""
        self.places.setdefault(image, []).append(place)

    def runs(self, image: str, digest: str) -> None:
        """The digest that runs under an image's name."""
        self.digests.setdefault(image, set()).add(digest)

    def tell(self, sentence: str) -> None:
        """What was seen and not understood."""
        if sentence not in self.untold:
            self.untold.append(sentence)

    def take(self, other: Found) -> None:
        """What was found elsewhere, too."""
        for image, places in other.places.items():
            self.places.setdefault(image, []).extend(places)
        for image, digests in other.digests.items():
            self.digests.setdefault(image, set()).update(digests)
        for sentence in other.untold:
            self.tell(sentence)

    def images(self) -> list[Running]:
        """Each image once, by name; one name that runs as several images is told."""
        found = []
        for image in sorted(self.places):
            digests = self.digests.get(image, set())
            if len(digests) > 1:
                self.tell(
                    f"{image}: {len(digests)} different images run under this name; pulled at "
                    "different times, it was built again between"
                )
            digest = next(iter(digests)) if len(digests) == 1 else None
            found.append(Running(image, tuple(self.places[image]), digest))
        return found


def of_words(images: Iterable[str]) -> Found:
    """Images that a person named."""
    found = Found()
    for image in images:
        found.add(image, Place("named", "here"))
    return found
