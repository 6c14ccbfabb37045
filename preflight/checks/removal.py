"""Software that stands in the way: what shows what it holds, and how it goes.

What is found may be a healthy member of somebody's cluster. So the look stands before the removal,
what goes with it is said, and the removal itself is the last word. A question that nobody answers
is no leave either: a node that cannot reach its cluster has not said that it is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Removal:
    """How one piece of software is looked at, taken away, and what that loses."""

    look: str
    go: str
    loses: str
    verb: str = "remove it"
    maker: str = ""
    """Where its maker says so, of what was not tried by us; empty where it was."""

    def __str__(self) -> str:
        """As a remedy: the look, the other way out, and only then the removal."""
        said = f" Its maker says so ({self.maker}); Sitewright has not tried it."
        return (
            f"It may be in use. See what it holds: `{self.look}`. If anything there is needed, or "
            f"no answer comes, take another machine; only if nothing is, {self.verb}: "
            f"`{self.go}`. {self.loses}{said if self.maker else ''}"
        )


_CRI: Final = "crictl --runtime-endpoint unix://{}/containerd.sock ps"
_CLUSTER_LOSES: Final = "All that it holds goes with it, the node's volumes too, for good."


def _as_root(command: str) -> str:
    """A command of k3s or RKE2 as root, wherever its installer put it.

    sudo of RHEL and SUSE looks for programs in folders of its own, and /usr/local/bin is none.
    """
    return f"sudo sh -c 'PATH=$PATH:/usr/local/bin:/opt/bin:/opt/rke2/bin; {command}'"


REMOVALS: Final = {
    "k3s": Removal(
        _as_root("k3s crictl ps"),
        _as_root("k3s-uninstall.sh"),
        _CLUSTER_LOSES + " On an agent it is called k3s-agent-uninstall.sh.",
        maker="docs.k3s.io/installation/uninstall",
    ),
    "rke2": Removal(
        f"sudo /var/lib/rancher/rke2/bin/{_CRI.format('/run/k3s/containerd')}",
        _as_root("rke2-uninstall.sh"),
        _CLUSTER_LOSES,
        maker="docs.rke2.io/install/uninstall",
    ),
    "microk8s": Removal(
        "sudo microk8s status; sudo microk8s kubectl get pods,pv --all-namespaces",
        "sudo snap remove --purge microk8s",
        _CLUSTER_LOSES + " A member of a cluster that goes on leaves it first: `sudo microk8s "
        "leave`. Its rules in the firewall may stay until the next start.",
        maker="canonical/microk8s#3092",
    ),
    "microceph": Removal(
        "sudo microceph status; sudo ceph osd tree",
        "sudo snap remove --purge microceph",
        "Its part of the cluster's data goes with it, for good.",
        maker="snap help remove",
    ),
    "kubelet": Removal(
        f"sudo {_CRI.format('/run/containerd')}",
        "sudo kubeadm reset && sudo apt-get remove kubelet kubeadm",
        "`kubeadm reset` takes the node out of its cluster, and of a control plane its database, "
        "for good; it asks first.",
        maker="kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-reset",
    ),
    "docker": Removal(
        "sudo docker ps --all; sudo docker volume ls",
        "sudo systemctl disable --now docker.socket docker.service",
        "Its containers, images and volumes are kept; what it set in the firewall stays until the "
        "next start.",
        verb="stop it for good",
    ),
}
"""By the name under which the probe tells it."""


def removal(name: str) -> Removal:
    """How software goes; any that has no row of its own is a package that keeps its settings."""
    return REMOVALS.get(name) or Removal(
        f"systemctl status '{name}*' --no-pager; dpkg --listfiles {name}",
        f"sudo apt-get remove {name}",
        "Its data and settings stay; apt shows what else would go, and asks first.",
    )
