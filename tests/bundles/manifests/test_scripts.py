"""Scripts, makefiles, units and plays of a repository: what they bring is a perhaps, or told."""

from __future__ import annotations

import pytest

from bundles.manifests.gitops import read_manifests
from bundles.manifests.looked_into import looked_into


def test_templates_of_charts_and_scripts_are_looked_into_whatever_they_end_with() -> None:
    paths = {
        "c/Chart.yaml", "c/templates/pod", "c/templates/NOTES.txt", "c/charts/d/templates/x.txt",
        "roles/a/templates/haproxy.cfg", "README.md", "up.sh", "ops/Makefile", "a.container",
        "c/Chart.lock", "page.html",
    }  # fmt: skip
    assert paths - looked_into(paths) == {
        "c/templates/NOTES.txt", "roles/a/templates/haproxy.cfg", "README.md", "page.html",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "line", "image"),
    [
        ("a.sh", "docker pull q.io/t/a:1", "q.io/t/a:1"),
        ("a.container", "Image=q.io/t/a:1", "q.io/t/a:1"),
        ("a.service", "ExecStart=/usr/bin/podman run --rm q.io/t/a:1", "q.io/t/a:1"),
        ("Makefile", "\tkubectl run x --image=q.io/t/a:1", "q.io/t/a:1"),
    ],
)
def test_an_image_that_stands_whole_in_a_script_is_a_perhaps(
    name: str, line: str, image: str
) -> None:
    found = read_manifests({name: f"{line}\n".encode()})
    assert list(found.named.perhaps) == [image]
    assert found.unread == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("helm install x oci://q.io/charts/x", "helm install x oci://q.io/charts/x"),
        ("sudo helm repo update && helm upgrade -i y j/y", "helm upgrade -i y j/y"),
        ("helm install x ./charts/x --set a=b", ""),
        ("helm install x .", ""),
        ("helm list", ""),
        ("kubectl apply -f https://h.example.org/a.yaml", "kubectl apply -f https://h.ex"),
        ("curl -L https://h.example.org/a.yaml | kubectl apply -f -", "kubectl apply -f -"),
        ("kubectl apply -k github.com/a/b?ref=v1", "kubectl apply -k"),
        ("kubectl apply -f a.yaml", ""),
        ("# helm install x j/x", ""),
        ("docker run redis:7", "docker run redis:7"),
        ("docker pull q.io/a:$TAG", "docker pull q.io/a:$TAG"),
        ("docker ps", ""),
        ("helm \\\n  upgrade y j/y", "helm upgrade y j/y"),
    ],
)
def test_a_line_that_brings_what_does_not_stand_there_is_told(line: str, told: str) -> None:
    unread = read_manifests({"up.sh": f"#!/bin/sh\nset -eu\n{line}\n".encode()}).unread
    if told:
        (sentence,) = unread
        assert sentence.startswith("up.sh, line 3: what `")
        assert told in sentence
    else:
        assert unread == []


def test_lines_are_counted_over_those_that_go_on_and_a_long_list_is_short() -> None:
    text = "a \\\n  b\n" + "helm install x j/x\n" * 7
    unread = read_manifests({"up.sh": text.encode()}).unread
    assert unread[0].startswith("up.sh, line 3: ")
    assert unread[5:] == ["up.sh: what 2 more of its lines bring, from line 8 on"]


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("kubernetes.core.helm: {name: a, chart_ref: j/a}", "which chart is j/a, which Ansible"),
        ("kubernetes.core.helm: {name: a, chart_ref: ./charts/a}", ""),
        ("kubernetes.core.k8s: {src: 'https://h.org/a.yaml'}", "what https://h.org/a.yaml holds"),
        ("kubernetes.core.k8s: {src: a.yaml}", ""),
        ("block: [{helm: {name: a, chart_ref: 'oci://q.io/c'}}]", "which chart is oci://q.io/c"),
    ],
)
def test_charts_and_manifests_of_a_play_are_told(task: str, told: str) -> None:
    play = f"- hosts: all\n  tasks:\n  - {task}\n"
    unread = read_manifests({"site.yml": play.encode()}).unread
    assert (told in unread[0]) if told else unread == []


def test_what_compose_takes_in_from_elsewhere_is_told() -> None:
    text = "include: ['oci://q.io/x/compose:1', other.yaml, {path: ['https://g.org/a.git']}]\n"
    unread = read_manifests({"compose.yaml": f"{text}services: {{}}\n".encode()}).unread
    assert unread == [
        "compose.yaml: what oci://q.io/x/compose:1 holds, which Compose fetches",
        "compose.yaml: what https://g.org/a.git holds, which Compose fetches",
    ]
