"""Miniloop's own scripts, run by a shell on files of the test; `microk8s` is a stand-in."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from installer.catalogue.solution import load_solution

pytestmark = pytest.mark.processes

FOLDER = load_solution("miniloop").folder
HOSTS = "127.0.0.1 localhost\n10.0.0.9 till.shop.example\n"
BEGIN = "# BEGIN names of Miniloop, written by Sitewright\n127.0.0.1 central-ledger.local\n"
END = "# END names of Miniloop, written by Sitewright\n"


def script(
    tmp_path: Path, text: str, *, microk8s: str = "exit 0", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script as steps do, with its own /etc/hosts."""
    program = tmp_path / "bin/microk8s"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{microk8s}\n")
    program.chmod(0o755)
    return subprocess.run(
        ["sh", "-euc", text.replace("/etc/hosts", str(tmp_path / "hosts"))],
        env={"PATH": f"{program.parent}:/usr/bin:/bin", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["names.sh", "unname.sh"])
def test_a_block_without_its_end_costs_nobody_what_stands_behind_it(
    tmp_path: Path, name: str
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{BEGIN}{HOSTS}")
    text = (FOLDER / "scripts" / name).read_text()
    ingress = "echo central-ledger.local"
    done = script(tmp_path, text, microk8s=ingress, NAMESPACE="demo")
    assert done.returncode != 0
    assert "have a first or a last line alone" in done.stdout
    assert hosts.read_text() == f"{BEGIN}{HOSTS}"

    hosts.write_text(f"{BEGIN}{END}{HOSTS}")
    assert script(tmp_path, text, microk8s=ingress, NAMESPACE="demo").returncode == 0
    left = HOSTS if name == "unname.sh" else f"{HOSTS}{BEGIN}{END}"
    assert hosts.read_text() == left


def test_a_cluster_that_does_not_answer_has_not_started_again(tmp_path: Path) -> None:
    steps = yaml.safe_load((FOLDER / "operations/start.yaml").read_text())["operation"]["steps"]
    text = steps[0]["script"].replace("{{ namespace }}", "demo").replace("sleep 2", "sleep 0")
    microk8s = (
        f'case "$*" in *" get pods "*) echo asked >> {tmp_path}/asked;'
        f' [ "$(wc -l < {tmp_path}/asked)" -gt 2 ] ;; esac'
    )
    assert script(tmp_path, text, microk8s=microk8s).returncode == 0
    assert (tmp_path / "asked").read_text().split() == ["asked"] * 3


@contextmanager
def hub(position: float) -> Iterator[int]:
    """STAND-IN for the services that a transfer meets, after their answers; its port."""
    ledger = {"payerfsp": position, "payeefsp": -position}
    amount = {"amount": "100", "currency": "XXX"}

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply({"value": ledger[self.path.split("/")[2]], "currency": "XXX"})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/transfers":
                ledger["payerfsp"] = round(ledger["payerfsp"] + 100, 4)
                ledger["payeefsp"] = round(ledger["payeefsp"] - 100, 4)
                told = {"to": {"displayName": "First Receiver", "fspId": "payeefsp"}}
                quote = {"quoteResponse": {"body": {"transferAmount": amount}}}
                self.reply({"currentState": "COMPLETED", "transferId": "7", **told, **quote})
            else:
                self.reply({})

        def reply(self, told: object) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def test_a_position_in_hundredths_moves_by_what_was_sent(tmp_path: Path) -> None:
    """99.99 and 100 in binary are not 199.99."""
    text = (FOLDER / "scripts/transfer.sh").read_text()
    with hub(99.99) as port:
        for one in (", 80)", ", 4001)", ", 3003)"):
            assert one in text
            text = text.replace(one, f", {port})")
        text = text.replace("/var/lib/sitewright/miniloop", str(tmp_path / "noted"))
        done = script(tmp_path, text, microk8s="printf 127.0.0.1", NAMESPACE="demo")
    assert done.returncode == 0, done.stdout
    assert "99.99 ->     199.99" in done.stdout
