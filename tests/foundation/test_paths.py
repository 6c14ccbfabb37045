"""Paths: the XDG rules, and files that are private and whole."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import struct
from pathlib import Path

import pytest

from foundation import paths
from foundation.paths import FileProblem, check_own_folders, config_folder, settle_home
from foundation.problems import ExitCode
from installer.cli import main


def test_the_usual_places_lie_below_home(private_home: Path) -> None:
    assert paths.data_folder() == private_home / ".local/share/sitewright"
    assert paths.state_folder() == private_home / ".local/state/sitewright"
    assert paths.config_folder() == private_home / ".config/sitewright"
    assert paths.cache_folder() == private_home / ".cache/sitewright"
    assert paths.known_hosts_file().parent == paths.config_folder()
    assert paths.log_file().parent == paths.wizard_file().parent == paths.state_folder()


def test_xdg_variables_count_where_they_are_absolute(
    private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert paths.data_folder() == tmp_path / "sitewright"
    for wrong in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", wrong)
        assert paths.data_folder() == private_home / ".local/share/sitewright"


def test_a_private_file_is_whole_and_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "file"
    old = os.umask(0)
    try:
        paths.write_private(file, "ünï\n")
        paths.write_private(file, "second\n")
    finally:
        os.umask(old)
    assert file.read_text() == "second\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    paths.write_private(file, "first\n")
    with pytest.raises(UnicodeEncodeError):
        paths.write_private(file, "\udc80")
    assert file.read_text() == "first\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / f".file.{os.getpid()}").symlink_to(victim)
    with pytest.raises(OSError, match="exists"):
        paths.write_private(tmp_path / "file", "theirs")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("which", ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"])
def test_a_folder_of_ours_that_others_may_write_into_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    """What lies there says whom we trust: host keys, signers, programs that were allowed."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    folder = tmp_path / which / "sitewright"
    folder.mkdir(parents=True, mode=0o700)
    check_own_folders()
    folder.chmod(0o777)
    with pytest.raises(FileProblem, match="another user") as caught:
        check_own_folders()
    assert f"chmod -R o-w {folder}" in (caught.value.remedy or "")
    folder.chmod(0o755)
    check_own_folders()


def test_a_user_whom_a_list_of_rights_names_is_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mode says only that a group may write, which is the user's own here."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(paths, "_is_of_one", lambda gid, uid: gid == os.getegid())
    folder = tmp_path / "sitewright"
    folder.mkdir(mode=0o700)
    nobody = 0xFFFFFFFF

    def listed(tag: int, may: int, who: int) -> None:
        entries = [
            (1, 7, nobody),
            (tag, may, who),
            (4, 7, nobody),
            (16, 7, nobody),
            (32, 0, nobody),
        ]
        raw = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in sorted(entries))
        try:
            os.setxattr(folder, "system.posix_acl_access", raw)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            pytest.skip("this file system keeps no lists of rights")

    for tag, who in ((2, 65534), (8, 65534)):
        listed(tag, 5, who)
        check_own_folders()
        listed(tag, 7, who)
        with pytest.raises(FileProblem, match="another user") as caught:
            check_own_folders()
        assert f"chmod -R g-w {folder}" in (caught.value.remedy or "")
        folder.chmod(0o750)
        check_own_folders()
    listed(2, 7, os.geteuid())
    check_own_folders()


def test_a_group_may_write_there_only_where_it_is_one_persons_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group of the folder stands in for each kind of group that there is."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "sitewright"
    folder.mkdir()
    folder.chmod(0o775)
    user = pwd.getpwuid(os.geteuid())
    gid = folder.stat().st_gid

    def a_group(name: str, members: list[str], *, primary: bool = True) -> None:
        entry = grp.struct_group((name, "x", gid, members))
        monkeypatch.setattr(grp, "getgrgid", lambda _: entry)
        own = pwd.struct_passwd((user.pw_name, "x", user.pw_uid, gid + (not primary), "", "/", ""))
        monkeypatch.setattr(pwd, "getpwuid", lambda _: own)

    for members in ([], [user.pw_name]):
        a_group(user.pw_name, members)
        check_own_folders()
    for name, members, primary in (
        ("users", [], True), (user.pw_name, ["eve"], True), (user.pw_name, [], False),
    ):  # fmt: skip
        a_group(name, members, primary=primary)
        with pytest.raises(FileProblem, match="another user") as caught:
            check_own_folders()
        assert f"chmod -R g-w {folder}" in (caught.value.remedy or "")
    folder.chmod(0o777)
    with pytest.raises(FileProblem, match="another user") as caught:
        check_own_folders()
    assert f"chmod -R go-w {folder}" in (caught.value.remedy or "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a folder to another")
def test_a_folder_of_ours_that_is_another_s_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("SUDO_UID", raising=False)
    folder = tmp_path / "sitewright"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with pytest.raises(FileProblem, match="another user") as caught:
        check_own_folders()
    # Root is told no way to take it from its user.
    assert "chown" not in (caught.value.remedy or "")
    assert "user 12345's" in (caught.value.remedy or "")
    # Help is given wherever one stands.
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--help"])
    assert ended.value.code == 0
    assert main(["solutions"]) == ExitCode.USAGE
    # Under sudo it is the person's own.
    monkeypatch.setenv("SUDO_UID", "12345")
    check_own_folders()


def test_a_folder_in_which_somebody_stands_is_nobodys_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """HOME and the XDG folders are one rule for us and for all that we start."""
    monkeypatch.chdir(tmp_path)
    there = pwd.getpwuid(os.getuid()).pw_dir
    for wrong in ("", ".", "here", "~"):
        monkeypatch.setenv("HOME", wrong)
        monkeypatch.setenv("XDG_CONFIG_HOME", "conf")
        monkeypatch.setenv("XDG_RUNTIME_DIR", "run")
        told = settle_home()
        assert Path.home() == Path(there)
        assert config_folder() == Path(there, ".config/sitewright")
        assert os.environ["HOME"] == there
        assert not {"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"} & os.environ.keys()
        assert len(told) == 3 - (not wrong)
        assert all("no whole path" in one for one in told)
    monkeypatch.delenv("HOME")
    assert settle_home() == ()
    assert Path.home() == Path(there)
    monkeypatch.setenv("HOME", "here")
    assert main(["schema", "site"]) == 0
    assert "HOME is 'here', which is no whole path" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "kept", "named"),
    [
        (".:/usr/bin:/bin", "/usr/bin:/bin", ["'.'"]),
        ("/usr/bin:/bin:", "/usr/bin:/bin", []),
        (":/usr/bin::bin:./x:bin", "/usr/bin", ["'bin'", "'./x'"]),
        ("here", "/bin:/usr/bin", ["'here'"]),
        ("~/bin:/bin", "/bin", ["'~/bin'"]),
        ("/usr/bin:/bin", "/usr/bin:/bin", []),
        ("", "", []),
    ],
)
def test_no_program_is_looked_for_in_the_folder_in_which_somebody_stands(
    monkeypatch: pytest.MonkeyPatch, path: str, kept: str, named: list[str]
) -> None:
    monkeypatch.setenv("PATH", path)
    told = settle_home()
    assert [one.split()[2].rstrip(",") for one in told] == named
    assert os.environ["PATH"] == kept
    assert settle_home() == ()


def test_a_program_of_the_current_folder_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A calendar is read by systemd-analyze, which is looked for in the PATH."""
    evil = tmp_path / "systemd-analyze"
    evil.write_text(f"#!/bin/sh\n: > {tmp_path}/PWNED\n")
    evil.chmod(0o755)
    compose = tmp_path / "compose.yaml"
    compose.write_text("services: {}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".:{tmp_path / 'none'}")
    words = ["updates", "schedule", "--at", "Sun 03:00", "--", "--compose", str(compose)]
    main(words)
    capsys.readouterr()
    assert not (tmp_path / "PWNED").exists()


def test_where_nobody_tells_a_home_that_is_told_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A container's user without an entry in passwd; this stands in for one."""

    def nobody(_: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for home in ("", "here"):
        monkeypatch.setenv("HOME", home)
        assert main(["schema", "site"]) == 2
        said = capsys.readouterr().err
        assert "export HOME=/" in said
        assert "of its own" not in said
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["schema", "site"]) == 0
