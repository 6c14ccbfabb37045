"""The map of deployment options, and advice from it."""
