"""Clusters: the ways to a Kubernetes API, by a kubeconfig or by the kubectl of a machine."""
