"""Participants and parties of our own in a hub, and their taking back."""
