"""Hub files: what is wrong in one is named, and nothing begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.acceptance.cast import Bounds, cast, money_needed
from installer.acceptance.hub_file import EXAMPLE, read_hub_file
from installer.acceptance.profile import Profile


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "hub.yaml"
    path.write_text(text)
    return path


def test_the_example_can_be_read(tmp_path: Path) -> None:
    hub = read_hub_file(written(tmp_path, EXAMPLE))
    assert (hub.currency, hub.callbacks.first_port, hub.version) == ("XTS", 41000, "1.1")


@pytest.mark.parametrize(
    ("was", "now", "word"),
    [
        ("http://central-ledger.local", "central-ledger.local", "admin"),
        ("http://central-ledger.local", "http://u:secret@central-ledger.local", "no login"),
        ("http://central-ledger.local", "http://central-ledger.local:99999", "admin"),
        ("currency: XTS", "currency: x", "currency"),
        ("currency: XTS", "curency: XTS", 'did you mean "currency"'),
        ("currency: XTS", "currency: XTS\namount: 0", "amount"),
        ("currency: XTS", "currency: XTS\nversion: '1.0'", "version"),
        ("address: 10.0.0.5", "address: 10.0.0.5/x y", "address"),
        ("lookup:", "look:", "lookup"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, was: str, now: str, word: str) -> None:
    with pytest.raises(InputProblem, match=word) as caught:
        read_hub_file(written(tmp_path, EXAMPLE.replace(was, now)))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("[mysql, -uroot, -pa-secret, hub]", True),
        ("[sh, -c, 'MYSQL_PWD=a-secret mysql hub']", True),
        ("[curl, -u, 'ops:a-secret', 'https://bmc/off']", True),
        ("[ipmitool, -H, bmc, -U, ops, -P, a-secret, power, 'off']", True),
        ("[kubectl, --token=a-secret, drain, w2]", True),
        ("[sh, -c, 'exec mysql -p\"$ROOT_PASSWORD\" hub']", False),
        ("[sh, -c, 'PGPASSWORD=$(cat /root/pw) psql']", False),
        ("[ipmitool, -H, bmc, -U, ops, -f, /root/pw, power, 'off']", False),
        ("[kubectl, patch, node, w2, -p, '{}']", False),
    ],
)
def test_no_command_shows_a_password_to_who_lists_processes(
    tmp_path: Path, command: str, shown: bool
) -> None:
    for drill in (f"command: {command}", f"command: ['true'], undo: {command}"):
        path = written(tmp_path, f"{EXAMPLE}drills: [{{name: power, {drill}}}]\n")
        if not shown:
            read_hub_file(path)
            continue
        with pytest.raises(InputProblem, match="of this machine sees it") as caught:
            read_hub_file(path)
        assert "a-secret" not in str(caught.value)


def test_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match=r"no file .*none\.pem"):
        read_hub_file(written(tmp_path, EXAMPLE + "tls: {authority: /none.pem}\n"))


def test_the_cast_shares_no_name_no_party_and_no_port(tmp_path: Path) -> None:
    hub = read_hub_file(written(tmp_path, EXAMPLE))
    profile = Profile(1000)
    specs = cast(hub, profile, 8, b"k" * 16, Bounds())
    dfsps = [one for spec in specs for one in (*spec.dfsps, *spec.probes)]
    assert len({one.name for one in dfsps}) == 18
    parties = [party for one in dfsps for party in one.msisdns()]
    assert len(set(parties)) == len(parties)
    assert len({spec.port for spec in specs}) == 8
    # Every lookup in flight has a party of its own until it is given up.
    assert all(one.parties >= 1000 / 16 * Bounds().timeout for spec in specs for one in spec.dfsps)
    # All that a participant may ever send in one direction lies under its limit.
    assert money_needed(hub, profile, 8) > profile.journeys / 16
