"""Kubeconfigs: what is honoured, what is refused by name, and that nothing is run."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from foundation.clusters.kubeconfig import kubeconfig_files, read_access
from foundation.documents import dump_yaml
from foundation.problems import InputProblem
from foundation.secrets import Secret

PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


EXEC = {"command": "x", "apiVersion": "client.authentication.k8s.io/v1"}


def _write(
    folder: Path,
    *,
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    name: str = "config",
    current: str | None = "one",
) -> Path:
    path = folder / name
    path.write_text(
        dump_yaml(
            {
                "apiVersion": "v1",
                "kind": "Config",
                **({"current-context": current} if current else {}),
                "clusters": [
                    {"name": "c", "cluster": cluster or {"server": "https://10.0.0.1:6443/"}}
                ],
                "users": [{"name": "u", "user": user or {"token": "a-token-of-length"}}],
                "contexts": [
                    {"name": "one", "context": {"cluster": "c", "user": "u"}},
                    {"name": "two", "context": {"cluster": "c", "user": "gone"}},
                ],
            }
        )
    )
    return path


def test_the_current_context_and_its_secrets(tmp_path: Path) -> None:
    inline = base64.b64encode(PEM).decode()
    (tmp_path / "key.pem").write_text("the key of the client")
    path = _write(
        tmp_path,
        cluster={"server": "https://10.0.0.1:6443/", "certificate-authority-data": inline,
                 "tls-server-name": "kubernetes"},
        user={"client-certificate-data": inline, "client-key": "key.pem", "token": "a-long-token",
              "as": "root", "as-groups": ["system:masters"]},
    )  # fmt: skip
    access = read_access([path])
    assert access.name == "one"
    assert access.server == "https://10.0.0.1:6443"
    assert access.authority == access.certificate == PEM
    assert access.server_name == "kubernetes"
    assert access.key == Secret("the key of the client")
    assert access.token == Secret("a-long-token")
    assert (access.impersonate, access.groups) == ("root", ("system:masters",))
    assert "a-long-token" not in repr(access)
    assert "key of the client" not in repr(access)


def test_the_first_file_wins_and_variables_name_several(tmp_path: Path) -> None:
    first = _write(tmp_path, name="first", current=None)
    other = _write(tmp_path, name="other", cluster={"server": "https://other:1"})
    variable = {"KUBECONFIG": f"{first}:{tmp_path / 'gone'}:{other}", "HOME": str(tmp_path)}
    files = kubeconfig_files(None, variable)
    assert files == (first, other)
    access = read_access(files)
    assert (access.name, access.server) == ("one", "https://10.0.0.1:6443")
    assert kubeconfig_files(other, variable) == (other,)


@pytest.mark.parametrize(
    ("cluster", "user", "says"),
    [
        ({"server": "https://x", "insecure-skip-tls-verify": True}, None, "insecure-skip"),
        ({"server": "http://x"}, None, "no https address"),
        ({"server": "https://a:b@x"}, None, "no https address"),
        ({"server": "https://[::1"}, None, "no https address"),
        ({"server": "https://x/#f"}, None, "no https address"),
        ({"server": "https://x", "servre": "y"}, None, 'mean "server"'),
        ({"server": "https://x", "certificate-authority-data": "%"}, None, "not base64"),
        ({"server": "https://x", "certificate-authority": "gone.crt"}, None, "cannot be read"),
        (None, {"username": "a", "password": "b"}, "takes no passwords"),
        (None, {"auth-provider": {"name": "gcp"}}, "took it out"),
        (None, {"client-certificate-data": "QUFB"}, "not both"),
        (None, {"tokenFile": "gone"}, "cannot be read"),
        (None, {"exec": {"command": "aws"}}, "speaks no version"),
        (
            None,
            {"exec": {"command": "x", "apiVersion": "client.authentication.k8s.io/v1",
                      "interactiveMode": "Always"}},
            "on a terminal",
        ),
        (None, {"exec": {**EXEC, "provideClusterInfo": True}}, "provideClusterInfo"),
        (None, {"exec": {**EXEC, "argz": []}}, 'mean "args"'),
        (None, {"exec": {**EXEC, "env": ["A=b"]}}, "name and a value"),
        (None, {"exec": {**EXEC, "env": [{"name": "A"}]}}, "name and a value"),
        (None, {"as": "ann", "as-groups": "ops"}, "is no list"),
        (None, {"as-groups": ["ops"]}, 'without "as"'),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_by_name(
    cluster: dict[str, Any] | None, user: dict[str, Any] | None, says: str, tmp_path: Path
) -> None:
    path = _write(tmp_path, cluster=cluster, user=user)
    with pytest.raises(InputProblem, match=says) as caught:
        read_access([path])
    assert str(path) in (caught.value.where or "")


def test_a_context_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = _write(tmp_path)
    with pytest.raises(InputProblem, match='did you mean "one"') as caught:
        read_access([path], "on")
    assert "one and two" in caught.value.remedy
    with pytest.raises(InputProblem, match='the user "gone", which is not there'):
        read_access([path], "two")
    with pytest.raises(InputProblem, match="no current context"):
        read_access([_write(tmp_path, current=None)])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a: b", "kind: Pod\nclusters: []", "clusters: 5\ncontexts: []", "contexts: [1]"],
)
def test_what_is_no_kubeconfig_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(InputProblem):
        read_access([path], "one")


def test_a_file_that_is_not_there_names_the_other_way(tmp_path: Path) -> None:
    with pytest.raises(InputProblem) as caught:
        read_access([tmp_path / "gone"])
    assert "--through MACHINE" in caught.value.remedy


def test_a_program_is_shown_with_all_that_it_is_given_and_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = _write(
        tmp_path,
        user={"exec": {"command": "./login", "args": [str(mark)],
                       "apiVersion": "client.authentication.k8s.io/v1",
                       "env": [{"name": "REALM", "value": "bank"}]}},
    )  # fmt: skip
    program = read_access([path]).program
    assert program is not None
    assert program.argv == (str(tmp_path / "login"), str(mark))
    assert program.shown.whole == f"exec REALM=bank {tmp_path / 'login'} {mark}"
    assert not mark.exists()


def test_a_login_in_an_address_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(InputProblem) as caught:
        read_access([_write(tmp_path, cluster={"server": "https://ann:pa55word@x"})])
    assert "pa55word" not in str(caught.value.as_dict())


@pytest.mark.parametrize("way", ["by its path", "by a link", "from the home"])
def test_a_kubeconfig_from_elsewhere_sends_no_file_of_the_operators(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, sent = tmp_path / "home", tmp_path / "home" / "sent"
    sent.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    (home / ".vault-token").write_text("the-operators-own")
    (sent / "link").symlink_to(home / ".vault-token")
    folder, named = {
        "by its path": (sent, "~/.vault-token"),
        "by a link": (sent, "link"),
        "from the home": (home, ".vault-token"),
    }[way]
    with pytest.raises(InputProblem, match=r"tokenFile .*vault-token") as caught:
        read_access([_write(folder, user={"tokenFile": named})])
    assert "the-operators-own" not in str(caught.value.as_dict())


def test_a_token_beside_its_kubeconfig_and_any_of_ones_own_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "home" / ".kube"
    for folder in (own, tmp_path / "sent" / "tokens"):
        folder.mkdir(parents=True)
        (folder / "token").write_text("a-token-of-length\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    beside = _write(tmp_path / "sent", user={"tokenFile": "tokens/token"})
    elsewhere = _write(own, user={"tokenFile": str(tmp_path / "sent" / "tokens" / "token")})
    for path in (beside, elsewhere):
        assert read_access([path]).token == Secret("a-token-of-length")
