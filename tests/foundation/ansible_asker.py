"""Ansible's own reader, imported once and forked for each question: half a second less a test.

It stands in for the process of `ansible_process.ask` and nothing else: the code that answers, its
configuration and its arguments are the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from foundation.hosts.ansible.ansible_process import Answer, Refused, answer_of, environment
from foundation.isolation import ISOLATED
from tests.foundation.processes import PATIENCE

_SERVE = """\
import json, os, sys, traceback
import ansible.cli.inventory as cli
from ansible.utils.context_objects import GlobalCLIArgs

def ask(inventory):
    # The options of a command line are kept for good; each question has its own.
    GlobalCLIArgs._Singleton__instance = None
    try:
        from ansible.parsing.vault import VaultSecretsContext
        VaultSecretsContext._current = None
    except ImportError:
        pass  # older ones keep no such thing
    sys.argv = ["ansible-inventory", "-i", inventory, "--list"]
    cli.main()

# Once here, so that no child has to load the plugins again.
out, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
os.dup2(null, 1)
try:
    ask(sys.argv[1])
except SystemExit:
    pass
sys.stdout.flush()
os.dup2(out, 1)
print("ready", flush=True)
for line in sys.stdin:
    inventory, home = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.chdir(home)
            for number, name in ((1, "answer.json"), (2, "words")):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            ask(inventory)
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Asker:
    """A running reader; `ask` is as `ansible_process.ask`."""

    def __init__(self, home: Path) -> None:
        first = home / "first.ini"
        first.write_text("[a]\nn\n")
        self._process = subprocess.Popen(
            [sys.executable, ISOLATED, "-c", _SERVE, str(first)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=home,
            env=environment(home),
        )  # fmt: skip
        self._said()

    def _said(self) -> str:
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        assert said, "the reader has ended"
        return said

    def ask(self, inventory: Path, home: Path) -> Answer:
        """What Ansible makes of an inventory; raises Refused."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(inventory), str(home)]) + "\n")
        self._process.stdin.flush()
        code = int(self._said())
        words = (home / "words").read_text("utf-8", "replace")
        if code != 0:
            raise Refused(words)
        return answer_of((home / "answer.json").read_text("utf-8", "replace"), words)

    def close(self) -> None:
        """End the reader."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=PATIENCE)
