"""What stands between a person and a cluster, as problems; and what its API refuses."""

from __future__ import annotations

from foundation.problems import ConnectionProblem


class ClusterProblem(ConnectionProblem):
    """A cluster that cannot be spoken to."""

    code = "cluster"
    title = "The cluster cannot be reached"


class ClusterSilent(ClusterProblem):
    """The API server does not answer in time."""

    code = "cluster-timeout"
    title = "The cluster does not answer in time"


class ClusterNotTrusted(ClusterProblem):
    """The API server's certificate does not prove that it is the server that is meant."""

    code = "cluster-certificate"
    title = "The cluster's identity is not confirmed"


class ClusterLoginRefused(ClusterProblem):
    """The API server does not take the credentials."""

    code = "cluster-login"
    title = "The cluster refused the login"


class ApiRefused(Exception):
    """One question that the API server did not answer with what was asked; the rest goes on."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """Kubernetes' own word: Forbidden, NotFound, InternalError, Expired; or Unread."""
        self.message = message
