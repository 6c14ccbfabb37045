"""The answers of one installation: a site file, its paths, the ways to its machines."""
