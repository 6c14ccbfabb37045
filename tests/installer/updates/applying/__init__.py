"""Applying updates."""
