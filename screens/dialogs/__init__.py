"""Dialogs that several steps open."""
