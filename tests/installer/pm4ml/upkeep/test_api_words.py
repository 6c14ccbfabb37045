"""What kubectl says when the API gives no answer: what passes, what does not, what mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.solutions.pm4ml.playbooks.filter_plugins import api
from tests.installer.pm4ml.test_pm4ml import PLAYBOOKS
from tests.installer.pm4ml.test_pm4ml_removals import play

NO_LOGIN = """\
E1130 08:32:29.363278   22824 memcache.go:265] "Unhandled Error" err="couldn't get current server \
API group list: the server has asked for the client to provide credentials"
error: You must be logged in to the server (the server has asked for the client to provide \
credentials)
"""
EXPIRED = """\
E1130 08:32:41.286346   23389 memcache.go:265] "Unhandled Error" err="couldn't get current server"
error: unable to recognize "STDIN": Get "https://127.0.0.1:16443/api?timeout=32s": tls: failed to \
verify certificate: x509: certificate has expired or is not yet valid: current time \
2026-11-30T08:32:41Z is after 2026-11-29T20:32:31Z
"""
OTHER_NAME = """\
Unable to connect to the server: tls: failed to verify certificate: x509: certificate is valid for \
10.1.0.1, not 10.2.0.1
"""
REFUSED = """\
The connection to the server 127.0.0.1:16443 was refused - did you specify the right host or port?
"""
CUT = 'Get "https://127.0.0.1:16443/api/v1/nodes": dial tcp: connect: connection refused\n'
WEBHOOK = """\
Error from server (InternalError): Internal error occurred: failed calling webhook "a.b.c": failed \
to call webhook: Post "https://a.b.svc:443/": tls: failed to verify certificate: x509: certificate \
signed by unknown authority
"""
FORBIDDEN = 'Error from server (Forbidden): configmaps is forbidden: User "eve" cannot list it\n'


@pytest.mark.parametrize(
    ("said", "waits", "lead", "mends"),
    [
        (NO_LOGIN, False, "The cluster's API does not accept this machine's login: error: You must",
         "/credentials/client.config"),
        (EXPIRED, False, "The certificate that the cluster's API shows does not hold today: error:",
         "(timedatectl), renew it: sitewright renew --site FILE"),
        (OTHER_NAME, False, "The certificate that the cluster's API shows is not believed: Unable",
         "sudo microk8s inspect"),
        (REFUSED, True, "The API of the cluster does not answer: The connection to the server", ""),
        (CUT, True, "The API of the cluster does not answer: Get", ""),
        (WEBHOOK, False, "The cluster refused it: Error from server (InternalError)", ""),
        (FORBIDDEN, False, "The cluster refused it: Error from server (Forbidden)", ""),
        ("", False, "The cluster refused it: kubectl ended with 3", ""),
    ],
)  # fmt: skip
def test_what_does_not_pass_is_not_waited_for(
    said: str, waits: bool, lead: str, mends: str
) -> None:
    told = api.told(said, status=3)
    assert api.away(said) == waits
    assert told.startswith(lead)
    assert told.endswith(mends)
    assert "memcache" not in told
    assert not (api.away(said) and api.locked(said))


_LOCKED = f"""\
#!/bin/sh
case $* in *" diff "*) cat >/dev/null; exit 0 ;; esac
cat >&2 <<'END'
{NO_LOGIN}END
exit 1
"""


@pytest.mark.processes
def test_an_application_is_not_waited_for_with_a_login_that_ended(tmp_path: Path) -> None:
    """Handed over before; an hour of looks would say no more than the first."""
    playbook = tmp_path / "waits.yml"
    playbook.write_text(
        "- hosts: master\n  gather_facts: false\n"
        "  vars: {application: vault, git_url: u, git_revision: main, git_path: apps,"
        " application_minutes: 60, application_poll_seconds: 120}\n  tasks:\n"
        f"    - ansible.builtin.include_tasks: {PLAYBOOKS}/tasks/application.yml\n"
    )
    told = play(tmp_path, str(playbook), {"m1": {}}, microk8s=_LOCKED)
    assert "How vault stands cannot be told. The cluster's API does not accept this" in told.said
    assert "RETRYING" not in told.said


_NOT_READY = """\
#!/bin/sh
# STAND-IN for kubectl: it notes what it is asked, and says what the machine's file says.
echo "$*" >> "$PLACE/calls"
cat "$PLACE/says" >&2
exit 1
"""


@pytest.mark.processes
def test_an_api_that_is_not_ready_is_asked_nothing_else(tmp_path: Path) -> None:
    """One that may be young four times whether it is, one that does not know us once."""
    playbook = tmp_path / "asks.yml"
    playbook.write_text(
        "- hosts: master\n  gather_facts: false\n  vars: {content_pause: 0}\n  tasks:\n"
        f"    - ansible.builtin.include_tasks: {PLAYBOOKS}/tasks/content.yml\n"
        "    - ansible.builtin.debug:\n"
        "        msg: 'WHY {{ inventory_hostname }} {{ content_untold }}.'\n"
    )
    machines = {"away": {"says": REFUSED}, "locked": {"says": NO_LOGIN}}
    told = play(tmp_path, str(playbook), machines, microk8s=_NOT_READY)
    assert told.status == 0, told.said
    asked = "kubectl --request-timeout=30s get --raw /readyz"
    assert told.calls["away"].splitlines() == [asked] * 4
    assert told.calls["locked"].splitlines() == [asked]
    assert "WHY away The connection to the server 127.0.0.1:16443 was refused" in told.said
    assert "API does not accept this machine" in told.said


_ENDS_UNREAD = f"""\
#!/bin/sh
# STAND-IN for kubectl: it ends before it reads, the first time; then it says why.
[ -e "$PLACE/once" ] || {{ : >"$PLACE/once"; exit 1; }}
cat >/dev/null
cat >&2 <<'END'
{NO_LOGIN}END
exit 3
"""


@pytest.mark.processes
def test_words_are_not_lost_where_kubectl_ended_before_it_read(tmp_path: Path) -> None:
    """Ansible drops what a program said that did not read; CI failed by it, once, in a stand-in."""
    much = "x" * 200_000  # more than a pipe holds
    playbook = tmp_path / "applies.yml"
    playbook.write_text(
        "- hosts: master\n  gather_facts: false\n"
        "  vars: {api_pause: 0, api_tries: 3,"
        f" objects: [{{kind: ConfigMap, data: {{a: {much}}}}}]}}\n"
        f"  tasks:\n    - ansible.builtin.include_tasks: {PLAYBOOKS}/tasks/apply.yml\n"
    )
    told = play(tmp_path, str(playbook), {"m1": {}}, microk8s=_ENDS_UNREAD)
    assert "The cluster's API does not accept this machine's login: error: You must" in told.said


def test_a_program_that_never_reads_is_told_of() -> None:
    """Its status alone says little to a person."""
    assert api.away("", api.UNREAD)
    assert not api.away("exec format error", api.UNREAD)
    assert api.told("", status=api.UNREAD) == (
        "The cluster refused it: kubectl ended before it had read what it was given,"
        " and said nothing"
    )
