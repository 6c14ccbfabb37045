"""Serving a bundle, read-only, for the time of an installation: images, packages, charts, Git."""

from bundles.serve.serving import Served, serve_bundle

__all__ = ["Served", "serve_bundle"]
