# Part of Sitewright. Loaded by ansible-playbook on the control host; needs nothing but Ansible.
"""Callback plugin: prints what a playbook does, task by task and machine by machine, as JSON.

Each line is a word that nobody on a machine can guess, a blank, and one JSON object. Before
tasks, every few seconds at most, the machines are asked which run holds them, over the connections
that Ansible has open: where it is another, the playbook ends before anything more is begun.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase  # type: ignore[import-not-found,import-untyped,unused-ignore]  # Ansible's own, on the control host

DOCUMENTATION = """
name: sitewright_events
type: stdout
short_description: events for Sitewright
description: Prints one JSON object a line.
"""

SENTENCE = 600
FAILURES = 20
FENCED_OUT = 124
HOLDER = "/run/sitewright-holder"
RUN = re.compile(r"[0-9a-z-]{8,64}")
SECONDS = 10
PAUSE = 3
"""Seconds between two questions: a playbook of hundreds of tasks on many machines would ask
thousands of times."""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """What ansible-playbook calls."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "sitewright_events"

    def __init__(self) -> None:
        super().__init__()
        # Taken out of the environment: no task shall inherit it.
        self._word = os.environ.pop("SITEWRIGHT_WORD", "sitewright")
        self._secrets = self._read_secrets(os.environ.pop("SITEWRIGHT_REDACT", ""))
        self._run = os.environ.pop("SITEWRIGHT_RUN", "")
        self._sockets = os.environ.get("ANSIBLE_SSH_CONTROL_PATH_DIR", "")
        self._play = ""
        self._failures: list[dict[str, Any]] = []
        self._number = 0
        self._asked = float("-inf")

    @staticmethod
    def _read_secrets(path: str) -> list[str]:
        if not path:
            return []
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - as small as can be
            secrets = json.load(file)
        return sorted((s for s in secrets if len(s) >= 4), key=len, reverse=True)

    def _say(self, event: str, **data: Any) -> None:
        self._number += 1
        data = {"event": event, "n": self._number, "time": round(time.time(), 3), **data}
        sys.stdout.write(f"{self._word} {json.dumps(self._safe(data), sort_keys=True)}\n")
        sys.stdout.flush()

    def _safe(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): self._safe(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._safe(part) for part in value]
        if isinstance(value, str):
            text = str(value)
            for secret in self._secrets:
                text = text.replace(secret, "******")
            return text
        return value

    # -- whose the machines are ----------------------------------------------------------------

    def _fence(self) -> None:
        """End the playbook where a machine is held by another run; ssh asks for no login here."""
        if not self._run or not self._sockets or time.monotonic() - self._asked < PAUSE:
            return
        asked = []
        for path in sorted(Path(self._sockets).glob("[!.]*")):
            words = ["ssh", "-F", "none", "-o", f"ControlPath={path}", "-o", "ControlMaster=no"]
            # Where the connection is gone, none is made.
            words += ["-o", "ProxyCommand=false", "-o", "BatchMode=yes", "machine"]
            asked.append(
                subprocess.Popen(
                    [*words, f"cat {HOLDER}"], stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )
            )  # fmt: skip
        if asked:
            self._asked = time.monotonic()
        until = time.monotonic() + SECONDS
        for process in asked:
            try:
                told, _ = process.communicate(timeout=max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                continue
            holder = told[:200].decode("ascii", "replace").strip()
            if RUN.fullmatch(holder) and holder != self._run:
                self._say("note", text=f"The run {holder} holds the machines now.")
                # An exception would be reported by Ansible, and the next task begun.
                os._exit(FENCED_OUT)

    # -- plays and tasks -----------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = str(play.get_name())[:200]
        self._say("play", play=self._play)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._fence()
        self._say("task", play=self._play, task=str(task.get_name())[:200])

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._fence()
        self._say("task", play=self._play, task=str(task.get_name())[:200])

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._say("note", text=f"The play {self._play!r} is for no machine of this site.")

    # -- results -------------------------------------------------------------------------------

    def v2_runner_on_ok(self, result: Any) -> None:
        found = self._result(result)
        self._told(result, "changed" if found.get("changed") else "ok", "")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if ignore_errors:
            self._told(result, "ignored", self._sentence(result))
        else:
            self._told(result, "failed", self._sentence(result))

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._told(result, "skipped", "")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._told(result, "unreachable", self._sentence(result))

    def v2_runner_retry(self, result: Any) -> None:
        found = self._result(result)
        self._told(
            result, "retry", f"try {found.get('attempts', '?')} of {found.get('retries', '?')}"
        )

    def _told(self, result: Any, status: str, sentence: str) -> None:
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        told = {
            "play": self._play,
            "task": str(task.get_name())[:200],
            "host": str(host.get_name())[:255],
            "status": status,
            "sentence": sentence,
        }
        if status in {"failed", "unreachable"}:
            self._failures.append(told)
        self._say("host", **told)

    @staticmethod
    def _result(result: Any) -> dict[str, Any]:
        found = getattr(result, "result", None)
        if not isinstance(found, dict):
            found = getattr(result, "_result", {})
        return dict(found)

    def _sentence(self, result: Any) -> str:
        found = self._result(result)
        task = getattr(result, "task", None) or result._task
        if found.get("censored") or getattr(task, "no_log", False):
            return "(the task keeps its output to itself: no_log)"
        parts = [found]
        items = found.get("results")
        if isinstance(items, (list, tuple)):
            parts = [
                i
                for i in items
                if isinstance(i, dict) and (i.get("failed") or i.get("unreachable"))
            ] + parts
        for part in parts:
            if part.get("censored"):
                continue
            said = [
                str(part[key]).strip()
                for key in ("msg", "reason", "stderr", "module_stderr", "stdout")
                if part.get(key)
            ]
            if said:
                # "non-zero return code" alone tells nobody anything.
                more = said[1].splitlines()[-1] if len(said) > 1 and said[1] != said[0] else ""
                text = f"{said[0]}: {more}" if more else said[0]
                # "Name or service not known" names neither the name nor the service.
                asked = self._address(part)
                text = f"{text} ({asked})" if asked and asked not in text else text
                return " ".join(text.split())[:SENTENCE]
        return ""

    @staticmethod
    def _address(part: dict[str, Any]) -> str:
        """What a module asked for, without a login and what comes behind the path; "" for none."""
        url = part.get("url")
        if not isinstance(url, str):
            args = (part.get("invocation") or {}).get("module_args") or {}
            url = args.get("url") if isinstance(args, dict) else None
        if not isinstance(url, str) or "://" not in url:
            return ""
        scheme, rest = url.split("://", 1)
        place, slash, path = rest.partition("/")
        return f"{scheme}://{place.rpartition('@')[2]}{slash}{re.split('[?#]', path)[0]}"[:300]

    def v2_playbook_on_stats(self, stats: Any) -> None:
        hosts = {
            str(name): {key: int(value) for key, value in stats.summarize(name).items()}
            for name in sorted(stats.processed)
        }
        self._say(
            "stats", hosts=hosts, failures=self._failures[:FAILURES], failed=len(self._failures)
        )
