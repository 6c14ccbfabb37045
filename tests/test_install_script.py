"""install.sh as a person meets it: what it finds, what it says, what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.preflight.egress_servers import authority, site

ROOT = Path(__file__).parent.parent
PARTS = ("foundation", "preflight", "bundles", "installer", "screens")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is shipped, in a folder whose name has a space."""
    folder = tmp_path / "a check out"
    folder.mkdir()
    for name in ("install.sh", "pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    for name in PARTS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def tools(folder: Path, **programs: str) -> str:
    """A PATH of one folder: the system's plain tools, and scripts for the programs named."""
    folder.mkdir()
    for name in (
        "sh",
        "sed",
        "tr",
        "head",
        "id",
        "dirname",
        "cat",
        "cksum",
        "tail",
        "grep",
        "mkdir",
        "mv",
        "rm",
        "flock",
        "apt-get",
    ):
        found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if found:
            (folder / name).symlink_to(found)
    for name, text in programs.items():
        program = folder / name.replace("_", ".")
        program.unlink(missing_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    return str(folder)


def start(
    checkout: Path, *arguments: str, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run install.sh without a terminal."""
    return subprocess.run(
        ["/bin/sh", str(checkout / "install.sh"), *arguments],
        cwd=cwd,
        env={**os.environ, "HOME": str(cwd), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_shim_that_fails_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    """A python3.12 on the path that only prints an error is not taken for a Python."""
    path = tools(
        tmp_path / "bin",
        python3="echo 'pyenv: python3: command not found' >&2; exit 127",
        # Its missing venv shows that this one was chosen, without installing anything.
        python3_13=f'case "$*" in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"',
    )
    done = start(checkout, "--version", cwd=tmp_path, PATH=path)
    assert "this Python has no venv" in done.stderr
    named = start(checkout, "--version", cwd=tmp_path, PATH=path, SITEWRIGHT_PYTHON="false")
    assert "SITEWRIGHT_PYTHON is not a Python 3.11" in named.stderr


def test_no_python_names_the_package(checkout: Path, tmp_path: Path) -> None:
    """With only an old Python the message says what to install, and nothing is left behind."""
    text = (checkout / "install.sh").read_text()
    for absolute in ("/usr/bin/python3", "/usr/local/bin/python3"):
        text = text.replace(absolute, "/nonexistent/python3")
    (checkout / "install.sh").write_text(text)
    path = tools(tmp_path / "bin", python3="[ $1 = --version ] && echo Python 3.10.12; exit 1")
    before = sorted(checkout.iterdir())
    done = start(checkout, cwd=tmp_path, PATH=path)
    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr
    assert "Python 3.10.12" in done.stderr
    assert "apt-get install -y python3" in done.stderr
    assert sorted(checkout.iterdir()) == before


def test_ubuntu_2204_is_told_its_package(checkout: Path, tmp_path: Path) -> None:
    """On Ubuntu 22.04 the advice is the package that brings 3.11 there."""
    release = tmp_path / "os-release"
    release.write_text('ID=ubuntu\nVERSION_ID="22.04"\n')
    text = (checkout / "install.sh").read_text().replace("/etc/os-release", str(release))
    for absolute in ("/usr/bin/python3", "/usr/local/bin/python3"):
        text = text.replace(absolute, "/nonexistent/python3")
    (checkout / "install.sh").write_text(text)
    path = tools(tmp_path / "bin", python3="exit 1")
    done = start(checkout, cwd=tmp_path, PATH=path)
    assert "python3.11 python3.11-venv" in done.stderr


def test_python_without_venv_names_the_package(checkout: Path, tmp_path: Path) -> None:
    """A Python whose venv package is missing gets the one command that mends it."""
    path = tools(
        tmp_path / "bin",
        python3=f'case "$*" in *ensurepip*) exit 1;; esac; exec "{sys.executable}" "$@"',
    )
    done = start(checkout, cwd=tmp_path, PATH=path)
    assert done.returncode == 1
    assert "no venv" in done.stderr
    assert f"python3.{sys.version_info[1]}-venv" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_the_missing_package_is_offered(
    checkout: Path, tmp_path: Path, answer: str
) -> None:
    """The command is shown and run only after a person's yes; then the installation goes on."""
    there, calls = tmp_path / "there", tmp_path / "calls"
    path = Path(
        tools(
            tmp_path / "bin",
            python3=f'case "$*" in *ensurepip*) [ -e "{there}" ] || exit 1;; esac\n'
            f'exec "{sys.executable}" "$@"',
            sudo='exec "$@"',
        )
    )
    (path / "apt-get").unlink()
    (path / "apt-get").write_text(f'#!/bin/sh\necho "$*" >>"{calls}"\n: >"{there}"\n')
    (path / "apt-get").chmod(0o755)
    said = on_a_terminal(
        checkout,
        f"{answer}\n",
        PATH=str(path),
        HOME=str(tmp_path),
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="0",
        PIP_NO_CACHE_DIR="1",
        PIP_FIND_LINKS="",
    )
    package = f"python3.{sys.version_info[1]}-venv"
    assert "Run it now? y or n:" in said
    assert f"apt-get install -y {package}" in said
    if answer == "y":
        assert calls.read_text().splitlines() == ["update", f"install -y {package}"]
        assert "packages could not be fetched" in said
    else:
        assert not calls.exists()
        assert "this Python has no venv" in said


def test_an_offered_command_that_fails_is_not_advised_once_more(
    checkout: Path, tmp_path: Path
) -> None:
    """With the cable out apt fails: to run just that again would be no remedy."""
    path = Path(
        tools(
            tmp_path / "bin",
            python3=f'case "$*" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"',
            sudo='exec "$@"',
        )
    )
    (path / "apt-get").unlink()
    (path / "apt-get").write_text("#!/bin/sh\necho 'E: Temporary failure resolving'\nexit 100\n")
    (path / "apt-get").chmod(0o755)
    said = on_a_terminal(checkout, "YES\n", PATH=str(path), HOME=str(tmp_path))
    assert "Temporary failure resolving" in said
    assert "That command failed; its own lines above say why." in said
    assert said.count("apt-get install -y") == 1


def on_a_terminal(checkout: Path, typed: str, **environment: str) -> str:
    """What install.sh says on a pseudo-terminal when something is typed at its question."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(environment)
        script = str(checkout / "install.sh")
        os.execv("/bin/sh", ["/bin/sh", script, "--version"])  # noqa: S606 - a terminal needs it
    said = b""
    try:
        while True:
            ready, _, _ = select.select([terminal], [], [], 120)
            if not ready:
                raise AssertionError(f"it waits: {said!r}")
            try:
                more = os.read(terminal, 65536)
            except OSError:  # the terminal is closed when the last process of it ends
                break
            if not more:
                break
            if b"y or n:" not in said and b"y or n:" in said + more:
                os.write(terminal, typed.encode())
            said += more
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return said.decode().replace("\r\n", "\n")


def test_a_failed_fetch_leaves_what_was_there(checkout: Path, tmp_path: Path) -> None:
    """Without a package index nothing half-made stays, and an older environment comes back."""
    venv = checkout / ".venv"
    venv.mkdir()
    (venv / ".stamp").write_text("of an older one")
    (venv / "precious").write_text("kept")
    done = start(
        checkout,
        cwd=tmp_path,
        SITEWRIGHT_PYTHON=sys.executable,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="0",
        PIP_NO_CACHE_DIR="1",
        PIP_FIND_LINKS="",
    )
    assert done.returncode == 1
    assert "packages could not be fetched" in done.stderr
    assert (venv / "precious").read_text() == "kept"
    assert [path.name for path in checkout.glob(".venv*")] == [".venv"]


@pytest.mark.timeout(600)
async def test_an_authority_that_is_not_known_is_told_as_one(
    checkout: Path, tmp_path: Path
) -> None:
    """A company's proxy opens TLS: HTTPS_PROXY, which is set, is no remedy; its authority is."""
    ours = authority(tmp_path / "ca", "A Corporate Authority", "127.0.0.1")
    async with site(ours.server, "404 Not Found") as port:

        async def install(**more: str) -> str:
            done = await asyncio.to_thread(
                start,
                checkout,
                cwd=tmp_path,
                SITEWRIGHT_PYTHON=sys.executable,
                PIP_INDEX_URL=f"https://127.0.0.1:{port}/simple",
                PIP_RETRIES="1",  # pip tells why at the second time alone
                PIP_NO_CACHE_DIR="1",
                PIP_FIND_LINKS="",
                CURL_CA_BUNDLE="",
                **more,
            )
            assert done.returncode == 1
            return done.stderr

        other = authority(tmp_path / "other", "Another Authority").pem
        said = await install(PIP_CERT=str(other), REQUESTS_CA_BUNDLE="")
        assert "of an authority that is not known here" in said
        assert "PIP_CERT=/path/to/authority.pem ./install.sh" in said
        assert "HTTPS_PROXY" not in said
        # With what is advised the index is believed, and is told to have nothing.
        believed = await install(PIP_CERT=str(ours.pem), REQUESTS_CA_BUNDLE="")
        assert "of an authority" not in believed
        assert "check the way to the package index" in believed
        # pip believes REQUESTS_CA_BUNDLE before it, so then that is what is advised.
        said = await install(PIP_CERT=str(ours.pem), REQUESTS_CA_BUNDLE=str(other))
        assert "REQUESTS_CA_BUNDLE=/path/to/authority.pem ./install.sh" in said


def test_what_sitewright_did_not_make_is_never_replaced(checkout: Path, tmp_path: Path) -> None:
    """A folder named by mistake, and one that cannot step aside, keep all that is in them."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "pyvenv.cfg").write_text("somebody's own environment")
    done = start(
        checkout, cwd=tmp_path, SITEWRIGHT_PYTHON=sys.executable, SITEWRIGHT_VENV=str(theirs)
    )
    assert done.returncode == 1
    assert f"something else is in {theirs}" in done.stderr
    assert [path.name for path in theirs.iterdir()] == ["pyvenv.cfg"]
    ours = checkout / ".venv"
    ours.mkdir()
    (ours / ".stamp").write_text("of an older one")
    # STAND-IN: an environment that is a mount of its own cannot be renamed.
    path = tools(tmp_path / "bin", mv="echo 'mv: Device or resource busy' >&2; exit 1")
    done = start(checkout, cwd=tmp_path, SITEWRIGHT_PYTHON=sys.executable, PATH=path)
    assert done.returncode != 0
    assert (ours / ".stamp").read_text() == "of an older one"


@pytest.mark.timeout(600)
def test_a_whole_installation(checkout: Path, tmp_path: Path) -> None:
    """It installs, passes arguments on, is quick and quiet the second time, and works elsewhere."""
    first = start(checkout, "--version", cwd=tmp_path, SITEWRIGHT_PYTHON=sys.executable)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("sitewright ")
    again = start(checkout, "--version", cwd=Path("/"), SITEWRIGHT_PYTHON=sys.executable)
    assert again.returncode == 0
    assert again.stderr == ""
    refused = start(
        checkout, "preflight", "--no-such", cwd=tmp_path, SITEWRIGHT_PYTHON=sys.executable
    )
    assert refused.returncode == 2
    report = start(
        checkout, "preflight", "--format", "json", cwd=tmp_path, SITEWRIGHT_PYTHON=sys.executable
    )
    assert '"sitewright.preflight/1"' in report.stdout
