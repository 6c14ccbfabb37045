"""The names of machines in /etc/hosts outlive a start: cloud-init may write that file anew."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.installer.pm4ml.test_pm4ml import PLAYBOOKS
from tests.installer.pm4ml.test_pm4ml_first import HERE, run

TOLD = "# Your system has configured 'manage_etc_hosts' as True.\n127.0.0.1 localhost\n"
PLAIN = "127.0.0.1 localhost\n"


def test_names_are_written_where_they_last_and_taken_out_again(tmp_path: Path) -> None:
    hosts = {}
    for name, text in (("anew", TOLD), ("kept", PLAIN)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hosts").write_text(text)
        (tmp_path / name / "template").write_text(f"## template:jinja\n{text}")
        places = {"hosts_file": str(tmp_path / name / "hosts"),
                  "hosts_template": str(tmp_path / name / "template")}  # fmt: skip
        hosts[name] = {**HERE, **places}
    lines = {"hosts_marker": "machines of this site", "hosts_lines": "10.0.0.1 m1\n10.0.0.2 m2\n"}

    def task(**more: str) -> dict[str, object]:
        included = str(PLAYBOOKS / "tasks/hosts_lines.yml")
        return {"ansible.builtin.include_tasks": included, "vars": {**lines, **more}}

    kept = {"ansible.builtin.shell": "cp {{ hosts_file }} {{ hosts_file }}.then; "
            "cp {{ hosts_template }} {{ hosts_template }}.then"}  # fmt: skip
    play = {"hosts": "all", "gather_facts": False,
            "tasks": [task(), task(), kept, task(hosts_state="absent")]}  # fmt: skip
    playbook = tmp_path / "names.yml"
    playbook.write_text(yaml.safe_dump([play], sort_keys=False))
    said = run(tmp_path, str(playbook), {"all": {"hosts": hosts}}, tmp_path)
    written = "10.0.0.1 m1\n10.0.0.2 m2\n"
    for name, in_template in (("anew", True), ("kept", False)):
        folder = tmp_path / name
        assert written in (folder / "hosts.then").read_text()
        assert (written in (folder / "template.then").read_text()) is in_template
        assert (folder / "hosts").read_text() == (TOLD if in_template else PLAIN)
        assert "Sitewright" not in (folder / "template").read_text()
        # Written, copied, taken out; the second time nothing was to do.
        assert re.search(rf"{name} : ok=\d+ changed=3 .{{0,40}}failed=0", said), said[-600:]
