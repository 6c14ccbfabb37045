"""What Helm or Kustomize made of a chart or a folder, and how it fits what reading alone shows.

What is rendered is what a cluster will be given, so its images are needed. What the second reader
finds beside them stays in view: it may hang on a value or on the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bundles.manifests.chart_images import ChartContents
from bundles.manifests.gitops_forms import without_given
from bundles.manifests.named_images import ImagesNamed, images_of_object
from bundles.manifests.yaml_documents import read_documents


@dataclass(slots=True)
class Agreed:
    """What both readers of a chart say together."""

    named: ImagesNamed = field(default_factory=ImagesNamed)
    differing: list[str] = field(default_factory=list)
    """Where they differ, as a sentence each."""


def rendered_images(text: str, where: str) -> ImagesNamed:
    """The images of the objects that a program rendered."""
    found = ImagesNamed()
    documents = read_documents(text)
    for value in documents.values:
        images_of_object(without_given(value, where), where, found)
    for broken in documents.broken:
        found.open(f"{where}: line {broken.line} of what is rendered is no YAML ({broken.why})")
    return found.settle()


def read_alone(contents: ChartContents) -> ImagesNamed:
    """What a chart names, where nobody rendered it."""
    return ImagesNamed(
        images=dict.fromkeys(contents.images, "its values and templates"),
        perhaps=dict.fromkeys(contents.perhaps, "its values and templates"),
        tests=dict.fromkeys(contents.tests, "its tests"),
        off=dict(contents.off),
        operated=dict(contents.operated),
        untold=list(contents.unread),
    ).settle()


def agree(contents: ChartContents, text: str) -> Agreed:
    """What a chart names by what Helm renders, with what only reading it shows beside that."""
    rendered = rendered_images(text, "what Helm renders")
    agreed = Agreed(rendered)
    known = {*rendered.images, *rendered.perhaps, *rendered.tests}
    for name in sorted({*contents.images, *contents.perhaps, *contents.tests} - known):
        if any(written in text for written in _spellings(name)):
            # In a configuration, say, whose form only its own program knows.
            rendered.images[name] = "what Helm renders"
        elif name in contents.tests:
            rendered.tests[name] = "its tests"
        else:
            rendered.perhaps[name] = "what stands in it, though Helm renders nothing with it,"
    read = {*contents.images, *contents.perhaps, *contents.tests}
    agreed.differing = [
        f"{name} is in what Helm renders, and reading the chart alone does not show it"
        for name in sorted({*rendered.images, *rendered.tests} - read)
    ]
    return agreed


def _spellings(name: str) -> tuple[str, ...]:
    """How an image may be written: that of the Hub also without its registry."""
    short = name.removeprefix("docker.io/")
    return (name,) if short.startswith("library/") else (name, short)
