"""The guide on recorded facts of one and of eleven machines, against `sitewright --version`."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECORDED = Path(__file__).parent.parent / "tests" / "recorded"
SITE = {"master": 3, "worker": 3, "load-balancer": 2, "storage": 3}
"""The site of eleven: PM4ML in production."""


def site_facts(folder: Path) -> Path:
    """A file with the facts of a whole site, made from one recorded machine of each role."""
    machines = []
    for role, count in SITE.items():
        record = json.loads((RECORDED / f"pm4ml-{role}.json").read_text(encoding="utf-8"))
        for number in range(1, count + 1):
            machine = json.loads(json.dumps(record["machines"][0]))
            machine["host"]["name"] = f"{role}{number}"
            machines.append(machine)
    path = folder / "site.json"
    text = json.dumps({"schema": "sitewright.facts/1", "machines": machines})
    path.write_text(text, encoding="utf-8")
    return path


def timed(command: list[str]) -> float:
    """Seconds of one whole process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Print medians, interleaved, and the ratio to the start that does nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    program = str(Path(sys.executable).with_name("sitewright"))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        laptop = str(RECORDED / "laptop.json")
        site = str(site_facts(Path(folder)))
        commands = {
            "sitewright --version": [program, "--version"],
            "guide, one machine": [
                program, "guide", "--purpose", "experiment", "--facts", laptop,
            ],
            "guide, eleven machines": [
                program, "guide", "--where", "bare-metal", "--quality", "production",
                "--facts", site,
            ],
        }  # fmt: skip
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        for command in commands.values():
            timed(command)
        for _ in range(options.runs):
            for name, command in commands.items():
                seconds[name].append(timed(command))
    base = statistics.median(seconds["sitewright --version"])
    for name, found in seconds.items():
        middle = statistics.median(found)
        print(f"{name:<24} {middle * 1000:7.1f} ms   {middle / base:5.1f} x")


if __name__ == "__main__":
    main()
