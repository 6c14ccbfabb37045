"""A repository begun, and brought on by a later starter: what people changed is never lost."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from foundation.problems import InputProblem, Refused
from installer.cli import main
from installer.repository import git
from installer.repository.create import create
from installer.repository.kept_base import NAME, as_text, base_of, read_base
from installer.repository.update import Fate, apply, changes
from tests.installer.repository.made import production

OLD = {
    "same": "a\n", "taken": "a\n", "kept": "a\n", "both": "a\n", "gone": "a\n", "removed": "a\n",
    "merged": "1\n2\n3\n4\n5\n",
}  # fmt: skip
NEW = {
    "same": "a\n", "taken": "b\n", "kept": "a\n", "both": "b\n", "removed": "b\n", "new/n": "n\n",
    "merged": "1\n2\n3\n4\nfive\n",
}  # fmt: skip
THEIRS = {"kept": "c\n", "both": "c\n", "merged": "one\n2\n3\n4\n5\n"}


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    made = create(folder, "pm4ml", (production(),), OLD)
    assert made.without_commit == ""
    return folder


def commit(folder: Path) -> None:
    words = ["-c", "user.name=x", "-c", "user.email=x@x.test", "commit", "-qam", "theirs"]
    subprocess.run(["git", "-C", str(folder), *words], check=True, timeout=60)


def test_what_both_changed_stays_and_is_shown_again(begun: Path) -> None:
    for name, text in THEIRS.items():
        (begun / name).write_text(text)
    (begun / "removed").unlink()
    base = read_base(begun)
    found = {one.path: one for one in changes(begun, base, NEW)}
    assert {path: str(one.fate) for path, one in found.items()} == {
        "same": "same", "taken": "taken", "kept": "kept", "both": "both", "gone": "gone",
        "removed": "both", "new/n": "new", "merged": "merged",
    }  # fmt: skip
    assert "-a\n+b" in found["both"].difference
    with pytest.raises(Refused, match="4 files of it are changed and not committed"):
        apply(begun, base, (production(),), NEW, tuple(found.values()))
    commit(begun)
    assert apply(begun, base, (production(),), NEW, tuple(found.values())) == 3
    assert (begun / "merged").read_text() == "one\n2\n3\n4\nfive\n"
    assert (begun / "taken").read_text() == "b\n"
    assert (begun / "new/n").read_text() == "n\n"
    for kept in ("kept", "both"):
        assert (begun / kept).read_text() == "c\n"
    assert (begun / "gone").exists()
    assert not (begun / "removed").exists()
    commit(begun) if git.not_committed(begun) else None
    again = {one.path: one.fate for one in changes(begun, read_base(begun), NEW)}
    assert {path for path, fate in again.items() if fate is Fate.BOTH} == {"both", "removed"}
    assert again["taken"] is Fate.SAME


def test_nothing_is_written_through_a_link(begun: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (begun / "new").symlink_to(outside)
    subprocess.run(["git", "-C", str(begun), "add", "-A"], check=True, timeout=60)
    commit(begun)
    base = read_base(begun)
    with pytest.raises(InputProblem, match="cannot be written"):
        apply(begun, base, (production(),), NEW, changes(begun, base, NEW))
    assert list(outside.iterdir()) == []
    (begun / "taken").unlink()
    (begun / "taken").symlink_to(outside / "x")
    with pytest.raises(InputProblem, match="it is a link"):
        changes(begun, base, NEW)


def test_a_folder_that_holds_something_is_left_as_it_is(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="wrote a repository there before"):
        create(begun, "pm4ml", (production(),), NEW)
    assert (begun / "taken").read_text() == "a\n"
    other = tmp_path / "other"
    other.mkdir()
    (other / "theirs").write_text("x")
    with pytest.raises(InputProblem, match="not empty: it holds 1 name, theirs"):
        create(other, "pm4ml", (production(),), NEW)
    assert [one.name for one in other.iterdir()] == ["theirs"]
    with pytest.raises(InputProblem, match="Not a directory"):
        create(other / "theirs", "pm4ml", (production(),), NEW)
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", str(clone)], check=True, timeout=60)
    assert create(clone, "pm4ml", (production(),), NEW).without_commit == ""
    assert git.not_committed(clone) == ()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"files": {"../x": ["a"]}}, "lies outside the repository"),
        ({"files": {".git/hooks/pre-commit": ["a"]}}, "lies outside the repository"),
        ({"files": {"a": "b"}}, "valid list"),
        ({"environments": []}, "at least 1"),
        (
            {
                "environments": [
                    {"folder": "a", "environment": "production", "values": {}, "workers": 1}
                ]
                * 2
            },
            "two environments have one folder",
        ),
        (
            {
                "environments": [
                    {"folder": "a", "environment": "production", "values": {}, "workers": -1}
                ]
            },
            "greater than or equal",
        ),
        ({"format": "sitewright.repository/9"}, "sitewright.repository/9"),
    ],
)
def test_what_was_kept_is_read_as_a_file_of_others(
    tmp_path: Path, change: dict[str, object], word: str
) -> None:
    kept = json.loads(as_text(base_of("pm4ml", (production(),), OLD)))
    (tmp_path / NAME).parent.mkdir()
    (tmp_path / NAME).write_text(json.dumps({**kept, **change}))
    with pytest.raises(InputProblem, match=word):
        read_base(tmp_path)
    (tmp_path / NAME).write_text('{"format": ')
    with pytest.raises(InputProblem, match="cannot be read"):
        read_base(tmp_path)
    (tmp_path / NAME).unlink()
    with pytest.raises(InputProblem, match="was not written by Sitewright"):
        read_base(tmp_path)


def test_what_two_added_at_different_places_is_not_put_together_into_what_says_it_twice(
    begun: Path,
) -> None:
    """Git merges lines; one key twice in a file of YAML is read as the last of them, in silence."""
    lines = ["a: 1", "b: 2", "c: 3", "d: 4", "e: 5"]
    old = {"v.yaml": "\n".join(lines) + "\n"}
    new = {"v.yaml": "\n".join([*lines, "z: 9"]) + "\n"}
    base = base_of("pm4ml", (production(),), old)
    (begun / "v.yaml").write_text("\n".join(["z: 1", *lines]) + "\n")
    (one,) = changes(begun, base, new)
    assert (one.fate, one.text) == (Fate.BOTH, None)
    (begun / "v.yaml").write_text("\n".join(["y: 1", *lines]) + "\n")
    (one,) = changes(begun, base, new)
    assert one.fate is Fate.MERGED


def test_one_that_others_changed_since_is_brought_on_from_what_they_left(
    begun: Path, tmp_path: Path
) -> None:
    def run(*words: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@x.test"]
        subprocess.run(["git", *who, *words], check=True, timeout=60)

    clone = tmp_path / "clone"
    run("clone", "-q", str(begun), str(clone))
    (begun / "taken").write_text("theirs\n")
    commit(begun)
    base = read_base(clone)
    assert git.diverged(clone) == (0, 0)
    run("-C", str(clone), "fetch", "-q")
    (clone / "kept").write_text("mine\n")
    commit(clone)
    assert git.diverged(clone) == (1, 1)
    with pytest.raises(Refused, match="has 1 commit that this one has not"):
        apply(clone, base, (production(),), NEW, changes(clone, base, NEW))
    assert (clone / "taken").read_text() == "a\n"
    assert git.diverged(begun) == (0, 0)  # it follows no other


@pytest.fixture(scope="module")
def made_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what `two` copies: it is the same each time, and takes its time."""
    made = tmp_path_factory.mktemp("made")
    for kind in ("production", "staging"):
        workers = 3 if kind == "production" else 1
        hosts = ", ".join(
            f"{{name: w{n}, address: 10.0.0.{n + 1}, roles: [worker]}}" for n in range(workers)
        )
        (made / f"{kind}.yaml").write_text(
            f"solution: pm4ml\nenvironment: {kind}\nhosts: [{hosts}]\n"
            f"settings: {{domain: {kind}.bank.test, pm4ml_id: bank-one,"
            f" git_path: environments/{kind}, git_url: 'https://git.bank.test/site.git'}}\n"
        )
    sites = [str(made / f"{kind}.yaml") for kind in ("production", "staging")]
    words = [
        "hub_domain=hub.test",
        "staging:hub_domain=hub.staging.test",
        "currencies=USD",
        "backend_endpoint=core.test:3000",
        "environments/production:siem=siem.test:6514",
    ]
    given = [word for one in words for word in ("--set", one)]
    folder = made / "two"
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(io.StringIO()) as told:
        patch.setenv("HOME", str(made / "home"))
        assert main(["repository", "create", *sites, str(folder), *given]) == 0
    assert "Note: staging: Logs stay in the cluster" in told.getvalue()
    assert "Note: production: Logs" not in told.getvalue()
    return made


@pytest.fixture
def two(made_two: Path, tmp_path: Path) -> Path:
    """A repository of a production and of a staging site, which a test may change."""
    shutil.copytree(made_two, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path / "two"


def test_each_environment_has_its_own_and_both_pass(
    two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, hub in (("production", "hub.test"), ("staging", "hub.staging.test")):
        assert f"  hub: {hub}\n" in (two / f"environments/{kind}/base-utils/site.yaml").read_text()
        assert (two / f"environments/{kind}/pm4ml/payment-manager/budgets.yaml").exists() == (
            kind == "production"
        )
    assert main(["repository", "check", str(two)]) == 0
    told = capsys.readouterr()
    assert "environments/production (production): nothing is denied" in told.out
    assert "environments/staging (staging): nothing is denied" in told.out
    # A site that is taken anew keeps what is its own, and not the first one's.
    site = str(two.parent / "staging.yaml")
    assert main(["repository", "update", str(two), "--site", site]) == 0
    assert "has nothing that this repository has not" in capsys.readouterr().out
    assert main(["repository", "update", str(two), "--set", "staging:siem=10.0.0.9:514"]) == 0
    told = capsys.readouterr()
    assert '+        endpoint              = "10.0.0.9"' in told.out
    assert "production" not in told.out


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("stagin:siem=a:1", "no environment stagin"),
        ("siem=a:99999", "not of the form"),
        ("siem_tls=maybe", "answer yes or no"),
        ("nothing=1", "asks for no nothing"),
    ],
)
def test_what_is_set_anew_is_looked_at_as_what_is_set_first(
    two: Path, word: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["repository", "update", str(two), "--set", word]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("domain", "x\n  evil: true", "line break"),
        ("siem_tls", "maybe", "answer yes or no"),
        ("local_class", None, ""),  # one of an earlier starter: it has the default
        ("of_another_day", "x", ""),  # one of a later starter
    ],
)
def test_what_was_kept_of_settings_is_looked_at_too(
    two: Path, name: str, value: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = json.loads((two / NAME).read_text())
    for one in kept["environments"]:
        one["values"].pop(name, None)
        one["values"] |= {} if value is None else {name: value}
    (two / NAME).write_text(json.dumps(kept))
    for action in ("check", "update"):
        assert main(["repository", action, str(two)]) == (2 if told else 0)
        assert told in capsys.readouterr().err


def test_the_command_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: pm4ml\nsettings: {domain: pm4ml.bank.test, pm4ml_id: bank-one,"
        " git_url: 'https://git.bank.test/site.git'}\n"
    )
    folder = str(tmp_path / "new")
    assert main(["repository", "create", str(site), folder]) == 2
    assert "hub_domain" in capsys.readouterr().err
    words = ["hub_domain=hub.test", "currencies=USD", "backend_endpoint=core.test:3000"]
    given = [word for one in words for word in ("--set", one)]
    assert main(["repository", "create", str(site), folder, *given]) == 0
    assert "no secret among them" in capsys.readouterr().out
    assert main(["repository", "check", folder]) == 0
    assert "nothing is denied" in capsys.readouterr().out
    assert main(["repository", "update", folder]) == 0
    assert "has nothing that this repository has not" in capsys.readouterr().out
    assert main(["repository", "update", folder, "--set", "currencies=EUR", "--apply"]) == 0
    assert "+      SUPPORTED_CURRENCIES: EUR" in capsys.readouterr().out
    assert main(["repository", "check", folder, "--format", "json"]) == 0
