"""Clusters: what a Kubernetes tells of itself, read once, and what the checks say of it."""
