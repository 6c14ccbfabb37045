"""Places: every path of ours on a machine, whose it is, what for, and how it goes away.

So that a person who finds one knows, and nothing is left that nobody takes away. A test looks for
each path in the source and for each path of the source here; docs/machines.md shows the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STATE: Final = "/var/lib/sitewright"
"""What a machine keeps between runs; root's alone."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path, or the beginning of several that are one's own."""

    path: str
    owner: str
    """What writes it: a part of Sitewright, or a stage of a solution."""
    what: str
    away: str
    """How it goes away."""


_STEP: Final = "with its step"
_UNDO: Final = "`undo` of the stage"
_BY_HAND: Final = "stays; `rm -r` when no run is to be gone on with"

PLACES: Final = (
    Place(f"{STATE}/jobs", "every run", "the output and the end of commands, until they are read",
          "when their end is on the record; the rest stays"),
    Place("/run/sitewright/jobs", "every run", "standard input of commands under way", _STEP),
    Place("/run/sitewright/keys", "playbooks", "keys and sockets of a control host", _STEP),
    Place(f"{STATE}/lock", "every run", "who works on the machine", "at the session's end"),
    Place("/run/sitewright-holder", "playbooks", "the same, for tasks that are under way",
          "at the session's end"),
    Place(f"{STATE}/put-out", "a take-over", "from whom the machine was taken over", _BY_HAND),
    Place(f"{STATE}/last", "every run", "the last line of its journal, to know it again", _BY_HAND),
    Place(f"{STATE}/supplies", "deliveries", "parts of a bundle on their way", _STEP),
    Place(f"{STATE}/bin", "programs", "Helm and kubectl, brought from a bundle", _BY_HAND),
    Place(f"{STATE}/programs", "programs", "the same, until they are whole", _STEP),
    Place(f"{STATE}/ansible", "playbooks", "ansible-core on a control host that has none",
          _BY_HAND),
    Place(f"{STATE}/pushed", "pushes", "what a registry was given", "`undo` of the push"),
    Place("/etc/apt/sitewright", "deliveries", "packages of a bundle as a source of apt",
          "`undo` of the delivery"),
    Place("/etc/apt/apt.conf.d/90sitewright-supplies", "deliveries", "that apt takes these alone",
          "`undo` of the delivery"),
    Place("/etc/apt/apt.conf.d/90sitewright-bundle", "a served bundle",
          "settings of apt that `bundle serve` prints", "by hand, as they came"),
    Place("/etc/apt/sources.list.d/sitewright-bundle.sources", "a served bundle",
          "its packages as a source", "by hand, as it came"),
    Place("/etc/sitewright/trust", "a served bundle", "authorities of its server and registry",
          "by hand; that of the site's registry with its stage"),
    Place("/etc/sitewright/way-out", "the way out", "the proxy and the authorities of the site",
          _UNDO),
    Place("/etc/apt/apt.conf.d/95sitewright-way-out", "the way out", "apt's proxy", _UNDO),
    Place("/usr/local/share/ca-certificates/sitewright-way-out-", "the way out",
          "authorities that the site gives", _UNDO),
    Place("/etc/sitewright/first-", "PM4ML", "that this machine was the first of its role",
          "that of the masters with `undo` of MicroK8s; the others stay, so that the next run "
          "knows them, and go with the folder"),
    Place(f"{STATE}/helm-deploy", "HELM Deploy",
          "how kubectl and Helm reach the cluster, and which cluster it is", "`undo` of the stage"),
    Place(f"{STATE}/miniloop", "Miniloop", "test cases for its pods, from a bundle; whether the "
          "first transfer was sent", "`undo` of the stage; `remove --with-data`"),
    Place("/etc/systemd/system/sitewright-miniloop-files.service", "Miniloop",
          "gives those test cases out", "`undo` of the stage; `remove --with-data`"),
    Place("/etc/sitewright/swap-off", "PM4ML, host preparation", "which swap it turned off", _UNDO),
    Place("/etc/fstab.before-sitewright", "checks", "fstab before a remedy that you pasted",
          "by hand"),
    Place("/etc/waagent.conf.before-sitewright", "checks",
          "waagent.conf before a remedy that you pasted", "by hand"),
    Place("/etc/hosts.before-sitewright", "checks",
          "names of the machine before a remedy that you pasted", "by hand"),
    Place("/etc/cloud/templates/hosts.debian.tmpl.before-sitewright", "checks",
          "what cloud-init writes them from, before a remedy that you pasted", "by hand"),
    Place("/etc/sudoers.d/90-sitewright", "remedies", "rights of a login, if you gave them so",
          "by hand"),
    Place("/etc/modules-load.d/sitewright-kubernetes.conf", "PM4ML, host preparation",
          "modules at every start", _UNDO),
    Place("/etc/sysctl.d/60-sitewright-", "PM4ML", "parameters of the kernel, a file a stage",
          _UNDO),
    Place("/etc/systemd/journald.conf.d/60-sitewright.conf", "PM4ML, tuning", "bounds of logs",
          _UNDO),
    Place("/etc/apt/apt.conf.d/60-sitewright", "PM4ML, tuning", "updates of security alone", _UNDO),
    Place("/etc/needrestart/conf.d/60-sitewright.conf", "PM4ML, tuning",
          "services that no update restarts unasked", _UNDO),
    Place("/etc/multipath/conf.d/60-sitewright.conf", "PM4ML, tuning", "disks that are no paths",
          _UNDO),
    Place("/etc/chrony/sources.d/sitewright.sources", "PM4ML, host preparation", "time servers",
          _UNDO),
    Place("/usr/local/sbin/sitewright-firewall", "PM4ML, firewall", "loads the rules", _UNDO),
    Place("/etc/sitewright/firewall", "PM4ML, firewall", "the rules", _UNDO),
    Place("/etc/systemd/system/sitewright-firewall.service", "PM4ML, firewall",
          "loads them at every start", _UNDO),
    Place("/etc/wireguard/wg-sitewright", "PM4ML, WireGuard", "the network and its key", _UNDO),
    Place("/etc/docker/registry/sitewright", "PM4ML, site registry", "its configuration", _UNDO),
    Place("/etc/systemd/system/docker-registry.service.d/sitewright.conf", "PM4ML, site registry",
          "its service", _UNDO),
    Place("/etc/sitewright/site-registry", "PM4ML, site registry", "its certificate", _UNDO),
    Place("/etc/haproxy/haproxy.cfg.before-sitewright", "PM4ML, HAProxy", "what was there before",
          _UNDO),
    Place("/etc/keepalived/keepalived.conf.before-sitewright", "PM4ML, HAProxy",
          "what was there before", _UNDO),
    Place("/etc/systemd/system/sitewright-forward.service", "PM4ML, MicroK8s",
          "forwarding at every start", _UNDO),
    Place("/etc/sitewright/git_known_hosts", "PM4ML, Argo CD", "the host key of your Git", _UNDO),
    Place(f"{STATE}/argocd-", "PM4ML, Argo CD", "the manifests that were applied", _UNDO),
    Place("/usr/local/sbin/sitewright-checklist", "PM4ML, checklist", "asks its questions", _UNDO),
    Place("/usr/local/lib/sitewright/checklist", "PM4ML, checklist", "its programs", _UNDO),
    Place("/usr/local/lib/sitewright/nodes.py", "PM4ML, work on a node", "asks the cluster", _UNDO),
    Place("/usr/local/lib/sitewright/dead.py", "PM4ML, a dead node replaced",
          "asks whether it is dead", _UNDO),
    Place("/usr/local/lib/sitewright/members.py", "PM4ML, a master taken out",
          "asks the cluster and its database", _UNDO),
    Place("/usr/local/lib/sitewright/minors.py", "PM4ML, an upgrade", "asks the cluster", _UNDO),
    Place("/usr/local/lib/sitewright/upkeep.py", "PM4ML, work on a node that stays",
          "asks the cluster", _UNDO),
    Place(f"{STATE}/runs-since", "PM4ML, a restart", "since when it runs, to know the restart",
          _STEP),
    Place(f"{STATE}/noout", "PM4ML, a restart", "that Ceph was told not to rebuild", _STEP),
    Place("/usr/local/lib/sitewright/leaving.py", "PM4ML, a worker taken out", "asks the cluster",
          _UNDO),
    Place("/usr/local/lib/sitewright/vaults.py", "PM4ML, Vault", "asks Vault and opens it", _UNDO),
    Place("/usr/local/sbin/sitewright-backup", "PM4ML, backup", "makes and lists backups",
          "by hand"),
    Place("/usr/local/lib/sitewright/backup", "PM4ML, backup", "its programs", "by hand"),
    Place("/etc/sitewright/backup", "PM4ML, backup",
          "where to and for whom; the key by which the target lets it in", "by hand"),
    Place(f"{STATE}/backup", "PM4ML, backup", "Sitewright's record of the site; how the last "
          "backup ended; while Vault is put back, the share that opens it empty", "by hand"),
    Place("/etc/systemd/system/sitewright-backup.", "PM4ML, backup", "the service and its timer",
          _UNDO),
    Place("/run/sitewright/checklist.json", "PM4ML, checklist", "the answers of the last look",
          _UNDO),
    Place(f"{STATE}/core-test-harness", "Core Test Harness",
          "what Docker was made of; which packages came with it", _UNDO),
    Place(f"{STATE}/mosip-nginx", "MOSIP, Nginx",
          "the configuration of before; which packages came with it", _UNDO),
    Place("/etc/exports.d/sitewright-mosip.exports", "MOSIP, NFS", "the folder, to the nodes alone",
          _UNDO),
)  # fmt: skip


def table() -> str:
    """The places as the page shows them."""
    rows = [f"| `{one.path}` | {one.owner} | {one.what} | {one.away} |" for one in PLACES]
    return "\n".join(["| path | whose | what it is | how it goes |", "|---|---|---|---|", *rows])
