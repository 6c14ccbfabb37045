"""The written help: what F1 shows on a step, and "?" in the plain face."""

from __future__ import annotations

from typing import Final

from screens.shell.help_aside import ASIDE
from screens.shell.help_keys import LOG_KEYS, Help

_TOPICS: Final = {
    "welcome": Help(
        "Welcome",
        (
            (
                "Sitewright looks at machines over SSH, compares them with the published "
                "sizing and port tables, and says in plain words what is missing and how to "
                "mend it."
            ),
            (
                "Everything up to the summary only reads: nothing is installed, written or "
                "restarted on any machine. The first line of the screen says so as long as it "
                "is true."
            ),
            (
                "Your answers are kept in a file that only you can read, so you may close this "
                "window at any time and go on later. Passwords are never written down."
            ),
            (
                "A file of facts comes from `sitewright facts` or from the export on the "
                "preflight step. It is judged here again without any machine: that is how a "
                "support desk looks at a site that nobody may log in to."
            ),
        ),
        (("Up, Down", "choose"), ("Enter", "take it and go on")),
    ),
    "goal": Help(
        "What should these machines carry?",
        (
            (
                "On the left stands why people deploy; on the right what serves it, the best for "
                "this machine first. A star marks what is recommended. PoC is a proof of concept, "
                "prod is of production quality, as somebody who publishes it says."
            ),
            (
                "Sitewright looks at this machine to advise you; that changes nothing. Where an "
                "option asks for several machines, their number is shown, and the next steps look "
                "at them."
            ),
            (
                "What Sitewright cannot install can still be judged, and Space shows its steps by "
                "hand, its ports, how to see that it works, and what goes wrong."
            ),
            (
                "L shows everything as a list. Each line is a solution in one environment, with "
                "what it asks of its machines and the document that says so. Some documents "
                "disagree; then each table stands apart, one is the default, and the report names "
                "the one that was used."
            ),
            (
                '"What fits this machine" asks the other way round: this machine is compared with '
                "everything that fits on a single machine."
            ),
        ),
        (
            ("Up, Down", "choose"),
            ("Left, Right", "from who you are to what serves you, and back"),
            ("Enter", "take it and go on"),
            ("Space", "everything about an option"),
            ("L", "the list, or the map again"),
            ("s", "a site file for it, to be filled in with an editor"),
        ),
    ),
    "machines": Help(
        "Which machines?",
        (
            (
                "Type a machine and press Enter. A machine is written as an address or a name, "
                "with a user before and a port after it where they are needed: "
                "ubuntu@10.10.0.14:22, [2001:db8::14]:22, or a name from your ssh config. A "
                "name of your own may stand in front: w1=ubuntu@10.10.0.14."
            ),
            (
                "Several lines can be pasted straight into the line; they open as a list to "
                "look at first. A file may be a site file, an Ansible inventory (INI or YAML), "
                "or a list with one machine a line."
            ),
            (
                "Each machine is tried at once: does anybody answer at that address, and is it "
                "SSH? Nobody logs in yet. A machine that does not answer can stay in the list; "
                "it will stand in the report with its reason."
            ),
            (
                "Login holds what all machines share: user, port, key, bastion, and passwords. "
                "Passwords are typed unseen, stay in memory, and are gone when you leave."
            ),
        ),
        (
            ("Enter", "add what is typed; on the list: change a machine"),
            ("F2", "login: user, key, bastion, passwords"),
            ("F3", "this machine"),
            ("F5", "paste or write a list"),
            ("F6", "read a file"),
            ("Del, d", "take the machine off the list"),
            ("r", "on the list: try the machine again"),
        ),
    ),
    "trust": Help(
        "Are these the right machines?",
        (
            (
                "Every SSH server proves who it is with a host key, often with one of each type. "
                "Their fingerprints are shown here. Compare them with those on the machine's own "
                "console:"
            ),
            "cat /etc/ssh/ssh_host_*_key.pub | ssh-keygen -lf -",
            (
                "What consoles printed can be pasted (p), with ssh-keyscan and known_hosts lines "
                "too: each machine agrees, DIFFERS, or was not in it. What agrees is confirmed; "
                "what differs cannot be."
            ),
            (
                "One key on several machines means copies of one image, one machine under "
                "several names, or somebody in between. Such keys are looked at one by one."
            ),
            (
                "trusted: the key is known already, from a known_hosts file. unknown: nobody "
                "has confirmed it yet. CHANGED: another key than the one that was trusted "
                "before. Either the machine was set up anew, or somebody else answers in its "
                "place."
            ),
            (
                "A changed key cannot be accepted here, on purpose. Find out why it changed; "
                "if the machine was set up anew, remove the old key with the command shown, "
                "and try again."
            ),
            "A machine whose key is not confirmed is not logged in to. The others go on.",
        ),
        (
            ("Space", "confirm this key, or take it back"),
            ("p", "paste what the consoles said, and compare"),
            ("y", "copy the command for the consoles"),
            ("a", "confirm all unknown keys, after you have looked"),
            ("r", "ask the machine again"),
        ),
    ),
    "preflight": Help(
        "Can they carry it?",
        (
            (
                "One login and one script a machine. The script reads what decides whether an "
                "installation will work, needs no tool that a minimal system lacks, changes "
                "nothing and ends within ten seconds. No machine waits for another."
            ),
            (
                "ok: as asked. warn: it will work, with a weakness. FAIL: it would not work, "
                "or not as documented. ?: it could not be seen, with the reason; an unknown is "
                "never a pass. waived: somebody took it upon themselves, with a name, a reason "
                "and a last day."
            ),
            (
                "Enter opens a machine: every finding with what was expected, what was found, "
                "who demands it, the command that shows it, what to do, and how to take that "
                "back."
            ),
            (
                'The line "between them" (or "around it") holds what no machine can tell alone: '
                "duplicate names, clocks that differ, ports that one cannot reach on another."
            ),
        ),
        (
            ("Enter", "open a machine"),
            ("r", "look at this machine again"),
            ("R", "look at all of them again"),
            ("f", "all machines, or only those with something to mend"),
            ("e", "export: text, JSON, HTML, JUnit, facts"),
        ),
    ),
    "machine": Help(
        "The findings of one machine",
        (
            "The worst stands first. Beneath is the finding under the cursor, in full.",
            (
                "evidence is the command to run on the machine to see it for yourself. remedy "
                "is what to do about it, undo how to take that back."
            ),
            (
                "After you have mended something, press r: the machine is looked at again, and "
                "the finding says whether it changed."
            ),
        ),
        (
            ("Enter", "the finding on the whole screen"),
            ("r", "look again"),
            ("w", "waive this finding; open the waiver that it has"),
            ("f", "all findings, or only those to mend"),
        ),
    ),
    "waive": Help(
        "Waiving a finding",
        (
            (
                "A waiver says that a named person accepts a finding, for a reason, until a "
                "last day. It does not make the finding go away: it stands in every report, "
                "with the name."
            ),
            "After its last day it no longer counts, and the finding blocks again.",
            ("w on a waived finding opens its waiver again, to be corrected or taken back."),
            (
                "Some things cannot be waived: a host key that is not confirmed, and a "
                "processor that the software does not run on."
            ),
        ),
        (
            ("Enter", "next line, then save"),
            ("F8", "take back a waiver that is there"),
        ),
    ),
    "summary": Help(
        "What came out",
        (
            (
                "The verdict in one sentence, and beneath it who plays which role. Sitewright "
                "proposes roles by what the machines have; Enter changes the roles of a "
                "machine, and everything is judged again at once."
            ),
            (
                "The site file holds these answers. The command beneath it repeats this "
                "preflight on any machine with Sitewright, without the wizard, with the same "
                "result and an exit code. It holds no password."
            ),
            (
                "Where an installation asks nothing more, F9 goes straight to its plan, past "
                "settings and supplies. You can still go back to them."
            ),
        ),
        (
            ("Enter", "change the roles of a machine"),
            ("s", "write the site file"),
            ("F9", "straight to the plan"),
            ("e", "export: text, JSON, HTML, JUnit, facts"),
        ),
    ),
    "settings": Help(
        "How should it be set up?",
        (
            (
                "Each line is something that only the people of this site can know. What is "
                "typed is checked at every key, and the sentence beneath says what is wrong. A "
                "line that begins with ! still needs you."
            ),
            (
                "What has no default comes first. What has one is folded under its section and "
                "suits most sites; what you changed there stays in sight."
            ),
            (
                "Settings that do not apply are not shown; they appear when another answer "
                "calls for them."
            ),
            (
                "Secrets are typed unseen, stay in memory, and stand in no file: not in the "
                "site file, not in the plan, not in a log. They are asked for again after a "
                "restart."
            ),
        ),
        (
            ("Up, Down", "another setting"),
            ("Enter", "take it, and on to the next; on a section: show or hide its defaults"),
            ("Space, y, n", "choose, where there is a choice"),
        ),
    ),
    "supplies": Help(
        "Where does the software come from?",
        (
            (
                "Online: each machine fetches what it needs from the software's own places, or "
                "from the mirrors that the settings name. The preflight has tried them."
            ),
            (
                "A bundle is a folder, a file, or volumes on several media: everything that the "
                "installation needs, each byte under one signature. Its signature is checked as "
                "soon as it is named, its bytes on request, and all of it once more before "
                "anything of it is used."
            ),
            (
                "keys names the file of those who may have made it. It must have come another way "
                "than the bundle; without it nobody's signature is asked for, and that is said."
            ),
        ),
        (
            ("Enter", "choose, or do what the row says"),
            ("Del", "stop the work on the bundle"),
        ),
    ),
    "plan": Help(
        "What will be done",
        (
            (
                "Every stage with its steps, in order. What stands here is what runs, word for "
                "word: Enter opens a step with its commands and the files that it brings."
            ),
            (
                "undo says whether Sitewright can take a step back: yes, by hand, nothing (it "
                "changes nothing), or NEVER, with the reason beneath."
            ),
            (
                "Nothing is done before Begin was confirmed by name. It is refused while the "
                "preflight has failures that nobody has mended or waived."
            ),
            (
                "A bundle that is older than the one that the site or a machine had is taken only "
                "where a person typed that it is meant: o asks."
            ),
        ),
        (("Enter", "open a step"), ("F10", "begin, after a last question")),
    ),
    "install": Help(
        "The installation",
        (
            (
                "Commands run on the machines themselves and outlive this screen, its "
                "connection and this laptop. Everything is written to disk before it is shown, "
                "at the path under the log."
            ),
            (
                "A failure says what, where, why and what to do. Mend the cause and retry, or "
                "skip the step with your name and a reason, or take the stage back."
            ),
            (
                "Leaving stops nothing on the machines. The next start offers to go on, finds "
                "again what runs, and does nothing twice."
            ),
        ),
        (
            ("p", "pause after this step; again to go on"),
            ("s", "stop, after a question"),
            ("g", "go on with what has stopped or failed"),
            *LOG_KEYS,
            ("t", "take the site over from whoever holds it"),
            ("a", "answer a question that waits"),
            ("r, R", "retry the failure shown; retry it on all machines"),
            ("k, u, x", "skip it; undo its stage; the next failure"),
            ("F2", "login, before going on"),
            ("F3", "to the setting that a failure names; it stops first, and asks"),
        ),
    ),
    "verify": Help(
        "Does it work?",
        (
            (
                "The questions at the end of the installation, each asked on its machine: what "
                "was seen stands beneath. They change nothing, and are asked again with r, as a "
                "run of its own; the first that fails ends it, and those after it are not asked."
            ),
            "Without the wizard: sitewright verify --site FILE.",
        ),
        (("r", "ask all of them again"), ("s", "stop"), ("Up, Down", "another check")),
    ),
    "hand-over": Help(
        "What was installed",
        (
            (
                "How it ended, each stage, the versions and settings used, the machines, who "
                "confirmed, skipped and waived what, where the record lies, and the command "
                "that repeats it all."
            ),
            "The record holds every event with the hash of the one before it.",
        ),
        (
            ("e", "write it: text, HTML to print, JSON, JUnit"),
            ("l", "what can be done later: verify, back up, restart, take back …"),
            ("Up, Down", "scroll"),
        ),
    ),
    **ASIDE,
    "login": Help(
        "How to log in",
        (
            (
                "What stands here holds for every machine that says nothing else. An empty "
                "user is taken from your ssh config, and else is your own name."
            ),
            (
                "Keys of a running ssh-agent and your usual keys are tried in any case; name a "
                "key file where it is another one."
            ),
            "A bastion is a machine to go through: ops@203.0.113.7. Its host key is verified too.",
            "Passwords and passphrases are shown as dots, stay in memory, and are written nowhere.",
        ),
        (("Enter", "next line"), ("F10", "take it")),
    ),
}


def help_on(topic: str) -> Help:
    """The help of a step or a panel; the welcome's where there is none."""
    return _TOPICS.get(topic, _TOPICS["welcome"])
