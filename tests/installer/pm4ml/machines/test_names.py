"""The names of machines in /etc/hosts outlive a start: cloud-init may write that file anew."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.installer.pm4ml.test_pm4ml import PLAYBOOKS
from tests.installer.pm4ml.test_pm4ml_first import HERE, run

HEAD = """\
# Your system has configured 'manage_etc_hosts' as True.
# As a result, if you wish for changes to this file to persist
# then you will need to either
# a.) make changes to the master file in /etc/cloud/templates/hosts.{}.tmpl
# b.) change or remove the value of 'manage_etc_hosts' in
#     /etc/cloud/cloud.cfg or cloud-config from user-data
127.0.0.1 localhost
"""
"""As canonical/cloud-init 24.4, templates/hosts.*.tmpl."""
PLAIN = "127.0.0.1 localhost\n"
TOLD = {"debian": HEAD.format("debian"), "suse": HEAD.format("suse"), "kept": PLAIN}


def test_names_are_written_where_they_last_and_taken_out_again(tmp_path: Path) -> None:
    hosts = {}
    for name, text in TOLD.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "hosts").write_text(text)
        # A package of cloud-init brings those of every family.
        for family in ("debian", "suse"):
            (tmp_path / name / f"hosts.{family}.tmpl").write_text(f"## template:jinja\n{text}")
        places = {"hosts_file": str(tmp_path / name / "hosts"),
                  "hosts_templates": str(tmp_path / name)}  # fmt: skip
        hosts[name] = {**HERE, **places}
    lines = {"hosts_marker": "machines of this site", "hosts_lines": "10.0.0.1 m1\n10.0.0.2 m2\n"}

    def task(**more: str) -> dict[str, object]:
        included = str(PLAYBOOKS / "tasks/hosts_lines.yml")
        return {"ansible.builtin.include_tasks": included, "vars": {**lines, **more}}

    kept = {"ansible.builtin.shell": "cp {{ hosts_file }} {{ hosts_file }}.then; "
            "cd {{ hosts_templates }}; for f in *.tmpl; do cp $f $f.then; done"}  # fmt: skip
    play = {"hosts": "all", "gather_facts": False,
            "tasks": [task(), task(), kept, task(hosts_state="absent")]}  # fmt: skip
    playbook = tmp_path / "names.yml"
    playbook.write_text(yaml.safe_dump([play], sort_keys=False))
    said = run(tmp_path, str(playbook), {"all": {"hosts": hosts}}, tmp_path)
    written = "10.0.0.1 m1\n10.0.0.2 m2\n"
    for name, told in TOLD.items():
        folder = tmp_path / name
        assert written in (folder / "hosts.then").read_text()
        assert (folder / "hosts").read_text() == told
        for family in ("debian", "suse"):
            then = (folder / f"hosts.{family}.tmpl.then").read_text()
            assert (written in then) is (family == name)
            assert "Sitewright" not in (folder / f"hosts.{family}.tmpl").read_text()
        # Written, copied, taken out; the second time nothing was to do.
        assert re.search(rf"{name} +: ok=\d+ +changed=3 .{{0,40}}failed=0", said), said[-600:]
