"""Refused: what Helm and the API say to a release that they do not take, and what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from foundation.hosts.jobs.output_lines import clean_line
from foundation.secrets import cut

_LONGEST: Final = 700


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a release is not taken."""

    why: str
    remedy: str


_KNOWN: Final = (
    (
        re.compile(r'no matches for kind "([^"]+)" in version "([^"]+)"'),
        ('the cluster does not know "{0}" of {1}: a CustomResourceDefinition is missing, or the'
        " chart is for another Kubernetes"),
        ("Install what brings it first (cert-manager, a mesh, an operator), or turn off in the"
        " settings what needs it; kubectl get crd lists those there are."),
    ),
    (
        re.compile(r"Unable to continue with (?:install|update): (\S+ \"[^\"]+\") in namespace"
                   r" \"([^\"]*)\" exists and cannot be imported", re.S),
        "{0} is there in {1} already and is not of this release: somebody else installed it",
        ("See whose it is (kubectl get KIND NAME -o yaml: labels and annotations meta.helm.sh);"
        " take another namespace, or have whoever made it remove it."),
    ),
    (
        re.compile(r"values don't meet the specifications of the schema\(s\)[^\n]*\n(.*)", re.S),
        "the chart's schema refuses the values: {0}",
        ("Mend the setting that it names; a release of the chart that is not settled here may want"
        " other values."),
    ),
    (
        re.compile(r"execution error at \(([^)]*)\): (.*)", re.S),
        "the chart refuses the values: {1} ({0})",
        "Give the value that it names.",
    ),
    (
        re.compile(r"([^\n]*[Uu]ser \"([^\"]+)\" cannot ([^\n]+))"),
        'the user "{1}" of the kubeconfig may not: {2}',
        "Give a kubeconfig of a user who may install (a ClusterRole admin, and what it names).",
    ),
    (
        re.compile(r"(?:must be logged in to the server|Unauthorized)"),
        ("the cluster refuses the login of the kubeconfig: its token or certificate has expired, or"
        " is of another cluster"),
        "Fetch a new kubeconfig from whoever runs the cluster.",
    ),
    (
        re.compile(r"admission webhook \"([^\"]+)\" denied the request: (.*)", re.S),
        "the admission webhook {0} refuses it: {1}",
        "Mend what it names, or ask whoever set that rule.",
    ),
    (
        re.compile(r"failed calling webhook \"([^\"]+)\": (.*)", re.S),
        "the admission webhook {0} is asked first and does not answer: {1}",
        "Have whoever runs that webhook mend it: nothing is taken while it is down.",
    ),
    (
        re.compile(r"(\S+ \"[^\"]+\") is invalid: (.*field is immutable.*)", re.S),
        "{0} has a field that cannot be changed: {1}",
        "Such a change wants the object removed and made anew: read the release's notes.",
    ),
    (
        re.compile(r"unknown flag: (--\S+)"),
        "Helm or kubectl there is too old: it does not know {0}",
        "Install Helm 3.13 or later and a kubectl of the cluster's own release.",
    ),
    (
        re.compile(r"(looks like .* is not a valid chart repository or cannot be reached[^\n]*|"
                   r"failed to download [^\n]*|chart \"[^\"]*\" [^\n]*not found[^\n]*|"
                   r"no chart (?:name|version) found[^\n]*)"),
        "the chart cannot be had: {0}",
        ("See that this machine reaches the repository and that it has that release; or bring a"
        " bundle."),
    ),
)  # fmt: skip
_NOISE: Final = re.compile(r"^(Warning: |Use --debug flag |[WEIF]\d{4} |walk\.go|WARNING: )")


def refusal(said: str) -> Refusal:
    """What a program's words on standard error come to; its own words where they are not known."""
    lines = [line for line in said.splitlines() if line.strip() and not _NOISE.match(line)]
    text = "\n".join(lines)
    for pattern, meaning, remedy in _KNOWN:
        if found := pattern.search(text):
            groups = [clean_line(" ".join((group or "").split())) for group in found.groups()]
            return Refusal(cut(meaning.format(*groups), _LONGEST), remedy)
    own = cut(" ".join(lines).removeprefix("Error: "), _LONGEST)
    return Refusal(own or "it ended without a word", "Mend what it names, then try again.")
