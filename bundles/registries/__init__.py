"""Registries and files over HTTP, patient and on guard."""
