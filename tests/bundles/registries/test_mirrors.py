"""The settings of machines: exact texts, and what may not stand in one."""

from __future__ import annotations

import json
import tomllib

import pytest

from bundles.registries.mirrors import (
    Mirror,
    apt_settings,
    apt_sources,
    containerd_hosts,
    docker_authority,
    docker_cannot,
    docker_daemon,
    pip_settings,
    settings_files,
)
from foundation.problems import InputProblem

MIRROR = Mirror(
    "https://10.10.0.1:5443",
    registries=("docker.io", "quay.io", "registry.example.org:5000"),
    apt="https://10.10.0.1:5443/apt",
    suites=("jammy", "noble"),
    wheels="https://10.10.0.1:5443/simple",
)


def test_containerd_asks_nobody_but_the_mirror() -> None:
    files = {path: tomllib.loads(text) for path, text in containerd_hosts(MIRROR).items()}
    assert set(files) == {
        "docker.io/hosts.toml",
        "quay.io/hosts.toml",
        "registry.example.org_5000_/hosts.toml",
        "_default/hosts.toml",
    }
    trust = "/etc/sitewright/trust/bundle-ca.pem"
    for settings in files.values():
        assert settings["server"] == "https://10.10.0.1:5443"
        assert settings["ca"] == trust
        assert settings["host"] == {
            "https://10.10.0.1:5443": {"capabilities": ["pull", "resolve"], "ca": trust}
        }


def test_containerd_may_ask_the_registry_itself_after_the_mirror() -> None:
    files = containerd_hosts(MIRROR, only=False)
    assert "_default/hosts.toml" not in files
    settings = tomllib.loads(files["docker.io/hosts.toml"])
    assert settings["server"] == "https://registry-1.docker.io"
    assert "ca" not in settings


def test_docker_keeps_its_other_settings() -> None:
    present = '{"log-driver": "local", "registry-mirrors": ["https://old.example.org"]}'
    once = docker_daemon(MIRROR, present)
    assert json.loads(once) == {
        "log-driver": "local",
        "registry-mirrors": ["https://10.10.0.1:5443", "https://old.example.org"],
    }
    assert docker_daemon(MIRROR, once) == once
    assert docker_authority(MIRROR) == "/etc/docker/certs.d/10.10.0.1:5443/ca.crt"
    assert docker_cannot(MIRROR.registries) == ("quay.io", "registry.example.org:5000")
    for broken in ("{", "[]"):
        with pytest.raises(InputProblem):
            docker_daemon(MIRROR, broken)


def test_apt_and_pip_know_whom_to_trust() -> None:
    assert apt_sources(MIRROR) == (
        "Types: deb\nURIs: https://10.10.0.1:5443/apt\nSuites: jammy noble\nComponents: main\n"
        "Signed-By: /etc/sitewright/trust/bundle-archive.gpg\n"
    )
    assert apt_settings(MIRROR) == (
        'Acquire::https::Proxy::10.10.0.1 "DIRECT";\n'
        'Acquire::https::10.10.0.1::CAInfo "/etc/sitewright/trust/bundle-ca.pem";\n'
    )
    assert "index-url = https://10.10.0.1:5443/simple/\ncert = /etc/sitewright" in pip_settings(
        MIRROR
    )


def test_plain_http_names_no_authority() -> None:
    plain = Mirror("http://10.10.0.1:80", ("docker.io",), wheels="http://10.10.0.1:80/simple")
    for text in settings_files(plain).values():
        assert "trust/" not in text
    assert "trusted-host = 10.10.0.1:80" in pip_settings(plain)


@pytest.mark.parametrize(
    "bad",
    [
        Mirror('https://a"\nserver = "https://evil', ("docker.io",)),
        Mirror("https://a", ("../../etc",)),
        Mirror("https://a", ("docker.io",), authority='/x"\nskip_verify = true'),
        Mirror("https://a", apt="https://a/apt", suites=("noble\nTrusted: yes",)),
    ],
)
def test_no_value_can_add_a_line_of_its_own(bad: Mirror) -> None:
    with pytest.raises(InputProblem):
        settings_files(bad)
