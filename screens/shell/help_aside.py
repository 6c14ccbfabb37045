"""The help on what Welcome offers beside the steps."""

from __future__ import annotations

from typing import Final

from screens.shell.help_keys import FILTER, LOG_KEYS, Help

ASIDE: Final = {
    "later": Help(
        "What can be done later",
        (
            (
                "What this site's solution can do once it is installed, by its own data: look, "
                "keep it running, take one machine out or bring one in, take back what was done."
            ),
            (
                "Each is a command of Sitewright with the site file of this run. What changes "
                "machines shows its plan first and asks; what only looks asks nothing."
            ),
        ),
        (
            ("y", "copy the command under the cursor"),
            ("Enter", "copy it too, or open the page that does it"),
            FILTER,
        ),
    ),
    "new-site": Help(
        "A site file",
        (
            (
                "The file holds every machine that the goal asks for and every setting of its "
                "installation, each with its meaning and its default. What only a person can know "
                "is FILL-IN."
            ),
            (
                "It is the same file as that of the command: sitewright init --solution ID. "
                "Nothing is written over, and no machine is asked."
            ),
            "Fill it in with any editor; then open it here, or: sitewright preflight --site FILE.",
        ),
        (("Enter", "from the goal to the name"), ("F10", "write it"), ("o", "open it here")),
    ),
    "replay": Help(
        "A run shown again",
        (
            (
                "Everything here comes from the record of the run: its plan and its journal, in "
                "which each line carries the hash of the one before. No machine is asked and "
                "nothing runs, so a support bundle is enough."
            ),
            (
                "Quiet times are passed over after two seconds (--longest-wait). The times beside "
                "the stages are those of the recording."
            ),
        ),
        (
            ("Space", "pause, or go on"),
            ("+, -", "faster, slower"),
            ("<, >", "from the beginning; to the end at once"),
            (", .", "a minute of the record back, or on; it stands still there"),
            ("x", "the next failure"),
            *LOG_KEYS,
            ("F1, ?", "this help"),
            ("F4", "choose the look"),
            ("q", "leave"),
        ),
        alone=True,
    ),
    "cluster": Help(
        "How is this cluster?",
        (
            (
                "A Kubernetes cluster is read as it is: its API, nodes, network, storage, "
                "admission and workloads, layer by layer. Nothing in it is changed and no pod is "
                "started. What a layer lacks may follow from the one before it, so begin with the "
                "first that fails."
            ),
            (
                "It is reached by a kubeconfig, or through a machine that has microk8s, k3s, RKE2 "
                "or kubectl, so that no kubeconfig needs to leave it. What could not be read is "
                "unknown, and its remedy names the right that is missing."
            ),
            (
                "Facts that were written here are judged again with Open a file, without the "
                "cluster. For a solution, and to try volumes and policies with pods: sitewright "
                "preflight --cluster CONTEXT --solution ID --probe."
            ),
        ),
        (
            ("Up, Down", "another finding"),
            ("Enter", "the finding on the whole screen"),
            ("f", "all of them, or those to mend alone"),
            ("r", "look again"),
            ("e", "write the report, or what was seen"),
            FILTER,
        ),
    ),
    "updates": Help(
        "What runs, and what is newer?",
        (
            (
                "Every container and init container of every workload is read, and its image asked "
                "for what is newer by the strategy. First stands what would be applied, one "
                "workload after another; then what is left, with the reason; then what is newer "
                "and not proposed, since it is too young or listed and not there; then what could "
                "not be told."
            ),
            (
                "What Argo CD or Flux owns is changed by a commit in its repository, what Helm "
                "owns through helm upgrade. The next workload is begun when the one before stands, "
                "and one that does not stand is taken back."
            ),
            (
                "a plans the update of the line under the cursor, or of all that were chosen with "
                "Space, and shows all of it; nothing begins before it was confirmed, and the "
                "windows, approvals and backups of the site file are obeyed. Of what Argo CD or "
                "Flux owns it shows the commit, and makes it. y copies the command that does the "
                "same; capital words in it are for you to fill in."
            ),
        ),
        (
            ("Up, Down", "another line"),
            ("Enter", "the line on the whole screen"),
            ("Space", "choose it, or no more: what is chosen is applied together"),
            ("a", "plan its update, or that of all that were chosen, to be looked at"),
            ("f", "all that runs, or without what is up to date"),
            ("r", "look again"),
            ("y", "copy the command that applies it"),
            FILTER,
        ),
    ),
    "updates-review": Help(
        "An update before it begins",
        (
            (
                "What is to be changed was read once more. Each image is written with the digest "
                "that was looked at, so that no other bytes can come; what was changed since is "
                "left."
            ),
            (
                "Window: when the site file lets one begin. Backup: one that was verified from "
                "here, where the site asks for it, or where data are changed. Approved: by as many "
                "of the persons named in the site file as it asks for, each of this very plan, "
                "here with a or by the command with --approve. What stands against beginning has "
                "a ! before it."
            ),
            (
                "It is begun by name. The record is that of the site, as of any other run: "
                "sitewright status, replay and support-bundle know it."
            ),
        ),
        (
            ("F10", "begin it, after one more question"),
            ("a", "approve it, where the site asks for that"),
        ),
    ),
    "updates-commit": Help(
        "An update by a commit",
        (
            (
                "What the files of the clone's last commit say of these images in so many words is "
                "changed, and nothing besides. What is not named so is told, to be changed by hand."
            ),
            (
                "The commit is put on a new branch. The work tree, and the branch that is out, "
                "stay as they are, and nothing is pushed: have it reviewed and merged as you "
                "always do. Argo CD or Flux brings it to the cluster then."
            ),
        ),
        (("Up, Down", "scroll"), ("Tab", "to the name of the branch"), ("F10", "commit it")),
    ),
    "updates-apply": Help(
        "An update under way",
        (
            (
                "What changes the workload and watches it is a job of its own, on the machine with "
                "the kubectl or here: whether anybody looks on or not, it waits until the workload "
                "stands, or puts back what ran before and waits until that stands."
            ),
            (
                "s stops looking on, and so does leaving Sitewright; neither ends the job. The "
                "next update of this site sees it to its end first and tells how that was."
            ),
        ),
        (
            ("s", "stop looking on; it asks first"),
            ("g", "go on with it, or try again to begin"),
            ("t", "take the site over from whoever holds it"),
            *LOG_KEYS,
            ("F10, Ctrl+N, Esc, Ctrl+P", "back to the list, once it has ended"),
            ("F1, ?", "this help"),
            ("F4", "choose the look"),
            ("q, Ctrl+Q", "leave; it asks first"),
        ),
        alone=True,
    ),
    "acceptance": Help(
        "Does a hub keep its figures?",
        (
            (
                "Payer, payee and clock are on this machine. They send real transfers between "
                "participants that are made for it, each a lookup, an agreement and a clearing, "
                "on a schedule. What is measured is held against document 001: 1,000 a second for "
                "an hour, 99 % within a second, 99.99 % available, none lost."
            ),
            (
                "A hub file says where the hub is reached, and where it reaches this machine. "
                "Tokens and passwords are read from files of mode 0600, and never shown."
            ),
            (
                "Shorter and slower profiles have the same limits; only the last is called "
                "document 001's. A fault that is chosen is set under load and undone."
            ),
            (
                "The same as: sitewright accept HUB-FILE. All of it is taken back at the end; "
                "that transfers were in the ledger stays, since a ledger deletes nothing."
            ),
        ),
        (
            ("Up, Down", "another line"),
            ("Space", "choose a profile, or a fault beside it"),
            ("Enter", "choose; on what is chosen go on"),
            ("o", "a rate and times of your own"),
            ("F9", "write a hub file to fill in"),
            ("F10", "on: read it, review it, begin it"),
        ),
    ),
    "acceptance-live": Help(
        "An acceptance under way",
        (
            (
                "Each figure stands beside what it is held against. Before the steady part "
                "nothing is held against anything yet. The share counts what came within a second "
                "in the hub; p99 is the time that 99 of 100 kept."
            ),
            (
                "The driver's lag is how late this machine itself was. Beyond its limit there is "
                "no verdict about the hub, since the generator may have been too slow."
            ),
            (
                "Stopped, it judges what there is; stopped once more, it leaves without a result. "
                "In both cases everything that it made in the hub is taken back first."
            ),
        ),
        (("Esc, s, Ctrl+C", "ask whether to stop it"),),
    ),
    "acceptance-verdict": Help(
        "What an acceptance came to",
        (
            (
                "Each criterion has what was seen, what was asked, the words of document 001, and "
                "the softer ones of its source. NOT PROVED: nothing was missed, and not all could "
                "be measured. NO VERDICT: the generator limited what was measured."
            ),
            (
                "The pages lie in a folder of this acceptance; y copies the path of the one under "
                "the cursor. The identifiers of transfers that are not clean are in a file there."
            ),
        ),
        (
            ("Up, Down", "another line"),
            ("Enter", "the line on the whole screen"),
            ("y", "copy the path of the page, or of the file under the cursor"),
            FILTER,
        ),
    ),
    "updates-way": Help(
        "What is newer, and where?",
        (
            (
                "Context and kubeconfig mean what they mean to kubectl; with a machine its own "
                "kubectl is asked, and both stay empty. Compose on: machines whose Docker is asked "
                "for its Compose projects, in the place of a cluster."
            ),
            (
                "The strategy says how far an update may go: patch the same X.Y.Z built again, "
                "bugfix the same X.Y, minor the same X, major any."
            ),
            (
                "Newer from: nothing for Docker Hub; a registry such as ghcr.io/mojaloop; "
                "docker.io=registry.site:5000 for the site's own in its place; or the file of a "
                "bundle, and nobody is asked."
            ),
        ),
        (("Enter", "next line"), ("F10", "look")),
    ),
    "cluster-way": Help(
        "Which cluster?",
        (
            (
                "Empty lines mean what they mean to kubectl: the files that KUBECONFIG names, else "
                "~/.kube/config, and the current context. With a machine, its own kubectl is "
                "asked, and the other lines stay empty."
            ),
            (
                "A machine is named as on the step Machines: m1 of the list, or ops@10.10.0.11. "
                "Its host key must be confirmed already; it is reached with the login of that step."
            ),
        ),
        (("Enter", "next line"), ("F10", "look at it")),
    ),
}
"""By topic."""
