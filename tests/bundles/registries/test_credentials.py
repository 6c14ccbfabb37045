"""Logins as docker and podman find them, held against skopeo where it is there."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundles.format.problems import SourceProblem
from bundles.format.reference import parse_reference
from bundles.make.create import CreateOptions, create_bundle
from bundles.registries.credentials import (
    HUB_KEY,
    Login,
    LoginFile,
    Logins,
    Sought,
    login_file,
    login_files,
    read_logins,
)
from bundles.registries.registry import Registries
from bundles.registries.web import Web
from foundation.problems import InputProblem
from foundation.secrets import Secret
from tests.bundles.conftest import MOMENT
from tests.bundles.odd_registry import OddRegistry, running
from tests.bundles.places import need
from tests.bundles.registries.test_registry import QUICK, recipe_of
from tests.bundles.servers import Answer, Asked, Server, answering


def entry(user: str, word: str = "a-password") -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{word}".encode()).decode()}


def seek(logins: Logins, name: str) -> Sought:
    registry, _, repository = name.partition("/")
    return asyncio.run(logins.find(registry, repository))


def user_of(logins: Logins, name: str) -> str | None:
    login = seek(logins, name).login
    return login.user if login else None


AUTHS = {
    "quay.io/team/app": entry("app"),
    "quay.io/team": entry("team"),
    "quay.io": entry("quay"),
    HUB_KEY: entry("hub"),
    "https://old.example.org/v2/": entry("old"),
    "http://plain.example.org": entry("plain"),
    "ns.example.org/x": entry("namespace"),
    "port.example.org:5000": entry("port"),
}


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("quay.io", "quay"),
        ("quay.io/other", "quay"),
        ("quay.io/team", "team"),
        ("quay.io/teams/x", "quay"),
        ("quay.io/team/app", "app"),
        ("quay.io/team/app/more", "app"),
        ("docker.io/library/x", "hub"),
        ("registry-1.docker.io/library/x", "hub"),
        ("old.example.org/a", "old"),
        ("plain.example.org/a", "plain"),
        ("ns.example.org/x/y", "namespace"),
        ("ns.example.org/xy", None),
        ("port.example.org:5000/a", "port"),
        ("port.example.org/a", None),
        ("other.quay.io/team", None),
    ],
)
def test_the_longest_name_counts_as_podman_has_it(
    tmp_path: Path, name: str, user: str | None
) -> None:
    file = tmp_path / "auth.json"
    file.write_text(json.dumps({"auths": AUTHS}))
    assert user_of(read_logins((file,)), name) == user
    need("skopeo")
    told = subprocess.run(
        ["skopeo", "login", "--get-login", "--authfile", file, name],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.stdout.strip() or None) == user


def test_files_are_looked_for_where_both_programs_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [str(path) for path in login_files()] == [
        f"/run/containers/{os.getuid()}/auth.json",
        f"{tmp_path}/.config/containers/auth.json",
        f"{tmp_path}/.docker/config.json",
        f"{tmp_path}/.dockercfg",
    ]
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/settings")
    monkeypatch.setenv("DOCKER_CONFIG", "/docker")
    assert [str(path) for path in login_files()][:3] == [
        "/run/user/7/containers/auth.json",
        "/settings/containers/auth.json",
        "/docker/config.json",
    ]
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/named")
    assert [str(path) for path in login_files()][:2] == ["/named", "/docker/config.json"]


def test_the_first_file_that_knows_a_login_counts_and_empty_entries_do_not(
    tmp_path: Path,
) -> None:
    first, second, oldest = (tmp_path / name for name in ("a.json", "b.json", ".dockercfg"))
    first.write_text(json.dumps({"auths": {"a.example": {}, "b.example": entry("first")}}))
    second.write_text(json.dumps({"auths": {"a.example": entry("second"), "b.example": {}}}))
    oldest.write_text(json.dumps({"https://c.example/v1/": entry("oldest")}))
    (tmp_path / "empty.json").write_text("")
    logins = read_logins((first, second, tmp_path / "empty.json", tmp_path / "none", oldest))
    assert user_of(logins, "a.example/x") == "second"
    assert user_of(logins, "b.example/x") == "first"
    assert user_of(logins, "c.example/x") == "oldest"
    words = seek(logins, "d.example/x").words
    assert str(first) in words
    assert str(second) in words


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"a": 1, "b": {"auth": "%%"}, "c": []}}'])
def test_a_file_of_another_form_ends_in_no_traceback(tmp_path: Path, text: str) -> None:
    file = tmp_path / "auth.json"
    file.write_text(text)
    if text == "{":
        with pytest.raises(InputProblem, match="JSON"):
            read_logins((file,))
    else:
        assert user_of(read_logins((file,)), "a/x") is None


def test_a_file_that_is_named_and_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "none.json"))
    assert "REGISTRY_AUTH_FILE names" in seek(read_logins(), "a.example/x").words


# Programs that keep logins


def helper(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / f"docker-credential-{name}"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)


def with_helpers(path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Logins:
    monkeypatch.setenv("PATH", f"relative:{path}:{os.environ['PATH']}")
    return Logins((login_file(Path("config.json"), settings),))


def test_a_store_is_asked_with_the_name_on_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(
        tmp_path / "bin", "fake",
        'test "$1" = get || exit 3\nserver=$(cat)\necho "$server" >>"' + f'{tmp_path}/asked"\n'
        'printf \'{"ServerURL":"%s","Username":"ops","Secret":"s3cret-one"}\' "$server"\n',
    )  # fmt: skip
    logins = with_helpers(tmp_path / "bin", monkeypatch, credsStore="fake", auths={"a.example": {}})
    found = seek(logins, "a.example/team/app").login
    assert found is not None
    assert (found.user, found.password.reveal()) == ("ops", "s3cret-one")
    assert found.origin == "docker-credential-fake"
    seek(logins, "a.example/other")
    seek(logins, "docker.io/library/x")
    assert (tmp_path / "asked").read_text().split() == ["a.example", HUB_KEY]


def test_a_registry_has_a_program_of_its_own_before_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("own", "general"):
        helper(
            tmp_path / "bin", name,
            f'cat >/dev/null\nprintf \'{{"Username":"{name}","Secret":"s3cret-{name}"}}\'\n',
        )  # fmt: skip
    logins = with_helpers(
        tmp_path / "bin", monkeypatch, credsStore="general", credHelpers={"a.example": "own"}
    )
    assert user_of(logins, "a.example/x") == "own"
    assert user_of(logins, "b.example/x") == "general"


def test_a_token_of_a_program_is_an_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(
        tmp_path / "bin", "fake",
        'cat >/dev/null\nprintf \'{"Username":"<token>","Secret":"refresh-me"}\'\n',
    )  # fmt: skip
    login = seek(with_helpers(tmp_path / "bin", monkeypatch, credsStore="fake"), "a.example").login
    assert login is not None
    assert login.identity is not None
    assert login.identity.reveal() == "refresh-me"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("cat >/dev/null; echo 'credentials not found in native keychain'; exit 1", "has none for"),
        ("cat >/dev/null; echo 'gpg: decryption failed' >&2; exit 2", "gpg: decryption failed"),
        ("cat >/dev/null; echo nonsense", "no JSON"),
        ("cat >/dev/null; echo '{}'", "no login"),
        ("exec cat /dev/zero", "more than"),
        ("exit 7", "exit status 7"),
    ],
)
def test_what_a_program_cannot_do_is_told_and_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    helper(tmp_path / "bin", "fake", script + "\n")
    sought = seek(with_helpers(tmp_path / "bin", monkeypatch, credsStore="fake"), "a.example/x")
    assert sought.login is None
    assert words in sought.words


def test_a_program_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bundles.registries import credential_helper

    helper(tmp_path / "bin", "slow", "sleep 300 & cat >/dev/null; wait\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    answer = asyncio.run(credential_helper.ask_helper("slow", "a.example", seconds=0.2))
    assert "did not answer" in answer.problem


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "-x", "none-such"])
def test_only_programs_of_the_path_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    helper(tmp_path, "none-such", "echo run >ran\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".::relative:{os.environ['PATH']}")
    logins = Logins((LoginFile(Path("x"), helpers={"a.example": name}),))
    assert "no such program on the PATH" in seek(logins, "a.example/x").words
    assert not (tmp_path / "ran").exists()


# Where logins go


def manifest_of(server: Server, logins: Logins | dict[str, Login], name: str = "t/it:1") -> str:
    async def run() -> str:
        async with Web(patience=QUICK) as web:
            found = await Registries(web, logins=logins).manifest(
                parse_reference(f"{server.host}/{name}")
            )
            return found.digest

    return asyncio.run(run())


def closed(registry: OddRegistry, challenge: str, good: str) -> None:
    def habit(asked: Asked, answer: Answer) -> Answer:
        if asked.headers.get("authorization") == good:
            return answer
        return Answer(401, b'{"errors":[]}', {"WWW-Authenticate": challenge})

    registry.habits["it"] = habit


def test_a_helpers_login_opens_a_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper(
        tmp_path / "bin", "fake",
        'cat >/dev/null\nprintf \'{"Username":"ops","Secret":"s3cret-one"}\'\n',
    )  # fmt: skip
    logins = with_helpers(tmp_path / "bin", monkeypatch, credsStore="fake")
    registry = OddRegistry()
    image = registry.image("private")
    registry.tag("it", image)
    good = Login("ops", Secret("s3cret-one")).basic()
    closed(registry, 'Negotiate, Basic realm="Nexus, and \\"more\\""', good)
    with running(registry) as server:
        options = CreateOptions(created=MOMENT, patience=QUICK, logins=logins)
        asyncio.run(create_bundle(recipe_of(f"{server.host}/t/it:1"), tmp_path / "bundle", options))
        # Without being asked, nothing is said of the login.
        assert "authorization" not in server.asked[0].headers


def test_a_refused_login_says_what_was_tried_and_a_missing_one_where_it_was_sought(
    tmp_path: Path,
) -> None:
    registry = OddRegistry()
    registry.tag("it", registry.image("private"))
    closed(registry, 'Basic realm="x"', "nothing is good")
    file = tmp_path / "config.json"
    with running(registry) as server:
        file.write_text(json.dumps({"auths": {server.host: entry("ops", "wrong-word")}}))
        with pytest.raises(SourceProblem, match="the login of ops from") as caught:
            manifest_of(server, read_logins((file,)))
        assert str(file) in caught.value.cause
        assert "wrong-word" not in caught.value.cause
        assert "expired" in (caught.value.remedy or "")
        assert f"podman login {server.host}" in (caught.value.remedy or "")
        assert caught.value.exit_code == 4
        file.write_text("{}")
        with pytest.raises(SourceProblem, match=f"stands in {file}"):
            manifest_of(server, read_logins((file,)))
    closed(registry, "Negotiate", "nothing is good")
    with running(registry) as server, pytest.raises(SourceProblem, match="negotiate, which is not"):
        manifest_of(server, {server.host: Login("ops", Secret("a-password"))})


def test_an_identity_token_is_exchanged_and_never_sent_to_the_registry() -> None:
    registry = OddRegistry()
    image = registry.image("private")
    registry.tag("it", image)
    tokens: list[bytes] = []

    def decide(asked: Asked) -> Answer:
        if asked.path == "/token":
            assert asked.method == "POST"
            assert "authorization" not in asked.headers
            tokens.append(asked.body)
            return Answer(body=b'{"access_token": "good"}')
        assert b"refresh-me" not in asked.body
        if asked.headers.get("authorization") == "Bearer good":
            return registry.answer(asked)
        challenge = f'Bearer service="s", scope="repository:t/it:pull", realm="{server.url}/token"'
        return Answer(401, headers={"WWW-Authenticate": challenge})

    with answering(decide) as server:
        login = Login("", Secret(""), identity=Secret("refresh-me"))
        assert manifest_of(server, {server.host: login}) == image["digest"]
    assert b"grant_type=refresh_token" in tokens[0]
    assert b"refresh_token=refresh-me" in tokens[0]
    assert b"scope=repository%3At%2Fit%3Apull&" in tokens[0]


def test_a_scope_that_the_server_names_is_asked_for_beside_ours() -> None:
    registry = OddRegistry()
    registry.tag("it", registry.image("private"))
    asked_for: list[str] = []

    def decide(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            asked_for.append(asked.path)
            return Answer(body=b'{"token": "good"}')
        if asked.headers.get("authorization") == "Bearer good":
            return registry.answer(asked)
        challenge = f'Bearer realm="{server.url}/token?a=b",scope="repository:real/it:pull"'
        return Answer(401, headers={"WWW-Authenticate": challenge})

    with answering(decide) as server:
        manifest_of(server, {})
    assert asked_for == [
        "/token?a=b&scope=repository%3At%2Fit%3Apull&scope=repository%3Areal%2Fit%3Apull"
    ]


def test_no_login_goes_to_another_name() -> None:
    """A redirect, and a realm of another name that is not encrypted."""
    heard: list[Asked] = []

    def other(asked: Asked) -> Answer:
        heard.append(asked)
        return Answer(401, headers={"WWW-Authenticate": 'Basic realm="give it to me"'})

    logins: dict[str, Login] = {}
    with answering(other) as elsewhere:

        def decide(asked: Asked) -> Answer:
            if "authorization" not in asked.headers:
                return Answer(401, headers={"WWW-Authenticate": challenge})
            return Answer(307, headers={"Location": f"{elsewhere.url}{asked.path}"})

        with answering(decide) as server:
            logins[server.host] = Login("ops", Secret("a-password"))
            challenge = 'Basic realm="x"'
            with pytest.raises(SourceProblem):
                manifest_of(server, logins)
            challenge = f'Bearer realm="{elsewhere.url.replace("127.0.0.1", "localhost")}/token"'
            with pytest.raises(SourceProblem, match="not encrypted"):
                manifest_of(server, logins)
    assert heard
    assert all("authorization" not in asked.headers for asked in heard)


def test_a_refused_part_of_an_image_says_what_was_tried_as_well(tmp_path: Path) -> None:
    """The manifest is for everybody, its layers are not."""
    registry = OddRegistry()
    registry.tag("it", registry.image("half"))

    def habit(asked: Asked, answer: Answer) -> Answer:
        if "/blobs/" not in asked.path:
            return answer
        return Answer(401, b"{}", {"WWW-Authenticate": 'Basic realm="x"'})

    registry.habits["it"] = habit
    with running(registry) as server:
        logins = {server.host: Login("ops", Secret("a-password"), "a file")}
        options = CreateOptions(created=MOMENT, patience=QUICK, logins=logins)
        with pytest.raises(SourceProblem, match="tried: the login of ops from a file"):
            asyncio.run(
                create_bundle(recipe_of(f"{server.host}/t/it:1"), tmp_path / "bundle", options)
            )
