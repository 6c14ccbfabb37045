"""What the verification says of Vaults that are sealed, silent, or away; kubectl is a stand-in.

`vault status` ends with 2 where it is sealed (vault, command/status.go), and kubectl exec with it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from installer.catalogue.solution import load_solution

pytestmark = pytest.mark.processes

_MICROK8S = """\
#!/bin/sh
case "$*" in
*" statefulsets "*) printf 3 ;;
*" get pods "*) printf '%s\\n' $PODS ;;
*" exec vault-0 "*) printf '{\\n  "sealed": false\\n}\\n' ;;
*" exec vault-1 "*) [ "$SECOND" = open ] && echo '{"sealed": false}' && exit 0
    [ "$SECOND" = sealed ] && echo '{"sealed": true}' && exit 2
    echo "error: unable to upgrade connection" >&2
    exit 1 ;;
*" exec "*) echo '{"sealed": false}' ;;
esac
"""


@pytest.mark.parametrize(
    ("pods", "second", "status", "says"),
    [
        ("vault-0 vault-1 vault-2", "open", 0, "open: vault-0 vault-1 vault-2"),
        ("vault-0 vault-1 vault-2", "sealed", 1, "vault-1 is sealed;"),
        ("vault-0 vault-1 vault-2", "silent", 1, "vault-1 does not say how it stands;"),
        ("vault-0 vault-2", "open", 1, "of 3 pods only vault-0 vault-2;"),
    ],
)
def test_which_of_them_is_not_open_is_said(
    tmp_path: Path, pods: str, second: str, status: int, says: str
) -> None:
    program = tmp_path / "microk8s"
    program.write_text(_MICROK8S)
    program.chmod(0o755)
    text = (load_solution("pm4ml").folder / "stages/80-verify.yaml").read_text()
    steps = yaml.safe_load(text)["stage"]["steps"]
    (script,) = (one["until"]["script"] for one in steps if one["id"] == "vault-open")
    done = subprocess.run(
        ["sh", "-euc", script.replace("{{ vault_namespace }}", "vault")],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PODS": pods, "SECOND": second},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (status, says)
