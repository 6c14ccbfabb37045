"""A cluster on its own: named, looked at, and what is found of it, layer by layer."""
