"""The maker's settings of git as ours has them, held against what the real git reads."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

from bundles.format.recipe import GitWanted
from bundles.sources.git_repository import Repository, open_repository

pytestmark = pytest.mark.processes

SETTINGS = {
    "a helper": b"[credential]\n\thelper = store\n",
    "a list that begins anew": b"[credential]\n\thelper = a\n\thelper =\n\thelper = b\n",
    "a word alone is true": b"[credential]\n\tuseHttpPath\n",
    "and an empty one is not": b"[credential]\n\tuseHttpPath =\n",
    "for one server": b'[credential "https://git.example.org/a b"]\n\tusername = anna\n',
    "quotes and strokes in a server": b'[credential "https://x/\\"q\\"\\\\"]\n\tusername = a\n',
    "a shell function": b'[credential]\n\thelper = "!f() { echo \\"a=b;#\\"; }; f"\n',
    "a comment behind": b"[http]\n\tproxy = http://p:3128 ; of the site\n",
    "a hash in quotes": b'[http]\n\tproxy = "http://p:3128/#x"\n',
    "blanks at both ends": b'[http]\n\tuserAgent = "  a\\tb  "\n',
    "a line goes on": b"[http]\n\tproxy = http://p\\\n:3128\n",
    "an end of a line in it": b'[http]\n\textraHeader = "A: b\\nC: d"\n',
    "ends of lines of Windows": b"[http]\r\n\tproxy = http://p:3128\r\n",
    "two headers": b"[http]\n\textraHeader = A: b\n\textraHeader = C: d\n",
    "by server, the longest counts": b'[http "https://a"]\n\tsslCAInfo = /a\n'
    b'[http "https://a/b"]\n\tsslCAInfo = /b\n',
    "a certificate of ours for the proxy": b"[http]\n\tproxySSLCert = /c\n\tproxySSLKey = /k\n",
    "a key that is pinned": b"[http]\n\tpinnedPubkey = sha256//abc\n",
    "the least TLS": b"[http]\n\tsslVersion = tlsv1.3\n",
    "cookies of a gateway": b"[http]\n\tcookieFile = ~/.cookies\n",
    "an address of its own": b"[http]\n\tcurloptResolve = a:443:10.0.0.1\n",
    "Kerberos": b"[http]\n\temptyAuth\n\tdelegation = always\n",
    "who asks for the password": b"[core]\n\taskPass = /usr/bin/ask\n",
    "no UTF-8": b"[http]\n\tsslCAInfo = /home/m\xfcller/ca.pem\n",
    "a home": b"[http]\n\tsslCAInfo = ~/ca.pem\n",
    "old sections": b"[http.Site]\n\tproxy = x\n",
    "letters of keys": b"[HTTP]\n\tPROXY = X\n",
    "safe folders": b"[safe]\n\tdirectory =\n\tdirectory = /a\n\tdirectory = *\n",
    "no end": b"[http]\n\tproxy = x",
    "a mark of the bytes' order": b"\xef\xbb\xbf[http]\n\tproxy = x\n",
    "another file": b"[include]\n\tpath = more\n",
    "another file by a condition": b'[includeIf "gitdir:/**"]\n\tpath = more\n',
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (made := tmp_path / "home").mkdir()
    (made / "more").write_text("[http]\n\tproxy = of-more\n")
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return made


def opened(folder: Path) -> Repository:
    wanted = GitWanted.model_validate(
        {"name": "site", "url": folder.as_uri(), "ref": "main", "images": False}
    )
    return asyncio.run(open_repository(folder / "work", wanted))


def settings_of(surroundings: dict[str, str]) -> list[bytes]:
    """What the real git reads of how it is let in; none of where."""
    done = subprocess.run(
        ["git", "config", "--includes", "--null", "--list"],
        env=surroundings, cwd="/", capture_output=True, check=True,
    )  # fmt: skip
    ours = rb"(credential|http|safe)\..*|core\.askpass"
    return [one for one in done.stdout.split(b"\0") if re.match(ours, one.partition(b"\n")[0])]


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_is_what_it_is_for_the_makers_git(
    name: str, tmp_path: Path, home: Path
) -> None:
    (home / ".gitconfig").write_bytes(SETTINGS[name])
    repository = opened(tmp_path)
    theirs = settings_of({"PATH": os.environ["PATH"], "HOME": str(home)})
    ours = settings_of(dict(repository.surroundings))
    asyncio.run(repository.close())
    assert ours.pop() == f"safe.directory\n{repository.mirror}".encode()
    assert ours == theirs


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[url "https://mirror/"]\n\tinsteadOf = https://\n', "url.https://mirror/.insteadof"),
        ("[core]\n\tsshCommand = ssh -i key\n", "core.sshcommand"),
        ("[core]\n\tgitProxy = tunnel\n", "core.gitproxy"),
        ("[http]\n\tsslVerify = false\n", "http.sslverify"),
        ('[http "https://a"]\n\tsslVerify\n', "http.https://a.sslverify"),
        ("[ssh]\n\tvariant = plink\n", "ssh.variant"),
        ("[http\n", "bad config line 1"),
        ("[credential]\n\thelper = a\n[include\n", "bad config line 3"),
    ],
)
def test_what_counts_for_nothing_is_named(
    text: str, named: str, tmp_path: Path, home: Path
) -> None:
    (home / ".gitconfig").write_text(text)
    repository = opened(tmp_path)
    asyncio.run(repository.close())
    assert len(repository.told) == 1
    assert named in repository.told[0]


def test_so_is_a_variable_and_a_machine_without_any_is_told_nothing(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = opened(tmp_path)
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    monkeypatch.setenv("GIT_SSL_CAINFO", "/ca.pem")
    told = opened(tmp_path)
    for one in (quiet, told):
        asyncio.run(one.close())
    assert quiet.told == ()
    assert told.told == ("settings of git here that count for nothing: GIT_SSH_COMMAND",)
    assert told.surroundings["GIT_SSL_CAINFO"] == "/ca.pem"
    assert told.surroundings["GIT_SSH_COMMAND"] == "ssh -o BatchMode=yes"


def test_a_login_is_found_where_the_makers_git_keeps_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`store` of the real git, whose file lies where XDG_CONFIG_HOME says."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    (tmp_path / "xdg" / "git").mkdir(parents=True)
    (tmp_path / "xdg" / "git" / "credentials").write_text("https://anna:pw@git.example.org\n")
    (home / ".gitconfig").write_text("[credential]\n\thelper = store\n")
    repository = opened(tmp_path)
    done = subprocess.run(
        ["git", "credential", "fill"], input="protocol=https\nhost=git.example.org\n\n",
        env=dict(repository.surroundings), cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    asyncio.run(repository.close())
    assert "username=anna\npassword=pw\n" in done.stdout
