"""No line, end of input or answer that fails ends the plain wizard but in its own words."""

from __future__ import annotations

import inspect
import io
import random
import tempfile
from pathlib import Path
from typing import Any, Final, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.problems import ExitCode, InputProblem
from screens.plain.plain import run_plain
from screens.plain.prompt import Dialogue
from screens.services.services import Services
from tests.screens.fuzzing import errors_of_ours, services_for

LINES: Final = (
    *"0123456789", "", "", "b", "?", "yes", "no", "all", "next", "list", "off", "begin", "approve",
    "resume", "retry", "skip", "stop", "older", "Thiri Aung", "10.10.0.14", "m1=10.10.0.11",
    "w1=ops@10.10.0.14", "-1", "99999999999999999999", "\u0661", "\u6771\u4eac\u202e\x1b[31m",
    "\x00", "x" * 3000, "~nobody/x", "/nowhere/at/all.yaml", "'", "hub.yaml", "%s {0} {{x}}",
)  # fmt: skip
"""What a person, a screen reader or a broken pipe may send."""


class FailingServices:
    """Services of which some answers are failures, by chance."""

    def __init__(self, inner: Services, chance: random.Random, share: float) -> None:
        self._inner, self._chance, self._share = inner, chance, share

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "close" or not inspect.iscoroutinefunction(found):
            return found

        async def answer(*args: Any, **kwargs: Any) -> Any:
            if self._chance.random() < self._share:
                raise InputProblem("it did not answer", where="m1")
            return await found(*args, **kwargs)

        return answer


def talked(folder: Path, seed: int, lines: list[str]) -> tuple[int, str, list[str]]:
    """The exit code, what was said, and errors of ours, of one talk until the lines end."""
    chance = random.Random(seed)  # noqa: S311 - chance for a test
    inner = services_for(folder, seed, "welcome" if seed % 2 else "settings")
    services = cast(Services, FailingServices(inner, chance, (0.0, 0.1)[seed // 2 % 2]))
    target = io.StringIO()
    talk = Dialogue(io.StringIO("".join(f"{line}\n" for line in lines)), target)
    with errors_of_ours() as errors:
        code = run_plain(services, dialogue=talk, state_file=folder / "state.json")
    return code, target.getvalue(), errors


@settings(
    max_examples=10,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 3), lines=st.lists(st.sampled_from(LINES), max_size=40))
def test_no_line_and_no_failed_answer_ends_it(seed: int, lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        code, said, errors = talked(Path(name), seed, lines)
    assert not errors, errors[0]
    assert code == ExitCode.DONE, said[-500:]
    assert "\x1b" not in said
