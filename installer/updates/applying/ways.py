"""The way to the cluster that is changed: by a kubeconfig here, or by a machine's own kubectl."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.clusters.https import HttpsApi
from foundation.clusters.machine import CANDIDATES, MachineApi
from foundation.hosts.connection import Become
from foundation.problems import InputProblem
from foundation.wording import listed
from installer.updates.applying.plans import Way

if TYPE_CHECKING:
    from foundation.clusters.api import Api
    from foundation.clusters.kubeconfig import Access
    from foundation.hosts.model import Host, Inventory
    from foundation.hosts.pool import Pool
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site

_AS_ROOT: Final = tuple(one for one in CANDIDATES if one.become is not Become.LOGIN)
"""A job runs as root, and finds no kubeconfig of a login."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A cluster that answers: how it is read, and how it is changed."""

    api: Api
    way: Way


@asynccontextmanager
async def by_kubeconfig(
    access: Access, files: Sequence[Path], site: Site
) -> AsyncIterator[Reached]:
    """The cluster of a context; what changes it is the kubectl of this computer.

    Raises InputProblem and ClusterProblem.
    """
    there = [file.expanduser().absolute() for file in files if file.expanduser().exists()]
    if site.control is not None:
        raise InputProblem(
            f"kubectl runs on {site.control}, and this kubeconfig is here",
            where="control of the site file",
            remedy=f"Give no kubeconfig, and: --through {site.control}",
        )
    if len(there) != 1:
        raise InputProblem(
            f"{len(there)} kubeconfigs are named, and kubectl is told one",
            where="KUBECONFIG",
            remedy="Name it: --kubeconfig FILE.",
        )
    program = shutil.which("kubectl")
    if program is None:
        raise InputProblem(
            "what changes a cluster from here is kubectl, and this computer has none",
            where="PATH",
            remedy="Install kubectl, or have a machine of the site do it: --through MACHINE.",
        )
    # A job has a PATH of its own, in which what a person put elsewhere is not.
    kubectl = (program, "--kubeconfig", str(there[0]), "--context", access.name)
    helm = (
        shutil.which("helm") or "helm",
        "--kubeconfig",
        str(there[0]),
        "--kube-context",
        access.name,
    )
    async with HttpsApi(access) as api:
        yield Reached(api, Way(program=kubectl, helm=helm))


async def through(pool: Pool, host: Host) -> Reached:
    """The cluster of a machine, by the kubectl that root has there; raises ClusterProblem."""
    api = await MachineApi.found(await pool.connect(host), _AS_ROOT)
    return Reached(api, Way(host.name, api.argv, _helm_beside(api.argv)))


def _helm_beside(kubectl: tuple[str, ...]) -> tuple[str, ...]:
    """The Helm that speaks with the same cluster."""
    program, *rest = kubectl
    if program.endswith("microk8s"):
        return (program, "helm3")
    if program.endswith("k3s"):
        return ("helm", "--kubeconfig", "/etc/rancher/k3s/k3s.yaml")
    return ("helm", *rest)


def machine_of(name: str | None, site: Site, solution: Solution, inventory: Inventory) -> Host:
    """The machine of the site whose kubectl is asked: by name or address, else the usual one.

    Raises InputProblem.
    """
    wanted = name or usual_machine(site, solution)
    by_name = [host for host in inventory if host.name == wanted]
    found = by_name or [host for host in inventory if host.address == wanted]
    if not found:
        raise InputProblem(
            f'the site has no machine "{wanted}"',
            where="--through",
            remedy=f"Its machines are {listed([host.name for host in site.hosts][:20])}.",
        )
    return found[0]


def usual_machine(site: Site, solution: Solution) -> str:
    """The machine whose kubectl is asked where none is named; raises InputProblem."""
    roles = solution.needs(site.environment).platform.kubernetes_roles
    for role in roles:
        names = sorted(host.name for host in site.hosts if role in host.roles)
        if names:
            return names[0]
    raise InputProblem(
        "which cluster is meant is not known: no machine of the site is one of a Kubernetes",
        where="the command line",
        remedy="Name a machine with kubectl (--through MACHINE), or --kubeconfig FILE.",
    )
