"""Bundles opened, verified, compared and carried as volumes."""
