"""A cluster through a machine that has kubectl: no kubeconfig leaves it; a question is a command.

MicroK8s, k3s and RKE2 bring a kubectl of their own, which is asked before a plain one. What reads
is `kubectl get --raw`; what changes something is `create`, `replace` and `delete --raw`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from foundation.clusters.api import ANSWER_OF_CHANGE
from foundation.clusters.problems import (
    ApiRefused,
    ClusterLoginRefused,
    ClusterProblem,
    ClusterSilent,
)
from foundation.hosts.connection import Become, Completed, Connection
from foundation.problems import ConnectTimeout
from foundation.secrets import cut
from foundation.terminal import clean_line

_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 20.0
_LONGEST: Final = 600


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl that a machine may have."""

    name: str
    """For a person."""
    argv: tuple[str, ...]
    become: Become = Become.IF_ALLOWED


_RKE2: Final = "/var/lib/rancher/rke2/bin/kubectl"
CANDIDATES: Final = (
    Kubectl("microk8s kubectl", ("/snap/bin/microk8s", "kubectl")),
    Kubectl("microk8s kubectl", ("microk8s", "kubectl")),
    Kubectl("k3s kubectl", ("k3s", "kubectl")),
    Kubectl("k3s kubectl", ("/usr/local/bin/k3s", "kubectl")),
    Kubectl("the kubectl of RKE2", (_RKE2, "--kubeconfig", "/etc/rancher/rke2/rke2.yaml")),
    # The login's own kubeconfig, before the administrator's.
    Kubectl("kubectl", ("kubectl",), Become.LOGIN),
    Kubectl("kubectl", ("kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf")),
)
"""In this order; the first that answers is taken."""

_ERROR: Final = re.compile(r"^Error from server(?: \((\w+)\))?: (.*)", re.DOTALL)
_KLOG: Final = re.compile(r"^[EWIF]\d{4} ")
_IF_THERE: Final = 'command -v "$1" >/dev/null 2>&1 || exit 127; exec "$@"'
_NOT_THERE: Final = (126, 127)
_VERBS: Final = {
    "POST": ("create", "-f", "-"), "PUT": ("replace", "-f", "-"), "DELETE": ("delete",),
}  # fmt: skip
"""What kubectl calls a change, and from where it takes the object."""


class MachineApi:
    """The way to a cluster by the kubectl of one machine, over a live connection."""

    def __init__(self, connection: Connection, kubectl: Kubectl) -> None:
        self._connection = connection
        self._kubectl = kubectl
        self.serving_ends = ""
        self.client_ends = ""

    @property
    def where(self) -> str:
        """The machine, since the server's address is its own matter."""
        return self._connection.host.name

    @property
    def way(self) -> str:
        """Which program of which machine."""
        return f"{self._kubectl.name} on {self._connection.host.name}"

    @property
    def argv(self) -> tuple[str, ...]:
        """The kubectl that answers, as it is called there."""
        return self._kubectl.argv

    @classmethod
    async def found(
        cls, connection: Connection, candidates: Sequence[Kubectl] | None = None
    ) -> Self:
        """The first kubectl of a machine that answers.

        Raises ClusterProblem with what each one said where none does.
        """
        said: dict[str, str] = {}
        for one in CANDIDATES if candidates is None else candidates:
            way = cls(connection, one)
            try:
                await way._asked("/version", limit=1 << 20, seconds=_LOOK_SECONDS)
            except _NotThere:
                continue
            except ApiRefused as error:
                said[one.name] = error.message
            except ClusterProblem as problem:
                said[one.name] = problem.cause
            else:
                return way
        name = connection.host.name
        if not said:
            raise ClusterProblem(
                "it has neither microk8s, k3s, RKE2 nor kubectl",
                where=name,
                remedy="Name a machine of the cluster's control plane, or give a kubeconfig:"
                " --kubeconfig FILE.",
            )
        told = "; ".join(f"{program} says: {words}" for program, words in said.items())
        raise ClusterProblem(
            told,
            where=name,
            remedy=f"Log in to {name} and run `{next(iter(said))} get nodes`; where it works only"
            " for root, let the login use sudo.",
        )

    async def get(self, path: str, *, limit: int) -> bytes:
        """The body of an answer; see `Api.get`."""
        try:
            return await self._asked(path, limit=limit, seconds=_SECONDS)
        except _NotThere as error:
            raise ClusterProblem(str(error), where=self.where) from error

    async def send(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The answer to a change; see `ChangingApi.send`."""
        verb, *file = _VERBS[method]
        try:
            return await self._asked(
                path, limit=ANSWER_OF_CHANGE, seconds=_SECONDS, verb=verb, file=file, body=body
            )
        except _NotThere as error:
            raise ClusterProblem(str(error), where=self.where) from error

    async def _asked(
        self,
        path: str,
        *,
        limit: int,
        seconds: float,
        verb: str = "get",
        file: Sequence[str] = (),
        body: bytes | None = None,
    ) -> bytes:
        kubectl = self._kubectl
        try:
            done = await self._connection.run(
                ["sh", "-c", _IF_THERE, "sh", *kubectl.argv, verb, "--raw", path, *file],
                stdin=body,
                become=kubectl.become,
                timeout=seconds,
                limit=limit,
            )
        except ConnectTimeout as error:
            raise ClusterSilent(
                f"{kubectl.name} did not end within {seconds:g} s", where=self.where
            ) from error
        if done.truncated:
            raise ApiRefused("Unread", f"the answer has more than {limit >> 20} MiB")
        if done.status == 0:
            return done.stdout
        raise self._failure(done)

    def _failure(self, done: Completed) -> Exception:
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        # The client library's own log stands before the one sentence that is meant for a person.
        kept = [clean_line(line).strip() for line in lines if not _KLOG.match(line)]
        said = cut(" ".join(line for line in kept if line), _LONGEST)
        if done.status in _NOT_THERE:
            return _NotThere(said)
        if error := _ERROR.match(said):
            return ApiRefused(error[1] or "Refused", error[2])
        if "(Unauthorized)" in said:
            return ClusterLoginRefused(said, where=self.where)
        return ClusterProblem(said or f"it ended with {done.status}", where=self.where)


class _NotThere(Exception):
    """The machine has no such program."""
