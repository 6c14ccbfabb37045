"""Where OpenTofu works: what it finds, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foundation.secrets import Secret
from installer.opentofu.workplace import OTHER_BYTES, Workplace, quoted, starter


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """One whose program is a shell."""
    found = Workplace("/bin/sh", tmp_path, tmp_path / "root")
    found.prepare()
    return found


def _started(order: bytes) -> subprocess.CompletedProcess[str]:
    return subprocess.run(starter(), input=order.decode(), capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip


def test_the_program_finds_what_we_give_it_and_nobody_s_settings(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TF_LOG", "TF_CLI_ARGS", "TF_VAR_x", "TF_WORKSPACE", "AWS_PROFILE", "KUBECONFIG"):
        monkeypatch.setenv(name, "theirs")
    made = place.environment({"TF_VAR_password": Secret("pass-of-the-test")})
    assert "theirs" not in made.values()
    assert made["TF_VAR_password"] == "pass-of-the-test"
    assert made["TF_CLI_CONFIG_FILE"] == str(place.root / "cli.tfrc")
    assert made["HOME"] == str(place.root / "home")


def test_a_secret_is_in_the_environment_of_the_program_and_in_no_argument(place: Workplace) -> None:
    order = place.order(
        ("-c", 'printf %s "$TF_VAR_password"; cat'), {"TF_VAR_password": Secret("pass-of-a-test")}
    )
    assert _started(order).stdout == "pass-of-a-test"
    assert "pass-of-a-test" not in " ".join(starter())


def test_what_it_writes_is_its_user_s_alone(place: Workplace, tmp_path: Path) -> None:
    target = place.root / "state"
    done = _started(place.order(("-c", "echo told; echo x >file"), {}, output=target))
    assert done.stdout == ""
    assert target.read_text() == "told\n"
    for path in (target, tmp_path / "file"):
        assert path.stat().st_mode & 0o077 == 0


def test_other_bytes_than_the_reviewed_are_not_applied(place: Workplace, tmp_path: Path) -> None:
    plan = tmp_path / "plan"
    plan.write_text("echo applied")
    assert _started(place.order((str(plan),), {}, pinned="0" * 64)).returncode == OTHER_BYTES


def test_providers_come_from_the_folder_or_from_nowhere(place: Workplace) -> None:
    assert "direct" not in place.cli_configuration()
    assert "no-providers" in place.cli_configuration()
    named = Workplace("/bin/sh", place.configuration, place.root, "/srv/${mirror}", fetches=True)
    assert 'path = "/srv/$${mirror}"' in named.cli_configuration()
    assert "direct" not in named.cli_configuration()
    fetching = Workplace("/bin/sh", place.configuration, place.root, fetches=True)
    assert "direct {}" in fetching.cli_configuration()


def test_a_text_is_no_template_in_hcl() -> None:
    assert quoted('a"${b}%{c}') == '"a\\"$${b}%%{c}"'
