"""Programs that we start are isolated: a rule over the whole source, and what it prevents."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from foundation.hosts.local import LocalConnection
from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.isolation import CHILDREN, NOWHERE, child_environment, environment
from installer.ansible.command import command
from installer.steps.control_host import _FIND

ROOT = Path(__file__).parent.parent
FLOORS = ("foundation", "preflight", "bundles", "installer", "screens")
HERE = Host("control", LOCAL_ADDRESS)

_PYTHON_IN_TEXT = re.compile(
    r"""(?:\bpython3?(?:\.\d+)?|\$\{?python\}?|\$p)["']?[ \t]+(?!--[ \t]|--version)(-\S*)"""
)
"""A Python with options, as a shell or a playbook starts it."""
_PROGRAM_IN_TEXT = re.compile(r"""(\S+ +)-c\s+(?:\\?['"])\s*(?:import|from|exec\()""")
"""A program for Python as an argument, whatever the Python is called."""
_SHEBANG = re.compile(r"^#!.*python.*$", re.MULTILINE)


def _sources() -> Iterator[Path]:
    yield ROOT / "install.sh"
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def _told(text: str) -> str:
    """The text without what only tells of a command to a person: `python -m …` in backquotes."""
    return re.sub(r"`python3? -m [^`]*`|usage: python -m \S+", "", text)


def _starts_python(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and what comes after the Python, in each list of words that begins one."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Tuple, ast.List)):
            words = node.elts
        elif isinstance(node, ast.Call):
            words = node.args
        else:
            continue
        for word, after in pairwise(words):
            text = ast.unparse(word)
            python = re.search(r"sys\.executable|^python$|^'(\S*/)?python3?(\.\d+)?'$", text)
            option = isinstance(after, ast.Constant) and str(after.value).startswith("-")
            if (
                python
                and "with_name" not in text
                and (option or ast.unparse(after) == "ISOLATED" or text == "sys.executable")
            ):
                yield node.lineno, ast.unparse(after)


def test_no_python_is_started_that_is_not_isolated() -> None:
    wrong = []
    for path in _sources():
        text = _told(_text(path))
        where = path.relative_to(ROOT)
        wrong += [
            f"{where}: {found[0]}"
            for found in _PYTHON_IN_TEXT.finditer(text)
            if not found[1].startswith("-I")
        ]
        wrong += [
            f"{where}: {found[0]}"
            for found in _PROGRAM_IN_TEXT.finditer(text)
            if found[1].strip() not in ("-I", "-B")
        ]
        wrong += [f"{where}: {line}" for line in _SHEBANG.findall(text)]
        if path.suffix == ".py" and ("python" in text or "executable" in text):
            wrong += [
                f"{where}:{line}: {after}"
                for line, after in _starts_python(ast.parse(text))
                if after not in ("'-I'", "ISOLATED")
            ]
    assert wrong == []


def test_the_rule_sees_what_it_forbids() -> None:
    for text in (
        "python3 -c 'import x'", 'exec python3 -m checklist "$@"', '"$python" - "$here"',
        '"$p" -c "import sys"', "/usr/bin/python3.11 -B x.py",
    ):  # fmt: skip
        found = _PYTHON_IN_TEXT.search(text)
        assert found is not None, text
        assert not found[1].startswith("-I"), text
    seen = list(_starts_python(ast.parse("run([sys.executable, '-c', X]); (python, '-m', 'pip')")))
    assert sorted(after for _, after in seen) == ["'-c'", "'-m'"]


def test_the_driver_of_ansible_imports_nothing_of_the_folder_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base64.py").write_text("open('PWNED', 'w').close()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    driver = b"import base64, os; print(os.getcwd())"
    done = subprocess.run(
        command(HERE),
        input=b"%d\n%s" % (len(driver), driver),
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert done.stdout
    assert not (tmp_path / "PWNED").exists()


def test_a_control_host_is_looked_at_without_what_lies_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("open('/dev/null')\nraise SystemExit(9)\n")
    done = subprocess.run(
        ["sh", "-c", _FIND, "sh", "/nowhere"],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "python=" in done.stdout


def test_commands_here_have_a_folder_and_an_environment_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "PYTHONPATH", "PYTHONSTARTUP", "ANSIBLE_CONFIG", "GIT_DIR", "BASH_ENV", "PERL5OPT",
        "PERL5LIB", "RUBYOPT", "NODE_OPTIONS", "PS4", "LESSOPEN", "HELM_PLUGINS", "GIT_TRACE",
        "HELM_KUBECONTEXT", "GIT_TRACE_CURL", "GIT_CONFIG_GLOBAL", "GIT_SSL_NO_VERIFY",
        "GIT_PAGER", "PROMPT_COMMAND",
    ):  # fmt: skip
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")

    async def asked() -> str:
        async with LocalConnection(HERE) as connection:
            done = await connection.run(["sh", "-c", "pwd; env"])
            return done.stdout.decode()

    lines = asyncio.run(asked()).splitlines()
    assert lines[0] == NOWHERE
    assert "SSH_AUTH_SOCK=/agent" in lines
    assert not [line for line in lines if str(tmp_path) in line and not line.startswith("OLDPWD")]


def test_the_program_that_is_installed_is_isolated_itself(tmp_path: Path) -> None:
    text = (ROOT / "install.sh").read_text()
    script = text[text.index("    if sed '1s|") : text.index("    printf '%s\\n' \"$stamp\" >")]
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "sitewright"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.flags.isolated)\n")
    program.chmod(0o755)
    around = {"venv": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(["sh", "-euc", script], env=around, check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert (ROOT / "bundles/sources/install.sh").read_text().count("sed '1s|") == 1


_STARTS = ("subprocess.run", "subprocess.Popen", "subprocess.check_output", "subprocess.call",
           "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell",
           "loop.subprocess_exec", "os.execv", "os.system", "os.popen")  # fmt: skip


HANDED_ON = {
    "workshop.py: dict(surroundings)": "by whoever asks, from the table",
    "git.py: _environment(protocol)": "the row of git upload-pack",
    "renderers.py: _surroundings(own, Path(argv[0]), *([other] if other else []))": "Helm's row",
    "ansible_process.py: environment(home)": "the row of ansible-inventory",
}
"""Environments that are made elsewhere, and where."""


def test_every_program_is_given_an_environment_of_the_one_table() -> None:
    """None inherits whatever stands in ours, secrets among it: a row of the table, or what is left
    when all that leads elsewhere is taken out."""
    wrong = []
    handed = set()
    for path in _sources():
        where = str(path.relative_to(ROOT))
        if path.suffix != ".py" or "/solutions/" in where or "on_" in path.parent.name:
            continue
        text = _text(path)
        if not any(start in text for start in _STARTS):
            continue
        for node in ast.walk(ast.parse(text)):
            # Unparsing each call of the house takes longer than all else here.
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if not isinstance(node.func.value, ast.Name) or ast.unparse(node.func) not in _STARTS:
                continue
            given = next((ast.unparse(k.value) for k in node.keywords if k.arg == "env"), "none")
            if f"{path.name}: {given}" in HANDED_ON:
                handed.add(f"{path.name}: {given}")
            elif not re.match(r"(?:child_)?environment\(", given):
                wrong.append(f"{where}:{node.lineno}: {given} for {ast.unparse(node)[:60]}")
    assert wrong == []
    assert handed == set(HANDED_ON)


LEADING = (
    "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_0", "GIT_DIR", "GIT_TRACE", "HELM_PLUGINS", "HELM_NAMESPACE", "ANSIBLE_CONFIG",
    "ANSIBLE_LIBRARY", "APT_CONFIG", "DPKG_ROOT", "DOCKER_CONFIG", "DOCKER_HOST", "DOCKER_CONTEXT",
    "COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "CONTAINERS_REGISTRIES_CONF", "CONTAINER_HOST",
    "PIP_INDEX_URL", "PYTHONPATH", "VIRTUAL_ENV", "PERL5LIB", "BASH_ENV", "OPENSSL_CONF",
    "KUBECONFIG", "KUBERNETES_MASTER", "KUBERNETES_SERVICE_HOST", "KUBERC", "TF_CLI_ARGS",
    "TF_CLI_CONFIG_FILE", "TF_DATA_DIR", "GCONV_PATH", "GLIBC_TUNABLES", "SSLKEYLOGFILE",
    "BLOCK_SIZE", "DF_BLOCK_SIZE", "BLOCKSIZE", "POSIXLY_CORRECT", "QUOTING_STYLE", "XZ_OPT",
    "SYSTEMD_COLORS", "SYSTEMD_LOG_LEVEL", "GIT_SHALLOW_FILE", "GIT_DEFAULT_HASH",
    "GIT_GRAFT_FILE", "JAVA_TOOL_OPTIONS", "SSH_SK_PROVIDER",
)  # fmt: skip


_MADE = 'd=$(mktemp -d -p .) && git init -q "$d" && git -C "$d" rev-parse --show-object-format'


@pytest.mark.parametrize(
    ("words", "hostile"),
    [
        (("df", "-P", "/proc"), {"DF_BLOCK_SIZE": "7", "BLOCK_SIZE": "7", "POSIXLY_CORRECT": "1"}),
        (("ls", "-d", "/a b", "/proc"), {"QUOTING_STYLE": "shell-always"}),
        (("sh", "-c", _MADE), {"GIT_DEFAULT_HASH": "sha256"}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_real_programs_answer_as_if_nothing_were_set(
    words: tuple[str, ...], hostile: dict[str, str], tmp_path: Path
) -> None:
    def said(more: dict[str, str]) -> str:
        around = environment({"LC_ALL": "C"}, of={"PATH": os.environ["PATH"], **more})
        done = subprocess.run(
            words, env=around, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.stdout

    plain = said({})
    assert plain
    assert said(hostile) == plain
    assert plain != subprocess.run(
        words, env={"PATH": os.environ["PATH"], "LC_ALL": "C", **hostile}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip


def test_what_leads_elsewhere_reaches_no_child() -> None:
    ours = dict.fromkeys((*LEADING, "XDG_CONFIG_HOME", "GNUPGHOME"), "/elsewhere")
    ours |= {"PATH": "/bin", "HOME": "/home/m", "https_proxy": "http://p:3128", "LC_ALL": "de_DE"}
    left = environment({"A": "1"}, of=ours)
    assert set(LEADING) & set(left) == set()
    assert (left["HOME"], left["A"], left["XDG_CONFIG_HOME"]) == ("/home/m", "1", "/elsewhere")
    for program in CHILDREN:
        given = child_environment(program, {"A": "1"}, of=ours)
        led = {name for name, value in given.items() if value == "/elsewhere"}
        # Git's helpers find logins by it; the configuration there is laid over by ours.
        assert led == ({"XDG_CONFIG_HOME"} if program == "git fetch" else set()), program
        assert (given["LC_ALL"], given["A"]) == ("C.UTF-8", "1")
    assert child_environment("apt", of=ours) == {
        "PATH": "/bin", "https_proxy": "http://p:3128", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    assert child_environment("git", of=ours)["HOME"] == "/home/m"
    assert child_environment("helm", of=ours)["PATH"] == os.defpath
