"""What `docker pull` says, as progress and as refusals with a remedy each."""

from __future__ import annotations

import pytest

from installer.compose.pulling import Pulling, refusal


def test_progress_is_told_by_layers() -> None:
    pulling = Pulling("mongo:8.0.6")
    assert (pulling.share, pulling.words) == (0.0, "mongo:8.0.6")
    assert not pulling.take("8.0.6: Pulling from library/mongo")
    for line in (
        "a3ed95caeb02: Pulling fs layer",
        "b3ed95caeb02: Already exists",
        "a3ed95caeb02: Download complete",
    ):
        assert pulling.take(line)
    assert (pulling.share, pulling.words) == (0.5, "mongo:8.0.6, 1 of 2 layers")
    pulling.take("a3ed95caeb02: Pull complete")
    assert pulling.share == 1.0
    assert pulling.said == ["8.0.6: Pulling from library/mongo"]


@pytest.mark.parametrize(
    ("said", "cause", "remedy", "again"),
    [
        ("toomanyrequests: You have reached your rate limit.", "limits", "docker login", False),
        ("unexpected status code 429 Too Many Requests", "limits", "six hours", False),
        ("no matching manifest for linux/arm64/v8 in the manifest list", "processor", "x86", False),
        ("write /var/lib/docker/tmp/x: no space left on device", "disk is full", "df", False),
        ("pull access denied for x, repository does not exist", "refuses", "docker login", False),
        ("Get https://r/v2/: unauthorized: authentication required", "refuses", "mirror", False),
        ("manifest for mongo:9 not found: manifest unknown", "no such image", "withdrawn", False),
        ("x509: certificate signed by unknown authority", "not trusted", "certs.d", False),
        ("dial tcp: lookup registry-1.docker.io: no such host", "reached", "bundle", True),
        ("Get https://r/v2/: net/http: request canceled (Client.Timeout)", "reached", "DNS", True),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "daemon",
         "systemctl", False),
        ("something else", "could not be pulled", "Read", True),
    ],
)  # fmt: skip
def test_each_refusal_says_what_it_means_and_what_to_do(
    said: str, cause: str, remedy: str, again: bool
) -> None:
    meant = refusal("mongo:8.0.6", said)
    assert meant.cause.startswith("mongo:8.0.6")
    assert cause in meant.cause
    assert remedy in meant.remedy
    assert meant.again is again
