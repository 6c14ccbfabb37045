"""Helm-test: the tests that a release brings, judged by their exit codes and summaries both.

Neither is believed alone: a test whose assertions failed may exit with 0, and one that was cut off
may have printed a good summary before. What the pods of the tests left is asked of the cluster
itself, since Helm prints their logs one behind the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from foundation.hosts.jobs.output_lines import clean_line
from foundation.paths import make_private
from installer.catalogue.stages import StepData
from installer.plans.plan import PlannedStep
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, must_be_good, parsed, usual_program

LOGS: Final = "reports"
"""The folder of a run in which the logs of the tests lie."""
_LINES: Final = 5000
"""Last lines of a test's log that are kept."""


class HelmTestStep(StepData):
    """The tests of a release, run to their end and judged by all that they leave."""

    kind: Literal["helm-test"]
    release: str
    namespace: str
    program: tuple[str, ...] = ("helm",)
    kubectl: tuple[str, ...] = ("kubectl",)
    summary: str = ""
    """A regular expression with one group that is a number, in what each test writes."""
    at_least: float = 0.0
    """What that number must be in each."""
    must_run: tuple[str, ...] = ()
    """Tests that must be among them: ends of the names of their pods."""
    known: str = ""
    """What is known of failures that are none, a sentence; said where a test fails."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One test as its pod left it."""

    name: str
    phase: str
    code: int | None
    said: tuple[str, ...]


class HelmTest(Probed):
    """It is never found done: what it tells is of now."""

    model = HelmTestStep

    def data(self, context: StepContext) -> HelmTestStep:
        """The step's data."""
        return parsed(context, HelmTestStep)

    def programs(self, step: PlannedStep) -> tuple[str, ...]:
        """Its own."""
        return usual_program(step, "helm")

    async def is_done(self, context: StepContext) -> bool | None:
        """By the step's `done` only."""
        return await super().is_done(context) if self.data(context).done is not None else False

    async def do(self, context: StepContext) -> str:
        """Run the tests to their end and judge them; raises StepFailed."""
        data = self.data(context)
        seconds = max(int(data.timeout_minutes * 60) - 15, 15)
        ended = await context.change(
            f"run the tests of {data.release} in {data.namespace}",
            (*data.program, "test", data.release, "--namespace", data.namespace,
             "--timeout", f"{seconds}s", "--logs"),
        )  # fmt: skip
        if ended.dry:
            return f"The tests of {data.release} would be run."
        ran = await self._ran(context, data)
        if ran is None:
            must_be_good(context, ended, f"helm test {data.release}")
            raise StepFailed(
                "the tests ended, and the cluster does not say how", where=context.host.name
            )
        files = [file for one in ran if (file := _keep(context, one))]
        problem, sentence = judge(data, ran)
        shown = f" Their logs: {', '.join(files)}" if files else ""
        if problem:
            first = next((one for one in ran if one.name in problem), None)
            raise StepFailed(
                problem, where=context.host.name, output=first.said[-40:] if first else ended.tail,
                remedy=f"Read what it wrote.{shown}{' ' + data.known if data.known else ''} "
                "To run it again: sitewright resume, or sitewright verify.",
            )  # fmt: skip
        must_be_good(context, ended, f"helm test {data.release}")
        return f"{sentence}{shown}"

    async def verify(self, context: StepContext) -> None:
        """By the step's `verify` only: it was just judged."""
        if self.data(context).verify is not None:
            await super().verify(context)

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`, else the tests' pods, which Helm leaves, are removed."""
        data = self.data(context)
        if data.undo is not None:
            return await super().undo(context)
        ran = await self._ran(context, data)
        if ran is None:
            raise StepFailed(
                "the cluster does not say which pods the tests left, so none was removed",
                where=context.host.name,
                remedy="See that the cluster answers (kubectl get nodes), then undo again.",
            )
        if ran:
            ended = await context.change(
                f"remove the pods of the tests of {data.release}",
                (*data.kubectl, "delete", "pod", "--namespace", data.namespace,
                 "--ignore-not-found", *(one.name for one in ran)),
                label="undo",
            )  # fmt: skip
            must_be_good(context, ended, "removing the tests' pods")
        return True

    async def _ran(self, context: StepContext, data: HelmTestStep) -> list[Ran] | None:
        """Every test of the release as its pod says it, in their order; None where nobody says."""
        seen = await context.look(
            (*data.kubectl, "get", "pods", "--namespace", data.namespace, "--output", "json")
        )
        pods = among_pods(seen.stdout, data.release) if seen.status == 0 else None
        if pods is None:
            return None
        ran = []
        for name, phase, code in pods:
            log = await context.look(
                (*data.kubectl, "logs", name, "--namespace", data.namespace,
                 f"--tail={_LINES}")
            )  # fmt: skip
            # The toolkit colours what it writes whether or not there is a terminal.
            said = tuple(
                clean_line(line) for line in log.stdout.decode("utf-8", "replace").splitlines()
            )
            ran.append(Ran(name, phase, code, said))
        return ran


def among_pods(answer: bytes, release: str) -> list[tuple[str, str, int | None]] | None:
    """Of the pods of a namespace the tests of a release, in the order in which they ran.

    Each with its phase and the exit code of its container; None where it cannot be read.
    """
    try:
        found = [
            (_weight(pod), pod["metadata"]["name"], str(pod["status"].get("phase")), _code(pod))
            for pod in json.loads(answer)["items"]
            if "test" in str(_annotations(pod).get("helm.sh/hook", "")).split(",")
            and pod["metadata"]["name"].startswith(f"{release}-")
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return [(name, phase, code) for _, name, phase, code in sorted(found, key=lambda one: one[:2])]


def _annotations(pod: dict[str, Any]) -> dict[str, Any]:
    return pod["metadata"].get("annotations") or {}


def _weight(pod: dict[str, Any]) -> int:
    word = str(_annotations(pod).get("helm.sh/hook-weight", "0"))
    return int(word) if re.fullmatch(r"-?[0-9]{1,6}", word) else 0


def _code(pod: dict[str, Any]) -> int | None:
    codes = [
        terminated.get("exitCode")
        for one in pod["status"].get("containerStatuses") or []
        if (terminated := (one.get("state") or {}).get("terminated")) is not None
    ]
    return max((code for code in codes if isinstance(code, int)), default=None)


def judge(data: HelmTestStep, ran: Sequence[Ran]) -> tuple[str, str]:
    """What the exit codes and the lines written before say together: a problem, or a sentence."""
    for wanted in data.must_run:
        if not any(one.name.endswith(wanted) for one in ran):
            before = next((one for one in ran if one.code != 0), None)
            if before is None:
                return f"the test {wanted} was not run", ""
    words = []
    for one in ran:
        problem, sentence = _judged(data, one)
        if problem:
            return problem, ""
        words.append(sentence)
    if not ran:
        return f"the release {data.release} has no test", ""
    return "", "; ".join(words) + "."


def _judged(data: HelmTestStep, one: Ran) -> tuple[str, str]:
    if one.code is None:
        return f"{one.name} is {one.phase} and did not end", ""
    if not data.summary:
        return ("", f"{one.name} ended with 0") if one.code == 0 else (
            f"{one.name} ended with {one.code}", ""
        )  # fmt: skip
    found = [match for line in one.said if (match := re.search(data.summary, line))]
    if not found:
        after = "although it ended with 0" if one.code == 0 else f"and it ended with {one.code}"
        return f"{one.name} printed no summary, {after}", ""
    text = found[-1][1]
    number = float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else -1.0
    said = " ".join(found[-1][0].replace("│", " ").split())
    if number < data.at_least:
        after = ", although it ended with 0" if one.code == 0 else f", and it ended with {one.code}"
        return f"{one.name}: {said}; {data.at_least:g} is needed{after}", ""
    if one.code != 0:
        return f"{one.name} ended with {one.code}, although it says: {said}", ""
    return "", f"{one.name}: {said}, it ended with 0"


def _keep(context: StepContext, one: Ran) -> str:
    """Write a test's log into the run's folder; its path, "" where it said nothing."""
    if not one.said or not re.fullmatch(r"[a-z0-9.-]{1,253}", one.name):
        return ""
    file = make_private(context.folder / LOGS) / f"{one.name}.log"
    file.write_text("\n".join(one.said) + "\n", encoding="utf-8")
    file.chmod(0o600)
    return str(file)


KIND: Final[StepKind] = HelmTest()
