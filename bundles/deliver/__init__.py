"""Delivering: what a verified bundle holds, brought to machines and put where they use it."""
