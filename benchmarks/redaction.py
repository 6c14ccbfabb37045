"""What the search for secrets costs a log line: `redact` beside writing the line as JSON.

A log of ordinary lines (apt, systemd, Ansible, kubectl, digests, paths, UUIDs, certificates), with
some secrets known; in turn, in one call. Nothing of the log is a secret, so every line is searched
to its end.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import statistics
import time
from collections.abc import Callable

from foundation.secrets import Secret, redact

_WORDS = (
    "kube-system",
    "coredns",
    "containerd",
    "systemd-networkd",
    "mojaloop-central-ledger",
    "changed",
    "ok",
    "from",
    "configuration",
    "authentication",
    "ansible.builtin.template",
    "cert-manager.io/v1",
    "Unpacking",
    "libssl3",
    "restarted",
    "registry.example/library/postgres:16.2",
    "deployment.apps/account-lookup-service",
    "ready",
    "waiting",
    "Reached",
    "target",
    "Multi-User",
    "System",
    "fetched",
    "seconds",
    "retry",
    "of",
    "/var/lib/dpkg/lock",
    "to",
)


def lines(many: int) -> list[str]:
    """A log; the same one each time."""
    chance = random.Random(20)  # noqa: S311 - no secret, a log
    made = []
    for number in range(many):
        words = " ".join(chance.choices(_WORDS, k=chance.randint(4, 12)))
        digest = chance.randbytes(32)
        made.append(
            (
                f"Jan 12 03:14:{number % 60:02} node-{number % 5} systemd[1]: {words}",
                f"Get:{number} https://deb.example/debian bookworm/main amd64 {words} [1,234 kB]",
                f"ok: [node-{number % 5}] => (item={words}) took={number % 100}ms rc=0",
                f"{words} sha256:{digest.hex()} pulled in {number % 900}ms",
                f'{{"level":"info","msg":"{words}","id":"{digest[:16].hex()}","n":{number}}}',
                f"{words} and {words}",
                base64.b64encode(digest + digest[:16]).decode(),
                f"time=2026-01-12T03:14:{number % 60:02}Z path=/v1/{'/'.join(words.split()[:3])}",
            )[number % 8]
        )
    return made


def seconds(work: Callable[[str], object], log: list[str]) -> float:
    """How long the work took for every line."""
    began = time.process_time()
    for line in log:
        work(line)
    return time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--secrets", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    chance = random.Random(7)  # noqa: S311 - secrets of nobody
    for number in range(options.secrets):
        Secret(f"{number}-{chance.randbytes(9).hex()}")
    log = lines(options.lines)
    assert all(redact(line) == line for line in log), "an ordinary line was masked"
    ours, base = [], []
    for _ in range(options.rounds):
        base.append(seconds(json.dumps, log))
        ours.append(seconds(redact, log))
    each = statistics.median(ours) / len(log) * 1e6
    ratio = statistics.median(ours) / statistics.median(base)
    print(f"{len(log)} lines, {options.secrets} secrets: {each:.1f} us a line, "
          f"x {ratio:.1f} of json.dumps")  # fmt: skip


if __name__ == "__main__":
    main()
