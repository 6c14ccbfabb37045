"""Bundles made: each blob fetched once, resumable."""
