"""The programs of a real Kubernetes that tests use: fetched whole, and what they say they are."""

from __future__ import annotations

import subprocess

from tests.lab.kubernetes import programs


def test_helm_and_kubectl_are_the_pinned_ones() -> None:
    helm = subprocess.run([programs.helm(), "version", "--short"], capture_output=True, check=True)
    assert helm.stdout.startswith(b"v3.17.")
    kubectl = subprocess.run(
        [programs.kubectl(), "version", "--client"], capture_output=True, check=True
    )
    assert b"Client Version: v1.31." in kubectl.stdout
